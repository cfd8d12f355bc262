import assert from "node:assert/strict";
import { FakeConnector } from "../support/fake_connector.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";

const FRAMING = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'";
const OPEN = `<open ${FRAMING} to='example.test' version='1.0'/>`;
const CLOSE = '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />';

onBothFronts("W-001 whatever else is offered, the answer names xmpp, once", async () => {
  await using running = await runManager({ connector: new FakeConnector() });
  for (const offered of ["xmpp", "xmpp, other", "other,xmpp", "a,  b ,xmpp"]) {
    const socket = await connect(running, { "sec-websocket-protocol": offered });
    assert.equal(socket.status, 101);
    assert.deepEqual(socket.headers.get("sec-websocket-protocol"), ["xmpp"]);
    socket.destroy();
  }
});

onBothFronts(
  "W-002 W-003 W-004 a handshake that cannot be is refused with its reason",
  async () => {
    const toml = "[http]\nallowed_origins = ['https://page.test']";
    await using running = await runManager({ toml, connector: new FakeConnector() });
    const cases: [Record<string, string>, number][] = [
      [{ "sec-websocket-protocol": "other" }, 400],
      [{ "sec-websocket-protocol": "" }, 101],
      [{ "sec-websocket-version": "8" }, 426],
      [{ "sec-websocket-key": "" }, 426],
      [{ "sec-websocket-key": "x" }, 400],
      [{ origin: "https://other.test" }, 403],
      [{ origin: "https://page.test" }, 101],
      [{ "sec-websocket-protocol": "XMPP" }, 101],
    ];
    for (const [headers, status] of cases) {
      const socket = await connect(running, headers);
      assert.equal(socket.status, status, JSON.stringify(headers));
      if (status === 426) assert.deepEqual(socket.headers.get("sec-websocket-version"), ["13"]);
      socket.destroy();
    }
    const page = await fetch(`${running.url}/xmpp-websocket`);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /WebSocket/);
    const post = await fetch(`${running.url}/xmpp-websocket`, { method: "POST", body: "x" });
    assert.equal(post.status, 405);
    await post.body?.cancel();
    await until(() => running.manager.sessions === 0);
  },
);

onBothFronts("W-006 W-015 W-024 W-026 a session by WebSocket, on the BOSH path too", async () => {
  for (const path of ["/xmpp-websocket", "/http-bind"]) {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const socket = await connect(running, {}, path);
    socket.text(OPEN);
    assert.match(await socket.message(), /^<open [^>]* id='stream-1' [^>]*version="1.0"\/>$/);
    assert.match(await socket.message(), /^<stream:features /);
    assert.equal(connector.last.request.client.transport, "websocket");
    socket.text("<message>ü😀</message>");
    await until(() => connector.last.log.length > 0);
    assert.deepEqual(connector.last.log, ["send <message>ü😀</message>"]);
    connector.last.say("<message>ü😀</message><presence/>");
    assert.equal(await socket.message(), "<message xmlns='jabber:client'>ü😀</message>");
    assert.equal(await socket.message(), "<presence xmlns='jabber:client'/>");
    socket.text(`<close ${FRAMING}/>`);
    await until(() => connector.last.log.includes("close"));
    connector.last.end({ type: "closed" });
    assert.equal(await socket.message(), CLOSE);
    socket.close(1000);
    assert.equal(await socket.closed(), 1000);
    await until(() => running.manager.sessions === 0);
  }
});

onBothFronts("W-030 a lost connection drops the upstream, without a closing tag", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const socket = await opened(running);
  socket.destroy();
  await until(() => connector.last.log.length > 0);
  assert.deepEqual(connector.last.log, ["abort"]);
  await until(() => running.manager.sessions === 0);
});

onBothFronts(
  "W-005 W-012 binary and oversize messages: a stream error, <close/>, and the right close code",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ toml: "[limits]\nclient_stanza = 10_000", connector });
    const neighbour = await opened(running);
    const upstream = connector.last;

    const binary = await opened(running);
    binary.frame(2, new TextEncoder().encode("<presence/>"));
    assert.match(await binary.message(), /<bad-format /);
    assert.equal(await binary.message(), CLOSE);
    assert.equal(await binary.closed(), 1003);

    const large = await opened(running);
    large.text(`<message>${"x".repeat(10_000)}</message>`);
    assert.match(await large.message(), /<policy-violation .*at most 10000 bytes/);
    assert.equal(await large.message(), CLOSE);
    assert.equal(await large.closed(), 1009);

    assert.ok(connector.upstreams.every(({ log }) => !log.some((line) => line.startsWith("send"))));
    upstream.say("<message/>");
    assert.equal(await neighbour.message(), "<message xmlns='jabber:client'/>");
    neighbour.destroy();
  },
);

onBothFronts("W-011 a message in fragments, with a ping in between, is one message", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const socket = await opened(running);
  const bytes = new TextEncoder().encode("<message>ü</message>");
  socket.frame(1, bytes.subarray(0, 10), { fin: false });
  socket.frame(9, new TextEncoder().encode("abc"));
  socket.frame(0, bytes.subarray(10));
  assert.equal(await socket.pong(), "abc");
  await until(() => connector.last.log.length > 0);
  assert.deepEqual(connector.last.log, ["send <message>ü</message>"]);
  socket.destroy();
});

onBothFronts("W-033 shutdown tells the client, and closes with 1001", async () => {
  const connector = new FakeConnector();
  const running = await runManager({ connector });
  const socket = await opened(running);
  const shutdown = running.manager.shutdown();
  assert.match(await socket.message(), /<system-shutdown /);
  assert.equal(await socket.message(), CLOSE);
  assert.equal(await socket.closed(), 1001);
  await shutdown;
  assert.deepEqual(connector.last.log, ["close"]);
  const refused = await connect(running, {});
  assert.equal(refused.status, 503);
  refused.destroy();
  await running[Symbol.asyncDispose]();
});

onBothFronts(
  "W-040 a client that does not read stops the reading of its upstream, until it reads on",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({
      toml: "[limits]\nqueued_bytes = 65_536\nclient_stanza = 10_000\nserver_stanza = 65_536",
      connector,
    });
    const socket = await opened(running);
    socket.pause();
    const text = "x".repeat(60_000);
    // The system's own buffers take some before anything has to wait.
    for (let i = 0; i < 200 && connector.last.log.length === 0; i++) {
      connector.last.say(`<message id='${i}'>${text}</message>`);
    }
    assert.equal(connector.last.log[0], "flow closed");
    socket.resume();
    await until(() => connector.last.log.at(-1) === "flow open");
    socket.destroy();
  },
);

onBothFronts("W-035 a client that answers no ping is lost; one that does stays", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ toml: "[websocket]\nping_interval = 1", connector });
  // The platform's own client answers pings by itself.
  const alive = new WebSocket(running.url.replace("http:", "ws:") + "/xmpp-websocket", "xmpp");
  await new Promise((resolve) => alive.onopen = resolve);
  alive.send(OPEN);
  await until(() => connector.upstreams.length === 1);
  await opened(running);
  await until(() => connector.last.log.length > 0);
  assert.deepEqual(connector.last.log, ["abort"]);
  assert.deepEqual(connector.upstreams[0]!.log, []);
  assert.equal(running.manager.sessions, 1);
  const closed = new Promise((resolve) => alive.onclose = resolve);
  alive.close();
  await closed;
});

async function opened(running: RunningManager): Promise<RawWebSocket> {
  const socket = await connect(running, {});
  socket.text(OPEN);
  await socket.message();
  await socket.message();
  return socket;
}

function connect(
  running: RunningManager,
  headers: Record<string, string>,
  path = "/xmpp-websocket",
): Promise<RawWebSocket> {
  return RawWebSocket.connect(running.url + path, headers);
}

/** Waits until something that is under way has happened. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
