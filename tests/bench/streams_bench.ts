/*
 * What a stanza costs in the protocol on its other ways: a turn of a WebSocket session (a message
 * up and one down), and one of a stream to the XMPP server (a payload written, and one read that
 * brings one, or fifty).
 */
import { C2sStream } from "../../src/protocol/stream/c2s.ts";
import { readMessage } from "../../src/protocol/websocket/framing.ts";
import { XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";
import { payloadsOf, XML_LIMITS } from "../support/bosh_conversation.ts";
import { MECHANISMS, streamFeatures, streamHeader } from "../support/upstream_server.ts";
import { open } from "../support/websocket_conversation.ts";

const encoder = new TextEncoder();
const tokenizer = new XmlTokenizer(XML_LIMITS);
const MESSAGE = "<message to='juliet@example.org/balcony' type='chat' id='m1'>" +
  "<body>Art thou not Romeo, and a Montague?</body></message>";
const BYTES = encoder.encode(MESSAGE);
const FIFTY = encoder.encode(MESSAGE.repeat(50));

/** Keeps what is made from being found useless. */
let sink: unknown;

const { session } = open();
const payloads = payloadsOf(MESSAGE);
const fifty = payloadsOf(MESSAGE.repeat(50));
Deno.bench({
  name: "readMessage",
  group: "WebSocket",
  fn: () => void (sink = readMessage(BYTES, tokenizer)),
});
Deno.bench({
  name: "a session's turn",
  group: "WebSocket",
  baseline: true,
  fn() {
    session.message(0, readMessage(BYTES, tokenizer), BYTES.length);
    session.deliver(0, payloads);
    drain(session);
  },
});
Deno.bench({
  name: "50 stanzas down",
  group: "WebSocket",
  fn() {
    session.deliver(0, fifty);
    drain(session);
  },
});

const stream = new C2sStream({
  opening: { to: "example.test", version: "1.0" },
  tls: "never",
  direct: false,
  limits: XML_LIMITS,
  timeout: 10_000,
  keepalive: 60_000,
});
stream.connected(0);
stream.receive(0, encoder.encode(streamHeader("1") + streamFeatures(MECHANISMS)));
drain(stream);
Deno.bench({
  name: "a payload up, one down",
  group: "stream",
  baseline: true,
  fn() {
    stream.send(BYTES);
    stream.receive(0, BYTES);
    drain(stream);
  },
});
Deno.bench({
  name: "50 stanzas down",
  group: "stream",
  fn() {
    stream.receive(0, FIFTY);
    drain(stream);
  },
});

function drain(machine: { poll(): { readonly type: string } | undefined }): void {
  for (let action; (action = machine.poll()) !== undefined;) {
    if (action.type === "ended") throw new Error("It has ended");
    sink = action;
  }
}

export { sink };
