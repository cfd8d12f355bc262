import assert from "node:assert/strict";
import type { ProxyName } from "../../src/commands/arguments.ts";
import { bodyOf, HttpConnection } from "../support/bosh_client.ts";
import { currentFront, onBothFronts, onFront } from "../support/fronts.ts";
import { H2Client } from "../support/h2_client.ts";
import { readJrd, readXrd } from "../support/host_meta.ts";
import { runManager } from "../support/manager.ts";
import { patiently, until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import {
  behind,
  CARRIERS,
  CLIENT,
  FORGED,
  logIn,
  type Proxied,
  PROXIES,
} from "../support/proxied.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { RecordingRelay } from "../support/recording_relay.ts";
import { printed, ReverseProxy } from "../support/reverse_proxy.ts";
import { OPEN } from "../support/websocket_conversation.ts";

const NAMES = Object.keys(PROXIES) as ProxyName[];

/** Names of unix sockets with all that their proxy can be told of. */
const ODD: Readonly<Record<ProxyName, string>> = {
  nginx: `a b"c'd;#{$e}\\n\\`,
  haproxy: `a b"c'd;#{e},f:1`,
  caddy: `a b"c'd;#$e\\n\\`,
  apache: "a+b=c@d~e",
};

for (const name of NAMES) {
  const needs = haveProgram(PROXIES[name].program);
  /** On a unix socket with one front, on TCP with the other. */
  const test = (what: string, check: (proxied: Proxied) => Promise<void>) =>
    onBothFronts(what, () => {
      const place = currentFront() === "deno" ? "unix" : "tcp";
      return behind(name, { place }, check);
    }, needs);

  for (const place of ["unix", "tcp"] as const) {
    for (const [protocol, connect] of Object.entries(CARRIERS)) {
      onBothFronts(
        `S-013 T-46 behind ${name} by ${place}, BOSH over ${protocol} logs in, is pushed to and has two requests at once, and its client is known`,
        () =>
          behind(name, { place }, async ({ url, connector }) => {
            using talk = await connect(url, FORGED);
            const upstream = await logIn(talk, connector);
            const client = { address: CLIENT, port: 0, transport: "bosh" };
            assert.deepEqual(upstream.request.client, client);
            const held = talk.ask();
            upstream.say("<message id='one'/>");
            assert.match((await held).text, /<message [^>]*id='one'/);
            const [first, second] = [talk.ask(), talk.ask("", "<presence/>")];
            assert.deepEqual((await first).payloads, []);
            upstream.say("<message id='two'/>");
            assert.match((await second).text, /<message [^>]*id='two'/);
            assert.ok(upstream.log.some((call) => call.startsWith("send <presence")));
            assert.equal((await talk.ask("type='terminate'")).type, "terminate");
          }),
        needs,
      );
    }
  }

  onFront(
    "deno",
    `behind ${name}, requests that follow each other are passed on by one connection`,
    async () => {
      const toml = '[domains."example.test"]';
      await using running = await runManager({ toml });
      await using relay = new RecordingRelay(Number(new URL(running.url).port));
      const config = printed(name, toml, `127.0.0.1:${relay.port}`);
      await using proxy = await ReverseProxy.start(PROXIES[name], config);
      const h1 = new HttpConnection(`https://example.test:${proxy.ports.tls}`);
      for (let request = 0; request < 5; request++) {
        const { status } = await h1.send({ method: "GET", target: "/http-bind" });
        assert.equal(status, 200);
      }
      h1.abort();
      assert.equal(relay.connections.length, 1);
    },
    needs,
  );

  onFront(
    "sockets",
    `behind ${name}, the socket may have a path that has to be quoted`,
    () =>
      behind(name, { socket: ODD[name] }, async ({ url }) => {
        const h1 = new HttpConnection(url);
        const { status } = await h1.send({ method: "GET", target: "/http-bind" });
        assert.equal(status, 200);
        h1.abort();
      }),
    needs,
  );

  test(
    `S-013 W-030 behind ${name}, WebSocket over TLS is upgraded at both paths, its client is known, and is missed at once when it leaves`,
    async ({ url, connector, running }) => {
      for (const path of ["/xmpp-websocket", "/xmpp-websocket/", "/http-bind"]) {
        const opened = connector.upstreams.length;
        using socket = await RawWebSocket.connect(url + path, FORGED, "GET", CLIENT);
        assert.equal(socket.status, 101);
        assert.deepEqual(socket.headers.get("sec-websocket-protocol"), ["xmpp"]);
        await openStream(socket);
        const client = { address: CLIENT, port: 0, transport: "websocket" };
        assert.deepEqual(connector.last.request.client, client);
        assert.equal(connector.upstreams.length, opened + 1);
        connector.last.say(`<message><body>${"x".repeat(300_000)}</body></message>`);
        assert.ok((await socket.message()).length > 300_000);
        socket.destroy();
        await until(() => running.manager.sessions === 0 || undefined, "its loss is noticed");
      }
    },
  );

  test(
    `D-001 D-003 D-006 behind ${name}, host-meta is told by HTTPS for the domain that was asked for, and plain HTTP is sent there`,
    async ({ url, proxy }) => {
      const { host } = new URL(url);
      const hrefs = [`https://${host}/http-bind`, `wss://${host}/xmpp-websocket`];
      using h2 = await H2Client.connect(url, CLIENT);
      const h1 = new HttpConnection(url);
      for (const path of ["/.well-known/host-meta", "/.well-known/host-meta.json"]) {
        for (
          const { status, headers, body } of [
            await h1.send({ method: "GET", target: path, headers: FORGED }),
            await h2.send({ path, headers: FORGED }),
          ]
        ) {
          const text = new TextDecoder().decode(body);
          assert.equal(status, 200, text);
          const links = path.endsWith("json") ? readJrd(text) : readXrd(text);
          assert.deepEqual(links.map(({ href }) => href), hrefs);
          assert.equal(headers.get("access-control-allow-origin"), "*");
        }
      }
      const elsewhere = await h1.send({ method: "GET", target: "/index.html" });
      assert.equal(elsewhere.status, 404);
      h1.abort();

      for (const method of ["GET", "POST"]) {
        const plain = new HttpConnection(`http://example.test:${proxy.ports.plain}`);
        const target = "/http-bind?a=b";
        const headers = { "Host": "example.test" };
        const sent = await plain.send({ method, target, headers });
        assert.equal(sent.status, 308);
        const to = new URL(sent.headers.get("location")!);
        assert.equal(
          `${to.protocol}//${to.hostname}${to.pathname}`,
          "https://example.test/http-bind",
        );
        assert.equal(to.search, "?a=b");
        plain.abort();
      }
    },
  );

  test(
    `B-016 B-019 behind ${name}, what http.max_body allows passes, what is more is 413, and both may be read by pages`,
    async ({ url, connector }) => {
      const origin = { "Origin": "https://pages.test" };
      for (const [protocol, connect] of Object.entries(CARRIERS)) {
        using talk = await connect(url, origin);
        const upstream = await logIn(talk, connector);
        const big = talk.ask("", `<message><body>${"x".repeat(262_144 - 500)}</body></message>`);
        upstream.say("<message/>");
        const { headers } = (await big).http;
        assert.equal(headers.get("access-control-allow-origin"), "*", protocol);
        await until(
          () => upstream.log.some((call) => call.length > 260_000) || undefined,
          "it has come",
        );
      }
      using h2 = await H2Client.connect(url);
      for (const length of [262_144, 2_000_000]) {
        const h1 = new HttpConnection(url);
        const body = bodyOf("rid='1'", "x".repeat(length));
        const answers = [
          await h1.send({ target: "/http-bind", headers: origin, body }),
          await h2.send({ path: "/http-bind", headers: origin, body }),
        ];
        h1.abort();
        for (const { status, headers } of answers) {
          assert.equal(status, 413);
          // nginx does not read what is more than twice as long, and answers by itself.
          const readable = name !== "nginx" || length < 500_000;
          assert.equal(headers.get("access-control-allow-origin"), readable ? "*" : undefined);
        }
      }
    },
  );

  test(
    `B-003 B-015 behind ${name}, an answer of a mebibyte comes whole and as it is, and a preflight is answered once`,
    async ({ url, connector }) => {
      for (const connect of Object.values(CARRIERS)) {
        using talk = await connect(url, { "Accept-Encoding": "gzip, br" });
        const upstream = await logIn(talk, connector);
        const held = talk.ask();
        // The most that a stanza of the server may have.
        const message = `<message><body>${"x".repeat(1_048_576 - 32)}</body></message>`;
        upstream.say(message);
        const { http, text } = await held;
        assert.ok(text.includes("x".repeat(1_048_576 - 32)));
        assert.equal(http.headers.get("content-encoding"), undefined);
        assert.equal(http.headers.get("content-length"), String(http.body.length));
      }
      using h2 = await H2Client.connect(url);
      const headers = { "Origin": "https://pages.test", "Access-Control-Request-Method": "POST" };
      const preflight = await h2.send({ method: "OPTIONS", path: "/http-bind/", headers });
      assert.equal(preflight.status, 204);
      assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
      assert.equal(preflight.headers.get("access-control-allow-headers"), "Content-Type");
    },
  );

  // Apache notices when it writes the answer, and Deno's server not always.
  if (name !== "apache") {
    onFront(
      "sockets",
      `B-068 B-078 behind ${name}, a client that leaves while its request is held is missed at once`,
      () =>
        behind(name, { toml: "[bosh]\ninactivity = 1\npolling = 0" }, async (proxied) => {
          const { url, connector, running } = proxied;
          for (const connect of Object.values(CARRIERS)) {
            const talk = await connect(url);
            const upstream = await logIn(talk, connector, 60);
            talk.ask("", "<presence/>").catch(() => {});
            const isHeld = () => upstream.log.at(-1)?.startsWith("send <presence") || undefined;
            await until(isHeld, "the request has come");
            talk[Symbol.dispose]();
          }
          await until(() => running.manager.sessions === 0 || undefined, "the sessions end");
          const ends = running.events.filter((event) => event.type === "session-ended");
          const silence = "no request from the client for 1 s";
          assert.deepEqual(ends.map(({ reason }) => reason), [silence, silence]);
        }),
      needs,
    );
  }

  test(
    `S-004 behind ${name}, no log of it has what a request by GET holds`,
    async ({ url, proxy, running }) => {
      const h1 = new HttpConnection(url);
      const target = `/http-bind?data=${encodeURIComponent(bodyOf("rid='1' sid='SECRET'"))}`;
      const ask = () => h1.send({ method: "GET", target });
      assert.match(new TextDecoder().decode((await ask()).body), /item-not-found/);
      if (name !== "caddy") {
        await until(async () => /http-bind/.test(await proxy.logs()) || undefined, "it is logged");
      }
      // What nginx writes into its error.log cannot be chosen; its configuration says so.
      if (name !== "nginx") {
        await running[Symbol.asyncDispose]();
        assert.ok((await ask()).status >= 502);
        await until(
          async () => /502|503/.test(await proxy.logs()) || undefined,
          "the failure is logged",
        );
      }
      h1.abort();
      assert.doesNotMatch(await proxy.logs(), /SECRET/);
    },
  );

  test(
    `B-011 behind ${name}, gloox is told that the connection closes, and others are not`,
    async ({ url }) => {
      const body = bodyOf("rid='1' to='example.test' wait='5' hold='1' ver='1.6'");
      const ask = async (agent: string) => {
        const connection = new HttpConnection(url);
        const headers = { "User-Agent": agent };
        const answer = await connection.send({ target: "/http-bind", headers, body });
        assert.equal(answer.status, 200);
        return { answer, connection };
      };
      const gloox = await ask("gloox/1.0.24");
      assert.equal(gloox.answer.headers.get("connection")?.toLowerCase(), "close");
      await patiently(gloox.connection.closed, "the connection is closed");
      const browser = await ask("Mozilla/5.0");
      assert.notEqual(browser.answer.headers.get("connection")?.toLowerCase(), "close");
      browser.connection.abort();
    },
  );
}

onBothFronts(
  "S-013 behind haproxy, WebSocket comes over HTTP/2 too (RFC 8441), beside BOSH on the same connection",
  () =>
    behind("haproxy", {}, async ({ url, connector }) => {
      using h2 = await H2Client.connect(url, CLIENT);
      using socket = await h2.webSocket("/xmpp-websocket", FORGED);
      assert.equal(socket.status, 200);
      await openStream(socket);
      const client = { address: CLIENT, port: 0, transport: "websocket" };
      assert.deepEqual(connector.last.request.client, client);
      connector.last.say("<message id='down'/>");
      assert.match(await socket.message(), /id='down'/);
      const body = bodyOf("rid='1' to='example.test' wait='5' hold='1' ver='1.6'");
      assert.equal((await h2.send({ path: "/http-bind", body })).status, 200);
    }),
  haveProgram("haproxy"),
);

async function openStream(socket: RawWebSocket): Promise<void> {
  socket.text(OPEN);
  assert.match(await socket.message(), /^<open /);
  assert.match(await socket.message(), /^<stream:features/);
}
