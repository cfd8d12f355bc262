import assert from "node:assert/strict";
import { payloadsOf, XML_LIMITS } from "../../support/bosh_conversation.ts";
import { readMessage } from "../../../src/protocol/websocket/framing.ts";
import {
  type DomainChoice,
  type WebSocketAction,
  WebSocketSession,
} from "../../../src/protocol/websocket/session.ts";
import { XmlTokenizer } from "../../../src/protocol/xml/tokenizer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const FRAMING = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'";
const OPEN = `<open ${FRAMING} to='example.test' version='1.0'/>`;
const CLOSE = `<close ${FRAMING}/>`;
const OUR_CLOSE = 'message <close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />';
const OUR_OPEN = `message <open ${FRAMING} version="1.0"/>`;
const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

Deno.test("W-014 W-015 W-016 <open/> opens the upstream; ours follows its header", () => {
  const talk = new Conversation();
  talk.client(
    `<open ${FRAMING} to='example.test' from='a@example.test' version='1.0' xml:lang='de'/>`,
  );
  assert.deepEqual(talk.take(), [
    'open {"to":"example.test","version":"1.0","from":"a@example.test","lang":"de"}',
  ]);
  talk.opened("s1");
  assert.deepEqual(talk.take(), [
    `message <open ${FRAMING} from='example.test' id='s1' to='a@example.test' xml:lang='en' version="1.0"/>`,
  ]);
});

Deno.test("W-015 no 'to' in ours without a 'from' in theirs", () => {
  const talk = new Conversation();
  talk.client(OPEN);
  talk.opened("s1");
  assert.doesNotMatch(talk.take()[1]!, / to=/);
});

Deno.test("W-006 W-007 each payload is one message that stands alone", () => {
  const talk = open();
  talk.server("<stream:features><x/></stream:features><message><db:x/></message>");
  assert.deepEqual(talk.take(), [
    "message <stream:features xmlns='jabber:client' " +
    "xmlns:stream='http://etherx.jabber.org/streams'><x/></stream:features>",
    "message <message xmlns='jabber:client' xmlns:db='urn:db'><db:x/></message>",
  ]);
});

Deno.test("W-013 W-022 client payloads go up in order, before the upstream is ready too", () => {
  const talk = new Conversation();
  talk.client(OPEN);
  talk.client(AUTH);
  talk.client("<presence/>");
  assert.deepEqual(talk.take().slice(1), [`send ${AUTH}`, "send <presence/>"]);
});

Deno.test("W-014 W-018 a first message that is not <open/> gets <open/>, an error, <close/>", () => {
  const talk = new Conversation();
  talk.client("<presence/>");
  const [opened, error, close] = talk.take();
  assert.equal(opened, OUR_OPEN);
  assert.match(error!, /^message <stream:error xmlns:stream='[^']+'><not-authorized xmlns='urn:/);
  assert.equal(close, OUR_CLOSE);
  talk.wait(2);
  assert.deepEqual(talk.take(), [
    "close socket 1000",
    "ended not-authorized: the first message must be <open/>",
  ]);
});

Deno.test("W-017 W-019 what is wrong with an <open/> is said by the stream error's name", () => {
  const cases: [string, string][] = [
    ["<open xmlns='jabber:client' to='example.test' version='1.0'/>", "invalid-namespace"],
    ["<open to='example.test' version='1.0'/>", "invalid-namespace"],
    [`<open ${FRAMING} to='unknown.test' version='1.0'/>`, "host-unknown"],
    [`<open ${FRAMING} version='1.0'/>`, "improper-addressing"],
    [`<open ${FRAMING} to='example.test'/>`, "unsupported-version"],
    [`<open ${FRAMING} to='example.test' version='0.9'/>`, "unsupported-version"],
    [`<open ${FRAMING} to='example.test' version='x'/>`, "unsupported-version"],
  ];
  for (const [xml, condition] of cases) {
    const talk = new Conversation();
    talk.client(xml);
    const lines = talk.take();
    assert.match(lines[1]!, new RegExp(`^message <stream:error [^>]*><${condition} `), xml);
    assert.ok(!lines.some((line) => line.startsWith("open")), "no upstream was opened");
  }
});

Deno.test("W-008 W-010 what is wrong with a message is said by the stream error's name", () => {
  const cases: [string, string][] = [
    ["<a/><b/>", "not-well-formed"],
    ["<a>", "not-well-formed"],
    ["</a>", "not-well-formed"],
    [" <a/>", "bad-format"],
    ["x", "bad-format"],
    ["<a><!-- --></a>", "restricted-xml"],
    ["<a><?x y?></a>", "restricted-xml"],
    ["<!DOCTYPE a><a/>", "restricted-xml"],
    ["<a>&x;</a>", "restricted-xml"],
    ["<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>", "bad-format"],
    ["<a>".repeat(200) + "</a>".repeat(200), "policy-violation"],
  ];
  for (const [xml, condition] of cases) {
    const talk = open();
    talk.client(xml);
    const [error, ...rest] = talk.take();
    assert.match(error!, new RegExp(`^message <stream:error [^>]*><${condition} `), xml);
    assert.deepEqual(rest, ["close stream", OUR_CLOSE], "nothing was forwarded");
  }
});

Deno.test("W-008 W-009 white space alone is ignored; an XML declaration is removed", () => {
  const talk = open();
  talk.client("\n ");
  talk.client("");
  talk.client("<?xml version='1.0'?><presence/> ");
  assert.deepEqual(talk.take(), ["send <presence/>"]);
});

Deno.test("X-006 starttls is answered, not forwarded", () => {
  const talk = open();
  talk.client("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  assert.deepEqual(talk.take(), ["message <failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"]);
});

Deno.test("W-024 <open/> after authentication restarts the stream, with a new <open/> in answer", () => {
  const talk = open();
  talk.client(AUTH);
  talk.client(OPEN);
  talk.server("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  talk.opened("s2");
  assert.deepEqual(talk.take(), [
    `send ${AUTH}`,
    "restart",
    "message <success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    `message <open ${FRAMING} from='example.test' id='s2' xml:lang='en' version="1.0"/>`,
  ]);
});

Deno.test("W-025 <open/> again without authentication is a policy violation", () => {
  const talk = open();
  talk.client(OPEN);
  assert.match(talk.take()[0]!, /<policy-violation /);
});

Deno.test("W-026 after the client's <close/> what the upstream still says is forwarded", () => {
  const talk = open();
  talk.client(CLOSE);
  assert.deepEqual(talk.take(), ["close stream"]);
  talk.server("<message/>");
  talk.session.streamEnded(talk.now, { type: "closed" });
  assert.deepEqual(talk.take(), ["message <message xmlns='jabber:client'/>", OUR_CLOSE]);
  talk.session.socketClosed(talk.now);
  assert.deepEqual(talk.take(), ["ended well: the client ended the session"]);
});

Deno.test("W-026 an upstream that does not end, and a client that does not close, have two seconds each", () => {
  const talk = open();
  talk.client(CLOSE);
  talk.take();
  talk.wait(2);
  assert.deepEqual(talk.take(), [OUR_CLOSE]);
  talk.wait(2);
  assert.deepEqual(talk.take(), ["close socket 1000", "ended well: the client ended the session"]);
});

Deno.test("W-027 W-028 when the upstream ends, we send <close/> and wait for the client's", () => {
  const talk = open();
  talk.session.streamEnded(talk.now, { type: "closed" });
  assert.deepEqual(talk.take(), [OUR_CLOSE]);
  talk.client(CLOSE);
  assert.deepEqual(talk.take(), [
    "close socket 1000",
    "ended well: the XMPP server closed the stream",
  ]);
});

Deno.test("W-029 an upstream stream error is one message, then <close/>", () => {
  const talk = open();
  const [error] = payloadsOf(
    "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
  );
  talk.session.streamEnded(talk.now, { type: "stream-error", error: error! });
  assert.deepEqual(talk.take(), [
    "message <stream:error xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>" +
    "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    OUR_CLOSE,
  ]);
});

Deno.test("W-020 W-031 an upstream that cannot be reached or is lost is remote-connection-failed", () => {
  const opening = new Conversation();
  opening.client(OPEN);
  opening.take();
  opening.session.streamEnded(0, { type: "connection-failed", reason: "refused" });
  const [opened, error, close] = opening.take();
  assert.equal(opened, OUR_OPEN);
  assert.match(error!, /<remote-connection-failed .*refused/);
  assert.equal(close, OUR_CLOSE);
  const later = open();
  later.session.streamEnded(0, { type: "connection-failed", reason: "lost" });
  assert.match(later.take()[0]!, /<remote-connection-failed .*lost/);
});

Deno.test("W-030 a WebSocket that is lost drops the upstream without closing its stream", () => {
  const talk = open();
  talk.session.socketClosed(talk.now);
  assert.deepEqual(talk.take(), [
    "drop stream",
    "ended connection-lost: the client's connection was lost",
  ]);
});

Deno.test("W-005 W-012 W-033 what is refused outright closes the WebSocket with its own code", () => {
  const talk = open();
  talk.session.refuse(0, "bad-format", "only text messages", 1003);
  assert.deepEqual(talk.take().slice(1), [
    "close stream",
    OUR_CLOSE,
    "close socket 1003",
    "ended bad-format: only text messages",
  ]);
  const other = open();
  other.session.shutdown(0);
  assert.deepEqual(other.take().slice(1), [
    "close stream",
    OUR_CLOSE,
    "close socket 1001",
    "ended system-shutdown: the connection manager is shutting down",
  ]);
});

/** A conversation with one pure session; what it does is written down until `take`. */
class Conversation {
  now = 0;
  readonly session = new WebSocketSession(choose);
  readonly #tokenizer = new XmlTokenizer(XML_LIMITS);

  client(xml: string): void {
    this.session.message(this.now, readMessage(encoder.encode(xml), this.#tokenizer));
  }

  server(xml: string): void {
    this.session.deliver(this.now, payloadsOf(xml));
  }

  opened(id: string): void {
    this.session.streamOpened(this.now, { id, from: "example.test", lang: "en", version: "1.0" });
  }

  wait(seconds: number): void {
    this.now += seconds * 1000;
    this.session.handleTimeout(this.now);
  }

  take(): string[] {
    const lines: string[] = [];
    for (let action; (action = this.session.poll());) lines.push(describe(action));
    return lines;
  }
}

function open(): Conversation {
  const talk = new Conversation();
  talk.client(OPEN);
  talk.opened("s1");
  talk.take();
  return talk;
}

function choose(to: string | undefined): DomainChoice {
  if (to === "example.test") return { type: "served", domain: to };
  const condition = to === undefined ? "improper-addressing" : "host-unknown";
  return { type: "refused", condition, reason: "no" };
}

function describe(action: WebSocketAction): string {
  switch (action.type) {
    case "message":
      return `message ${decoder.decode(action.bytes)}`;
    case "open-stream":
      return `open ${JSON.stringify(action.opening)}`;
    case "restart-stream":
      return "restart";
    case "send":
      return `send ${decoder.decode(action.content)}`;
    case "close-stream":
      return action.clean ? "close stream" : "drop stream";
    case "close-socket":
      return `close socket ${action.code}`;
    case "ended":
      return `ended ${action.condition ?? "well"}: ${action.reason}`;
    default:
      return action satisfies never;
  }
}
