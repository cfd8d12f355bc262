import assert from "node:assert/strict";
import { onBothFronts } from "../support/fronts.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { CREATION, message, nextHeader, Stage } from "./stage.ts";
import { streamFeatures, streamHeader } from "../support/upstream_server.ts";

const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";

/** What was told of stanzas, by session. */
function traced(stage: Stage): string[] {
  return stage.running.events.flatMap((event) =>
    event.type === "trace" ? [`${event.session} ${event.direction} ${event.xml}`] : []
  );
}

function sessions(stage: Stage): string[] {
  return stage.running.events.flatMap((event) =>
    event.type === "session-created" ? [event.session] : []
  );
}

onBothFronts(
  "S-004 the stanzas of clients in log.trace are told, of others never, and what logs in is left out",
  async () => {
    await using stage = await Stage.set({ more: '[log]\ntrace = ["203.0.113.0/24"]' });
    const from = (address: string) => ({ headers: { "X-Forwarded-For": address } });
    const other = await stage.open(CREATION, from("198.51.100.1"));
    const watched = await stage.open(CREATION, from("203.0.113.9"));
    for (const { client, upstream } of [other, watched]) {
      const held = client.send("", `<auth ${SASL} mechanism='PLAIN'>AGFsaWNl</auth>` + message(1));
      // What reaches the server is what was written.
      await upstream.expect("mechanism='PLAIN'>AGFsaWNl</auth><message");
      upstream.write(`<success ${SASL}>dj1x</success><r xmlns='urn:xmpp:sm:3'/>`);
      assert.equal((await held.answer).payloads.length, 2);
    }
    const [untraced, session] = sessions(stage);
    assert.notEqual(untraced, session);
    assert.match(session!, /^[\w-]{8}$/);
    const { sid } = watched.client;
    assert.ok(sid.startsWith(session!) && sid.length - session!.length >= 22);
    const features =
      "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>";
    assert.deepEqual(traced(stage), [
      `${session} down <stream:features>${features}</stream:features>`,
      `${session} up <auth ${SASL} mechanism='PLAIN'>[8 bytes redacted]</auth>`,
      `${session} up ${message(1)}`,
      `${session} down <success ${SASL}>[4 bytes redacted]</success>`,
      `${session} down <r xmlns='urn:xmpp:sm:3'/>`,
    ]);
  },
);

onBothFronts("S-004 a WebSocket's stanzas are told like those of BOSH", async () => {
  await using stage = await Stage.set({ more: '[log]\ntrace = ["127.0.0.1"]' });
  using socket = await RawWebSocket.connect(`${stage.running.url}/xmpp-websocket`);
  socket.text(
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>",
  );
  const upstream = await stage.server.accept();
  await nextHeader(upstream);
  upstream.write(streamHeader("1") + streamFeatures());
  socket.text(`<s:auth xmlns:s='urn:xmpp:sasl:2' a='pw'>pw</s:auth>`);
  await upstream.expect("</s:auth>");
  const [session] = sessions(stage);
  assert.deepEqual(traced(stage), [
    `${session} down <stream:features></stream:features>`,
    `${session} up <s:auth xmlns:s='urn:xmpp:sasl:2' a='[2 bytes redacted]'>[2 bytes redacted]</s:auth>`,
  ]);
});
