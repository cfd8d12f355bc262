import assert from "node:assert/strict";
import fc from "fast-check";
import { domainToASCII } from "node:url";
import { asciiName, domainKey, domainPattern, findDomain } from "../../src/config/domains.ts";
import { load } from "../support/configuration.ts";

Deno.test("B-034 domainKey() makes spellings of one domain equal", () => {
  const same: [string, string][] = [
    ["example.org", "example.org"],
    ["EXAMPLE.Org", "example.org"],
    ["example.org.", "example.org"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["BÜCHER.example", "xn--bcher-kva.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["XN--BCHER-KVA.example", "xn--bcher-kva.example"],
    ["example。org", "example.org"],
    ["localhost", "localhost"],
    ["_a.b_c.example", "_a.b_c.example"],
    ["192.0.2.1", "192.0.2.1"],
    [`${"a".repeat(63)}.org`, `${"a".repeat(63)}.org`],
  ];
  for (const [name, key] of same) assert.equal(domainKey(name), key, name);
});

Deno.test("B-034 domainKey() refuses what is not a plain domain name", () => {
  const refused = [
    "",
    ".",
    "..",
    ".org",
    "a..b",
    "org..",
    " ",
    "a b",
    " a",
    "a@example.org",
    "example.org/r",
    "example.org:5222",
    "http://a",
    "a?b",
    "a#b",
    "a\\b",
    "a%2eb",
    "a%00b",
    "a\0b",
    "a\nb",
    "a\tb",
    "*",
    "*.example.org",
    "[::1]",
    "::1",
    "-a.org",
    "a-.org",
    "xn--zz--",
    "\u00ad",
    `${"a".repeat(64)}.org`,
    "a.".repeat(127) + "org",
    "a".repeat(1e6),
    // Resolvers take all of these for addresses.
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "127.0.0.01",
    "192.0.2.256",
    "1.2.3.4.5",
    "a.1",
    "example.0x10",
  ];
  for (const name of refused) {
    assert.equal(domainKey(name), undefined, JSON.stringify(name.slice(0, 80)));
  }
});

// Invariant: whatever the name, its key is safe text of DNS and the key of itself.
Deno.test("domainKey() gives plain text that is its own key when names are random", () => {
  const name = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(..."aZ0-_.。ß١１。xn\u0301\u200d"), maxLength: 20 }),
  );
  fc.assert(
    fc.property(name, (name) => {
      const key = domainKey(name);
      if (key === undefined) return;
      assert.match(key, /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/);
      assert.equal(domainKey(key), key);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("domainPattern() takes names and whole-label wildcards only", () => {
  assert.equal(domainPattern("*"), "*");
  assert.equal(domainPattern("*.Bücher.example."), "*.xn--bcher-kva.example");
  assert.equal(domainPattern("Example.org"), "example.org");
  for (const wrong of ["*.", "**", "a.*", "*a.org", "*.*.org", "*.192.0.2.1", "a*.org", ""]) {
    assert.equal(domainPattern(wrong), undefined, wrong);
  }
});

Deno.test("B-033 findDomain() prefers the exact name, then the longest wildcard, then *", () => {
  const config = load(`
    [domains."*"]
    connect = "xmpp://any"
    [domains."*.org"]
    connect = "xmpp://org"
    [domains."*.example.org"]
    connect = "xmpp://sub"
    [domains."chat.example.org"]
    connect = "xmpp://chat"
  `);
  const reached = (key: string) => findDomain(config, key)?.connect[0]?.hostname;
  assert.equal(reached("chat.example.org"), "chat");
  assert.equal(reached("a.chat.example.org"), "sub");
  assert.equal(reached("other.example.org"), "sub");
  assert.equal(reached("example.org"), "org");
  assert.equal(reached("org"), "any");
  assert.equal(reached("example.net"), "any");
});

Deno.test("B-033 findDomain() finds nothing when no pattern matches", () => {
  const config = load(`domains = { "*.example.org" = {}, "bücher.example" = {} }`);
  assert.equal(findDomain(config, "example.org"), undefined);
  assert.equal(findDomain(config, "badexample.org"), undefined);
  assert.notEqual(findDomain(config, "a.example.org"), undefined);
  assert.notEqual(findDomain(config, domainKey("Bücher.Example")!), undefined);
});

Deno.test("findDomain() gives the common upstream when no domain is named", () => {
  const config = load(`upstream.connect_timeout = 3`);
  assert.equal(findDomain(config, "example.net"), config.upstream);
  assert.equal(config.upstream.connectTimeout, 3000);
});

Deno.test("asciiName() says of every name what the platform says, with and without asking it", () => {
  const pieces = [
    "a",
    "Z",
    "0",
    "_",
    "-",
    ".",
    "..",
    "xn--",
    "--",
    "é",
    "ß",
    "。",
    "%61",
    " ",
    "@",
  ];
  for (const a of pieces) {
    for (const b of pieces) {
      for (const c of pieces) {
        const name = a + b + c;
        assert.equal(asciiName(name), domainToASCII(name).toLowerCase(), name);
      }
    }
  }
});
