import assert from "node:assert/strict";
import { assertMistake, load, mistakesOf } from "../support/configuration.ts";

Deno.test("every mistake in a file is told at once, in the order of its lines", () => {
  assert.deepEqual(
    mistakesOf(`domain_default = "exa mple.org"
opne_proxy = true

[[listen]]
address = "127.0.0.1"
port = 70_000

[[listen]]
adress = "::1"
unix = "/run/causeway.sock"

[bosh]
max_wait = "60"
max-hold = 3
max_body = 1

[nonsense]
x = 1

[domains."example.org"]
connect = "http://example.org"
tls = "sometimes"
`),
    [
      '1: domain_default: "exa mple.org" is not a domain name; write a domain, such as "example.org"',
      "2: opne_proxy: no such key; did you mean open_proxy?",
      "6: listen[0].port: 70000 is out of range; write a whole number from 0 to 65535",
      "9: listen[1].adress: no such key; did you mean address?",
      '13: bosh.max_wait: "60" is not a whole number; write a whole number from 1 to 3600',
      "14: bosh.max-hold: no such key; did you mean max_hold?",
      "15: bosh.max_body: no such key; it belongs in [http]",
      "17: nonsense: no such key; known here: domain_default, open_proxy, listen, http, bosh, websocket, discovery, limits, " +
      "upstream, domains, drain, admin, log",
      '21: domains."example.org".connect: "http://example.org" does not begin with xmpp:// or xmpps://; ' +
      'write "xmpp://host:port", or "xmpps://host:port" for TLS from the first byte',
      '22: domains."example.org".tls: "sometimes" is not known here; write "required", "optional" or "never"',
    ],
  );
});

Deno.test("keys in the wrong table are sent to the right one", () => {
  assertMistake("port = 5280", /^1: port: no such key; it belongs in \[\[listen\]\]$/);
  assertMistake("[log]\nopen_proxy = true", /it belongs before the first table$/);
  assertMistake('[upstream]\nconnect = "xmpp://a"', /it belongs in \[domains\."NAME"\]$/);
});

Deno.test("keys of features that are not there are unknown", () => {
  for (
    const [toml, key] of [
      ["[cluster]\nname = 'a'", "cluster"],
      ["http.compress = true", "http.compress"],
      ["[[listen]]\nbacklog = 1", "listen[0].backlog"],
      ["[domains.a]\nmax_connections = 1", "domains.a.max_connections"],
    ] as const
  ) {
    const [mistake, ...more] = mistakesOf(toml);
    assert.deepEqual(more, []);
    assert(mistake!.includes(`: ${key}: no such key; `), mistake);
  }
});

Deno.test("a file that is not TOML is told with line and column", () => {
  assertMistake("a = 1\nb = [\n", /^[23]: not TOML: .+ \(column \d+\); see https:\/\/toml\.io$/);
  assertMistake(
    "[log]\n[log]",
    /^2: not TOML: trying to redefine an already defined table or value/,
  );
});

Deno.test("values in place of tables are mistakes", () => {
  assertMistake("bosh = 5", /^1: bosh: 5 is not a table; write \[bosh\]$/);
  assertMistake(
    "[listen]\nport = 1",
    /^1: listen: a table is not a list of tables; write a table \[\[listen\]\]$/,
  );
  assertMistake("listen = []", /^1: listen: an empty list listens nowhere; /);
  assertMistake("listen = [\n5]", /^2: listen\[0\]: 5 is not a table; /);
  assertMistake("domains = true", /^1: domains: true is not a table; /);
  assertMistake(
    '[domains]\n"a.b" = "xmpp://c"',
    /^2: domains\."a\.b": "xmpp:\/\/c" is not a table; /,
  );
});

Deno.test("bad and repeated domain patterns are mistakes", () => {
  assertMistake(
    '\n[domains."a b"]',
    /^2: domains\."a b": "a b" is not a domain; write "example\.org"/,
  );
  assertMistake('[domains."a.*"]', /is not a domain/);
  assertMistake(
    '[domains."example.org"]\n[domains."EXAMPLE.org."]',
    /^2: domains\."EXAMPLE\.org\.": the same domain as in line 1; /,
  );
});

Deno.test("a domain without quotes is told to get them", () => {
  assertMistake(
    "\n[domains.chat.example.org]\ntls = 'never'",
    /^2: domains\.chat\.example: no such key; if "chat\.example\.org" is a domain, write its name in quotes$/,
  );
});

Deno.test("a file may have any shape that TOML allows, a byte order mark and CR LF", () => {
  const config = load(
    '\uFEFFhttp = { headers = { X-A = "1" } }\r\nlisten = [ { port = 1 }, { unix = "/x", serve = ["bosh"] } ]\r\n' +
      'bosh.max_wait = 1_0\r\ndomains."a.b" = {}\r\n',
  );
  assert.deepEqual(config.listen.map(({ at, serve }) => ({ at, serve })), [
    { at: { address: "127.0.0.1", port: 1 }, serve: ["bosh", "websocket", "discovery", "health"] },
    { at: { unix: "/x" }, serve: ["bosh"] },
  ]);
  assert.equal(config.bosh.maxWait, 10_000);
  assert.deepEqual([...config.domains.keys()], ["a.b"]);
});

Deno.test("keys that objects inherit are unknown keys like any other", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    assertMistake(`${name} = 1`, /no such key/);
    assertMistake(`[bosh]\n${name} = 1`, /no such key/);
  }
});
