import assert from "node:assert/strict";
import { dial, type TlsOptions } from "../../src/upstream/dial.ts";
import {
  authority,
  certificate,
  type CertificateName,
  fingerprint,
} from "../support/certificates/certificates.ts";
import { OpenSsl } from "../support/openssl_server.ts";
import { haveProgram } from "../support/programs.ts";
import { type Handshake, ScriptedServer } from "../support/upstream_server.ts";

const patient = new AbortController().signal;

const OPTIONS: TlsOptions = {
  hostname: "example.test",
  verify: true,
  fingerprints: [],
  ca: undefined,
  identity: undefined,
};

function socketTest(name: string, fn: () => Promise<void>, program?: string): void {
  const needs = program === undefined ? {} : haveProgram(program);
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, ...needs, fn });
}

interface Shown {
  readonly certificate?: CertificateName;
  /** The certificate without which the server lets nobody in. */
  readonly client?: CertificateName;
}

/** TLS with a server that shows this certificate, and one byte each way. Rejects when it fails. */
async function secure(shown: Shown, options: Partial<TlsOptions>): Promise<Handshake> {
  await using server = await ScriptedServer.listen(shown);
  const tls = { ...OPTIONS, ...options };
  const pipe = await dial({ hostname: "127.0.0.1", port: server.port }, tls, patient);
  try {
    const connection = await server.accept();
    const handshake = connection.secure();
    await pipe.startTls(tls);
    await pipe.write(new TextEncoder().encode("?"));
    // A server that wants no more of us says so instead.
    connection.expect("?").then(() => connection.write("!"), () => {});
    assert.equal(await pipe.read(new Uint8Array(10)), 1);
    return await handshake;
  } finally {
    pipe.close();
  }
}

const ALL: readonly CertificateName[] = [
  "example.test",
  "wildcard",
  "other.test",
  "expired",
  "unknown",
  "self-signed",
];

for (const name of ALL) {
  socketTest(
    `U-010 certificate ${name} is right where it is among the fingerprints, and wrong among others`,
    async () => {
      const fingerprints = [fingerprint("version1"), fingerprint(name)];
      assert.deepEqual(await secure({ certificate: name }, { fingerprints }), {
        serverName: "example.test",
        alpn: "xmpp-client",
      });
      // Not even the authority that signed it makes up for that.
      await assert.rejects(
        secure({ certificate: name }, {
          fingerprints: fingerprints.slice(0, 1),
          ca: authority(),
        }),
        {
          name: "NetworkError",
          message:
            `the certificate of example.test has none of the "fingerprints" but ${
              fingerprint(name)
            }` +
            "; if that is the right server's new one, write that",
        },
      );
    },
  );
}

socketTest("U-010 any certificate will do where nothing is verified", async () => {
  for (const certificate of [...ALL, "version1", "forged"] as const) {
    const { serverName, alpn } = await secure({ certificate }, { verify: false });
    assert.deepEqual({ serverName, alpn }, { serverName: "example.test", alpn: "xmpp-client" });
  }
});

socketTest(
  "U-009 what has nothing of an authority but its name is refused, with the authority and without",
  async () => {
    for (const ca of [authority(), undefined]) {
      await assert.rejects(
        secure({ certificate: "forged" }, { ca }),
        /certificate of example\.test/,
      );
    }
  },
);

socketTest(
  "U-010 a certificate of version 1 is not known by its fingerprint: its key would not be asked for",
  async () => {
    await assert.rejects(
      secure({ certificate: "version1" }, { fingerprints: [fingerprint("version1")] }),
      /is not of X\.509 version 3/,
    );
  },
);

socketTest("U-009 without an authority of ours the usual ones count", async () => {
  const refused: Partial<Record<CertificateName, RegExp>> = {
    "example.test": /signed by nobody we trust; .* name that in "ca"$/,
    "unknown": /signed by nobody we trust/,
    "expired": /certificate of example\.test/,
    "other.test": /certificate of example\.test/,
  };
  for (const [certificate, reason] of Object.entries(refused)) {
    await assert.rejects(secure({ certificate: certificate as CertificateName }, {}), reason);
  }
});

for (const ca of [undefined, authority()]) {
  socketTest(
    `U-009 the reason against a self-signed certificate names it, ${
      ca ? "with" : "without"
    } an authority`,
    async () => {
      await using server = await ScriptedServer.listen({
        certificate: "self-signed",
        direct: true,
      });
      const tls = { ...OPTIONS, ca };
      const pipe = await dial({ hostname: "127.0.0.1", port: server.port }, tls, patient);
      await assert.rejects(pipe.startTls(tls), {
        name: "NetworkError",
        message: "the certificate of example.test is self-signed, or an authority's own; if that " +
          `is the right server, write fingerprints = ["${fingerprint("self-signed")}"] for its ` +
          'domain, otherwise have one issued (CA:FALSE) by an authority that you name in "ca"',
      });
      pipe.close();
      // One of them was for the name only.
      assert.equal(server.accepted, 2);
      for (let i = 0; i < 2; i++) await (await server.accept()).expectEnd();
    },
  );
}

socketTest("U-009 who does not tell the certificate again is not waited for", async () => {
  await using server = await ScriptedServer.listen({ certificate: "self-signed" });
  const pipe = await dial({ hostname: "127.0.0.1", port: server.port }, OPTIONS, patient);
  const securing = pipe.startTls(OPTIONS);
  await (await server.accept()).secure().catch(() => {});
  const silent = await server.accept();
  pipe.close();
  await assert.rejects(securing, /self-signed, .* fingerprints = \["…"\]/);
  await silent.expectEnd();
});

socketTest(
  "nothing is kept of a long talk in the clear for the sake of a certificate",
  async () => {
    await using server = await ScriptedServer.listen({ certificate: "self-signed" });
    const pipe = await dial({ hostname: "127.0.0.1", port: server.port }, OPTIONS, patient);
    const connection = await server.accept();
    for (let i = 0; i < 5; i++) await pipe.write(new TextEncoder().encode("x".repeat(1_000)));
    await connection.expect("x".repeat(5_000));
    const securing = pipe.startTls(OPTIONS);
    connection.secure();
    await assert.rejects(securing, /self-signed, .* fingerprints = \["…"\]/);
    assert.equal(server.accepted, 1);
    pipe.close();
  },
);

socketTest("S-012 a server that demands a certificate is shown ours", async () => {
  const server: Shown = { certificate: "self-signed", client: "client" };
  const known = { fingerprints: [fingerprint("self-signed")] };
  await secure(server, { ...known, identity: certificate("client") });
  await assert.rejects(secure(server, known), {
    name: "NetworkError",
    message: 'the server demands a certificate of ours; write "client_cert" and "client_key"',
  });
  // Where nobody asks, nothing is shown.
  await secure({ certificate: "self-signed" }, { ...known, identity: certificate("client") });
});

socketTest("U-008 an IP address is no server name", async () => {
  for (const hostname of ["127.0.0.1", "::1"]) {
    const { serverName } = await secure({ certificate: "self-signed" }, {
      hostname,
      fingerprints: [fingerprint("self-signed")],
    });
    assert.ok(!serverName, `the server was named ${serverName}`);
  }
});

for (const [kind, known] of Object.entries({ ca: { ca: authority() }, any: { verify: false } })) {
  socketTest(
    `U-011 a server that has TLS 1.1 at the most gets no stream, one that has 1.2 does (${kind})`,
    async () => {
      for (const [version, reason] of [["-tls1_1", /neither TLS 1\.2 nor/], ["-tls1_2"]] as const) {
        await using server = await OpenSsl.serve(version);
        const tls = { ...OPTIONS, ...known };
        const pipe = await dial({ hostname: "127.0.0.1", port: server.port }, tls, patient);
        if (reason) await assert.rejects(pipe.startTls(tls), reason);
        else await pipe.startTls(tls);
        pipe.close();
      }
    },
    "openssl",
  );
}
