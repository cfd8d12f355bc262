import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { parseArguments, UsageError } from "../../src/commands/arguments.ts";
import { corsFault, preflightFault } from "../../src/commands/doctor/cors.ts";
import { diagnose } from "../../src/commands/doctor/cures.ts";
import { readOffers } from "../../src/commands/doctor/offers.ts";
import { jsonOf, textOf } from "../../src/commands/doctor/report.ts";
import { doctorCommand } from "../../src/commands/doctor.ts";
import { readPayloads } from "../../src/protocol/xml/read_payloads.ts";
import { authorityFile, certificate } from "../support/certificates/certificates.ts";
import { diagnosed, testWorld } from "../support/doctor.ts";
import { isPublic } from "../../src/upstream/policy.ts";
import { ScriptedNameServer } from "../support/scripted_dns.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { type ScriptedConnection, ScriptedServer } from "../support/upstream_server.ts";

const parsed = (line: string) => parseArguments(line.split(" "));

Deno.test("doctor takes a domain, and where clients find it", () => {
  assert.deepEqual(parsed("doctor example.org"), {
    command: "doctor",
    domain: "example.org",
    url: undefined,
    file: undefined,
    json: false,
    quick: false,
  });
  assert.deepEqual(
    parsed("doctor --url https://c.example --json example.org --quick --config c.toml"),
    {
      command: "doctor",
      domain: "example.org",
      url: "https://c.example",
      file: "c.toml",
      json: true,
      quick: true,
    },
  );
  for (
    const [line, message] of [
      ["doctor", /doctor needs the name of a domain; write: causeway doctor DOMAIN/],
      ["doctor a b", /doctor does not take "b"/],
      ["doctor a --urls b", /doctor has no option --urls; did you mean --url\?/],
      ["doctor a --url", /--url needs a value/],
      ["doctor a --json=yes", /--json takes no value/],
      ["serve --json", /serve has no option --json/],
    ] as const
  ) {
    assert.throws(() => parsed(line), (error) => {
      assert(error instanceof UsageError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("what the doctor cannot look at is a wrong usage", async () => {
  const run = async (domain: string, url?: string) => {
    const said: string[] = [];
    const output = { stdout: () => {}, stderr: (text: string) => void said.push(text) };
    const status = await doctorCommand({ domain, url, json: false, quick: true }, {}, output);
    return { status, said: said.join("\n") };
  };
  assert.deepEqual(await run("no name"), {
    status: 2,
    said: 'causeway: "no name" is not the name of a domain',
  });
  for (const url of ["chat.example.org", "xmpp://a", "https://user@a.example"]) {
    const { status, said } = await run("example.org", url);
    assert.equal(status, 2);
    assert.match(said, /--url takes an address such as https:/);
  }
});

Deno.test("a check is a line for people or for programs, and nothing in it is obeyed by a terminal", () => {
  const check = {
    step: "tcp",
    target: "a.test:5222",
    result: "bad",
    detail: "no\x1b[31m answer\n",
    cure: "open it",
    ms: 12,
  } as const;
  assert.equal(
    textOf(check),
    "BAD     tcp a.test:5222: no [31m answer  (12 ms)\n        → open it",
  );
  assert.deepEqual(JSON.parse(jsonOf(check)), check);
  const fine = { step: "srv", target: "a.test", result: "ok", detail: "none" } as const;
  assert.equal(textOf(fine), "ok      srv a.test: none");
  assert.equal(jsonOf(fine), '{"step":"srv","target":"a.test","result":"ok","detail":"none"}');
});

Deno.test("what a page may not read is told apart: no leave, two, that of another origin", () => {
  const head = (...values: string[]) => ({
    status: 200,
    headers: [
      ["server", "nginx"],
      ...values.map((v) => ["access-control-allow-origin", v]),
    ] as const,
  });
  const origin = "https://example.org";
  const faults = (...values: string[]) =>
    corsFault(head(...values) as Parameters<typeof corsFault>[0], origin)?.detail;
  assert.equal(faults("*"), undefined);
  assert.equal(faults(origin), undefined);
  assert.match(faults()!, /^no Access-Control-Allow-Origin \(status 200, answered by nginx\)/);
  assert.match(faults("*", "*")!, /is doubled \(\*, \*\)/);
  assert.match(faults("*, *")!, /is doubled \(\*, \*\)/);
  assert.match(faults("https://a.test")!, /is for https:\/\/a\.test and not for https:\/\/example/);

  const preflight = (status: number, allowed: string) =>
    preflightFault({
      status,
      headers: [["access-control-allow-origin", "*"], ["access-control-allow-headers", allowed]],
    }, origin)?.detail;
  assert.equal(preflight(204, "Content-Type"), undefined);
  assert.equal(preflight(200, "X-A, content-type"), undefined);
  assert.match(preflight(204, "X-A")!, /does not allow the header Content-Type/);
  assert.match(preflight(405, "*")!, /is answered 405 by/);
});

Deno.test("each reason of the upstream has a cure", () => {
  const context = { domain: "example.org", configured: false };
  const cure = (phase: "lookup" | "tcp" | "tls" | "stream", reason: string, configured = false) =>
    diagnose(phase, reason, { ...context, configured });
  assert.deepEqual(
    cure(
      "lookup",
      'the address of a.test is not public (private); write: connect = "xmpp://a.test:1"',
    ),
    {
      detail: "the address of a.test is not public (private)",
      cure: 'write: connect = "xmpp://a.test:1"',
    },
  );
  assert.match(cure("tcp", "connection refused by a:1").cure, /the SRV records of example\.org/);
  assert.match(cure("tcp", "connection refused by a:1", true).cure, /"connect" of the domain/);
  assert.match(cure("tcp", "no answer from a:1 within 10 s").cure, /firewall/);
  assert.match(cure("tls", "no TLS handshake within 10 s").cure, /silent/);
  assert.match(cure("stream", "something that nobody has met").cure, /log/);
});

Deno.test("the offers of a server are its features and its mechanisms, of both kinds of SASL", () => {
  const [features] = readPayloads(
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" +
      "<mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>PLAIN</mechanism></mechanisms>" +
      "<authentication xmlns='urn:xmpp:sasl:2'><mechanism>PLAIN</mechanism><inline/></authentication>" +
      "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
  );
  assert.deepEqual(readOffers(features!), {
    features: ["mechanisms", "sasl2", "bind"],
    mechanisms: ["SCRAM-SHA-1-PLUS", "PLAIN"],
  });
});

/** What the doctor says of the mechanisms that a server offers. */
async function offered(mechanisms: readonly string[], toml = "") {
  await using server = await ScriptedServer.listen({ direct: true });
  const diagnosis = diagnosed(`
    [domains."example.test"]
    connect = "xmpps://127.0.0.1:${server.port}"
    ca = "${authorityFile}"
    ${toml}
  `);
  const connection = await server.accept();
  await answer(connection, mechanisms);
  const { of, status } = await diagnosis;
  return { ...of("sasl"), status };
}

/** A stream that offers these. */
async function answer(connection: ScriptedConnection, mechanisms: readonly string[]) {
  await connection.expect("version='1.0'>");
  connection.write(
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' from='example.test' id='1' version='1.0' " +
      "xmlns:stream='http://etherx.jabber.org/streams'><stream:features>" +
      "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" +
      mechanisms.map((name) => `<mechanism>${name}</mechanism>`).join("") +
      "</mechanisms></stream:features>",
  );
  await connection.expect("</stream:stream>");
  connection.write("</stream:stream>");
}

Deno.test("U-025 the doctor warns of channel binding, with what to write", async () => {
  const { result, detail, cure, status } = await offered(["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"]);
  assert.equal(result, "warning");
  assert.match(detail, /with SCRAM-SHA-1-PLUS a login is tied to the TLS connection/);
  assert.match(cure!, /strip_channel_binding = true for the domain, or disable it on the server/);
  // It is something to know, and nothing that keeps everybody out.
  assert.equal(status, 0);
  const cured = await offered(["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"], "strip_channel_binding = true");
  assert.equal(cured.result, "ok");
});

Deno.test("the doctor warns where passwords are shown, and finds nobody able to log in bad", async () => {
  const plain = await offered(["PLAIN"]);
  assert.equal(plain.result, "warning");
  assert.match(plain.detail, /no SCRAM/);
  const none = await offered([]);
  assert.equal(none.result, "bad");
  assert.equal(none.status, 1);
});

/** A server with direct TLS, and how it is configured. */
async function direct() {
  const server = await ScriptedServer.listen({ direct: true });
  const toml = `
    [domains."example.test"]
    connect = "xmpps://127.0.0.1:${server.port}"
    ca = "${authorityFile}"
  `;
  return { server, toml };
}

Deno.test("a certificate that expires within two weeks is warned of", async () => {
  const { server, toml } = await direct();
  await using _server = server;
  const end = new X509Certificate(certificate("example.test").cert).validToDate.getTime();
  const at = async (days: number) => {
    const world = { ...testWorld(), today: () => end - days * 86_400_000 };
    const diagnosis = diagnosed(toml, { world });
    await answer(await server.accept(), ["SCRAM-SHA-1"]);
    const { of, status } = await diagnosis;
    // The connection that has shown the certificate.
    await server.accept();
    return { ...of("tls"), status };
  };
  const soon = await at(13);
  assert.equal(soon.result, "warning");
  assert.match(soon.detail, /it expires in 13 days/);
  assert.match(soon.cure!, /renew it/);
  assert.equal(soon.status, 0);
  assert.equal((await at(14)).result, "ok");
});

Deno.test("what serving would refuse because of its address, the doctor refuses, with the same cure", async () => {
  const world = { ...testWorld(), mayDial: isPublic };
  const { status, checks, of } = await diagnosed("", { domain: "localhost", world });
  assert.equal(status, 1);
  assert.match(of("lookup").detail, /the address of localhost is not public \(loopback\)/);
  assert.match(of("lookup").cure!, /\[domains\."localhost"\] connect = "xmpp:\/\/localhost:5222"/);
  assert.ok(checks.every(({ step }) => step !== "tcp"));
});

Deno.test("a server that sends clients elsewhere is followed once, as by serving", async () => {
  await using first = await ScriptedServer.listen();
  await using second = await ScriptedServer.listen();
  const toml = `
    [domains."example.test"]
    connect = "xmpp://127.0.0.1:${first.port}"
    tls = "never"
  `;
  const diagnosis = diagnosed(toml);
  const away = await first.accept();
  await away.expect("version='1.0'>");
  away.write(
    "<stream:stream xmlns='jabber:client' version='1.0' xmlns:stream='http://etherx.jabber.org/streams'>" +
      "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>" +
      `127.0.0.1:${second.port}</see-other-host></stream:error></stream:stream>`,
  );
  await answer(await second.accept(), ["SCRAM-SHA-1"]);
  const { status, checks } = await diagnosis;
  assert.equal(status, 0);
  const streams = checks.filter(({ step }) => step === "stream").map(({ detail }) => detail);
  assert.match(streams[0]!, /sends clients to 127\.0\.0\.1:\d+; Causeway follows once/);
  assert.match(streams[1]!, /from example\.test, version 1\.0/);
  // Neither was encrypted, and that is said of the one that is used.
  const tls = checks.filter(({ step }) => step === "tls");
  assert.deepEqual(tls.map(({ result }) => result), ["warning"]);
});

Deno.test("a name server that does not answer is a fault of its own, and no records are none of a server's", async () => {
  await using dns = await ScriptedNameServer.listen((asked) =>
    asked.name.startsWith("_") ? { rcode: asked.name.includes("broken") ? 2 : 3 } : { rcode: 3 }
  );
  const toml = `upstream.nameserver = "${dns.address}:${dns.port}"`;
  const broken = await diagnosed(toml, { domain: "broken.test" });
  const srv = broken.checks.filter(({ step }) => step === "srv");
  assert.deepEqual(srv.map(({ result }) => result), ["bad", "bad"]);
  assert.match(srv[0]!.detail, /the name server has no answer \(SERVFAIL\)/);
  assert.match(srv[0]!.cure!, /\[upstream\] nameserver = /);
  const none = await diagnosed(toml, { domain: "none.test" });
  const lines = none.checks.filter(({ step }) => step === "srv");
  assert.deepEqual(lines.map(({ result }) => result), ["ok", "ok", "warning"]);
  assert.match(lines[2]!.cure!, /publish _xmpp-client\._tcp\.none\.test\. SRV/);
  assert.match(none.of("lookup").detail, /DNS has no address for none\.test/);
});

Deno.test("a domain that the configuration does not have is said first", async () => {
  const { checks, status } = await diagnosed('[domains."other.test"]', { domain: "localhost" });
  assert.equal(status, 1);
  assert.equal(checks[0]?.step, "configuration");
  assert.match(checks[0].cure!, /add \[domains\."localhost"\]/);
});

Deno.test("the program ends with 0 or 1, in text and JSON, with the executable's permissions", async () => {
  const { server, toml } = await direct();
  await using _server = server;
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  try {
    await Deno.writeTextFile(file, toml);
    const run = (...args: string[]) =>
      new ServeProcess(["doctor", "example.test", ...args], {}, "main.ts", ["-P"]);
    {
      await using doctor = run("--config", file, "--json");
      await answer(await server.accept(), ["SCRAM-SHA-1"]);
      const { code, stdout } = await doctor.ended;
      assert.equal(code, 0, stdout);
      const checks = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.ok(checks.every(({ result }) => result === "ok" || result === "skipped"), stdout);
    }
    await Deno.writeTextFile(file, toml.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1"));
    await using doctor = run("--config", file);
    const { code, stdout } = await doctor.ended;
    assert.equal(code, 1);
    assert.match(
      stdout,
      /^BAD {5}tcp 127\.0\.0\.1:1: connection refused.*\n {8}→ nothing listens/m,
    );
    assert.match(stdout, /^2 bad \(warnings: 0, skipped: 1\)\.$/m);
  } finally {
    await Deno.remove(file);
  }
});
