/** What the doctor sees from where clients are, without a proxy; tests/interop/doctor_test.ts has real ones. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { ask, WebError } from "../../src/commands/doctor/web.ts";
import type { World } from "../../src/commands/doctor/world.ts";
import { certificate } from "../support/certificates/certificates.ts";
import { diagnosed, testWorld } from "../support/doctor.ts";
import { FakeConnector } from "../support/fake_connector.ts";
import { freePort } from "../support/free_port.ts";
import { runManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";

/** The XMPP server is of no interest here, and nobody is there. */
const NOBODY = `[domains."example.test"]\nconnect = "xmpp://127.0.0.1:1"\n`;

/** An XMPP server that closes what is closed. */
function polite(): FakeConnector {
  const connector = new FakeConnector();
  const { onOpen } = connector;
  connector.onOpen = (upstream) => {
    upstream.onCall = (call) => {
      if (call === "close") upstream.end({ type: "closed" });
    };
    onOpen(upstream);
  };
  return connector;
}

function outside(
  url: string,
  { toml = "", quick = true, world = testWorld() }: {
    readonly toml?: string;
    readonly quick?: boolean;
    readonly world?: World;
  } = {},
) {
  return diagnosed(`${toml}\n${NOBODY}`, { url, quick, world });
}

Deno.test("the doctor is taken in by Causeway itself, with either front, and leaves no session behind", async () => {
  for (const front of ["deno", "sockets"] as const) {
    const connector = polite();
    const toml = "bosh.max_wait = 1";
    await using running = await runManager({ toml, connector, front });
    const { checks } = await outside(running.url, { toml, quick: false });
    const found = checks.filter(({ target }) => target.includes(new URL(running.url).host));
    assert.deepEqual(found.map(({ step, result }) => `${result} ${step}`), [
      "ok web",
      "ok preflight",
      "ok cors",
      "ok bosh",
      "ok websocket",
      "ok websocket stream",
      "ok hold",
      "ok websocket silence",
      "ok buffering",
      "ok ping",
      "ok close",
    ]);
    await until(() => running.manager.sessions === 0 || undefined, "its sessions are over");
    assert.equal(connector.upstreams.length, 2);
    const written = connector.upstreams.flatMap(({ log }) => log);
    assert.ok(written.every((call) => !call.startsWith("send")), written.join("\n"));
  }
});

Deno.test("a whole address of BOSH, or of WebSocket, is where that is looked for", async () => {
  const toml = 'bosh.path = "/b"\nwebsocket.path = "/w"';
  await using running = await runManager({ toml, connector: polite() });
  const bosh = await outside(`${running.url}/b`);
  assert.equal(bosh.of("bosh").result, "ok");
  // The other one is where the configuration that the doctor has been given says.
  assert.match(bosh.of("websocket").target, /\/xmpp-websocket$/);
  assert.match(bosh.of("websocket").detail, /no upgrade: status 404/);
  assert.match(bosh.of("websocket").cure!, /correct the path: websocket\.path/);
  const socket = await outside(`${running.url.replace("http", "ws")}/w`);
  assert.equal(socket.of("websocket").result, "ok");
  assert.equal(socket.of("bosh").result, "bad");
  assert.match(socket.of("bosh").detail, /status 404/);
  assert.match(socket.of("bosh").cure!, /correct the path: bosh\.path/);
});

Deno.test("that nobody logged in in time is a limit of ours, and no fault of a proxy's", async () => {
  const toml = "bosh.max_wait = 5\nlimits.unauthenticated_time = 1";
  await using running = await runManager({ toml, connector: polite() });
  const { of } = await outside(running.url, { toml, quick: false });
  for (const step of ["hold", "websocket silence"]) {
    const { result, detail, cure } = of(step);
    assert.equal(result, "warning", detail);
    assert.match(detail, /nobody logged in/);
    assert.match(cure!, /longer than that was not tried/);
  }
  // For what is left to see there is another session, which is ended too.
  assert.equal(of("buffering").result, "ok");
  await until(() => running.manager.sessions === 0 || undefined, "its sessions are over");
});

Deno.test("a page of an origin that is not allowed is named with the key to write", async () => {
  const toml = 'http.allowed_origins = ["https://pages.test"]';
  await using running = await runManager({ toml, connector: polite() });
  const foreign = await outside(running.url);
  assert.match(foreign.of("preflight").detail, /no Access-Control-Allow-Origin/);
  assert.match(
    foreign.of("preflight").cure!,
    /add "https:\/\/example\.test" to http\.allowed_origins/,
  );
  assert.match(foreign.of("websocket").detail, /no upgrade: status 403/);
  // With the same configuration the doctor comes from an origin that is allowed.
  const own = await outside(running.url, { toml });
  for (const step of ["preflight", "cors", "bosh", "websocket"]) {
    assert.equal(own.of(step).result, "ok", step);
  }
});

Deno.test("what is no Causeway is told apart by what it answers", async () => {
  const answers: [() => Response, RegExp, RegExp][] = [
    [
      () => new Response("<p>hello", { status: 200, headers: { server: "web" } }),
      /status 200, answered by web, and no <body\/>/,
      /not Causeway's/,
    ],
    [
      () => new Response("", { status: 502 }),
      /status 502.*does not reach Causeway/,
      /whether Causeway runs/,
    ],
    [
      () => new Response("", { status: 308, headers: { location: "https://a.test/" } }),
      /sends to https:\/\/a\.test\//,
      /use that address/,
    ],
    [() => new Response("", { status: 413 }), /status 413/, /client_max_body_size/],
  ];
  for (const [answer, detail, cure] of answers) {
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, answer);
    const { of } = await outside(`http://127.0.0.1:${server.addr.port}`);
    assert.equal(of("bosh").result, "bad");
    assert.match(of("bosh").detail, detail);
    assert.match(of("bosh").cure!, cure);
    assert.match(of("cors").detail, /no Access-Control-Allow-Origin/);
    assert.equal(of("websocket").result, "bad");
  }
});

Deno.test("a silent WebSocket that somebody in between closes is told from a stream that ends", async () => {
  const upgrade = (request: Request) => {
    if (request.headers.get("upgrade") !== "websocket") return new Response();
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "xmpp" });
    socket.onmessage = () => {
      socket.send(
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='example.test' version='1.0'/>",
      );
      socket.send("<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>");
      socket.close(4_000, "idle");
    };
    return response;
  };
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, upgrade);
  const url = `http://127.0.0.1:${server.addr.port}`;
  const { of } = await outside(url, { toml: "bosh.max_wait = 5", quick: false });
  assert.equal(of("websocket stream").result, "ok");
  const { result, detail, cure } = of("websocket silence");
  assert.equal(result, "bad");
  assert.match(detail, /^closed with 4000, idle after 0\.\d s of silence/);
  assert.match(cure!, /websocket\.ping_interval/);
});

Deno.test("an upgrade without the subprotocol is of no use to clients", async () => {
  const upgrade = (request: Request) =>
    request.headers.get("upgrade") === "websocket"
      ? Deno.upgradeWebSocket(request).response
      : new Response();
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, upgrade);
  const { of } = await outside(`http://127.0.0.1:${server.addr.port}`);
  assert.match(of("websocket").detail, /without the subprotocol xmpp/);
});

Deno.test("an address where nobody listens, or whose certificate is not right, ends the look at it", async () => {
  const gone = await outside(`http://127.0.0.1:${freePort()}`);
  assert.equal(gone.of("web").result, "bad");
  assert.match(gone.of("web").detail, /connection refused/);
  assert.equal(gone.checks.at(-1)?.step, "web");

  const serve = (name: "example.test" | "expired" | "other.test" | "unknown") =>
    Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {}, ...certificate(name) },
      () => new Response(),
    );
  for (
    const [name, detail] of [
      ["expired", /has expired/],
      ["other.test", /not valid for that name, only for other\.test/],
      ["unknown", /is signed by nobody we trust$/],
    ] as const
  ) {
    await using server = serve(name);
    const { of } = await outside(`https://example.test:${server.addr.port}`);
    assert.equal(of("web").result, "bad");
    assert.match(of("web").detail, detail);
    assert.match(of("web").cure!, /browsers refuse it as well/);
  }
  await using server = serve("example.test");
  const url = `https://example.test:${server.addr.port}`;
  const { of } = await outside(url);
  assert.equal(of("web").result, "ok");
  assert.match(
    of("web").detail,
    /certificate for example\.test, .*until \d{4}-\d\d-\d\d, issued by /,
  );
  const { validToDate } = new X509Certificate(certificate("example.test").cert);
  const today = () => validToDate.getTime() - 5.5 * 86_400_000;
  const late = await outside(url, { world: { ...testWorld(), today } });
  assert.equal(late.of("web").result, "warning");
  assert.match(late.of("web").detail, /is right, but it expires in 5 days$/);
});

Deno.test("D-001 D-003 host-meta is looked for at the domain, and then at the proxy for the domain", async () => {
  const toml = `http.trusted_proxies = ["127.0.0.1"]
    [domains."example.test"]
    bosh_url = "https://chat.example.test/b"
    websocket_url = "wss://chat.example.test/w"`;
  await using running = await runManager({ toml, connector: polite() });
  await using front = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {}, ...certificate("example.test") },
    (request) => {
      const { pathname } = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.set("x-forwarded-proto", "https");
      headers.set("x-forwarded-host", request.headers.get("host")!);
      return fetch(running.url + pathname, { headers });
    },
  );
  const links = "https://chat.example.test/b, wss://chat.example.test/w";
  const url = `https://example.test:${front.addr.port}`;
  const at = async (webPort?: number) =>
    (await outside(url, { world: testWorld(webPort) })).checks
      .filter(({ step }) => step === "host-meta").map(({ result, detail }) =>
        `${result} ${detail}`
      );
  assert.deepEqual(await at(front.addr.port), [`ok ${links}`, `ok ${links}`]);
  const elsewhere = await at();
  assert.equal(elsewhere.length, 4);
  const [missing] = elsewhere.filter((line) => line.startsWith("warning not to be had"));
  assert.ok(missing);
  const there =
    `ok there it is, for who asks example.test:${front.addr.port} for example.test: ${links}`;
  assert.equal(elsewhere.filter((line) => line === there).length, 2, elsewhere.join("\n"));
});

/** What a server of one answer is read as. */
async function answered(bytes: string, method = "GET") {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = new URL(`http://127.0.0.1:${listener.addr.port}/`);
  const answer = ask({ method, url }, testWorld(), 2_000);
  answer.catch(() => {});
  using conn = await listener.accept();
  await conn.read(new Uint8Array(4_096));
  await conn.write(new TextEncoder().encode(bytes));
  await conn.closeWrite();
  return await answer;
}

Deno.test("an answer is read as it comes: each header as often, its body by length, in chunks, or to the end", async () => {
  const { status, headers, body } = await answered(
    "HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nX: 1\r\nx: 2\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n",
  );
  assert.equal(status, 200);
  assert.deepEqual(headers, [["x", "1"], ["x", "2"], ["transfer-encoding", "chunked"]]);
  assert.equal(body, "abcde");
  assert.equal((await answered("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nabc")).body, "ab");
  assert.equal((await answered("HTTP/1.0 200 OK\r\n\r\nabc")).body, "abc");
  assert.equal((await answered("HTTP/1.1 204 No\r\n\r\n")).body, "");
  for (
    const [bytes, message] of [
      ["SSH-2.0-x\r\n", /does not speak HTTP/],
      ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", /was cut/],
      ["HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\nabc", /does not end/],
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", /a chunk has no size/],
      ["", /was cut/],
    ] as const
  ) {
    await assert.rejects(answered(bytes), (error) => {
      assert.ok(error instanceof WebError);
      assert.match(error.message, message);
      return true;
    });
  }
});
