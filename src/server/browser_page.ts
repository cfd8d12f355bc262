/** The page that a browser sees where clients have an endpoint; loaded when the first one asks. */
import { splitHostPort } from "../config/address.ts";
import type { Config, Service } from "../config/config.ts";
import { domainKey, findDomain } from "../config/domains.ts";
import { escape } from "../protocol/xml/writer.ts";
import type { Target } from "./client_address.ts";
import type { Answer } from "./exchange.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: #23262b; --paper: #f4f3ee; --card: #fff; --link: #0b7285; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e7e9; --paper: #14171b; --card: #1c2026; --link: #3cb4c8; }
}
body { margin: 0; padding: 8vh 20px 20px; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 38em; margin: auto; }
h1 { font-size: 22px; line-height: 1.3; }
dt { margin-top: 12px; font-weight: 600; }
dd { margin: 4px 0 0; }
code { display: inline-block; padding: 4px 10px; border-radius: 6px; background: var(--card); overflow-wrap: anywhere; }
a { color: var(--link); }
`;

/** Nothing runs and nothing is loaded: the one style sheet is named by what it is made of. */
const POLICY = `default-src 'none'; style-src 'sha256-${await digest(STYLE)}'; base-uri 'none'; ` +
  "form-action 'none'; frame-ancestors 'none'; sandbox";

/** The protocol, and the word for it in clients, by the service that is found at a path. */
const WAYS = [
  {
    service: "bosh",
    name: "BOSH",
    standard: "XEP-0124 and XEP-0206",
    schemes: { http: "http", https: "https" },
    keys: "bosh_service_url in Converse, the service of a Strophe connection",
  },
  {
    service: "websocket",
    name: "WebSocket",
    standard: "RFC 7395",
    schemes: { http: "ws", https: "wss" },
    keys: "websocket_url in Converse, the service of a Strophe or xmpp.js connection",
  },
] as const;

/** `services` are those of the listener, and `path` the one that was asked for. */
export function browserPage(
  { config, services, path, target, isOperator }: {
    readonly config: Config;
    readonly services: readonly Service[];
    readonly path: string;
    readonly target: Target;
    readonly isOperator: boolean;
  },
  common: Readonly<Record<string, string>>,
): Answer {
  const ways = WAYS.filter(({ service }) => services.includes(service));
  const own = ways.find(({ service }) => config[service].path === path) ?? WAYS[0];
  const entries = ways.map(({ service, name, standard, schemes, keys }) =>
    `<dt>${name} (${standard})</dt>
<dd><code>${escape(addressOf(service, schemes, config, target))}</code><br>${keys}</dd>`
  );
  const admin = config.admin.path.endsWith("/") ? config.admin.path : `${config.admin.path}/`;
  const operator = isOperator ? `\n<p><a href="${escape(admin)}">Admin page</a></p>` : "";
  const body = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${own.name} endpoint for XMPP</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>This is a ${own.name} endpoint for XMPP</h1>
<p>Chat clients that run in web pages reach their XMPP server through it. There is nothing to see here: it is an address to be given to a client.</p>
<dl>
${entries.join("\n")}
</dl>
<p>How other clients are told is in the documentation of Causeway, on its page of clients.</p>${operator}
</main>
</body>
</html>
`;
  const headers = { ...common, "content-type": "text/html; charset=utf-8" };
  return { status: 200, headers: { ...headers, "content-security-policy": POLICY }, body };
}

/** Where a client finds a service: as the operator says, or by what this request was sent to. */
function addressOf(
  service: "bosh" | "websocket",
  schemes: { readonly http: string; readonly https: string },
  config: Config,
  { scheme = "http", host = "" }: Target,
): string {
  const name = splitHostPort(host)?.host;
  const key = name === undefined ? undefined : domainKey(name);
  const domain = key === undefined ? undefined : findDomain(config, key);
  const configured = service === "bosh" ? domain?.boshUrl : domain?.websocketUrl;
  return configured ?? `${schemes[scheme]}://${host}${config[service].path}`;
}

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(bytes).toBase64();
}
