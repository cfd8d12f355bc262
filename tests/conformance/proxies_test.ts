import assert from "node:assert/strict";
import net from "node:net";
import { join } from "node:path";
import { bodyOf } from "../support/bosh_client.ts";
import { runManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { FakeConnector } from "../support/fake_connector.ts";
import { streamFeatures, streamHeader } from "../support/upstream_server.ts";
import { CREATION, nextHeader, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

/** What a client writes who would like to be somebody else, as its proxy passes it on or adds to it. */
const FORGED = { "X-Forwarded-For": "198.51.100.1", "Forwarded": "for=198.51.100.2" };
const ADDED = { ...FORGED, "x-forwarded-for": "203.0.113.9:7" };

/** `transport address port` of the client of the newest session, as events and the log have it. */
async function newest(stage: Stage): Promise<string> {
  return await until(() => {
    const created = stage.running.events.findLast(({ type }) => type === "session-created");
    if (created?.type !== "session-created") return undefined;
    const { transport, address, port } = created.client;
    return `${transport} ${address} ${address === "127.0.0.1" ? "own" : port}`;
  }, "a session is created");
}

async function websocket(stage: Stage, headers: Record<string, string>): Promise<void> {
  const socket = await RawWebSocket.connect(`${stage.running.url}/xmpp-websocket`, {
    "Sec-WebSocket-Key": btoa("0123456789abcdef"),
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "xmpp",
    ...headers,
  });
  assert.equal(socket.status, 101);
  socket.text(
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>",
  );
  await stage.welcome();
  await socket.message();
  socket.destroy();
}

onBothFronts(
  "S-013 what a peer writes of its client counts for nothing unless it is a trusted proxy",
  async () => {
    for (const trusted of ["", '"192.0.2.0/24", "::1"']) {
      await using stage = await Stage.set({ http: `trusted_proxies = [${trusted}]` });
      await stage.open(CREATION, { headers: ADDED });
      assert.equal(await newest(stage), "bosh 127.0.0.1 own");
      await websocket(stage, ADDED);
      assert.equal(await newest(stage), "websocket 127.0.0.1 own");
    }
  },
);

onBothFronts(
  "S-013 a trusted proxy names the client, and what the client claimed counts for nothing",
  async () => {
    await using stage = await Stage.set({ http: 'trusted_proxies = ["127.0.0.1"]' });
    await stage.open(CREATION, { headers: ADDED });
    assert.equal(await newest(stage), "bosh 203.0.113.9 7");
    await websocket(stage, { ...ADDED, "x-forwarded-for": "2001:DB8::9" });
    assert.equal(await newest(stage), "websocket 2001:db8::9 0");
    await stage.open(CREATION, {
      headers: { "Forwarded": 'for=198.51.100.1, for="[2001:db8::8]:9"' },
    });
    assert.equal(await newest(stage), "bosh 2001:db8::8 9");
  },
);

onBothFronts("S-013 the XMPP server is told the client that the proxy names", async () => {
  await using stage = await Stage.set({ domain: 'tls = "never"\nproxy_protocol = 1' });
  const client = stage.client({ headers: ADDED });
  const creating = client.create(CREATION);
  const upstream = await stage.server.accept();
  const first = await nextHeader(upstream);
  assert.match(first, /^PROXY TCP4 203\.0\.113\.9 127\.0\.0\.1 7 [0-9]+\r\n<\?xml/);
  upstream.write(streamHeader("stream-1") + streamFeatures());
  assert.ok((await creating).get("sid"));
});

onBothFronts(
  "S-013 what a later request says of its client does not change the session's",
  async () => {
    await using stage = await Stage.set();
    const { client } = await stage.open(CREATION, {
      headers: { "X-Forwarded-For": "203.0.113.9" },
    });
    await client.ask("type='terminate'", "", { headers: { "X-Forwarded-For": "203.0.113.10" } });
    const ended = stage.running.events.findLast(({ type }) => type === "session-ended");
    assert.ok(ended?.type === "session-ended");
    assert.equal(ended.client.address, "203.0.113.9");
  },
);

onBothFronts("S-013 whoever reaches a unix socket is believed", async () => {
  const folder = await Deno.makeTempDir();
  const unix = join(folder, "http.sock");
  try {
    const toml = "http.trusted_proxies = []";
    const connector = new FakeConnector();
    await using _running = await runManager({ toml, connector, unix });
    const socket = net.connect(unix);
    const body = bodyOf(`rid='1' ${CREATION}`);
    socket.write(
      `POST /http-bind HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.9\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    const { request } = await until(() => connector.upstreams[0], "a session is created");
    assert.equal(request.client.address, "203.0.113.9");
    socket.destroy();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
