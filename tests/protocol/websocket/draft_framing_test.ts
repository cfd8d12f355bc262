import assert from "node:assert/strict";
import {
  AUTH,
  CLOSE,
  Conversation,
  OPEN,
  open,
  OUR_CLOSE,
  START_TAG,
  SUCCESS,
} from "../../support/websocket_conversation.ts";

const EMPTY_TAG = START_TAG.replace(/>$/, "/>");
const NAMESPACES = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";

Deno.test("W-017 the older framing: start tags, stanzas, a restart, the end tag", () => {
  const talk = new Conversation();
  talk.client(START_TAG);
  assert.deepEqual(talk.take(), ['open {"to":"example.test","version":"1.0"}']);
  talk.opened("s1");
  talk.server("<stream:features/>");
  assert.deepEqual(talk.take(), [
    `message <stream:stream ${NAMESPACES} from='example.test' id='s1' xml:lang='en' version='1.0'>`,
    `message <stream:features ${NAMESPACES}/>`,
  ]);
  talk.client(AUTH);
  talk.server(SUCCESS);
  talk.client(START_TAG);
  talk.opened("s2");
  talk.client("<presence/>");
  assert.deepEqual(talk.take(), [
    `send ${AUTH}`,
    `message ${SUCCESS}`,
    "restart",
    `message <stream:stream ${NAMESPACES} from='example.test' id='s2' xml:lang='en' version='1.0'>`,
    "send <presence/>",
  ]);
  talk.client("</stream:stream>");
  assert.deepEqual(talk.take(), ["close stream"]);
  talk.server("<message/>");
  talk.session.streamEnded(0, { type: "closed" });
  assert.deepEqual(talk.take(), [
    "message <message xmlns='jabber:client'/>",
    "message </stream:stream>",
  ]);
});

Deno.test("W-017 a start tag may have a declaration before it, close itself, or be closed at once", () => {
  for (
    const [given, answered] of [
      [`<?xml version='1.0'?>${START_TAG}`, /[^/]>$/],
      [`<?xml version="1.0" encoding="UTF-8"?>\n${START_TAG}\n`, /[^/]>$/],
      [EMPTY_TAG, /\/>$/],
      [`${START_TAG}</stream:stream>`, /\/>$/],
      [START_TAG.replace(" xmlns='jabber:client'", ""), /[^/]>$/],
    ] as const
  ) {
    const talk = new Conversation();
    talk.client(given);
    talk.opened("s1");
    const [opened, answer] = talk.take();
    assert.match(opened!, /^open /, given);
    assert.match(answer!, answered, given);
  }
});

Deno.test("W-017 W-019 what is wrong with a start tag is said by the stream error's name", () => {
  const cases: [string, string][] = [
    [START_TAG.replace("jabber:client", "jabber:server"), "invalid-namespace"],
    [START_TAG.replace("etherx", "other"), "invalid-namespace"],
    [START_TAG.replace("example.test", "unknown.test"), "host-unknown"],
    [START_TAG.replace(" to='example.test'", ""), "improper-addressing"],
    [START_TAG.replace(" version='1.0'", ""), "unsupported-version"],
    [`${START_TAG}<presence/>`, "not-well-formed"],
    [`${EMPTY_TAG}<presence/>`, "not-well-formed"],
    [`${START_TAG}x`, "not-well-formed"],
    [START_TAG.slice(0, -1), "not-well-formed"],
    ["<stream:stream>", "not-well-formed"],
  ];
  for (const [given, condition] of cases) {
    const talk = new Conversation();
    talk.client(given);
    assert.match(talk.take()[1]!, new RegExp(`^message <stream:error [^>]*><${condition} `), given);
  }
});

Deno.test("W-017 W-018 errors of the older framing come between a start tag and an end tag", () => {
  const talk = new Conversation();
  talk.client(START_TAG.replace("example.test", "unknown.test"));
  const [opened, error, closed] = talk.take();
  assert.equal(
    opened,
    `message <stream:stream ${NAMESPACES} id='own-1' xml:lang='en' version='1.0'>`,
  );
  assert.match(error!, /^message <stream:error xmlns:stream='http:[^']*'><host-unknown /);
  assert.equal(closed, "message </stream:stream>");
  talk.wait(2);
  assert.equal(talk.take()[0], "close socket 1000");
});

Deno.test("W-017 the first message decides the framing, and it stays", () => {
  for (
    const [first, second, close] of [
      [OPEN, START_TAG, OUR_CLOSE],
      [OPEN, "</stream:stream>", OUR_CLOSE],
      [START_TAG, OPEN, "message </stream:stream>"],
      [START_TAG, CLOSE, "message </stream:stream>"],
    ] as const
  ) {
    const talk = open({}, first);
    talk.client(second);
    const lines = talk.take();
    assert.match(lines[0]!, /<invalid-namespace /, second);
    assert.equal(lines.at(-1), close);
  }
});

Deno.test("W-017 W-002 a framing that is not allowed is refused by an RFC 7395 error", () => {
  const off = new Conversation({ framings: ["rfc7395"] });
  off.client(START_TAG);
  const [opened, error, close] = off.take();
  assert.match(opened!, /^message <open /);
  assert.match(error!, /<invalid-namespace /);
  assert.equal(close, OUR_CLOSE);
  const ended = new Conversation({ framings: ["rfc7395"] });
  ended.client("</stream:stream>");
  assert.match(ended.take()[1]!, /<invalid-namespace /);

  const unasked = new Conversation({ framings: ["draft"] });
  unasked.client(OPEN);
  const [answer, violation, closed] = unasked.take();
  assert.match(answer!, /^message <open /);
  assert.match(violation!, /<policy-violation .*subprotocol/);
  assert.equal(closed, OUR_CLOSE);
});

Deno.test("W-014 W-017 without a subprotocol, what is no start tag is answered in the older framing", () => {
  const talk = new Conversation({ framings: ["draft"] });
  talk.client("<presence/>");
  const [opened, error, closed] = talk.take();
  assert.match(opened!, /^message <stream:stream /);
  assert.match(error!, /<not-authorized /);
  assert.equal(closed, "message </stream:stream>");
  const quits = new Conversation();
  quits.client("</stream:stream>");
  assert.deepEqual(quits.take(), ["message </stream:stream>"]);
});
