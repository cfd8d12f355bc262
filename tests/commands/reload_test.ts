import assert from "node:assert/strict";
import { reload, reloadCertificates } from "../../src/commands/reload.ts";
import type { Config, TlsConfig } from "../../src/config/config.ts";
import { Log } from "../../src/log.ts";
import { certificate, type CertificateName } from "../support/certificates/certificates.ts";
import { load } from "../support/configuration.ts";
import { patiently, until } from "../support/patience.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { connectTls, subject } from "../support/tls_clients.ts";

const TOML = `
[[listen]]
address = "::1"
port = 443
tls = [{ cert = "a.pem", key = "a.key" }, { cert = "b.pem", key = "b.key" }]
[[listen]]
port = 80
[[listen]]
unix = "/run/c.sock"
tls = { cert = "b.pem", key = "b.key" }
`;

function files(a: CertificateName, b: CertificateName): Record<string, string> {
  return {
    "/etc/a.pem": certificate(a).cert,
    "/etc/a.key": certificate(a).key,
    "/etc/b.pem": certificate(b).cert,
    "/etc/b.key": certificate(b).key,
  };
}

/** Reloads into a service that was started with `TOML`, or `before`; gives what it came to and what was said. */
function reloaded(load: () => Config, before = started) {
  const replaced: [number, TlsConfig][] = [];
  const lines: string[] = [];
  const log = new Log({
    level: "info",
    format: "text",
    write: (line) => void lines.push(line.trimEnd().replace(/^\S+ /, "")),
    now: () => 0,
  });
  const service = {
    config: before,
    reconfigure: (config: Config) => void (service.config = config),
    replaceCertificates: (...one: [number, TlsConfig]) => void replaced.push(one),
  };
  const report = reload(load, { service, log });
  return { replaced, lines, report, service, log };
}

const started = load(TOML, { files: files("example.test", "rsa.test") });

Deno.test("a reload gives each listener with TLS what its files hold now", () => {
  const fresh = load(TOML, { files: files("other.test", "wildcard") });
  const { replaced, lines } = reloaded(() => fresh);
  assert.deepEqual(replaced, [[0, fresh.listen[0]!.tls], [2, fresh.listen[2]!.tls]]);
  assert.deepEqual(lines, [
    'info configuration read anew applied="listen[0].tls listen[2].tls"',
    'info certificates read anew listener="{\\"address\\":\\"::1\\",\\"port\\":443}" names="other.test, *.example.test"',
    'info certificates read anew listener="{\\"unix\\":\\"/run/c.sock\\"}" names=*.example.test',
  ]);
});

Deno.test("a reload with a mistake changes nothing, and tells every mistake with line, key and cure", () => {
  const wrong = { ...files("example.test", "rsa.test"), "/etc/a.key": certificate("client").key };
  const { replaced, lines } = reloaded(() => load(`${TOML}bosh = 1`, { files: wrong }));
  assert.deepEqual(replaced, []);
  assert.equal(lines.length, 2);
  assert.match(
    lines[0]!,
    /^error the configuration stays as it is mistake="\/etc\/causeway\.toml:5: listen\[0\]\.tls\[0\]\.key: this is not the key of .*; write the two/,
  );
  assert.match(lines[1]!, /:11: listen\[2\]\.bosh: no such key; /);
});

Deno.test("a reload applies all but listeners, which are said to want a restart and keep what they have", () => {
  const moved = TOML.replace("443", "444").replace('tls = { cert = "b.pem", key = "b.key" }', "");
  const fresh = load(`${moved}[bosh]\nmax_wait = 5\n[log]\nlevel = "debug"\n[domains.a]`, {
    files: files("other.test", "wildcard"),
  });
  const { replaced, lines, report, service, log } = reloaded(() => fresh);
  assert.deepEqual(report, {
    applied: ["bosh.max_wait", "log.level", 'domains."a"'],
    restart: ["listen[0].port", "listen[0].tls", "listen[2].server", "listen[2]"],
    mistakes: [],
  });
  assert.deepEqual(service.config, { ...fresh, listen: started.listen });
  assert.equal(log.level, "debug");
  assert.deepEqual(replaced.map(([, tls]) => tls), [
    started.listen[0]!.tls,
    started.listen[2]!.tls,
  ]);
  assert.deepEqual(lines.slice(0, 2), [
    'warn this has changed and wants a restart keys="listen[0].port listen[0].tls listen[2].server listen[2]"',
    'info configuration read anew applied="bosh.max_wait log.level domains.\\"a\\""',
  ]);
});

Deno.test("S-006 a reload makes no open proxy of a listener that will be elsewhere after a restart", () => {
  const before = load('[[listen]]\naddress = "0.0.0.0"\n[domains.a]');
  const fresh = load('[[listen]]\naddress = "127.0.0.1"\n[log]\nlevel = "debug"');
  const { report, service, log } = reloaded(() => fresh, before);
  assert.equal(service.config, before);
  assert.equal(log.level, "info");
  assert.match(
    report.mistakes.join(),
    /^\{"address":"0\.0\.0\.0".* strangers could reach any .*: restart/,
  );
});

Deno.test("a reload finds a listener again when another was written before it", () => {
  const toml = TOML.replace("[[listen]]", "[[listen]]\nport = 81\n[[listen]]");
  const { replaced } = reloaded(() => load(toml, { files: files("other.test", "wildcard") }));
  assert.deepEqual(replaced.map(([index]) => index), [0, 2]);
});

Deno.test("a reload warns of a certificate that no client accepts", () => {
  const { replaced, lines } = reloaded(() => load(TOML, { files: files("expired", "rsa.test") }));
  assert.equal(replaced.length, 2);
  assert.match(lines.at(-1)!, /^warn the certificate of example\.test has expired on /);
});

Deno.test("certificates alone are read anew when their files change; mistakes are told when they are to be", () => {
  const { service, log, lines, replaced } = reloaded(() => started);
  for (const taken of [lines, replaced]) taken.length = 0;
  const take = (load: () => Config, told = false) =>
    reloadCertificates(load, { service, log, told });
  const now = files("other.test", "rsa.test");
  const halfWritten = () => load(TOML, { files: { ...now, "/etc/a.key": "" } });
  assert.equal(take(halfWritten), false);
  assert.deepEqual([lines, replaced], [[], []]);
  assert.equal(take(halfWritten, true), false);
  assert.match(
    lines.splice(0).join(),
    /^error .*\/etc\/causeway\.toml:5: listen\[0\]\.tls\[0\]\.key: /,
  );
  assert.equal(take(() => load(`${TOML}[bosh]\nmax_wait = 5`, { files: now })), true);
  assert.deepEqual(replaced.map(([index]) => index), [0, 2]);
  assert.deepEqual(service.config, load(TOML, { files: now }));
  // Whoever wrote them has sent a signal as well.
  for (const taken of [lines, replaced]) taken.length = 0;
  assert.equal(take(() => load(TOML, { files: now })), true);
  assert.deepEqual([lines, replaced], [[], []]);
});

Deno.test("a listener of Deno's server gets no certificates that it would know the half of", () => {
  const toml = (server: string, tls: string) => `[[listen]]\nserver = "${server}"\ntls = ${tls}\n`;
  const one = '{ cert = "a.pem", key = "a.key" }';
  const now = { files: files("other.test", "wildcard") };
  const before = load(toml("deno", one), { files: files("example.test", "rsa.test") });
  assert.equal(reloaded(() => load(toml("deno", one), now), before).replaced.length, 1);
  const two = `[${one}, { cert = "b.pem", key = "b.key" }]`;
  const { replaced, report } = reloaded(() => load(toml("sockets", two), now), before);
  assert.deepEqual(replaced.map(([, tls]) => tls), [before.listen[0]!.tls]);
  assert.deepEqual(report.restart, ["listen[0].server", "listen[0].tls"]);
});

Deno.test("SIGHUP: certificates are swapped under load without a failed request, and a mistake keeps them", async () => {
  const folder = await Deno.makeTempDir();
  const write = (name: CertificateName) => {
    Deno.writeTextFileSync(`${folder}/cert.pem`, certificate(name).cert);
    Deno.writeTextFileSync(`${folder}/key.pem`, certificate(name).key);
  };
  write("example.test");
  await Deno.writeTextFile(
    `${folder}/causeway.toml`,
    '[[listen]]\nport = 0\ntls = { cert = "cert.pem", key = "key.pem" }\n[domains."example.test"]\n',
  );
  await using service = new ServeProcess(["serve", "--config", `${folder}/causeway.toml`]);
  const url = await service.url;
  assert.match(url, /^https:\/\/127\.0\.0\.1:\d+$/);
  const port = Number(new URL(url).port);
  const kept = await connectTls(port, "xmpp.example.test");
  let isOver = false;
  let requests = 0;
  const clients = Promise.all(Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const conn = await connectTls(port, "xmpp.example.test");
      assert.match(await visit(conn), /^HTTP\/1\.1 200 /);
      conn.close();
      requests++;
    }
  }));
  const shows = (name: CertificateName) =>
    Promise.race([clients, until(async () => await subject(port) === name || undefined, name)]);
  for (const name of ["wildcard", "example.test", "wildcard"] as const) {
    write(name);
    service.hangUp();
    await shows(name);
  }
  // A key that is not the certificate's: the log says so, and nothing changes.
  await Deno.writeTextFile(`${folder}/key.pem`, certificate("example.test").key);
  service.hangUp();
  const before = requests;
  await Promise.race([clients, until(() => requests > before + 50 || undefined, "it goes on")]);
  assert.equal(await subject(port), "wildcard");
  assert.match(await visit(kept), /^HTTP\/1\.1 200 /);
  isOver = true;
  await clients;
  kept.close();
  const { code, stderr } = await service.terminate();
  assert.equal(code, 0);
  assert.equal(stderr.match(/certificates read anew/g)?.length, 3, stderr);
  assert.match(
    stderr,
    /the configuration stays as it is .*causeway\.toml:3: listen\[0\]\.tls\.key: /,
  );
  await Deno.remove(folder, { recursive: true });
});

/** One visit of the BOSH path; gives the answer. */
async function visit(conn: Deno.Conn): Promise<string> {
  await conn.write(
    new TextEncoder().encode("GET /http-bind HTTP/1.1\r\nHost: example.test\r\n\r\n"),
  );
  const buffer = new Uint8Array(4096);
  const length = await patiently(conn.read(buffer), "an answer comes");
  return new TextDecoder().decode(buffer.subarray(0, length ?? 0));
}
