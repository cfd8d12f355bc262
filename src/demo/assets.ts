import css from "./page.css" with { type: "text" };
import icon from "./icon.svg" with { type: "text" };
import html from "./page.html" with { type: "text" };
import js from "./page.js" with { type: "text" };
import person from "./person.css" with { type: "text" };
import way from "./way.js" with { type: "text" };
import wire from "./wire.js" with { type: "text" };
// The browser's bundle of Strophe is not among the package's exports. Importing a file that
// is makes the package part of the program and lets its place be resolved.
import strophe from "strophe.js/package.json" with { type: "json" };

/** A file of the demo page. */
export interface DemoAsset {
  /** Its media type. */
  readonly type: string;
  readonly body: string;
}

/**
 * The files of the demo page by path: `/`, and what it loads from below `/demo/`.
 *
 * Rejects when Strophe's bundle cannot be read.
 */
export async function demoAssets(): Promise<ReadonlyMap<string, DemoAsset>> {
  const bundle = new URL(strophe.unpkg, import.meta.resolve("strophe.js/package.json"));
  const script = "text/javascript; charset=utf-8";
  return new Map([
    ["/", { type: "text/html; charset=utf-8", body: html }],
    ["/demo/page.css", { type: "text/css; charset=utf-8", body: css }],
    ["/demo/person.css", { type: "text/css; charset=utf-8", body: person }],
    ["/demo/page.js", { type: script, body: js }],
    ["/demo/way.js", { type: script, body: way }],
    ["/demo/wire.js", { type: script, body: wire }],
    ["/demo/icon.svg", { type: "image/svg+xml", body: icon }],
    ["/demo/strophe.js", { type: script, body: await Deno.readTextFile(bundle) }],
  ]);
}
