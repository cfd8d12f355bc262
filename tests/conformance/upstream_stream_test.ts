import assert from "node:assert/strict";
import { authorityFile } from "../support/certificates/certificates.ts";
import { BoshClient } from "../support/bosh_client.ts";
import { runManager } from "../support/manager.ts";
import { HANDSHAKE, RawWebSocket } from "../support/raw_websocket.ts";
import {
  MECHANISMS,
  type ScriptedConnection,
  ScriptedServer,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import { CREATION, farewell, idsOf, message, nextHeader, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const FRAMING = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'";
const STREAM_ERRORS = "xmlns='urn:ietf:params:xml:ns:xmpp-streams'";

// ---- where the server sends us

onBothFronts(
  "U-022 U-002 a server that sends us elsewhere before login is followed, with all that the client sent",
  async () => {
    await using stage = await Stage.set();
    await using other = await ScriptedServer.listen();
    for (const host of [`127.0.0.1:${other.port}`, ` localhost:${other.port} `]) {
      const client = stage.client();
      const creating = client.create(CREATION, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
      const first = await stage.server.accept();
      const header = await nextHeader(first);
      first.write(streamHeader("first") + elsewhere(host));
      assert.equal(
        await first.expectEnd(),
        "</stream:stream>",
        "nothing of the client is shown to it",
      );
      const second = await other.accept();
      assert.equal(await nextHeader(second), header);
      second.write(streamHeader("second") + streamFeatures(MECHANISMS));
      await second.expect("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
      const creation = await creating;
      assert.equal(creation.get("authid"), "second");
      assert.doesNotMatch(creation.text, /see-other-host/);
    }
  },
);

onBothFronts("U-022 an IPv6 address in brackets is followed too", async () => {
  await using stage = await Stage.set();
  await using other = await ScriptedServer.listen({ hostname: "::1" });
  const creating = stage.client().create(CREATION);
  const first = await stage.server.accept();
  await nextHeader(first);
  first.write(streamHeader("first") + elsewhere(`[::1]:${other.port}`));
  const second = await other.accept();
  await nextHeader(second);
  second.write(streamHeader("second") + streamFeatures(MECHANISMS));
  assert.equal((await creating).get("authid"), "second");
});

onBothFronts(
  "U-022 servers that send us from one to the other are left, and the client is told",
  async () => {
    await using stage = await Stage.set();
    const creating = stage.client().create(CREATION);
    for (let connection = 0; connection < 2; connection++) {
      const upstream = await stage.server.accept();
      await nextHeader(upstream);
      upstream.write(streamHeader("1") + elsewhere(`127.0.0.1:${stage.server.port}`));
    }
    const creation = await creating;
    assert.equal(creation.condition, "remote-stream-error");
    assert.match(creation.text, /<see-other-host /);
    assert.equal(stage.server.accepted, 2);
  },
);

onBothFronts("U-022 a place that is none, or where nobody is, fails with its name", async () => {
  await using stage = await Stage.set();
  const gone = await ScriptedServer.listen();
  const nobody = `127.0.0.1:${gone.port}`;
  await gone[Symbol.asyncDispose]();
  for (
    const [host, reason] of [
      ["", /remote-stream-error/],
      ["a b", /does not say where/],
      ["127.0.0.1:0", /does not say where/],
      ["127.0.0.1:65536", /does not say where/],
      [nobody, new RegExp(`connection refused by ${nobody.replaceAll(".", "\\.")}`)],
    ] as const
  ) {
    const creating = stage.client().create(CREATION);
    const upstream = await stage.server.accept();
    await nextHeader(upstream);
    upstream.write(streamHeader("1") + elsewhere(host));
    assert.match((await creating).text, reason, host);
  }
});

onBothFronts(
  "U-022 only one server of a session is followed, however many say that it is elsewhere",
  async () => {
    await using first = await ScriptedServer.listen();
    await using stage = await Stage.set();
    await using running = await runManager({
      toml:
        `[domains."example.test"]\ntls = "never"\nconnect = ["xmpp://127.0.0.1:${first.port}", ` +
        `"xmpp://127.0.0.1:${stage.server.port}"]`,
    });
    await using other = await ScriptedServer.listen();
    const client = new BoshClient(`${running.url}/http-bind`);
    const creating = client.create(CREATION);
    for (const server of [first, other, stage.server]) {
      const upstream = await server.accept();
      await nextHeader(upstream);
      upstream.write(streamHeader("1") + elsewhere(`127.0.0.1:${other.port}`));
    }
    assert.equal((await creating).condition, "remote-stream-error");
    client.close();
    assert.equal(other.accepted, 1);
  },
);

onBothFronts(
  "U-022 S-006 who speaks in the clear sends nobody into a private network",
  async () => {
    await using stage = await Stage.set({ domain: 'tls = "optional"' });
    await using other = await ScriptedServer.listen();
    const creating = stage.client().create(CREATION);
    const upstream = await stage.server.accept();
    await nextHeader(upstream);
    upstream.write(streamHeader("1") + elsewhere(`127.0.0.1:${other.port}`));
    assert.match((await creating).text, /the address of 127\.0\.0\.1 is not public \(loopback\)/);
    assert.equal(other.accepted, 0);
  },
);

onBothFronts(
  "U-022 B-045 with secure nobody is sent on over a way that only was said to be safe up to here",
  async () => {
    await using stage = await Stage.set();
    await using other = await ScriptedServer.listen();
    const creating = stage.client().create(`${CREATION} secure='true'`);
    const upstream = await stage.server.accept();
    await nextHeader(upstream);
    upstream.write(streamHeader("1") + elsewhere(`127.0.0.1:${other.port}`));
    assert.equal((await creating).condition, "remote-stream-error");
    assert.equal(other.accepted, 0);
  },
);

onBothFronts("U-022 X-015 after login a see-other-host is the client's to follow", async () => {
  await using stage = await Stage.set();
  await using other = await ScriptedServer.listen();
  const { client, upstream } = await stage.open();
  const poll = client.send();
  upstream.write(elsewhere(`127.0.0.1:${other.port}`));
  const answer = await poll.answer;
  assert.equal(answer.condition, "remote-stream-error");
  assert.match(answer.text, new RegExp(`>127\\.0\\.0\\.1:${other.port}<`));
  assert.equal(other.accepted, 0);
});

onBothFronts("U-022 B-037 a client that chose its route is not taken anywhere else", async () => {
  await using other = await ScriptedServer.listen();
  await using stage = await Stage.set({ domain: 'tls = "never"\nallow_route = ["127.0.0.1:*"]' });
  const route = `route='xmpp:127.0.0.1:${stage.server.port}'`;
  const creating = stage.client().create(`${CREATION} ${route}`);
  const upstream = await stage.server.accept();
  await nextHeader(upstream);
  upstream.write(streamHeader("1") + elsewhere(`127.0.0.1:${other.port}`));
  assert.equal((await creating).condition, "remote-stream-error");
  assert.equal(other.accepted, 0);
});

onBothFronts(
  "U-022 U-009 where it sends us, the certificate has to be for the domain all the same",
  async () => {
    await using stage = await Stage.set({ domain: `ca = "${authorityFile}"` });
    await using other = await ScriptedServer.listen({ certificate: "other.test" });
    const creating = stage.client().create(CREATION);
    const first = await stage.server.accept();
    await nextHeader(first);
    first.write(streamHeader("1") + streamFeatures(STARTTLS));
    await first.startTls();
    await nextHeader(first);
    first.write(streamHeader("2") + elsewhere(`127.0.0.1:${other.port}`));
    const second = await other.accept();
    await nextHeader(second);
    second.write(streamHeader("3") + streamFeatures(STARTTLS));
    // Whether the server is told, or sees the handshake as done, is between the two.
    await second.startTls().catch(() => {});
    const creation = await creating;
    assert.equal(creation.condition, "remote-connection-failed");
    assert.match(creation.text, /the certificate of example\.test is not valid for that name/);
  },
);

// ---- who the client is

onBothFronts(
  "U-001 the PROXY header comes before everything, by BOSH and by WebSocket",
  async () => {
    for (const version of [1, 2]) {
      await using stage = await Stage.set({
        domain: `tls = "never"\nproxy_protocol = ${version}`,
      });
      const beginning = version === 1
        ? new RegExp(
          `^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 \\d+ ${stage.server.port}\\r\\n<\\?xml`,
        )
        // What is not text comes out of the decoder as U+FFFD.
        // deno-lint-ignore no-control-regex
        : /^\r\n\r\n\0\r\nQUIT\n!\x11\0\f\x7f\0\0\x01\x7f\0\0\x01[^]{1,4}<\?xml/;
      const creating = stage.client().create(CREATION);
      const upstream = await stage.server.accept();
      assert.match(await nextHeader(upstream), beginning);
      upstream.write(streamHeader("1") + streamFeatures(MECHANISMS));
      await creating;

      const socket = await openSocket(stage);
      assert.match(await nextHeader(await stage.server.accept()), beginning);
      socket.destroy();
    }
  },
);

// ---- what clients are shown

onBothFronts(
  "U-025 U-030 what a domain hides of SASL is hidden from BOSH and WebSocket clients alike",
  async () => {
    const offered = mechanisms("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "ANONYMOUS") +
      "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/>" +
      "</sasl-channel-binding>";
    const cases = [
      ["", offered],
      ["strip_channel_binding = true", mechanisms("SCRAM-SHA-1", "ANONYMOUS")],
      ["strip_channel_binding = true\nallow_anonymous = false", mechanisms("SCRAM-SHA-1")],
    ] as const;
    for (const [domain, shown] of cases) {
      await using stage = await Stage.set({ domain: `tls = "never"\n${domain}` });
      const creating = stage.client().create(CREATION);
      await stage.welcome(offered);
      assert.ok((await creating).text.includes(`>${shown}</stream:features>`), domain);
      const socket = await openSocket(stage);
      await stage.welcome(offered);
      await socket.message();
      assert.ok((await socket.message()).endsWith(`>${shown}</stream:features>`), domain);
      socket.destroy();
    }
  },
);

onBothFronts(
  "U-030 S-012 a hidden mechanism is refused to clients that ask for it all the same",
  async () => {
    await using stage = await Stage.set({ domain: 'tls = "never"\nallow_anonymous = false' });
    const attempt = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
    const { client, upstream } = await stage.open();
    const answer = await client.ask("", attempt);
    assert.match(answer.text, /<failure [^>]*xmpp-sasl'><invalid-mechanism /);
    const plain = client.send("", attempt.replace("ANONYMOUS", "PLAIN"));
    assert.equal(await upstream.expect("/>"), attempt.replace("ANONYMOUS", "PLAIN"));
    upstream.write("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    await plain.answer;

    const socket = await openSocket(stage);
    socket.text(attempt);
    const second = await stage.welcome();
    await socket.message();
    await socket.message();
    assert.match(await socket.message(), /<invalid-mechanism /);
    socket.text("<presence/>");
    assert.equal(await second.expect("<presence/>"), "<presence/>");
    socket.destroy();
  },
);

onBothFronts(
  "U-031 U-001 only client streams are opened, whatever a client calls its own",
  async () => {
    await using stage = await Stage.set();
    const creating = stage.client().create(
      `${CREATION} stream_attrs='{"x":"1"}'`,
      "<handshake xmlns='jabber:component:accept'>00</handshake>",
    );
    const upstream = await stage.server.accept();
    const header = await nextHeader(upstream);
    assert.match(header, /^<\?xml version='1\.0'\?><stream:stream xmlns='jabber:client' /);
    assert.doesNotMatch(header, /component/);
    upstream.write(streamHeader("1") + streamFeatures(MECHANISMS));
    await creating;
    const refused = await stage.client().create(
      `${CREATION} stream_attrs='{"xmlns":"jabber:component:accept"}'`,
    );
    assert.equal(refused.condition, "bad-request");

    const socket = await RawWebSocket.connect(`${stage.running.url}/xmpp-websocket`, HANDSHAKE);
    socket.text("<open xmlns='jabber:component:accept' to='example.test' version='1.0'/>");
    assert.match(await socket.message(), /^<open /);
    assert.match(await socket.message(), /<invalid-namespace /);
    socket.destroy();
    assert.equal(stage.server.accepted, 1);
  },
);

// ---- how streams go on and end

onBothFronts("U-017 nothing but what was sent stands between the elements of a login", async () => {
  await using stage = await Stage.set();
  const { client, upstream } = await stage.open();
  const steps = [1, 2, 3].map((n) =>
    `<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${n}</response>`
  );
  for (const step of steps) {
    const request = client.send("", ` \n${step}\t `);
    assert.equal(await upstream.expect("</response>"), step);
    upstream.write(" <challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/> ");
    await request.answer;
  }
});

onBothFronts(
  "U-019 U-014 B-120 a stanza over the limit ends the stream with policy-violation",
  async () => {
    await using stage = await Stage.set({ limits: "server_stanza = 10_000" });
    const { client, upstream } = await stage.open();
    const poll = client.send();
    const stanza = (length: number) => message("x", "x".repeat(length - message("x", "").length));
    upstream.write(stanza(10_000));
    assert.deepEqual(idsOf(await poll.answer), ["x"]);
    const next = client.send();
    upstream.write(stanza(10_001));
    assert.equal((await next.answer).condition, "remote-connection-failed");
    assert.match(await upstream.expectEnd(), /<policy-violation .*<\/stream:stream>$/);
  },
);

onBothFronts(
  "U-023 W-031 a server that closes its side without a closing tag is lost",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const poll = client.send();
    upstream.end();
    assert.equal((await poll.answer).condition, "remote-connection-failed");
    await upstream.expectEnd();

    const socket = await openSocket(stage);
    const second = await stage.welcome();
    await socket.message();
    await socket.message();
    second.end();
    assert.match(await socket.message(), /<remote-connection-failed /);
    assert.match(await socket.message(), /^<close /);
    socket.destroy();
  },
);

onBothFronts(
  "U-020 U-026 a clean end closes the stream and reads on; an unclean one leaves without a word",
  async () => {
    await using stage = await Stage.set({ bosh: "inactivity = 1\npolling = 0" });
    const { client, upstream } = await stage.open();
    const poll = client.send();
    const terminate = client.send("type='terminate'", "<presence type='unavailable'/>");
    assert.equal(await farewell(upstream), "<presence type='unavailable'/></stream:stream>");
    await Promise.all([poll.answer, terminate.answer]);

    const { upstream: left } = await stage.open();
    assert.equal(await left.expectEnd(), "", "the client is silent for longer than it may be");
  },
);

onBothFronts(
  "U-024 every session has a connection of its own, and leaves none behind",
  async () => {
    await using stage = await Stage.set();
    const ended: ScriptedConnection[] = [];
    for (let login = 0; login < 20; login++) {
      const { client, upstream } = await stage.open();
      const terminate = client.send("type='terminate'");
      await farewell(upstream);
      await terminate.answer;
      ended.push(upstream);
    }
    assert.equal(stage.server.accepted, 20);
    assert.ok(ended.every((connection) => connection.ended));
  },
);

function elsewhere(host: string): string {
  return `<stream:error><see-other-host ${STREAM_ERRORS}>${host}</see-other-host></stream:error>`;
}

function mechanisms(...names: string[]): string {
  return "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" +
    `${names.map((name) => `<mechanism>${name}</mechanism>`).join("")}</mechanisms>`;
}

/** A WebSocket that has asked for a stream. */
async function openSocket(stage: Stage): Promise<RawWebSocket> {
  const socket = await RawWebSocket.connect(`${stage.running.url}/xmpp-websocket`, HANDSHAKE);
  socket.text(`<open ${FRAMING} to='example.test' version='1.0'/>`);
  return socket;
}
