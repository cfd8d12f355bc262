import css from "./page.css" with { type: "text" };
import chartsCss from "./charts.css" with { type: "text" };
import icon from "./icon.svg" with { type: "text" };
import html from "./page.html" with { type: "text" };
import api from "./api.js" with { type: "text" };
import charts from "./charts.js" with { type: "text" };
import controls from "./controls.js" with { type: "text" };
import dialogsCss from "./dialogs.css" with { type: "text" };
import dialog from "./dialog.js" with { type: "text" };
import dom from "./dom.js" with { type: "text" };
import heartbeat from "./heartbeat.js" with { type: "text" };
import load from "./load.js" with { type: "text" };
import page from "./page.js" with { type: "text" };
import session from "./session.js" with { type: "text" };
import sessions from "./sessions.js" with { type: "text" };
import sessionsCss from "./sessions.css" with { type: "text" };
import trace from "./trace.js" with { type: "text" };
import troublesCss from "./troubles.css" with { type: "text" };
import troubles from "./troubles.js" with { type: "text" };
import words from "./words.js" with { type: "text" };

/** A file of the admin page. */
export interface PageAsset {
  /** Its media type. */
  readonly type: string;
  readonly body: string;
  /** Changes with it. */
  readonly etag: string;
}

const SCRIPTS = {
  ...{ api, charts, controls, dialog, dom, heartbeat, load, page, session, sessions },
  ...{ trace, troubles, words },
};
const STYLES = {
  page: css,
  charts: chartsCss,
  sessions: sessionsCss,
  troubles: troublesCss,
  dialogs: dialogsCss,
};

let assets: Promise<ReadonlyMap<string, PageAsset>> | undefined;

/** The files of the admin page by their names below `admin.path`; `""` is the page itself. */
export function pageAssets(): Promise<ReadonlyMap<string, PageAsset>> {
  const files: [string, string, string][] = [
    ["", "text/html", html],
    ["icon.svg", "image/svg+xml", icon],
    ...namesOf(STYLES, "css", "text/css"),
    ...namesOf(SCRIPTS, "js", "text/javascript"),
  ];
  return assets ??= Promise.all(files.map(async ([name, type, body]) => {
    const asset = { type: `${type}; charset=utf-8`, body, etag: await etagOf(body) };
    return [name, asset] as const;
  })).then((made) => new Map(made));
}

function namesOf(
  files: Readonly<Record<string, string>>,
  ending: string,
  type: string,
): [string, string, string][] {
  return Object.entries(files).map(([name, body]) => [`${name}.${ending}`, type, body]);
}

async function etagOf(body: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
  return `"${new Uint8Array(digest, 0, 12).toBase64()}"`;
}
