/*
 * Invariant: whatever stands in forwarding headers, nothing throws and the client has the peer's
 * address or another one that is valid; a peer that is no trusted proxy has no effect by them; and
 * what a client has written stands left of what proxies add, and changes nothing.
 */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import fc from "fast-check";
import { type Target, TrustedProxies } from "../../src/server/client_address.ts";
import type { Peer } from "../../src/server/exchange.ts";
import { FakeExchange } from "../support/fake_exchange.ts";
import { fuzz } from "../support/fuzz_corpus.ts";

const proxies = new TrustedProxies({
  trustedProxies: ["127.0.0.1/32", "10.1.2.3/8", "fd00::/8", "::ffff:192.168.0.0/112"],
});

/** Header values as they come, octet by octet. */
type Headers = Readonly<Record<string, string>>;

function seen(from: string, headers: Headers): { client: Peer; target: Target } {
  const exchange = new FakeExchange({ from, headers: { host: "here.test", ...headers } });
  return { client: proxies.client(exchange), target: proxies.target(exchange) };
}

const octet = fc.nat(255).map((octet) => String.fromCharCode(octet));
/** What lists are made of, well and badly. */
const scrap = fc.oneof(
  fc.constantFrom(
    ...["for=", "proto=https", "host=", '"', "\\", '\\"', "[", "]", ":", ";", ",", ", ", "=", "_x"],
    ...["unknown", "127.0.0.1", "10.0.0.1", "198.51.100.1", "::1", "fd00::1", "[fd00::1]:9", " "],
    ...[
      "for=10.0.0.1",
      'for="[fd00::1]"',
      "%eth0",
      ":_port",
      "::ffff:10.0.0.1",
      "\t",
      "For",
      "by=",
    ],
    ...["https", "http", "wss", "1.2.3.4:65536", "01.2.3.4", "::ffff:127.0.0.1", "0x7f.1", "for"],
  ),
  fc.ipV4(),
  fc.ipV6(),
  fc.array(octet, { maxLength: 6 }).map((octets) => octets.join("")),
);
const anything = fc.oneof(
  { weight: 6, arbitrary: fc.array(scrap, { maxLength: 40 }).map((scraps) => scraps.join("")) },
  { weight: 4, arbitrary: fc.array(scrap, { maxLength: 6 }).map((scraps) => scraps.join(", ")) },
  // More than is looked at.
  { weight: 1, arbitrary: fc.tuple(scrap, scrap).map(([a, b]) => a + b.padEnd(30).repeat(100)) },
);

const NAMES = ["x-forwarded-for", "forwarded", "x-forwarded-proto", "x-forwarded-host"];
const headers: fc.Arbitrary<Headers> = fc.array(
  fc.tuple(fc.constantFrom(...NAMES), anything),
  { maxLength: 4 },
).map((fields) => Object.fromEntries(fields));

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6().map((address) => new URL(`http://[${address}]`).hostname.slice(1, -1)),
);
const stranger = address.filter((address) =>
  !/^(?:127\.0\.0\.1$|10\.|192\.168\.|f[d]|::ffff:)/.test(address)
);
const trusted = fc.constantFrom("127.0.0.1", "10.0.0.1", "fd00::1", "192.168.0.9", "");

fuzz("S-013 whatever an untrusted peer writes, the address is the peer's", {
  target: "forwarded_by_strangers",
  inputs: fc.record({ from: stranger, headers }),
  runs: 2000,
  check({ from, headers }) {
    assert.deepEqual(seen(from, headers), {
      client: { address: from, port: 40_000 },
      target: { scheme: undefined, host: "here.test", isProxied: false },
    });
  },
});

fuzz("S-013 whatever a proxy passes on, the client has an address that is one", {
  target: "forwarded",
  inputs: fc.record({ from: trusted, headers }),
  runs: 2000,
  check({ from, headers }) {
    const { client: { address, port }, target } = seen(from, headers);
    if (address !== from) {
      const family = isIP(address);
      assert.ok(family > 0 && !address.includes("%"), address);
      // One spelling for each, or lists of addresses would not find them.
      if (family === 6) assert.equal(new URL(`http://[${address}]`).hostname, `[${address}]`);
      assert.ok(!address.startsWith("::ffff:"), address);
    }
    assert.ok(Number.isInteger(port) && port >= 0 && port <= 65_535);
    assert.ok([undefined, "http", "https"].includes(target.scheme));
    assert.ok(target.isProxied && target.host !== "");
  },
});

const entry = fc.oneof(
  fc.constantFrom("10.0.0.1", "127.0.0.1", "fd00::5", "[fd00::5]:80", "10.9.9.9:1234"),
  fc.constantFrom('"[fd00::5]"', "::ffff:10.0.0.1", "192.168.0.1"),
);
/** Whom the outermost proxy got the request from, as it writes it, and the address if it tells one. */
const OUTERMOST: Readonly<Record<string, string | undefined>> = {
  "203.0.113.9": "203.0.113.9",
  "203.0.113.9:5123": "203.0.113.9",
  "::ffff:203.0.113.9": "203.0.113.9",
  "2001:DB8::7": "2001:db8::7",
  '"[2001:db8::7]:1"': "2001:db8::7",
  "unknown": undefined,
  "_hidden": undefined,
  "203.0.113.09": undefined,
  "fe80::1%lo": undefined,
};
/** What the proxies add, the first of them first. */
const added = fc.tuple(
  fc.constantFrom(...Object.keys(OUTERMOST)),
  fc.array(entry, { maxLength: 5 }),
)
  .map(([first, more]) => [first, ...more]);

fuzz("S-013 whatever a client writes, it changes nothing of what trusted proxies say of it", {
  target: "forwarded_by_clients",
  inputs: fc.record({
    from: trusted,
    added,
    proto: fc.constantFrom(
      ...["", ";proto=https", ";proto=http;host=there.test"],
      ';ext="a, for=10.0.0.1;\\\\\\", for=10.0.0.2"',
    ),
    written: anything,
    // A proxy that speaks the one passes on the other.
    other: anything,
  }),
  runs: 2000,
  check({ from, added, proto, written, other }) {
    const list = added.join(", ");
    const address = OUTERMOST[added[0]!];
    const listed = seen(from, { "x-forwarded-for": list, "x-forwarded-proto": "https" });
    if (address !== undefined) assert.equal(listed.client.address, address);
    const spoilt = {
      "x-forwarded-for": `${written}, ${list}`,
      "x-forwarded-proto": `${written}, https`,
      "forwarded": other,
    };
    assert.deepEqual(seen(from, spoilt), listed);
    const elements = added.map((node) => `for=${/[:"]/.test(node) ? quoted(node) : node}${proto}`)
      .join(", ");
    const forwarded = seen(from, { forwarded: elements });
    if (address !== undefined) assert.equal(forwarded.client.address, address);
    assert.deepEqual(seen(from, { forwarded: `${written}, ${elements}` }), forwarded);
  },
});

/** As RFC 7239 has it: IPv6 in brackets, and what is no token in quotes. */
function quoted(node: string): string {
  const bare = node.replaceAll('"', "");
  return isIP(bare) === 6 ? `"[${bare}]"` : `"${bare}"`;
}
