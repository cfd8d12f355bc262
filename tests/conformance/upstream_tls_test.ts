import assert from "node:assert/strict";
import {
  authorityFile,
  type CertificateName,
  fileOf,
  fingerprint,
} from "../support/certificates/certificates.ts";
import { runManager } from "../support/manager.ts";
import { OpenSsl } from "../support/openssl_server.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { ServeProcess } from "../support/serve_process.ts";
import {
  MECHANISMS,
  type ScriptedConnection,
  ScriptedServer,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import { openRaw, transports } from "../support/xmpp_clients_raw.ts";
import { CREATION, message, nextHeader, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const ENDED = {
  bosh: /<body [^>]*type='terminate' condition='remote-connection-failed'/,
  websocket: /<remote-connection-failed .*<close /,
};
const TRUSTED = `ca = "${authorityFile}"`;
const KNOWN = (name: CertificateName) => `fingerprints = ["${fingerprint(name)}"]`;

/** STARTTLS and the stream behind it, with these features. */
async function welcomeWithTls(upstream: ScriptedConnection, features = MECHANISMS): Promise<void> {
  await nextHeader(upstream);
  upstream.write(streamHeader("clear") + streamFeatures(STARTTLS));
  await upstream.startTls();
  await nextHeader(upstream);
  upstream.write(streamHeader("secure") + streamFeatures(features));
}

// ---- STARTTLS

for (
  const [pipe, configuration] of Object.entries({ Deno: TRUSTED, node: KNOWN("example.test") })
) {
  onBothFronts(
    `U-005 T-42 what a server sends in the clear behind its consent to TLS is never delivered (${pipe})`,
    async () => {
      await using stage = await Stage.set({ domain: configuration });
      for (const together of [true, false]) {
        for (const transport of transports) {
          const opening = openRaw(transport, stage.running.url, "<auth/>");
          const upstream = await stage.server.accept();
          await nextHeader(upstream);
          upstream.write(streamHeader("clear") + streamFeatures(STARTTLS));
          await upstream.expect("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
          const injected = message("injected");
          if (together) upstream.write(PROCEED + injected);
          else {
            upstream.write(PROCEED);
            upstream.write(injected);
            void upstream.secure();
          }
          const session = await opening;
          session.drop();
          assert.match(session.opening, ENDED[transport]);
          assert.doesNotMatch(session.opening, /injected/);
          assert.doesNotMatch(upstream.received, /<auth/);
        }
      }
    },
  );

  onBothFronts(
    `U-006 U-012 S-014 what was said before TLS is forgotten, and nothing else is negotiated after it (${pipe})`,
    async () => {
      await using stage = await Stage.set({ domain: configuration });
      const client = stage.client();
      const creating = client.create(CREATION);
      const upstream = await stage.server.accept();
      const header = await nextHeader(upstream);
      upstream.write(
        streamHeader("clear") +
          streamFeatures(STARTTLS + MECHANISMS.replace("PLAIN", "CLEAR") + "<x xmlns='urn:x'/>"),
      );
      await upstream.startTls();
      assert.equal(
        await nextHeader(upstream),
        header,
        "a new header, and no closing tag before it",
      );
      upstream.write(
        streamHeader("secure") + streamFeatures(
          MECHANISMS + "<compression xmlns='http://jabber.org/features/compress'>" +
            "<method>zlib</method></compression>",
        ),
      );
      const creation = await creating;
      assert.equal(creation.get("authid"), "secure");
      assert.match(creation.text, /<mechanism>PLAIN<\/mechanism>/);
      assert.doesNotMatch(creation.text, /CLEAR|urn:x'|starttls|compression|clear/);
      client.send("", message("first"));
      assert.equal(await upstream.expect("</message>"), message("first"));
      const [connected] = stage.running.events.filter(({ type }) => type === "upstream-connected");
      assert.equal(connected?.type === "upstream-connected" && connected.tls, "starttls");
    },
  );
}

onBothFronts(
  "U-007 S-014 without a policy the server has to have TLS, and one that has none gets nothing of the client",
  async () => {
    await using stage = await Stage.set({ domain: "" });
    const refusals = [
      streamFeatures(MECHANISMS),
      `${
        streamFeatures(STARTTLS)
      }<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>`,
      streamFeatures(STARTTLS) + MECHANISMS,
    ];
    for (const refusal of refusals) {
      for (const transport of transports) {
        const opening = openRaw(transport, stage.running.url, "<auth/>");
        const upstream = await stage.server.accept();
        await nextHeader(upstream);
        upstream.write(streamHeader("clear") + refusal);
        await upstream.expectEnd();
        const session = await opening;
        session.drop();
        assert.match(session.opening, ENDED[transport]);
        assert.doesNotMatch(upstream.received, /<auth/);
      }
    }
  },
);

onBothFronts(
  'U-007 with "optional" TLS is used where it is offered, with "never" not even then, and without it where it is not',
  async () => {
    for (
      const [policy, offered] of [["optional", false], ["never", true], ["never", false]] as const
    ) {
      await using stage = await Stage.set({ domain: `tls = "${policy}"` });
      const creating = stage.client().create(CREATION);
      const upstream = await stage.welcome((offered ? STARTTLS : "") + MECHANISMS);
      assert.doesNotMatch((await creating).text, /starttls/);
      assert.doesNotMatch(upstream.received, /starttls/);
    }
    await using stage = await Stage.set({ domain: `tls = "optional"\n${TRUSTED}` });
    const creating = stage.client().create(CREATION);
    await welcomeWithTls(await stage.server.accept());
    assert.equal((await creating).get("authid"), "secure");
  },
);

// ---- direct TLS

for (
  const [pipe, configuration] of Object.entries({ Deno: TRUSTED, node: KNOWN("example.test") })
) {
  onBothFronts(
    `U-008 direct TLS names the domain and the protocol, and STARTTLS inside it is hidden (${pipe})`,
    async () => {
      await using server = await ScriptedServer.listen();
      await using running = await runManager({
        toml:
          `[domains."example.test"]\nconnect = "xmpps://localhost:${server.port}"\n${configuration}`,
      });
      for (const transport of transports) {
        const opening = openRaw(transport, running.url);
        const upstream = await server.accept();
        const { serverName, alpn } = await upstream.secure();
        assert.deepEqual({ serverName, alpn }, { serverName: "example.test", alpn: "xmpp-client" });
        await nextHeader(upstream);
        upstream.write(streamHeader("1") + streamFeatures(STARTTLS + MECHANISMS));
        const session = await opening;
        assert.match(session.opening, /<mechanism>PLAIN/);
        assert.doesNotMatch(session.opening, /starttls/);
        session.drop();
      }
    },
  );
}

// ---- whose certificate it is

const UNACCEPTABLE: readonly (readonly [CertificateName, RegExp])[] = [
  ["other.test", /not valid for that name, only for other\.test/],
  ["expired", /has expired/],
  ["unknown", /signed by nobody we trust/],
  ["forged", /the certificate of example\.test/],
  ["wildcard", /not valid for that name, only for \*\.example\.test/],
];

for (const [certificate, reason] of UNACCEPTABLE) {
  for (const scheme of ["xmpp", "xmpps"]) {
    onBothFronts(
      `U-009 certificate ${certificate} gets no stream by ${scheme}, and the client is told why`,
      async () => {
        await using server = await ScriptedServer.listen({ certificate });
        await using running = await runManager({
          toml:
            `[domains."example.test"]\nconnect = "${scheme}://127.0.0.1:${server.port}"\n${TRUSTED}`,
        });
        for (const transport of transports) {
          const opening = openRaw(transport, running.url, "<auth/>");
          const upstream = await server.accept();
          if (scheme === "xmpp") await assert.rejects(welcomeWithTls(upstream));
          else await assert.rejects(upstream.secure());
          const session = await opening;
          session.drop();
          assert.match(session.opening, ENDED[transport]);
          assert.match(session.opening, reason);
          assert.doesNotMatch(upstream.received, /<auth/);
        }
      },
    );
  }
}

onBothFronts(
  "U-009 a self-signed certificate gets no stream, and the reason says which it is",
  async () => {
    await using stage = await Stage.set({ domain: "", certificate: "self-signed" });
    const creating = stage.client().create(CREATION);
    await assert.rejects(welcomeWithTls(await stage.server.accept()));
    // Asked once more for the certificate's sake, in the same words and all at once.
    const again = await stage.server.accept();
    await nextHeader(again);
    again.write(streamHeader("again") + streamFeatures(STARTTLS));
    await again.startTls();
    assert.equal(await again.expectEnd(), "");
    const { condition, text } = await creating;
    assert.equal(condition, "remote-connection-failed");
    assert.ok(text.includes(`fingerprints = [&quot;${fingerprint("self-signed")}&quot;]`), text);
  },
);

for (const certificate of ["self-signed", "expired", "other.test"] as const) {
  for (
    const [known, configuration] of [
      ["by its fingerprint", KNOWN(certificate)],
      ["unverified", "verify = false"],
    ] as const
  ) {
    onBothFronts(`U-010 certificate ${certificate} gets a stream ${known}`, async () => {
      await using stage = await Stage.set({ domain: configuration, certificate });
      for (const transport of transports) {
        const opening = openRaw(transport, stage.running.url);
        await welcomeWithTls(await stage.server.accept());
        const session = await opening;
        assert.match(session.opening, /<mechanism>PLAIN/);
        session.drop();
      }
    });
  }
}

onBothFronts(
  "U-010 a private authority and a fingerprint count for their domain only",
  async () => {
    for (const configuration of [TRUSTED, KNOWN("example.test"), "verify = false"]) {
      await using server = await ScriptedServer.listen();
      const connect = `connect = "xmpp://127.0.0.1:${server.port}"`;
      await using running = await runManager({
        toml: `[domains."example.test"]\n${connect}\n${configuration}\n` +
          `[domains."xmpp.example.test"]\n${connect}`,
      });
      const right = openRaw("bosh", running.url);
      await welcomeWithTls(await server.accept());
      (await right).drop();
      const post = fetch(`${running.url}/http-bind`, {
        method: "POST",
        body: `<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='xmpp.example.test' ` +
          `wait='10' hold='1' ver='1.6' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'/>`,
      });
      await assert.rejects(welcomeWithTls(await server.accept()));
      assert.match(await (await post).text(), /signed by nobody we trust/);
    }
  },
);

onBothFronts(
  "U-009 U-010 an authority that DENO_CERT names is trusted like the usual ones, and no more than they",
  async () => {
    const file = await Deno.makeTempFile({ suffix: ".toml" });
    try {
      for (
        const [certificate, reason] of [
          ["example.test", /<mechanism>PLAIN/],
          ["other.test", /not valid for that name, only for other\.test/],
          ["forged", /signed by nobody we trust/],
          ["expired", /has expired/],
        ] as const
      ) {
        await using server = await ScriptedServer.listen({ certificate });
        await Deno.writeTextFile(
          file,
          `[[listen]]\nport = 0\n[domains."example.test"]\nconnect = "xmpp://127.0.0.1:${server.port}"`,
        );
        await using service = new ServeProcess(["serve", "--config", file], {
          DENO_CERT: authorityFile,
        });
        const opening = openRaw("bosh", await service.url);
        welcomeWithTls(await server.accept()).catch(() => {});
        const session = await opening;
        session.drop();
        assert.match(session.opening, reason);
        await service.terminate();
      }
    } finally {
      await Deno.remove(file);
    }
  },
);

onBothFronts(
  "U-010 a service that verifies nothing says so when it starts, for each domain",
  async () => {
    const file = await Deno.makeTempFile({ suffix: ".toml" });
    try {
      for (
        const [toml, expected] of [
          ["upstream.verify = false", ["*"]],
          ['[domains."a.test"]\nverify = false\n[domains."b.test"]', ["a.test"]],
          ['[domains."a.test"]', []],
        ] as const
      ) {
        await Deno.writeTextFile(file, `${toml}\n[[listen]]\nport = 0`);
        await using service = new ServeProcess(["serve", "--config", file]);
        await service.url;
        const { stderr } = await service.terminate();
        const warned = [...stderr.matchAll(/ warn verify = false: any .* domain=(\S+)/g)];
        assert.deepEqual(warned.map(([, domain]) => domain), expected, stderr);
      }
    } finally {
      await Deno.remove(file);
    }
  },
);

onBothFronts({
  name: "U-011 a server that has no TLS later than 1.1 gets no stream, and the client is told why",
  ...haveProgram("openssl"),
  async fn() {
    for (const configuration of [TRUSTED, KNOWN("example.test"), "verify = false"]) {
      await using server = await OpenSsl.serve("-tls1_1");
      await using running = await runManager({
        toml:
          `[domains."example.test"]\nconnect = "xmpps://127.0.0.1:${server.port}"\n${configuration}`,
      });
      for (const transport of transports) {
        const session = await openRaw(transport, running.url);
        session.drop();
        assert.match(session.opening, ENDED[transport]);
        assert.match(session.opening, /the server has neither TLS 1\.2 nor TLS 1\.3/);
      }
    }
  },
});

// ---- who we are

onBothFronts(
  "S-012 a server that demands a certificate is shown ours, and EXTERNAL is hidden from clients",
  async () => {
    const domain = KNOWN("self-signed");
    const identity = `client_cert = "${fileOf("client.pem")}"\nclient_key = "${
      fileOf("client.key")
    }"`;
    const tls = { certificate: "self-signed", client: "client" } as const;
    await using stage = await Stage.set({ domain: `${domain}\n${identity}`, ...tls });
    const creating = stage.client().create(CREATION);
    await welcomeWithTls(
      await stage.server.accept(),
      MECHANISMS.replace("<mechanism>", "<mechanism>EXTERNAL</mechanism>$&"),
    );
    const { text } = await creating;
    assert.match(text, /<mechanism>PLAIN/);
    assert.doesNotMatch(text, /EXTERNAL/);

    await using without = await Stage.set({ domain, ...tls });
    const refused = without.client().create(CREATION);
    await assert.rejects(welcomeWithTls(await without.server.accept()));
    const { condition, text: reason } = await refused;
    assert.equal(condition, "remote-connection-failed");
    assert.match(reason, /demands a certificate of ours; write &quot;client_cert&quot;/);
  },
);

// ---- the connection below

onBothFronts(
  "U-023 a server that closes its side without closing the stream is lost, in TLS too",
  async () => {
    for (const configuration of [TRUSTED, KNOWN("example.test")]) {
      await using stage = await Stage.set({ domain: configuration });
      const client = stage.client();
      const creating = client.create(CREATION);
      const upstream = await stage.server.accept();
      await welcomeWithTls(upstream);
      await creating;
      const poll = client.send();
      upstream.end();
      assert.equal((await poll.answer).condition, "remote-connection-failed");
    }
  },
);

onBothFronts({
  name: "U-023 the system asks a server that is silent for a minute whether it is still there",
  ...haveProgram("ss"),
  async fn() {
    await using stage = await Stage.set({ domain: KNOWN("example.test") });
    const creating = stage.client().create(CREATION);
    await welcomeWithTls(await stage.server.accept());
    await creating;
    const timer = await until(async () => {
      const { stdout } = await new Deno.Command("ss", {
        args: ["-Htno", "dst", `127.0.0.1:${stage.server.port}`],
      }).output();
      return /timer:\(keepalive,(\d+)sec/.exec(new TextDecoder().decode(stdout))?.[1];
    }, "the connection has a keepalive timer");
    assert.ok(Number(timer) <= 60, `${timer} s`);
  },
});
