import assert from "node:assert/strict";
import https from "node:https";
import { join } from "node:path";
import { BoshClient, HttpConnection } from "../support/bosh_client.ts";
import { authority } from "../support/certificates/certificates.ts";
import { FakeConnector } from "../support/fake_connector.ts";
import { onBothFronts } from "../support/fronts.ts";
import { readJrd, readXrd } from "../support/host_meta.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { Nginx } from "../support/nginx.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";

/** What a client would write that wants to be somebody else. */
const FORGED = {
  "X-Forwarded-For": "198.51.100.1",
  "Forwarded": "for=198.51.100.2;proto=https;host=other.test",
  "X-Forwarded-Host": "other.test",
  "X-Forwarded-Proto": "https",
};

/** A connection manager that trusts nobody but who reaches its unix socket, and nginx before it. */
async function behindNginx(
  test: (nginx: Nginx, running: RunningManager, connector: FakeConnector) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "causeway-" });
  try {
    const unix = join(folder, "http.sock");
    const connector = new FakeConnector();
    const toml = 'http.trusted_proxies = []\n[domains."example.test"]';
    await using running = await runManager({ toml, connector, unix });
    await using nginx = await Nginx.start(`http://unix:${unix}`);
    await test(nginx, running, connector);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The body of what is told by HTTPS at this path, and the status. */
function byTls(port: number, path: string): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const request = https.request({
      host: "127.0.0.1",
      port,
      path,
      servername: "example.test",
      ca: authority(),
      headers: { ...FORGED, "Host": `example.test:${port}`, "X-Forwarded-Proto": "http" },
      agent: false,
    }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (more: string) => text += more);
      response.on("end", () => resolve({ status: response.statusCode, text }));
    });
    request.on("error", reject);
    request.end();
  });
}

onBothFronts({
  name: "S-013 behind nginx as the sample has it, BOSH and WebSocket know their clients",
  ...haveProgram("nginx"),
  fn: () =>
    behindNginx(async (nginx, _, connector) => {
      const base = `http://127.0.0.1:${nginx.ports.plain}`;
      const client = new BoshClient(`${base}/http-bind`, { headers: FORGED });
      const creation = await client.create("to='example.test' wait='5' hold='1' ver='1.6'");
      assert.equal(creation.payloads[0]?.name, "features");
      assert.deepEqual(connector.last.request.client, {
        address: "127.0.0.1",
        port: 0,
        transport: "bosh",
      });
      const held = client.send();
      connector.last.say("<message/>");
      assert.equal((await held.answer).payloads[0]?.name, "message");
      await client.ask("type='terminate'");
      client.close();

      const socket = await RawWebSocket.connect(`${base}/xmpp-websocket`, {
        "Sec-WebSocket-Key": btoa("0123456789abcdef"),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "xmpp",
        ...FORGED,
      });
      assert.equal(socket.status, 101);
      socket.text(
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>",
      );
      assert.match(await socket.message(), /^<open /);
      const { request } = await until(() => connector.upstreams[1], "a second stream is opened");
      assert.deepEqual(request.client, { address: "127.0.0.1", port: 0, transport: "websocket" });
      socket.destroy();
    }),
});

onBothFronts({
  name: "D-001 D-003 D-006 behind nginx as the sample has it, host-meta is told by HTTPS alone",
  ...haveProgram("nginx"),
  fn: () =>
    behindNginx(async (nginx) => {
      const hrefs = ["https://example.test/http-bind", "wss://example.test/xmpp-websocket"];
      const xrd = await byTls(nginx.ports.tls, "/.well-known/host-meta");
      const jrd = await byTls(nginx.ports.tls, "/.well-known/host-meta.json");
      assert.deepEqual(readXrd(xrd.text).map(({ href }) => href), hrefs);
      assert.deepEqual(readJrd(jrd.text).map(({ href }) => href), hrefs);
      const plain = new HttpConnection(`http://127.0.0.1:${nginx.ports.plain}/`);
      const refused = await plain.send({
        method: "GET",
        target: "/.well-known/host-meta",
        headers: { ...FORGED, "Host": "example.test" },
      });
      plain.abort();
      assert.equal(refused.status, 404);
      assert.match(new TextDecoder().decode(refused.body), /HTTPS only/);
    }),
});
