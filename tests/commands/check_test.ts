import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { checkCommand } from "../../src/commands/check.ts";
import { untimelyCertificates } from "../../src/commands/untimely.ts";
import { type ConfigSources, loadConfig } from "../../src/config/load.ts";
import { certificate } from "../support/certificates/certificates.ts";

function check(sources: ConfigSources): { status: number; stdout: string[]; stderr: string[] } {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const status = checkCommand(sources, {
    stdout: (text) => void stdout.push(...text.split("\n")),
    stderr: (text) => void stderr.push(...text.split("\n")),
  });
  return { status, stdout, stderr };
}

Deno.test("check says what a right configuration comes to", () => {
  const readFile = () => `
    bosh.path = "/b"
    [[listen]]
    address = "::"
    [[listen]]
    unix = "/run/c.sock"
    serve = ["websocket"]
    [domains."example.org"]
    connect = "xmpp://[::1]:1"
    tls = "optional"
    [domains."*.example.org"]
    connect = "xmpps://a.example"
    [domains."Bücher.example"]
    bosh_url = "https://chat.example/b"
    websocket_url = "wss://chat.example/w"
  `;
  assert.deepEqual(check({ file: "c.toml", readFile }), {
    status: 0,
    stdout: [
      "c.toml: ok",
      "  listen  http://[::]:5280: bosh at /b, websocket at /xmpp-websocket" +
      ", discovery at /.well-known/host-meta, health at /health/live and /health/ready",
      "  listen  unix:/run/c.sock: websocket at /xmpp-websocket",
      "  domain  example.org: xmpp://[::1]:1, TLS optional",
      "          host-meta: https://example.org/b, wss://example.org/xmpp-websocket" +
      ", if a trusted proxy says that it was asked by HTTPS",
      "  domain  *.example.org: xmpps://a.example:5223",
      "          host-meta: https://*.example.org/b, wss://*.example.org/xmpp-websocket" +
      ", if a trusted proxy says that it was asked by HTTPS",
      "  domain  xn--bcher-kva.example: SRV lookup, TLS required",
      "          host-meta: https://chat.example/b, wss://chat.example/w",
    ],
    stderr: [],
  });
});

Deno.test("U-010 check warns of every domain whose server anybody can be", () => {
  const warned = (toml: string) => {
    const { stdout } = check({ file: "c.toml", readFile: () => toml });
    return stdout.filter((line) => line.startsWith("  WARNING"));
  };
  const [first, ...others] = warned("upstream.verify = false");
  assert.match(
    first ?? "",
    /^ {2}WARNING \*: verify = false: any certificate .* fingerprints or ca/,
  );
  assert.equal(others.length, 0);
  const print = `fingerprints = ["${"00".repeat(32)}"]`;
  assert.deepEqual(
    warned(`
      upstream.verify = false
      [domains."a.example"]
      [domains."b.example"]
      verify = true
      [domains."c.example"]
      connect = "xmpps://c"
      [domains."d.example"]
      tls = "never"
    `).map((line) => line.split(":")[0]),
    ["  WARNING a.example", "  WARNING c.example"],
  );
  const pinned = `[domains."a.example"]\n${print}`;
  assert.deepEqual(warned(pinned), []);
  const { stdout } = check({ file: "c.toml", readFile: () => pinned });
  assert.ok(stdout.includes("  domain  a.example: SRV lookup, TLS required, by fingerprint"));
});

Deno.test("S-004 check warns of a listener by which the operator's password would travel in the clear", () => {
  const files: Readonly<Record<string, string>> = {
    p: "a-password\n",
    ...certificate("example.test"),
  };
  const warned = (listen: string, more = "") => {
    const toml = `[[listen]]\nserve = ["admin"]\n${listen}\n[admin]\npassword_file = "p"\n` +
      `[domains."example.org"]\n${more}`;
    const { stdout } = check({ file: "c.toml", readFile: (path) => files[path] ?? toml });
    return stdout.filter((line) => line.startsWith("  WARNING")).map((line) => line.slice(0, 60));
  };
  const what = '"admin" is served without TLS';
  assert.ok(warned('address = "0.0.0.0"\nport = 1')[0]?.startsWith(`  WARNING 0.0.0.0:1: ${what}`));
  assert.ok(warned('address = "::"\nport = 1')[0]?.startsWith(`  WARNING [::]:1: ${what}`));
  assert.ok(warned("fd = 3")[0]?.startsWith(`  WARNING fd 3: ${what}`));
  assert.deepEqual(warned('address = "::1"'), []);
  assert.deepEqual(warned('unix = "/run/c.sock"'), []);
  assert.deepEqual(warned('address = "::"\ntls = { cert = "cert", key = "key" }'), []);
  // There is a proxy elsewhere, which has the TLS.
  assert.deepEqual(warned('address = "::"', '[http]\ntrusted_proxies = ["192.0.2.1"]'), []);
  assert.deepEqual(warned('address = "::"\n').length, 1);
});

Deno.test("check says whom TLS is for and how long, and warns of certificates that no client accepts", () => {
  const { cert, key } = certificate("example.test");
  const expired = certificate("expired");
  const files: Readonly<Record<string, string>> = {
    "c.pem": cert,
    "k.pem": key,
    "e.pem": expired.cert,
    "e.key": expired.key,
    "c.toml": `
      [[listen]]
      address = "::1"
      port = 443
      tls = [{ cert = "c.pem", key = "k.pem" }, { cert = "e.pem", key = "e.key" }]
      [[listen]]
      unix = "/run/c.sock"
      tls = { cert = "c.pem", key = "k.pem" }
      [[listen]]
      fd = 3
      [domains."example.org"]
    `,
  };
  const { stdout } = check({ file: "c.toml", readFile: (path) => files[path]! });
  const until = (pem: string) => new X509Certificate(pem).validToDate.toISOString().slice(0, 10);
  const first = `          certificate: example.test, xmpp.example.test; until ${until(cert)}`;
  const services = "bosh at /http-bind, websocket at /xmpp-websocket" +
    ", discovery at /.well-known/host-meta, health at /health/live and /health/ready";
  assert.deepEqual(stdout, [
    "c.toml: ok",
    `  listen  https://[::1]:443: ${services}`,
    first,
    `          certificate: example.test; until ${until(expired.cert)}`,
    `  listen  unix:/run/c.sock (HTTPS): ${services}`,
    first,
    `  listen  fd 3: ${services}`,
    "  domain  example.org: SRV lookup, TLS required",
    "          host-meta: https://example.org/http-bind, wss://example.org/xmpp-websocket" +
    ", if it was asked by HTTPS",
    `  WARNING the certificate of example.test has expired on ${
      until(expired.cert)
    }; get a new one`,
  ]);
});

Deno.test("a certificate that is not valid yet is told too", () => {
  const { cert, key } = certificate("example.test");
  const tls = { certificates: [{ cert, key }], clientCa: undefined, files: [] };
  const listen = [{ ...loadConfig().listen[0]!, tls }];
  assert.deepEqual(untimelyCertificates({ listen }, Date.now()), []);
  const [warning, ...more] = untimelyCertificates({ listen }, 0);
  assert.match(
    warning!,
    /example\.test is not valid before 20\d\d-\d\d-\d\d; is the clock right\?$/,
  );
  assert.deepEqual(more, []);
});

Deno.test("check without a file checks the defaults, or the file of CAUSEWAY_CONFIG", () => {
  assert.deepEqual(check({}).stdout, [
    "built-in defaults: ok",
    "  listen  http://127.0.0.1:5280: bosh at /http-bind, websocket at /xmpp-websocket" +
    ", discovery at /.well-known/host-meta, health at /health/live and /health/ready",
    "  domain  * (every domain): SRV lookup, TLS required",
    "          host-meta: https://*/http-bind, wss://*/xmpp-websocket" +
    ", if a trusted proxy says that it was asked by HTTPS",
  ]);
  const env = { CAUSEWAY_CONFIG: "/e.toml" };
  assert.equal(check({ env, readFile: () => "" }).stdout[0], "/e.toml: ok");
});

Deno.test("check says when nobody can be told by host-meta, and nothing of it where it is not served", () => {
  const domain = '[domains."example.org"]';
  const lines = (toml: string) => check({ file: "c.toml", readFile: () => toml + domain }).stdout;
  const none =
    "          host-meta: none, because it is for HTTPS only and http.trusted_proxies is empty";
  assert.equal(lines("http.trusted_proxies = []\n").at(-1), none);
  assert.match(
    lines("http.trusted_proxies = []\n[[listen]]\nunix = '/run/c.sock'\n").at(-1)!,
    /host-meta: https:\/\/example\.org\/http-bind, /,
  );
  assert.match(lines("[[listen]]\nserve = ['bosh']\n").at(-1)!, /^ {2}domain {2}example\.org: /);
  assert.match(lines("[[listen]]\nserve = ['discovery']\n").at(-1)!, /host-meta: nothing$/);
});

Deno.test("check tells every mistake on standard error, with exit status 2", () => {
  const readFile = () => "\nbosh.max_wait = 0\nlog.level = 1\n";
  const { status, stdout, stderr } = check({
    file: "c.toml",
    env: { CAUSEWAY_LOG_FORMAT: "x" },
    readFile,
  });
  assert.equal(status, 2);
  assert.deepEqual(stdout, []);
  assert.deepEqual(stderr.map((line) => line.split(" ")[0]), [
    "c.toml:2:",
    "c.toml:3:",
    "CAUSEWAY_LOG_FORMAT:",
  ]);
});

Deno.test("check of a file that is not there is exit status 2", () => {
  const { status, stderr } = check({ file: "/nowhere/c.toml" });
  assert.equal(status, 2);
  assert.match(
    stderr.join("\n"),
    /^\/nowhere\/c\.toml: cannot read this file: there is no such file; /,
  );
});
