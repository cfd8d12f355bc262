import assert from "node:assert/strict";
import { keyPath } from "../../src/config/draft.ts";
import { sections, singleSections } from "../../src/config/keys.ts";
import { variableOf } from "../../src/config/overrides.ts";
import { assertMistake, CERTIFICATE, load, mistakesOf } from "../support/configuration.ts";

Deno.test("every key of a table that is there once has a variable of its own", () => {
  const variables = singleSections.flatMap((section) =>
    Object.keys(sections[section]).map((name) => variableOf(keyPath(section, name)))
  );
  assert.equal(new Set(variables).size, variables.length);
  // None is unknown: what they are given here is wrong for some, but each is found.
  const given = Object.fromEntries(variables.map((variable) => [variable, "?"]));
  for (const mistake of mistakesOf(undefined, { env: given })) {
    assert.doesNotMatch(mistake, /no such variable/);
  }
});

Deno.test("variables set keys of every kind", () => {
  const config = load(undefined, {
    env: {
      CAUSEWAY_DOMAIN_DEFAULT: "example.org",
      CAUSEWAY_OPEN_PROXY: "true",
      CAUSEWAY_BOSH_MAX_WAIT: "1_0",
      CAUSEWAY_LOG_FORMAT: "json",
      CAUSEWAY_HTTP_ALLOWED_ORIGINS: "https://a.example, https://b.example",
      CAUSEWAY_HTTP_HEADERS: '{ X-A = "1, 2", "X-B" = "" }',
      CAUSEWAY_UPSTREAM_NAMESERVER: "[::1]:5353",
      CAUSEWAY_UPSTREAM_CA: "own.pem",
      OTHER_BOSH_MAX_WAIT: "x",
    },
    files: { "own.pem": CERTIFICATE },
  });
  assert.equal(config.domainDefault, "example.org");
  assert.equal(config.openProxy, true);
  assert.equal(config.bosh.maxWait, 10_000);
  assert.equal(config.log.format, "json");
  assert.deepEqual(config.http.allowedOrigins, ["https://a.example", "https://b.example"]);
  assert.deepEqual(config.http.headers, { "X-A": "1, 2", "X-B": "" });
  assert.deepEqual(config.upstream.nameserver, { address: "::1", port: 5353 });
  assert.match(config.upstream.ca!, /^-----BEGIN CERTIFICATE-----/);
});

Deno.test("mistakes in variables name the variable", () => {
  const wrong: [string, string, RegExp][] = [
    ["CAUSEWAY_BOSH_MAX_WAIT", "0", /^CAUSEWAY_BOSH_MAX_WAIT: 0 is out of range; /],
    ["CAUSEWAY_BOSH_MAX_WAIT", "1e1", /^CAUSEWAY_BOSH_MAX_WAIT: "1e1" is not a whole number; /],
    ["CAUSEWAY_BOSH_MAX_WAIT", "9".repeat(10_000), /is not a whole number; /],
    ["CAUSEWAY_OPEN_PROXY", "yes", /^CAUSEWAY_OPEN_PROXY: "yes" is neither true nor false; /],
    ["CAUSEWAY_HTTP_HEADERS", "X-A: 1", /^CAUSEWAY_HTTP_HEADERS: "X-A: 1" is not a table; /],
    ["CAUSEWAY_HTTP_HEADERS", "{}\nother = 1", /^CAUSEWAY_HTTP_HEADERS: .* is not a table; /],
    ["CAUSEWAY_UPSTREAM_CA", "/no.pem", /^CAUSEWAY_UPSTREAM_CA: cannot read "\/no\.pem": /],
  ];
  for (const [variable, value, expected] of wrong) {
    assertMistake(undefined, expected, { env: { [variable]: value } });
  }
});

Deno.test("unknown variables are mistakes with the near one, empty ones count as not set", () => {
  assertMistake(
    undefined,
    /^CAUSEWAY_BOSH_MAXWAIT: no such variable; did you mean CAUSEWAY_BOSH_MAX_WAIT\?$/,
    {
      env: { CAUSEWAY_BOSH_MAXWAIT: "1" },
    },
  );
  assertMistake(undefined, /^CAUSEWAY_DOMAIN: no such variable; did you mean CAUSEWAY_DOMAINS\?$/, {
    env: { CAUSEWAY_DOMAIN: "" },
  });
  assertMistake(undefined, /^CAUSEWAY_: no such variable; unset it$/, { env: { CAUSEWAY_: "1" } });
  const env = { CAUSEWAY_LOG_LEVEL: "", CAUSEWAY_LISTEN: "", CAUSEWAY_DOMAINS: "" };
  assert.equal(load('log.level = "warn"', { env }).log.level, "warn");
});

Deno.test("--listen and CAUSEWAY_LISTEN replace all listeners", () => {
  const toml = "[[listen]]\nport = 1\n[[listen]]\nport = 2";
  const at = (given: Parameters<typeof load>[1]) =>
    load(toml, given).listen.map((listener) => listener.at);
  const env = { CAUSEWAY_LISTEN: "127.0.0.1:80, unix:/run/c.sock" };
  assert.deepEqual(at({}).length, 2);
  assert.deepEqual(at({ env }), [{ address: "127.0.0.1", port: 80 }, { unix: "/run/c.sock" }]);
  assert.deepEqual(at({ env, flags: { listen: ["[::1]:0", "localhost:90"] } }), [
    { address: "::1", port: 0 },
    { address: "localhost", port: 90 },
  ]);
  assert.deepEqual(load(toml, { env }).listen[0]!.serve.length, 4);
});

Deno.test("--listen refuses what is not an address and a port", () => {
  for (
    const wrong of [
      "5280",
      ":5280",
      "127.0.0.1",
      "::1",
      "::1:5280x",
      "127.0.0.1:",
      "127.0.0.1:1:2",
      "",
      "[1]:2",
    ]
  ) {
    assertMistake(undefined, /^--listen: ".*" is not ADDRESS:PORT; /, {
      flags: { listen: [wrong] },
    });
  }
  assertMistake(undefined, /^--listen: 65536 is out of range; /, {
    flags: { listen: ["127.0.0.1:65536"] },
  });
  assertMistake(undefined, /^--listen: "example\.org" is not an IP address; /, {
    flags: { listen: ["example.org:1"] },
  });
  assertMistake(undefined, /^--listen: "" cannot name a unix socket; /, {
    flags: { listen: ["unix:"] },
  });
});

Deno.test("--domain and CAUSEWAY_DOMAINS join the domains of the file and replace where they connect", () => {
  const { domains } = load(
    '[domains."a.example"]\nconnect = "xmpp://x"\ntls = "never"\n[domains."b.example"]\nconnect = "xmpp://y"',
    {
      env: { CAUSEWAY_DOMAINS: "c.example, A.Example.=xmpp://z:1" },
      flags: { domain: ["*.d.example=xmpps://[::1]", "b.example"] },
    },
  );
  assert.deepEqual(
    [...domains].map(([name, { connect, tls }]) => [name, connect[0]?.hostname, tls]),
    [
      ["a.example", "z", "never"],
      ["b.example", undefined, "required"],
      ["c.example", undefined, "required"],
      ["*.d.example", "::1", "required"],
    ],
  );
});

Deno.test("--domain refuses what is no domain or no URL", () => {
  assertMistake(undefined, /^--domain: "a b" is not a domain; /, { flags: { domain: ["a b"] } });
  assertMistake(undefined, /^--domain: "" is not a domain; /, { flags: { domain: [""] } });
  assertMistake(undefined, /^--domain: "host:5222" does not begin with xmpp:/, {
    flags: { domain: ["a=host:5222"] },
  });
  assertMistake(undefined, /^CAUSEWAY_DOMAINS: "" is not a domain; /, {
    env: { CAUSEWAY_DOMAINS: "a," },
  });
});

Deno.test("--log-level and --log-format name themselves when they are wrong", () => {
  assertMistake(undefined, /^--log-level: "loud" is not known here; /, {
    flags: { logLevel: "loud" },
  });
  assertMistake(undefined, /^--log-format: "xml" is not known here; /, {
    flags: { logFormat: "xml" },
  });
});
