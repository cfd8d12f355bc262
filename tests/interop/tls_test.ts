import assert from "node:assert/strict";
import { authorityFile, type CertificateName } from "../support/certificates/certificates.ts";
import { runManager } from "../support/manager.ts";
import { haveProgram } from "../support/programs.ts";
import { ACCOUNTS, Prosody } from "../support/prosody.ts";
import { auth } from "../support/raw_client.ts";
import { RecordingRelay } from "../support/recording_relay.ts";
import { clientKinds } from "../support/xmpp_clients.ts";
import { openRaw, transports } from "../support/xmpp_clients_raw.ts";

interface Unacceptable {
  readonly name: string;
  /** What Prosody shows; `undefined`: it has no TLS. */
  readonly certificate: CertificateName | undefined;
  readonly configuration: string;
  /** What the reason says of it. */
  readonly reason: RegExp;
}

const UNACCEPTABLE: readonly Unacceptable[] = [
  {
    name: "a certificate of an authority that is not ours",
    certificate: "unknown",
    configuration: `ca = "${authorityFile}"`,
    reason:
      /TLS with 127\.0\.0\.1:\d+ failed: the certificate of example\.test is signed by nobody we trust.* &quot;ca&quot;/,
  },
  {
    name: "a certificate of a private authority that nobody configured",
    certificate: "example.test",
    configuration: "",
    reason:
      /TLS with 127\.0\.0\.1:\d+ failed: the certificate of example\.test is signed by nobody we trust.* &quot;ca&quot;/,
  },
  {
    name: "a certificate for another name",
    certificate: "other.test",
    configuration: `ca = "${authorityFile}"`,
    reason: /the certificate of example\.test is not valid for that name, only for other\.test/,
  },
  {
    name: "a certificate that has expired",
    certificate: "expired",
    configuration: `ca = "${authorityFile}"`,
    reason: /the certificate of example\.test has expired/,
  },
  {
    name: "no TLS",
    certificate: undefined,
    configuration: `ca = "${authorityFile}"`,
    reason: /the server offers no STARTTLS; .*tls = &quot;optional&quot;/,
  },
];

/** What must not leave: a client that is in a hurry sends it before it has heard anything. */
const HASTY = auth("PLAIN", `\0romeo\0${ACCOUNTS.romeo}`);

for (const { name, certificate, configuration, reason } of UNACCEPTABLE) {
  Deno.test({
    name: `U-005 U-007 U-009 U-010 U-016 B-043 B-120 W-020 W-022 a server with ${name} ` +
      `gets no credential, and the session ends with remote-connection-failed and says why`,
    ...haveProgram("prosody"),
    // The libraries leave timers behind; see xmpp_clients.ts.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using server = await Prosody.start({ certificate });
      await using relay = new RecordingRelay(server.port);
      await using manager = await runManager({
        toml: `
          [domains."example.test"]
          tls = "required"
          connect = "xmpp://127.0.0.1:${relay.port}"
          ${configuration}
        `,
      });

      for (const transport of transports) {
        const session = await openRaw(transport, manager.url, HASTY);
        session.drop();
        assert.match(session.opening, ENDED[transport]);
        assert.match(session.opening, reason);
      }
      for (const kind of clientKinds) {
        const credentials = { user: "romeo", password: ACCOUNTS.romeo!, resource: "here" };
        await assert.rejects(kind.logIn(manager.url, credentials), {
          name: "LoginError",
          condition: "remote-connection-failed",
        });
      }

      assert.equal(relay.connections.length, transports.length + clientKinds.length);
      for (const sent of relay.connections) {
        if (certificate === undefined) assertOnlyHeader(sent);
        else assertOnlyHandshake(sent);
      }
      const log = await server.log();
      assert.match(log, /Client sent opening/);
      assert.doesNotMatch(log, /<auth |Authenticated/);
    },
  });
}

Deno.test({
  name:
    "U-009 U-010 a self-made certificate of Prosody's is refused with its fingerprint, which then lets clients in",
  ...haveProgram("prosody"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using server = await Prosody.start({ certificate: "self-signed" });
    const domain = `[domains."example.test"]\nconnect = "xmpp://127.0.0.1:${server.port}"\n`;
    const direct = domain.replace(
      `xmpp://127.0.0.1:${server.port}`,
      `xmpps://127.0.0.1:${server.directPort}`,
    );
    let cure = "";
    {
      await using manager = await runManager({ toml: domain });
      for (const transport of transports) {
        const session = await openRaw(transport, manager.url, HASTY);
        session.drop();
        assert.match(session.opening, ENDED[transport]);
        const told = session.opening.replaceAll("&quot;", '"');
        const [found] = /fingerprints = \["[0-9a-f]{64}"\]/.exec(told) ?? [];
        assert.ok(found, told);
        cure = found;
      }
      assert.doesNotMatch(await server.log(), /<auth |Authenticated/);
    }
    for (const target of [domain, direct]) {
      await using manager = await runManager({ toml: target + cure });
      for (const kind of clientKinds) {
        const credentials = { user: "romeo", password: ACCOUNTS.romeo!, resource: "here" };
        const client = await kind.logIn(manager.url, credentials);
        client.send("romeo@example.test/here", { id: "1", body: "to myself" });
        assert.equal((await client.receive()).body, "to myself");
        await client.logOut();
      }
    }
  },
});

Deno.test({
  name: 'U-007: a server with no TLS is good enough where tls = "optional" says so',
  ...haveProgram("prosody"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using server = await Prosody.start({ certificate: undefined });
    await using manager = await runManager({
      toml: `
        [domains."example.test"]
        tls = "optional"
        connect = "xmpp://127.0.0.1:${server.port}"
      `,
    });
    for (const kind of clientKinds) {
      const credentials = { user: "romeo", password: ACCOUNTS.romeo!, resource: "here" };
      const client = await kind.logIn(manager.url, credentials);
      await client.logOut();
    }
    const connected = manager.events.filter((event) => event.type === "upstream-connected");
    assert.deepEqual(connected.map(({ tls }) => tls), clientKinds.map(() => "none"));
  },
});

const ENDED = {
  bosh: /<body [^>]*type='terminate' condition='remote-connection-failed'/,
  websocket: /^<open .*<remote-connection-failed .*<\/stream:error><close /,
};

const HEADER = "<\\?xml version='1\\.0'\\?><stream:stream xmlns='jabber:client' " +
  "xmlns:stream='http://etherx\\.jabber\\.org/streams' to='example\\.test' version='1\\.0'" +
  "(?: xml:lang='en')?>";

/** The stream was closed again; not even the client's address was in the header. */
function assertOnlyHeader(sent: Uint8Array): void {
  assert.match(new TextDecoder().decode(sent), new RegExp(`^${HEADER}</stream:stream>$`));
}

/** In the clear the header and `<starttls/>`; after that a TLS handshake that was broken off. */
function assertOnlyHandshake(sent: Uint8Array): void {
  const clear = sent.subarray(0, sent.indexOf(HANDSHAKE_RECORD));
  const starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
  assert.match(new TextDecoder().decode(clear), new RegExp(`^${HEADER}${starttls}$`));
  const records = tlsRecords(sent.subarray(clear.length));
  assert.equal(records[0]?.type, HANDSHAKE_RECORD);
  for (const { type, length } of records.slice(1)) {
    // Once encrypted, an alert looks like data: two bytes of it, one for the type, 16 of the tag.
    assert.ok(
      type === CHANGE_CIPHER_SPEC_RECORD || type === ALERT_RECORD || length <= 2 + 1 + 16,
      `a record of type ${type} and ${length} bytes was sent`,
    );
  }
}

// RFC 8446 §5.1.
const CHANGE_CIPHER_SPEC_RECORD = 20;
const ALERT_RECORD = 21;
const HANDSHAKE_RECORD = 22;

function tlsRecords(bytes: Uint8Array): { readonly type: number; readonly length: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const records = [];
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint16(at + 3);
    records.push({ type: view.getUint8(at), length });
    at += 5 + length;
  }
  return records;
}
