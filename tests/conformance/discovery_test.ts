import assert from "node:assert/strict";
import { connect } from "node:http2";
import { HttpConnection, type HttpResponse } from "../support/bosh_client.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";
import { readJrd, readXrd } from "../support/host_meta.ts";
import { runManager, type RunningManager } from "../support/manager.ts";

const XRD = "/.well-known/host-meta";
const JRD = "/.well-known/host-meta.json";
const DOMAINS = `
  [domains."example.test"]
  [domains."Bücher.example"]
  bosh_url = "https://chat.test/b"
  websocket_url = "wss://chat.test/w"`;
/** What a proxy sends on that has TLS. */
const HTTPS = { "Host": "example.test", "X-Forwarded-Proto": "https" };

async function ask(
  { url }: RunningManager,
  target: string,
  headers: Record<string, string> = HTTPS,
  method = "GET",
): Promise<HttpResponse> {
  const connection = new HttpConnection(url);
  try {
    return await connection.send({ method, target, headers });
  } finally {
    connection.abort();
  }
}

function text({ body }: HttpResponse): string {
  return new TextDecoder().decode(body);
}

onBothFronts(
  "D-001 D-002 D-004 D-007 both documents list BOSH and WebSocket, once each, and nothing else",
  async () => {
    await using running = await runManager({ toml: DOMAINS });
    const [xrd, jrd] = [await ask(running, XRD), await ask(running, JRD)];
    assert.deepEqual([xrd.status, jrd.status], [200, 200]);
    const links = [
      { rel: "urn:xmpp:alt-connections:xbosh", href: "https://example.test/http-bind" },
      { rel: "urn:xmpp:alt-connections:websocket", href: "wss://example.test/xmpp-websocket" },
    ];
    assert.deepEqual(readXrd(text(xrd)), links);
    assert.deepEqual(readJrd(text(jrd)), links);
  },
);

onBothFronts("D-003 over plain HTTP there is no host-meta, whatever the client says", async () => {
  await using direct = await runManager({ toml: `http.trusted_proxies = []\n${DOMAINS}` });
  await using behind = await runManager({ toml: DOMAINS });
  const forwarded = { ...HTTPS, "Forwarded": "proto=https", "X-Forwarded-Host": "example.test" };
  for (const target of [XRD, JRD]) {
    for (const headers of [{ "Host": "xn--bcher-kva.example" }, HTTPS, forwarded]) {
      assert.equal((await ask(direct, target, headers)).status, 404);
    }
    const plain = { ...HTTPS, "X-Forwarded-Proto": "http" };
    assert.equal((await ask(behind, target, plain)).status, 404);
    assert.equal((await ask(behind, target, { "Host": "example.test" })).status, 404);
  }
});

onBothFronts("D-003 a service that no listener has is not listed", async () => {
  for (const [service, scheme] of [["bosh", "https"], ["websocket", "wss"]]) {
    const toml = `[[listen]]\nserve = ["${service}", "discovery"]\n${DOMAINS}`;
    await using running = await runManager({ toml });
    const links = readJrd(text(await ask(running, JRD)));
    assert.deepEqual(links.map(({ href }) => new URL(href).protocol), [`${scheme}:`]);
    assert.deepEqual(readXrd(text(await ask(running, XRD))), links);
  }
});

onBothFronts("D-001 a listener that does not serve discovery has no host-meta", async () => {
  const toml = `[[listen]]\nserve = ["bosh", "websocket"]\n${DOMAINS}`;
  await using running = await runManager({ toml });
  for (const target of [XRD, JRD]) assert.equal((await ask(running, target)).status, 404);
});

onBothFronts(
  "D-005 the media types, and leave for every origin, which BOSH's answers do not get for it",
  async () => {
    const toml = `http.allowed_origins = ["https://page.test"]\n${DOMAINS}`;
    await using running = await runManager({ toml });
    const headers = { ...HTTPS, "Origin": "https://other.test", "Accept": "text/html" };
    for (
      const [target, type] of [[XRD, "application/xrd+xml"], [JRD, "application/json"]] as const
    ) {
      const got = await ask(running, target, headers);
      const head = await ask(running, target, headers, "HEAD");
      for (const answer of [got, head]) {
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get("content-type"), type);
        assert.equal(answer.headers.get("access-control-allow-origin"), "*");
        assert.equal(answer.headers.get("content-length"), String(got.body.length));
      }
      assert.equal(head.body.length, 0);
      const options = await ask(running, target, headers, "OPTIONS");
      assert.equal(options.headers.get("access-control-allow-origin"), "*");
    }
    const bosh = await ask(running, "/http-bind", headers);
    assert.equal(bosh.headers.get("access-control-allow-origin"), undefined);
  },
);

onBothFronts(
  "D-006 each domain has its own host-meta, and what is no domain has none",
  async () => {
    await using running = await runManager({ toml: DOMAINS });
    const hrefs = async (host: string, more = {}) => {
      const answer = await ask(running, JRD, { ...HTTPS, "Host": host, ...more });
      // The sockets front itself refuses what is no host.
      assert.ok([200, 400, 404].includes(answer.status));
      return answer.status !== 200
        ? undefined
        : readJrd(text(answer)).map(({ href }) => href).join(" ");
    };
    const own = "https://chat.test/b wss://chat.test/w";
    const derived = "https://example.test:8443/http-bind wss://example.test:8443/xmpp-websocket";
    assert.equal(await hrefs("xn--bcher-kva.example"), own);
    assert.equal(await hrefs("Example.Test.:8443"), derived);
    assert.equal(await hrefs("inside:5280", { "X-Forwarded-Host": "example.test:8443" }), derived);
    for (const host of ["other.test", "chat.test", "[::1]:80", "a\"b'<c>", "x".repeat(9_000), ""]) {
      assert.equal(await hrefs(host), undefined, host.slice(0, 80));
    }
    assert.ok(await hrefs("example.test"));
  },
);

onFront("deno", "D-006 HTTP/2 names the domain in :authority", async () => {
  await using running = await runManager({ toml: DOMAINS });
  const session = connect(running.url);
  try {
    for (const [authority, expected] of [["example.test", 200], ["other.test", 404]] as const) {
      const stream = session.request({
        ":path": JRD,
        ":authority": authority,
        "x-forwarded-proto": "https",
      });
      stream.resume();
      const status = await new Promise((resolve, reject) => {
        stream.on("response", (headers) => resolve(headers[":status"]));
        stream.on("error", reject);
      });
      assert.equal(status, expected);
    }
  } finally {
    session.destroy();
  }
});
