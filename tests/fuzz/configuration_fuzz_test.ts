/*
 * Invariant: whatever the file, the environment and the flags say, there is a configuration or a list
 * of mistakes, each on one line with its source, its line or key and a cure; never another exception,
 * and never a piece of a file that a key names.
 */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import fc from "fast-check";
import type { Config } from "../../src/config/config.ts";
import { domainPattern } from "../../src/config/domains.ts";
import { sections } from "../../src/config/keys.ts";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigError, describeMistake } from "../../src/config/mistakes.ts";
import { otherVariables, variableOf } from "../../src/config/overrides.ts";
import { fuzz } from "../support/fuzz_corpus.ts";
import { encode, mutants, NOT_UTF8 } from "../support/fuzz_inputs.ts";

const EXAMPLE = Deno.readTextFileSync(new URL("../../config.example.toml", import.meta.url));

// ——— Files that keys name

const certificate = (name: string) =>
  Deno.readTextFileSync(new URL(`../support/certificates/${name}`, import.meta.url));
const CERT = certificate("example.test.pem");
const KEY = certificate("example.test.key");
const PASSWORD = "correct horse battery staple";
const LOCKED = createPrivateKey(KEY).export({
  type: "pkcs8",
  format: "pem",
  cipher: "aes-128-cbc",
  passphrase: PASSWORD,
}) as string;

/** What a file holds, or why it cannot be read. */
const FILES: Readonly<Record<string, string | Error>> = {
  "a certificate": CERT,
  "two certificates": CERT + certificate("authority.pem"),
  "an old certificate": certificate("version1.pem"),
  "a damaged certificate": CERT.replace(/^MII.*$/m, "c2VjcmV0IHRoYXQgaXMgbm8gY2VydGlmaWNhdGU="),
  "a key": KEY,
  "another key": certificate("other.test.key"),
  "a locked key": LOCKED,
  "a damaged key": KEY.replace(/^M.*$/m, "c2VjcmV0IHRoYXQgaXMgbm8ga2V5Li4uLi4uLi4uLi4="),
  "a password": `${PASSWORD}\n`,
  "a secret": "the nuclear launch code is eight zeroes",
  "nothing": "",
  "zeros": "\0".repeat(40),
  "no file": new Deno.errors.NotFound("no such file"),
  "a file of another user": new Deno.errors.PermissionDenied("permission denied"),
  "a folder": new Deno.errors.IsADirectory("is a directory"),
  "a broken disk": new Error("input/output error (os error 5)"),
};

/** What no message may have in it: every line of them. */
const SECRETS = Object.values(FILES)
  .flatMap((content) => typeof content === "string" ? content.split("\n") : [])
  .filter((line) => line.length >= 12 && !line.startsWith("-----"));

/** Of a path, which of the files it is. */
const ROLES = ["privkey", "password", "ca", ""] as const;

// ——— What operators write

/** The example's tables, each with its assignments; those that are commented out among them. */
const TABLES = EXAMPLE.split(/^(?=# ?\[|\[)/m).map((text) => {
  const [header, ...lines] = text.split("\n").map((line) => line.replace(/^# ?/, ""));
  return {
    header: header!.startsWith("[") ? header! : "",
    lines: lines.filter((line) => /^[a-z_]+ = /.test(line)),
  };
});
const VALUES = [
  ...["-1", "0", "1", "1.5", "true", '""', "[]", "[[]]", "{}", "{ a = {} }", "1979-05-27", "inf"],
  ...[
    "'*'",
    '["*", "*"]',
    '"::"',
    '"a.b"',
    '{ "X-A" = 1 }',
    '"""\n[x]\n"""',
    "99999999999999999999",
  ],
  ...["1979-05-27 07:32:00", "'''a'''''", '"""\\\n  a"""', '"\\u0000\\n"', "[ # c\n 1, ]", "0x1F"],
  ...["nan", '"x\\u001b[2J"', "'[::1]:53'", "[{ a.b = 1 }, 2]", '"\\U0010ffff"', "{ a = 1, }"],
  ...['{ cert = "fullchain.pem", key = "privkey.pem" }', '"privkey.pem"', '"password"', '"ca.pem"'],
  '[{ cert = "fullchain.pem", key = "privkey.pem", key_password_file = "password" }]',
  '{ cert = 1, "a b" = 2, kye = "privkey.pem" }',
];
const HEADERS = [
  ...[
    '[domains."a.b"]',
    "[domains.c.d]",
    '[domains."*"]',
    '[domains."e\\nf"]',
    "[g]",
    "[[listen]]",
  ],
  ...[
    "[ http ]",
    "[[listen.tls]]",
    "[domains]",
    '["http"]',
    "[upstream.x]",
    "[[bosh]]",
    "[http.headers]",
  ],
];
const NAMES = Object.values(sections).flatMap((keys) => Object.keys(keys))
  .concat("nonsense", '"a b"', "__proto__", '"*.x"', "a.b", '""', "constructor", "'x\\n'", "1");

const line = fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES))
  .map(([name, value]) => `${name} = ${value}`);
const table = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(...TABLES).chain(({ header, lines }) =>
      fc.record({
        header: fc.oneof(
          { weight: 6, arbitrary: fc.constant(header) },
          fc.constantFrom(...HEADERS),
        ),
        lines: fc.subarray(lines),
        more: fc.array(line, { maxLength: 1 }),
      })
    ),
  },
  fc.record({
    header: fc.constantFrom(...HEADERS),
    lines: fc.array(line, { maxLength: 3 }),
    more: fc.constant([]),
  }),
).map(({ header, lines, more }) => [header, ...lines, ...more].join("\n"));
const BITS = [
  ...VALUES,
  ...HEADERS,
  ...[
    "=",
    ".",
    "[",
    "]",
    "{",
    "}",
    ",",
    '"',
    "'",
    '"""',
    "'''",
    "#",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\0",
  ],
  ...["\ufeff", "\\", "\u2028", "é", "\u0085", "[a]\n", "a.b.c = 1\n", "privkey.pem"],
].map(encode).concat(NOT_UTF8.slice(0, 4));
const tables = fc.array(table, { maxLength: 5 }).map((tables) => tables.join("\n"));
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const toml = fc.oneof(
  { weight: 5, arbitrary: tables },
  { weight: 5, arbitrary: mutants(tables.map(encode), BITS).map((bytes) => decoder.decode(bytes)) },
  fc.array(fc.constantFrom(...BITS), { maxLength: 12 })
    .map((bits) => bits.map((bit) => decoder.decode(bit)).join("")),
  fc.string({ unit: "binary", maxLength: 30 }),
);

const variables = [
  ...Object.entries(sections).flatMap(([section, keys]) =>
    Object.keys(keys).map((name) => variableOf(section === "top" ? name : `${section}.${name}`))
  ),
  ...otherVariables.slice(1),
  ...["CAUSEWAY_", "CAUSEWAY_HTTP_MAXBODY", "PATH"],
];
const scrap = fc.oneof(
  fc.constantFrom(...VALUES),
  fc.constantFrom("127.0.0.1:5280", "unix:/run/x", "[::]:1", "a.b=xmpp://c", "*=xmpps://[::1]:1,x"),
  fc.string({ unit: "binary", maxLength: 12 }),
);

interface Sources {
  readonly toml: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly listen: readonly string[];
  readonly domain: readonly string[];
  /** By the role of its path, which of {@link FILES} it is. */
  readonly files: readonly string[];
}

const sources: fc.Arbitrary<Sources> = fc.record({
  toml: fc.option(toml, { nil: undefined, freq: 20 }),
  env: fc.dictionary(fc.constantFrom(...variables), scrap, { maxKeys: 2 }),
  listen: fc.array(scrap, { maxLength: 1 }),
  domain: fc.array(scrap, { maxLength: 1 }),
  files: fc.tuple(...ROLES.map(() => fc.constantFrom(...Object.keys(FILES)))),
});

fuzz("a configuration loads, or every mistake in it is told, and no secret", {
  target: "configuration",
  inputs: sources,
  check({ toml, env, listen, domain, files }) {
    let config: Config;
    try {
      config = loadConfig({
        file: toml === undefined ? undefined : "causeway.toml",
        env,
        flags: { listen, domain, logLevel: undefined, logFormat: undefined },
        readFile(path) {
          if (path === "causeway.toml") return toml!;
          const content = FILES[files[ROLES.findIndex((role) => path.includes(role))]!]!;
          if (typeof content !== "string") throw content;
          return content;
        },
      });
    } catch (error) {
      assert.ok(error instanceof ConfigError, `${error}`);
      assert.ok(error.mistakes.length > 0);
      const lines = toml?.split("\n").length ?? 0;
      for (const mistake of error.mistakes) {
        const { source, line, key, message } = mistake;
        const told = describeMistake(mistake);
        if (source === "causeway.toml") {
          assert.ok(line !== undefined && line >= 1 && line <= lines, told);
          assert.ok(key !== "" || message.startsWith("not TOML: "), told);
        } else assert.ok(source in env || /^(?:--|built-in)/.test(source), told);
        assert.match(message, /[;:] [^]+$/);
        // deno-lint-ignore no-control-regex
        assert.doesNotMatch(told, /[\x00-\x1f]/, "it is one line");
        const secret = SECRETS.find((secret) => told.includes(secret));
        assert.equal(secret, undefined, told);
      }
      return;
    }
    assert.ok(config.listen.length > 0);
    for (const name of config.domains.keys()) assert.equal(domainPattern(name), name);
  },
});
