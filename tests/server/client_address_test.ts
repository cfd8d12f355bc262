import assert from "node:assert/strict";
import { TrustedProxies } from "../../src/server/client_address.ts";
import { FakeExchange } from "../support/fake_exchange.ts";

const proxies = new TrustedProxies({
  trustedProxies: ["127.0.0.1/32", "10.1.2.3/8", "fd00::/8", "::ffff:192.168.0.0/112"],
});

/** `address port` of the client. */
function client(from: string, headers: Record<string, string>): string {
  const { address, port } = proxies.client(new FakeExchange({ from, headers }));
  return `${address} ${port}`;
}

/** `scheme host` as they are vouched for. */
function target(from: string, headers: Record<string, string>): string {
  const { scheme, host } = proxies.target(new FakeExchange({ from, headers }));
  return `${scheme} ${host}`;
}

const CLIENTS: readonly [what: string, from: string, expected: string, Record<string, string>][] = [
  ["no proxy", "203.0.113.9", "203.0.113.9 40000", {}],
  ["a forged list", "203.0.113.9", "203.0.113.9 40000", { "x-forwarded-for": "198.51.100.1" }],
  ["a forged element", "203.0.113.9", "203.0.113.9 40000", { "forwarded": "for=198.51.100.1" }],
  ["a proxy that says nothing", "127.0.0.1", "127.0.0.1 40000", {}],
  ["one proxy", "127.0.0.1", "203.0.113.9 0", { "x-forwarded-for": "203.0.113.9" }],
  ["a neighbour of the trusted", "127.0.0.2", "127.0.0.2 40000", { "x-forwarded-for": "1.1.1.1" }],
  ["a client's own entry before the proxy's", "127.0.0.1", "203.0.113.9 0", {
    "x-forwarded-for": "198.51.100.1, 203.0.113.9",
  }],
  ["a client that claims to be a proxy", "127.0.0.1", "203.0.113.9 0", {
    "x-forwarded-for": "198.51.100.1, 127.0.0.1, 10.0.0.1,203.0.113.9",
  }],
  ["three proxies, the outermost a stranger", "127.0.0.1", "203.0.113.9 0", {
    "x-forwarded-for": "198.51.100.1, 203.0.113.9, fd12::5, 10.200.0.1",
  }],
  ["a client among the trusted", "127.0.0.1", "10.0.0.7 0", { "x-forwarded-for": "10.0.0.7" }],
  ["a proxy in an IPv4 range written as IPv6", "192.168.0.9", "203.0.113.9 0", {
    "x-forwarded-for": "203.0.113.9",
  }],
  ["and its neighbour", "192.169.0.9", "192.169.0.9 40000", { "x-forwarded-for": "203.0.113.9" }],
  ["a proxy at a unix socket", "", "203.0.113.9 0", { "x-forwarded-for": "203.0.113.9" }],
  ["a proxy with a zone", "fd00::1%eth0", "203.0.113.9 0", { "x-forwarded-for": "203.0.113.9" }],
  ["a port", "127.0.0.1", "203.0.113.9 5123", { "x-forwarded-for": "203.0.113.9:5123" }],
  ["IPv6", "127.0.0.1", "2001:db8::1 0", { "x-forwarded-for": "2001:DB8:0::1" }],
  ["IPv6 in brackets", "127.0.0.1", "2001:db8::1 0", { "x-forwarded-for": "[2001:db8::1]" }],
  ["IPv6 with a port", "127.0.0.1", "2001:db8::1 8", { "x-forwarded-for": "[2001:db8::1]:8" }],
  ["IPv6 in quotes", "127.0.0.1", "2001:db8::1 8", { "x-forwarded-for": '"[2001:db8::1]:8"' }],
  ["IPv4 in IPv6 clothes", "127.0.0.1", "203.0.113.9 0", {
    "x-forwarded-for": "::ffff:203.0.113.9",
  }],
  ["the same in hexadecimal", "127.0.0.1", "203.0.113.9 7", {
    "forwarded": 'for="[::ffff:cb00:7109]:7"',
  }],
  ["trusted IPv4 in IPv6 clothes", "127.0.0.1", "203.0.113.9 0", {
    "x-forwarded-for": "203.0.113.9, ::ffff:10.0.0.1",
  }],
  ["nothing that is an address", "127.0.0.1", "127.0.0.1 40000", { "x-forwarded-for": "me" }],
  ["an empty list", "127.0.0.1", "127.0.0.1 40000", { "x-forwarded-for": "" }],
  ["a malformed entry of an inner proxy", "127.0.0.1", "10.0.0.1 0", {
    "x-forwarded-for": "203.0.113.9, unknown, 10.0.0.1",
  }],
  ["a wrong port", "127.0.0.1", "127.0.0.1 40000", { "x-forwarded-for": "203.0.113.9:70000" }],
  ["an address that is read in several ways", "127.0.0.1", "127.0.0.1 40000", {
    "x-forwarded-for": "203.0.113.09",
  }],
  ["an address with a zone", "127.0.0.1", "127.0.0.1 40000", { "x-forwarded-for": "fe80::1%lo" }],
  ["a list without end", "127.0.0.1", "203.0.113.9 0", {
    "x-forwarded-for": `${"198.51.100.1, ".repeat(5_000)}203.0.113.9`,
  }],
  ["an entry that is cut off counts for nothing", "127.0.0.1", "10.0.0.1 0", {
    "x-forwarded-for": `1${"203.0.113.9,".padEnd(2_040)}10.0.0.1`,
  }],
  ["more proxies than are followed", "127.0.0.1", "10.0.0.1 0", {
    "x-forwarded-for": `203.0.113.9${", 10.0.0.1".repeat(300)}`,
  }],
  ["Forwarded", "127.0.0.1", "203.0.113.9 0", { "forwarded": "for=203.0.113.9;proto=https" }],
  ["Forwarded as RFC 7239 has it", "127.0.0.1", "2001:db8:cafe::17 4711", {
    "forwarded": 'For="[2001:db8:cafe::17]:4711"',
  }],
  ["Forwarded with other parameters", "127.0.0.1", "192.0.2.60 0", {
    "forwarded": "by=203.0.113.43; proto=http ;for=192.0.2.60;secret=x",
  }],
  ["Forwarded by several", "127.0.0.1", "203.0.113.9 0", {
    "forwarded": "for=198.51.100.1, for=203.0.113.9, for=10.0.0.1",
  }],
  ["Forwarded with what is in quotes", "127.0.0.1", "203.0.113.9 0", {
    "forwarded": 'for=203.0.113.9;ext="a, for=198.51.100.1;\\", for=198.51.100.2"',
  }],
  ["Forwarded with a quote that a client left open", "127.0.0.1", "203.0.113.9 0", {
    "forwarded": 'for="198.51.100.1, for=203.0.113.9',
  }],
  ["and with one behind a backslash", "127.0.0.1", "203.0.113.9 80", {
    "forwarded": 'for="\\, for="203.0.113.9:80"',
  }],
  ["Forwarded with a port that is hidden", "127.0.0.1", "192.0.2.43 0", {
    "forwarded": 'for="192.0.2.43:_port"',
  }],
  ["Forwarded without quotes", "127.0.0.1", "2001:db8::1 1", {
    "forwarded": "for=[2001:db8::1]:1",
  }],
  ["Forwarded: unknown", "127.0.0.1", "127.0.0.1 40000", { "forwarded": "for=unknown" }],
  ["Forwarded: obfuscated", "127.0.0.1", "127.0.0.1 40000", { "forwarded": "for=_gazonk" }],
  ["Forwarded: for twice", "127.0.0.1", "127.0.0.1 40000", {
    "forwarded": "for=203.0.113.9;for=198.51.100.1",
  }],
  ["Forwarded: nonsense", "127.0.0.1", "127.0.0.1 40000", { "forwarded": ";=;for" }],
  ["Forwarded without end", "127.0.0.1", "203.0.113.9 0", {
    "forwarded": `${'for="\\"\\'.repeat(5_000)}, for=203.0.113.9`,
  }],
  ["both: proxies that write the one pass the other on", "127.0.0.1", "203.0.113.9 0", {
    "x-forwarded-for": "203.0.113.9",
    "forwarded": "for=198.51.100.1",
  }],
  ["a proxy that tells the scheme alone", "127.0.0.1", "127.0.0.1 40000", {
    "x-forwarded-proto": "https",
    "forwarded": "for=198.51.100.1",
  }],
];

Deno.test("S-013 the client is whom the outermost trusted proxy got the request from", () => {
  for (const [what, from, expected, headers] of CLIENTS) {
    assert.equal(client(from, headers), expected, what);
  }
});

Deno.test("S-013 a unix socket whose proxy tells nothing has a client without an address", () => {
  assert.deepEqual(proxies.client(new FakeExchange({ from: "", port: 0 })), {
    address: "",
    port: 0,
  });
});

Deno.test("S-013 a stranger's headers are not even looked up", () => {
  const exchange = new FakeExchange({ from: "203.0.113.9" });
  proxies.client(exchange);
  assert.equal(exchange.lookUps, 0);
});

Deno.test("S-013 no proxy is trusted where none is configured, and every one by 0.0.0.0/0 and ::/0", () => {
  const headers = { "x-forwarded-for": "198.51.100.1, 203.0.113.9" };
  const asked = (trustedProxies: string[], from: string) =>
    new TrustedProxies({ trustedProxies }).client(new FakeExchange({ from, headers })).address;
  assert.equal(asked([], "127.0.0.1"), "127.0.0.1");
  assert.equal(asked(["0.0.0.0/0"], "127.0.0.1"), "198.51.100.1");
  assert.equal(asked(["0.0.0.0/0"], "::1"), "::1");
  assert.equal(asked(["::/0"], "2001:db8::1"), "203.0.113.9");
});

Deno.test("S-013 D-003 the scheme and the host are those that a trusted proxy vouches for", () => {
  const host = "here.test";
  const cases: [Record<string, string>, string][] = [
    [{}, "undefined here.test"],
    [{ "x-forwarded-proto": "https" }, "https here.test"],
    [{ "x-forwarded-proto": "HTTP" }, "http here.test"],
    [{ "x-forwarded-proto": "wss" }, "https here.test"],
    [{ "x-forwarded-proto": "ws" }, "http here.test"],
    [{ "x-forwarded-proto": "gopher" }, "undefined here.test"],
    [{ "x-forwarded-proto": "" }, "undefined here.test"],
    [{ "x-forwarded-proto": "https, http" }, "http here.test"],
    [{ "x-forwarded-host": "there.test:8443" }, "undefined there.test:8443"],
    [{ "x-forwarded-host": "forged.test, there.test" }, "undefined there.test"],
    [{ "x-forwarded-host": "" }, "undefined here.test"],
    [{ "forwarded": "proto=https;host=there.test" }, "https there.test"],
    [{ "forwarded": 'proto=https;host="there.test:1"' }, "https there.test:1"],
    [{ "forwarded": "for=unknown;proto=https" }, "https here.test"],
    [{ "forwarded": "proto=http, for=203.0.113.9;proto=https" }, "https here.test"],
    // What the outer of two trusted proxies says of its client, not how the inner one was reached.
    [{ "forwarded": "for=203.0.113.9;proto=https, for=10.0.0.1;proto=http" }, "https here.test"],
    [{ "forwarded": "for=203.0.113.9, for=10.0.0.1;proto=https" }, "undefined here.test"],
    [{ "forwarded": "proto=https", "x-forwarded-for": "203.0.113.9" }, "undefined here.test"],
    [{ "forwarded": "proto=https", "x-forwarded-proto": "http" }, "http here.test"],
  ];
  for (const [headers, expected] of cases) {
    assert.equal(target("127.0.0.1", { host, ...headers }), expected, JSON.stringify(headers));
    assert.equal(target("203.0.113.9", { host, ...headers }), "undefined here.test");
  }
  assert.equal(target("127.0.0.1", {}), "undefined undefined");
});

Deno.test("D-003 TLS that ends here is HTTPS, unless a trusted proxy is in between", () => {
  const scheme = (from: string, headers: Record<string, string> = {}) =>
    proxies.target(new FakeExchange({ from, headers, secure: true })).scheme;
  assert.equal(scheme("203.0.113.9"), "https");
  assert.equal(scheme("203.0.113.9", { "x-forwarded-proto": "http" }), "https");
  assert.equal(scheme("127.0.0.1"), "https");
  assert.equal(scheme("127.0.0.1", { "x-forwarded-proto": "http" }), "http");
  assert.equal(scheme("127.0.0.1", { "forwarded": "for=203.0.113.9;proto=http" }), "http");
  // How the client reached a proxy is not what the proxy's own connection is.
  assert.equal(scheme("127.0.0.1", { "x-forwarded-for": "203.0.113.9" }), undefined);
  assert.equal(scheme("127.0.0.1", { "forwarded": "for=203.0.113.9" }), undefined);
  assert.equal(scheme("127.0.0.1", { "x-forwarded-proto": "quic" }), undefined);
});
