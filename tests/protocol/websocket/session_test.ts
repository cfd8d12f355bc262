import assert from "node:assert/strict";
import {
  AUTH,
  Conversation,
  FRAMING,
  OPEN,
  open,
  OUR_CLOSE,
  OUR_OPEN,
  OUR_OPEN_FROM,
  SUCCESS,
} from "../../support/websocket_conversation.ts";

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
    [`<close xmlns='jabber:client'/>`, "invalid-namespace"],
    [`<s:open xmlns:s='http://etherx.jabber.org/streams' to='example.test'/>`, "invalid-namespace"],
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
    ["", "not-well-formed"],
    ["<?xml version='1.0'?>", "not-well-formed"],
    ["<?xml version='1.0'", "not-well-formed"],
    ["<?xml nonsense?><a/>", "not-well-formed"],
    ["<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "unsupported-encoding"],
    ["<?xml-stylesheet href='x'?><a/>", "restricted-xml"],
    ["<?xml version='1.0'?>x<a/>", "bad-format"],
    ["<a/>x", "not-well-formed"],
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
  talk.client(" ");
  talk.client("<?xml version='1.0'?><presence/> ");
  assert.deepEqual(talk.take(), ["send <presence/>"]);
});

Deno.test("X-006 starttls is answered, not forwarded", () => {
  const talk = open();
  talk.client("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  assert.deepEqual(talk.take(), ["message <failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"]);
});

Deno.test("W-038 a client that asks for TLS again and again is not answered for ever", () => {
  const talk = open();
  for (let i = 0; i < 11; i++) talk.client("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  const lines = talk.take();
  assert.equal(lines.filter((line) => line.includes("<failure ")).length, 10);
  assert.match(lines[10]!, /<policy-violation /);
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

Deno.test("W-019 a version beyond 1.0 is answered with 1.0", () => {
  const talk = new Conversation();
  talk.client(`<open ${FRAMING} to='example.test' version='1.23456'/>`);
  assert.match(talk.take()[0]!, /^open .*"version":"1.0"/);
});

Deno.test("W-022 a whole login may be sent before the first answer: each <open/> gets its own", () => {
  const talk = new Conversation();
  const named = OPEN.replace("version", "from='a@example.test' version");
  talk.client(OPEN);
  talk.client(AUTH);
  talk.client(named);
  talk.client("<iq/>");
  assert.deepEqual(talk.take().slice(1), [`send ${AUTH}`, "restart", "send <iq/>"]);
  talk.opened("s1");
  talk.server("<stream:features/>" + SUCCESS);
  talk.opened("s2");
  const said = talk.take().map((line) => line.replace(/ xmlns(:\w+)?='[^']*'/g, ""));
  assert.deepEqual(said, [
    `message <open from='example.test' id='s1' xml:lang='en' version="1.0"/>`,
    "message <stream:features/>",
    "message <success/>",
    `message <open from='example.test' id='s2' to='a@example.test' xml:lang='en' version="1.0"/>`,
  ]);
});

Deno.test("W-018 W-022 what fails while a restart is unanswered comes after an <open/> of ours", () => {
  const talk = open();
  talk.client(AUTH);
  talk.client(OPEN);
  talk.take();
  talk.session.streamEnded(0, { type: "connection-failed", reason: "lost" });
  const [opened, error, close] = talk.take();
  assert.equal(opened, OUR_OPEN_FROM);
  assert.match(error!, /<remote-connection-failed /);
  assert.equal(close, OUR_CLOSE);
});

Deno.test("W-025 an authentication that failed, or was taken back, lets nobody open again", () => {
  const failed = open();
  failed.client(AUTH);
  failed.server("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
  failed.take();
  failed.client(OPEN);
  assert.match(failed.take()[0]!, /<policy-violation /);
  const aborted = open();
  aborted.client("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  aborted.take();
  aborted.client(OPEN);
  assert.match(aborted.take()[0]!, /<policy-violation /);
  const again = open();
  again.client(AUTH);
  again.client(OPEN);
  again.server(SUCCESS);
  again.opened("s2");
  again.take();
  again.client(OPEN);
  assert.match(again.take()[0]!, /<policy-violation /, "one restart for one authentication");
});

Deno.test("W-024 W-025 a second attempt that was sent before the first had failed counts when it succeeds", () => {
  const talk = open();
  talk.client(AUTH);
  talk.client("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  talk.client(AUTH);
  talk.server("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/></failure>");
  talk.server(SUCCESS);
  talk.take();
  talk.client(OPEN);
  assert.deepEqual(talk.take(), ["restart"]);
  talk.opened("s2");
  talk.take();
  talk.client(OPEN);
  assert.match(talk.take()[0]!, /<policy-violation /);
});

Deno.test("W-025 <open/> again without authentication is a policy violation", () => {
  const talk = open();
  talk.client(OPEN);
  assert.match(talk.take()[0]!, /<policy-violation /);
});
