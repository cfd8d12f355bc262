// Runs apart: a browser takes all processors that there are.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import type { ProxyName } from "../../src/commands/arguments.ts";
import { bodyOf } from "../support/bosh_client.ts";
import { CHROMIUM_FLAGS } from "../support/chromium.ts";
import { onFront } from "../support/fronts.ts";
import { until } from "../support/patience.ts";
import { haveProgram, programPath } from "../support/programs.ts";
import { behind, PROXIES } from "../support/proxied.ts";
import type { ReverseProxy } from "../support/reverse_proxy.ts";
import { OPEN } from "../support/websocket_conversation.ts";

const FLAGS = [
  ...CHROMIUM_FLAGS,
  "--host-resolver-rules=MAP example.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  "--ignore-certificate-errors",
];

/** Pages of other origins are told how a request went. */
const READABLE = 'http.headers = { Timing-Allow-Origin = "*" }';

/** What a page of another origin finds out. */
interface Found {
  /** The answers to two requests, the second while the first was held. */
  readonly held: string;
  readonly second: string;
  readonly hostMeta: string;
  /** Of all requests, as the browser names it. */
  readonly protocols: readonly string[];
  readonly subprotocol: string;
  readonly messages: readonly string[];
}

for (const [name, { program }] of Object.entries(PROXIES)) {
  onFront(
    "deno",
    `B-016 D-005 behind ${name}, a page of another origin in a browser has BOSH over HTTP/2 and a WebSocket`,
    () =>
      visit(name as ProxyName, "omit", READABLE, (found) => {
        assert.match(found.held, /^<body [^>]*\/>$/);
        assert.match(found.second, /<message/);
        assert.match(found.hostMeta, /xbosh/);
        assert.deepEqual(found.protocols, ["h2", "h2", "h2", "h2"]);
        assert.equal(found.subprotocol, "xmpp");
        assert.match(found.messages[0]!, /^<open /);
        assert.match(found.messages[1]!, /^<stream:features/);
      }),
    haveProgram(program, "chromium"),
  );
}

onFront(
  "deno",
  "behind haproxy, a browser has its WebSocket over HTTP/2 too (RFC 8441), where it has a connection for that",
  () =>
    // It has one for requests with credentials, and another for those without.
    visit(
      "haproxy",
      "include",
      `http.allowed_origins = ["ORIGIN"]`,
      async ({ messages }, proxy) => {
        assert.equal(messages.length, 2);
        const isLogged = async () => / \/xmpp-websocket HTTP\/2\.0"/.test(await proxy.logs());
        await until(async () => await isLogged() || undefined, "it came over HTTP/2");
      },
    ),
  haveProgram("haproxy", "chromium"),
);

/** Opens a page in a browser, of an origin of its own, that talks to a connection manager through a proxy. */
async function visit(
  name: ProxyName,
  credentials: RequestCredentials,
  toml: string,
  check: (found: Found, proxy: ReverseProxy) => void | Promise<void>,
): Promise<void> {
  const headers = { "content-type": "text/html" };
  await using pages = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("<!DOCTYPE html><title>Page</title>", { headers }),
  );
  const origin = `http://127.0.0.1:${pages.addr.port}`;
  await behind(name, { toml: toml.replace("ORIGIN", origin) }, async (proxied) => {
    const { url, connector, proxy } = proxied;
    connector.onOpen = (upstream) => {
      upstream.opened();
      upstream.say("<stream:features/>");
      upstream.onCall = (call) => {
        if (call.startsWith("send <presence")) upstream.say("<message/>");
      };
    };
    const browser = await chromium.launch({ executablePath: programPath("chromium"), args: FLAGS });
    try {
      const page = await browser.newPage();
      await page.goto(origin);
      const bodies = [
        bodyOf("rid='1' to='example.test' wait='5' hold='1' ver='1.6'"),
        bodyOf("rid='2' sid='SID'"),
        bodyOf("rid='3' sid='SID'", "<presence/>"),
      ];
      const found = await page.evaluate(talk, { url, bodies, open: OPEN, credentials });
      await check(found, proxy);
    } finally {
      await browser.close();
    }
  });
}

/** Runs in the page. */
async function talk(
  { url, bodies, open, credentials }: {
    readonly url: string;
    readonly bodies: readonly string[];
    readonly open: string;
    readonly credentials: RequestCredentials;
  },
): Promise<Found> {
  const [creation, ...later] = bodies;
  const post = async (body: string) => {
    const headers = { "Content-Type": "text/xml; charset=utf-8" };
    const init = { method: "POST", headers, body, credentials };
    return await (await fetch(`${url}/http-bind`, init)).text();
  };
  const sid = /sid='([^']+)'/.exec(await post(creation!))![1]!;
  const [held, second] = await Promise.all(later.map((body) => post(body.replace("SID", sid))));
  const hostMeta = await (await fetch(`${url}/.well-known/host-meta`)).text();
  const protocols = performance.getEntriesByType("resource")
    .filter((entry) => entry.name.startsWith(url))
    .map((entry) => (entry as PerformanceEntry & { nextHopProtocol: string }).nextHopProtocol);
  const socket = new WebSocket(`${url.replace("https:", "wss:")}/xmpp-websocket`, "xmpp");
  const messages: string[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => socket.send(open);
    socket.onmessage = ({ data }) => {
      if (messages.push(data) === 2) resolve();
    };
    socket.onerror = () => reject(new Error("the WebSocket fails"));
  });
  socket.close();
  return {
    held: held!,
    second: second!,
    hostMeta,
    protocols,
    subprotocol: socket.protocol,
    messages,
  };
}
