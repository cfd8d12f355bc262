import assert from "node:assert/strict";
import fc from "fast-check";
import { TrustedProxies } from "../../src/server/client_address.ts";
import { discoveryRoutes } from "../../src/server/discovery.ts";
import type { Answer } from "../../src/server/exchange.ts";
import { FakeExchange } from "../support/fake_exchange.ts";
import { readJrd, readXrd } from "../support/host_meta.ts";
import { configOf } from "../support/manager.ts";

const DOMAINS =
  '[domains."example.test"]\n[domains."*.example.test"]\n[domains."Bücher.example"]\n';
const HTTPS = { "x-forwarded-proto": "https" };

function ask(
  toml: string,
  request: { from?: string; method?: string; headers?: Record<string, string> },
  document: "host-meta" | "host-meta.json" = "host-meta.json",
): Answer {
  const config = configOf(toml);
  const path = `/.well-known/${document}`;
  const route = discoveryRoutes({ config, proxies: new TrustedProxies(config.http) })
    .find((route) => route.path === path)!;
  return route.handle(new FakeExchange({ path, ...request }))!;
}

/** The addresses of an answer, one after the other; its status when it is none. */
async function found(
  toml: string,
  headers: Record<string, string>,
  from = "127.0.0.1",
): Promise<string> {
  const { status, body } = await ask(toml, { from, headers });
  if (status !== 200) return String(status);
  return readJrd(String(body)).map(({ href }) => href).join(" ");
}

/** What is found by HTTPS at this Host. */
const at = (host: string, toml = DOMAINS) => found(toml, { host, ...HTTPS });

Deno.test("D-006 the Host says which domain is asked for; addresses keep its port", async () => {
  const cases: [host: string, expected: string][] = [
    ["example.test", "https://example.test/http-bind wss://example.test/xmpp-websocket"],
    ["EXAMPLE.test.", "https://example.test/http-bind wss://example.test/xmpp-websocket"],
    [
      "example.test:8443",
      "https://example.test:8443/http-bind wss://example.test:8443/xmpp-websocket",
    ],
    ["example.test:443", "https://example.test/http-bind wss://example.test/xmpp-websocket"],
    ["a.example.test", "https://a.example.test/http-bind wss://a.example.test/xmpp-websocket"],
    [
      "xn--bcher-kva.example",
      "https://xn--bcher-kva.example/http-bind wss://xn--bcher-kva.example/xmpp-websocket",
    ],
    ["other.test", "404"],
    ["example.test.other.test", "404"],
    ["example.test:0", "404"],
    ["example.test:65536", "404"],
    ["example.test:", "404"],
    ["example.test:80:80", "404"],
    ["[::1]", "404"],
    ["[::1]:443", "404"],
    ["127.0.0.1", "404"],
    ["", "404"],
    ["user@example.test", "404"],
    ["example.test/path", "404"],
    ["example.test\"'<&>", "404"],
    ["b\xc3\xbccher.example\xff", "404"],
    ["x".repeat(60_000), "404"],
    ["example.test,example.test", "404"],
  ];
  for (const [host, expected] of cases) assert.equal(await at(host), expected, host.slice(0, 80));
  assert.equal(await found(DOMAINS, HTTPS), "404");
});

Deno.test("D-006 where every domain is served, every name has its host-meta, and nothing else has", async () => {
  for (const toml of ["", '[domains."*"]']) {
    assert.equal(await at("a.test", toml), "https://a.test/http-bind wss://a.test/xmpp-websocket");
    assert.match(await at("127.0.0.1:8443", toml), /^https:\/\/127\.0\.0\.1:8443\/http-bind /);
    for (const host of ["[::1]", "a b", "127.1", "-a.test", ""]) {
      assert.equal(await at(host, toml), "404", host);
    }
  }
});

Deno.test("D-003 host-meta is for HTTPS: what is told without a trusted proxy's word, and what with it", async () => {
  const host = "example.test";
  const both = `discovery.bosh_url = "https://chat.test/b"
    discovery.websocket_url = "wss://chat.test/w"\n`;
  const one = `discovery.bosh_url = "https://chat.test/b"\n`;
  const configured = "https://chat.test/b wss://chat.test/w";
  const half = "https://chat.test/b wss://example.test/xmpp-websocket";
  const derived = "https://example.test/http-bind wss://example.test/xmpp-websocket";
  const cases: [proto: string | undefined, from: string, expected: [string, string, string]][] = [
    ["https", "127.0.0.1", [derived, half, configured]],
    ["https", "", [derived, half, configured]],
    ["http", "127.0.0.1", ["404", "404", "404"]],
    [undefined, "127.0.0.1", ["404", "404", configured]],
    [undefined, "", ["404", "404", configured]],
    ["https", "203.0.113.9", ["404", "404", "404"]],
    [undefined, "203.0.113.9", ["404", "404", "404"]],
  ];
  for (const [proto, from, expected] of cases) {
    const headers: Record<string, string> = { host };
    if (proto !== undefined) headers["x-forwarded-proto"] = proto;
    for (const [index, urls] of ["", one, both].entries()) {
      assert.equal(await found(urls + DOMAINS, headers, from), expected[index], `${proto} ${from}`);
    }
  }
});

Deno.test("D-003 a 404 says what has to be done about it", async () => {
  const headers = { host: "example.test" };
  const text = async (request: { from?: string; headers: Record<string, string> }) => {
    const { status, body, headers } = await ask(DOMAINS, request);
    assert.equal(status, 404);
    assert.match(headers["content-type"] ?? "", /^text\/plain/);
    assert.equal(headers["access-control-allow-origin"], "*");
    assert.equal(headers["cache-control"], "no-store");
    return String(body);
  };
  assert.match(await text({ from: "203.0.113.9", headers }), /http\.trusted_proxies/);
  assert.match(await text({ headers }), /X-Forwarded-Proto, or discovery\.bosh_url/);
  assert.match(await text({ headers: { ...headers, "x-forwarded-proto": "http" } }), /HTTPS only/);
  assert.match(await text({ headers: { ...HTTPS, host: "other.test" } }), /no XMPP domain/);
});

Deno.test("D-006 a domain's own addresses come before those of all", async () => {
  const toml = `[discovery]
    bosh_url = "https://all.test/b"
    websocket_url = "wss://all.test/w"
    [domains."a.test"]
    bosh_url = "https://a.test/own"
    [domains."b.test"]`;
  assert.equal(await at("a.test", toml), "https://a.test/own wss://all.test/w");
  assert.equal(await at("b.test", toml), "https://all.test/b wss://all.test/w");
});

Deno.test("D-003 D-004 each service that some listener has is listed once, and no other", async () => {
  const listen = (serve: string, port: number) =>
    `[[listen]]\nport = ${port}\nserve = ["discovery"${serve}]\n`;
  const urls = `discovery.bosh_url = "https://chat.test/b"\n`;
  const bosh = "https://chat.test/b";
  const websocket = "wss://example.test/xmpp-websocket";
  const cases: [listeners: string, expected: string][] = [
    [listen(', "bosh"', 1), bosh],
    [listen(', "websocket"', 1), websocket],
    [listen(', "websocket"', 1) + listen(', "bosh", "websocket"', 2), `${bosh} ${websocket}`],
    [listen("", 1), ""],
  ];
  for (const [listeners, expected] of cases) {
    assert.equal(await at("example.test", urls + listeners + DOMAINS), expected, listeners);
  }
  // Nothing that is listed depends on the scheme here, so the proxy's silence does no harm.
  const host = "example.test";
  assert.equal(await found(urls + listen(', "bosh"', 1) + DOMAINS, { host }), bosh);
});

Deno.test("D-002 XML and JSON say the same, whatever stands in the addresses", async () => {
  const toml = `[bosh]
    path = "/a&b'c;d"
    [discovery]
    websocket_url = "wss://chat.test/w?a=1&b='<ü>'"\n` + DOMAINS;
  const headers = { host: "example.test", ...HTTPS };
  const xml = readXrd(String((await ask(toml, { headers }, "host-meta")).body));
  const json = readJrd(String((await ask(toml, { headers })).body));
  assert.deepEqual(xml, json);
  assert.deepEqual(json.map(({ href }) => href), [
    "https://example.test/a&b'c;d",
    "wss://chat.test/w?a=1&b=%27%3C%C3%BC%3E%27",
  ]);
});

Deno.test("D-005 D-006 whatever Host is asked for, the answer is a document of served names or a 404", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.domain(),
        fc.webAuthority({ withPort: true, withIPv6: true }),
      ),
      fc.constantFrom("host-meta", "host-meta.json"),
      async (host, document) => {
        const { status, body } = await ask("", { headers: { host, ...HTTPS } }, document);
        if (status === 404) return;
        assert.equal(status, 200);
        const links = document === "host-meta" ? readXrd(String(body)) : readJrd(String(body));
        assert.equal(links.length, 2);
        for (const { href } of links) {
          const { protocol, href: normal } = new URL(href);
          assert.ok(protocol === "https:" || protocol === "wss:");
          assert.equal(normal, href);
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("D-005 methods: GET and HEAD are answered, OPTIONS has leave, others are 405", async () => {
  const headers = { host: "example.test", ...HTTPS };
  for (
    const [document, type] of [["host-meta", "application/xrd+xml"], [
      "host-meta.json",
      "application/json",
    ]] as const
  ) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await ask(DOMAINS, { method, headers }, document);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"], type);
      assert.equal(answer.headers["cache-control"], "max-age=300");
      assert.match(answer.headers["vary"] ?? "", /X-Forwarded-Proto/);
    }
    const options = await ask(DOMAINS, { method: "OPTIONS", headers }, document);
    assert.equal(options.status, 204);
    assert.equal(options.headers["access-control-allow-methods"], "GET, HEAD, OPTIONS");
    const post = await ask(DOMAINS, { method: "POST", headers }, document);
    assert.equal(post.status, 405);
    assert.equal(post.headers["allow"], "GET, HEAD, OPTIONS");
  }
});

Deno.test("D-005 any origin may read it, whatever allowed_origins says, without credentials", async () => {
  const toml = `[http]
    allowed_origins = ["https://page.test"]
    headers = { X-Own = "1" }\n` + DOMAINS;
  for (const origin of ["https://page.test", "https://other.test"]) {
    for (const method of ["GET", "HEAD", "OPTIONS", "POST"]) {
      const headers = { host: "example.test", origin, ...HTTPS };
      const answer = await ask(toml, { method, headers });
      assert.equal(answer.headers["access-control-allow-origin"], "*");
      assert.equal(answer.headers["access-control-allow-credentials"], undefined);
      assert.equal(answer.headers["x-own"], "1");
      assert.doesNotMatch(answer.headers["vary"] ?? "", /Origin/);
    }
  }
});
