import assert from "node:assert/strict";
import fc from "fast-check";
import { sections } from "../../src/config/keys.ts";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/mistakes.ts";
import { noFlags } from "../../src/config/overrides.ts";
import { assertMistake, load, mistakesOf } from "../support/configuration.ts";

Deno.test("without any source it listens on loopback and serves every domain", () => {
  assert.deepEqual(loadConfig(), {
    domainDefault: undefined,
    openProxy: false,
    listen: [{
      at: { address: "127.0.0.1", port: 5280 },
      serve: ["bosh", "websocket", "discovery", "health"],
      server: "deno",
      maxConnections: 10_000,
      maxConnectionsPerAddress: 500,
      tls: undefined,
    }],
    http: {
      trustedProxies: ["127.0.0.0/8", "::1/128"],
      allowedOrigins: ["*"],
      maxBody: 262_144,
      headers: {},
      headTimeout: 10_000,
      bodyTimeout: 30_000,
      keepaliveTimeout: 75_000,
      writeTimeout: 30_000,
    },
    bosh: {
      path: "/http-bind",
      maxWait: 60_000,
      maxHold: 2,
      inactivity: 60_000,
      maxInactivity: 160_000,
      polling: 5_000,
      strict: false,
      maxPause: 120_000,
      maxStreams: 8,
      acks: true,
      report: false,
      script: true,
    },
    websocket: {
      path: "/xmpp-websocket",
      pingInterval: 30_000,
      idleTimeout: 0,
      legacyFraming: true,
      seeOtherUri: undefined,
    },
    limits: {
      sessions: 10_000,
      sessionsPerAddress: 200,
      newSessionsPerMinute: 600,
      connecting: 2_000,
      lookups: 500,
      bodies: 67_108_864,
      memory: undefined,
      unauthenticatedBytes: 65_536,
      unauthenticatedTime: 60_000,
      clientStanza: 262_144,
      serverStanza: 1_048_576,
      depth: 100,
      queuedBytes: 4_194_304,
    },
    upstream: {
      connect: [],
      connectTimeout: 10_000,
      tls: "required",
      verify: true,
      fingerprints: [],
      proxyProtocol: 0,
      keepalive: 60_000,
      stripChannelBinding: false,
      allowAnonymous: true,
      allowRoute: [],
      ca: undefined,
      identity: undefined,
      nameserver: undefined,
      boshUrl: undefined,
      websocketUrl: undefined,
    },
    domains: new Map(),
    drain: { delay: 0, timeout: 20_000 },
    admin: {
      path: "/admin",
      username: "admin",
      password: undefined,
      token: undefined,
      allowedCategories: ["session", "stat", "metric", "server"],
    },
    log: { level: "info", format: "text", trace: [] },
  });
});

Deno.test("flags override environment, environment overrides file, file overrides defaults", () => {
  const toml = 'log.level = "error"';
  const env = { CAUSEWAY_LOG_LEVEL: "warn" };
  assert.equal(load(undefined).log.level, "info");
  assert.equal(load(toml).log.level, "error");
  assert.equal(load(toml, { env }).log.level, "warn");
  assert.equal(load(toml, { env, flags: { logLevel: "debug" } }).log.level, "debug");
});

Deno.test("values that are overridden are checked all the same", () => {
  const mistakes = mistakesOf('log.level = "loud"', {
    env: { CAUSEWAY_LOG_LEVEL: "quiet" },
    flags: { logLevel: "debug" },
  });
  assert.deepEqual(mistakes.map((mistake) => mistake.split(" is ")[0]), [
    '1: log.level: "loud"',
    'CAUSEWAY_LOG_LEVEL: "quiet"',
  ]);
});

Deno.test("mistakes of file, environment and flags are told together", () => {
  const mistakes = mistakesOf("bosh.max_wait = 0", {
    env: { CAUSEWAY_BOSH_POLLING: "-1", CAUSEWAY_NONSENSE: "1" },
    flags: { listen: ["nowhere"], domain: ["a b"], logFormat: "xml" },
  });
  assert.deepEqual(mistakes.map((mistake) => mistake.split(": ")[0]), [
    "1",
    "CAUSEWAY_BOSH_POLLING",
    "CAUSEWAY_NONSENSE",
    "--listen",
    "--domain",
    "--log-format",
  ]);
});

Deno.test("domains inherit from [upstream] what they leave out", () => {
  const { domains, upstream } = load(
    `
    [upstream]
    tls = "optional"
    connect_timeout = 7
    [domains."example.org"]
    tls = "never"
    connect = "xmpp://10.0.0.5"
    [domains."*.example.org"]
    nameserver = "127.0.0.1"
  `,
    { env: { CAUSEWAY_UPSTREAM_CONNECT_TIMEOUT: "8" } },
  );
  assert.deepEqual(domains.get("example.org"), {
    ...upstream,
    tls: "never",
    connect: [{ direct: false, hostname: "10.0.0.5", port: 5222 }],
  });
  assert.deepEqual(domains.get("*.example.org"), {
    ...load(undefined).upstream,
    connectTimeout: 8000,
    tls: "optional",
    nameserver: { address: "127.0.0.1", port: 53 },
  });
});

Deno.test("CAUSEWAY_CONFIG names the file unless the command line does", () => {
  const readFile = (path: string) => `log.level = "${path === "/a" ? "warn" : "error"}"`;
  const env = { CAUSEWAY_CONFIG: "/a" };
  assert.equal(loadConfig({ env, readFile }).log.level, "warn");
  assert.equal(loadConfig({ file: "/b", env, readFile }).log.level, "error");
  assert.equal(loadConfig({ env: { CAUSEWAY_CONFIG: "" }, readFile }).log.level, "info");
});

Deno.test("a file that is not there is a mistake, told with those of the other sources", () => {
  assert.throws(
    () => loadConfig({ file: "/nowhere/causeway.toml", flags: { ...noFlags, listen: ["x"] } }),
    (error) => {
      assert(error instanceof ConfigError);
      assert.deepEqual(error.message.split("\n").map((line) => line.split(";")[0]), [
        "/nowhere/causeway.toml: cannot read this file: there is no such file",
        '--listen: "x" is not ADDRESS:PORT',
      ]);
      assert.deepEqual({ ...error.mistakes[1], message: "" }, {
        source: "--listen",
        line: undefined,
        key: "listen",
        message: "",
      });
      return true;
    },
  );
});

Deno.test("a file that is not TOML leaves what depends on it unjudged", () => {
  // Whether this is an open proxy depends on the domains of the file.
  assertMistake("domains = ", /^1: not TOML/, { flags: { listen: ["0.0.0.0:80"] } });
});

// Invariant: whatever a file says, it loads or every mistake in it has its line, key and cure.
Deno.test("every mistake has a line, a key and a cure when files are random", () => {
  const names = Object.values(sections).flatMap((keys) => Object.keys(keys));
  const key = fc.constantFrom(...names, "nonsense", '"a b"', "__proto__", '"*.x"');
  const examples = Object.values(sections).flatMap((keys) =>
    Object.values(keys).map(({ default: value, example }) => example ?? JSON.stringify(value))
  );
  const value = fc.constantFrom(
    ...examples,
    ...["-1", "0", "1", "1.5", "true", '""', "[]", "[[]]", "{}", "{ a = {} }", "1979-05-27", "inf"],
    ...[
      '"*"',
      '["*", "*"]',
      '"::"',
      '"a.b"',
      '{ "X-A" = 1 }',
      '"""\n[x]\n"""',
      "99999999999999999999",
    ],
  );
  const pairs = fc.uniqueArray(fc.tuple(key, value), { maxLength: 5, selector: ([name]) => name });
  const header = fc.constantFrom(
    ...Object.keys(sections).filter((name) => name !== "top").map((name) => `[${name}]`),
    ...[
      "[[listen]]",
      '[domains."a.b"]',
      "[domains.c.d]",
      '[domains."*"]',
      '[domains."e f"]',
      "[g]",
    ],
  );
  const section = fc.tuple(header, pairs);
  const write = (pairs: [string, string][]) =>
    pairs.map((pair) => `${pair.join(" = ")}\n`).join("");
  fc.assert(
    fc.property(pairs, fc.array(section, { maxLength: 6 }), (top, sections) => {
      const toml = write(top) +
        sections.map(([name, pairs]) => `${name}\n${write(pairs)}`).join("");
      try {
        load(toml);
      } catch (error) {
        assert(error instanceof ConfigError, `${error}\n${toml}`);
        for (const { line, key, message } of error.mistakes) {
          assert(line !== undefined && line <= toml.split("\n").length, `${message}\n${toml}`);
          assert(key !== "" || message.startsWith("not TOML: "), `${message}\n${toml}`);
          assert.match(message, /[;:] .+$/);
        }
      }
    }),
    { numRuns: 1000 },
  );
});
