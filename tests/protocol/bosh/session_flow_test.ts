import assert from "node:assert/strict";
import { type BoshConversation, established } from "../../support/bosh_conversation.ts";

const MESSAGE = "<message/>";
const SENT = "send <message/>";

function flow(talk: BoshConversation, open: boolean, stream = "stream1"): string[] {
  talk.flow(open, stream);
  return talk.take();
}

Deno.test("B-060 B-106 while the upstream is backed up no request is answered for being too many, up to 'requests'", () => {
  const talk = established("wait='60' hold='1' ver='1.6'");
  talk.client("rid='11'");
  assert.deepEqual(flow(talk, false), []);
  talk.client("rid='12'", MESSAGE);
  assert.deepEqual(talk.take(), [SENT], "the client has two under way, and may have no more");
  // One that sends all the same is stopped by what may wait, and by nothing else.
  talk.client("rid='13'", MESSAGE);
  assert.deepEqual(talk.take(), [SENT, "answer 1: <body/>"]);
  assert.deepEqual(flow(talk, true), ["answer 2: <body/>"]);
  talk.client("rid='14'", MESSAGE);
  assert.deepEqual(talk.take(), [SENT, "answer 3: <body/>"]);
});

Deno.test("B-063 B-106 requests that a backed-up upstream keeps are answered when their wait is over", () => {
  const talk = established("wait='20' hold='1' ver='1.6'");
  flow(talk, false);
  talk.client("rid='11'");
  talk.wait(5);
  talk.client("rid='12'", MESSAGE);
  talk.take();
  talk.wait(15);
  assert.deepEqual(talk.take(), ["answer 1: <body/>"]);
  talk.wait(5);
  assert.deepEqual(talk.take(), ["answer 2: <body/>"]);
});

Deno.test("B-106 what comes down is delivered, though the upstream takes nothing", () => {
  const talk = established("wait='60' hold='1' ver='1.6'");
  flow(talk, false);
  talk.client("rid='11'");
  talk.client("rid='12'", MESSAGE);
  talk.take();
  talk.server("<message id='1'/>");
  talk.server("<message id='2'/>");
  talk.server("<message id='3'/>");
  assert.deepEqual(talk.take(), [
    "answer 1: <body><message xmlns='jabber:client' id='1'/></body>",
    "answer 2: <body><message xmlns='jabber:client' id='2'/></body>",
  ]);
  assert.deepEqual(flow(talk, true), []);
  talk.client("rid='13'");
  assert.deepEqual(talk.take(), [
    "answer 3: <body><message xmlns='jabber:client' id='3'/></body>",
  ]);
});

Deno.test("B-080 B-093 X-013 B-106 restart, pause and terminate are heeded though the upstream takes nothing", () => {
  const restarting = established("wait='60' hold='1' ver='1.6'");
  flow(restarting, false);
  restarting.client("rid='11'", MESSAGE);
  restarting.client("rid='12' xmpp:restart='true'");
  assert.deepEqual(restarting.take(), [SENT, "answer 1: <body/>", "restart"]);

  const pausing = established("wait='60' hold='1' ver='1.6'");
  flow(pausing, false);
  pausing.client("rid='11'");
  pausing.client("rid='12'", MESSAGE);
  pausing.client("rid='13' pause='60'");
  assert.deepEqual(pausing.take(), [SENT, ...[1, 2, 3].map((id) => `answer ${id}: <body/>`)]);

  const leaving = established("wait='60' hold='1' ver='1.6'");
  flow(leaving, false);
  leaving.client("rid='11'");
  leaving.client("rid='12'", MESSAGE);
  leaving.client("rid='13' type='terminate'");
  assert.deepEqual(leaving.take(), [
    SENT,
    "answer 1: <body type='terminate'/>",
    "answer 2: <body/>",
    "answer 3: <body/>",
    "close",
    "ended well: the client ended the session",
  ]);
});

Deno.test("B-084 B-106 strict: who has more under way by our doing is not too active for it", () => {
  const talk = established("wait='60' hold='1' ver='1.6'", { strict: true });
  flow(talk, false);
  talk.client("rid='11'", MESSAGE);
  talk.client("rid='12'", MESSAGE);
  talk.server("<message/>");
  talk.take();
  talk.client("rid='13'", MESSAGE);
  assert.deepEqual(talk.take(), [SENT]);
});

Deno.test("B-012 B-090 B-106 who polls is answered at once, and gets its features all the same", () => {
  const talk = established("wait='60' hold='0' ver='1.6'");
  flow(talk, false);
  talk.client("rid='11'", MESSAGE);
  assert.deepEqual(talk.take(), [SENT, "answer 1: <body/>"]);
  assert.deepEqual(flow(talk, true), []);
});

Deno.test("B-106 the creation response waits for its features, though its upstream was backed up", () => {
  for (const hold of [0, 1]) {
    const talk = established(`wait='60' hold='${hold}' ver='1.6'`, { maxStreams: 3 });
    talk.client("rid='11' to='second.test'");
    talk.take();
    flow(talk, false, "stream2");
    assert.deepEqual(flow(talk, true, "stream2"), []);
    talk.opened("s2", "stream2");
    talk.server("<stream:features/>", "stream2");
    const answers = talk.take();
    assert.equal(answers.length, hold === 0 ? 0 : 1, "who polls has been answered before");
  }
});

Deno.test("B-113 B-106 of several upstreams one that is backed up is enough, until it is over", () => {
  const talk = established("wait='60' hold='1' ver='1.6'", { maxStreams: 3 });
  talk.client("rid='11' to='second.test'");
  talk.opened("s2", "stream2");
  talk.server("<stream:features/>", "stream2");
  flow(talk, false, "stream2");
  flow(talk, true);
  talk.client("rid='12'");
  talk.client("rid='13' stream='stream1'", MESSAGE);
  assert.deepEqual(talk.take(), [SENT]);
  talk.serverEnds({ type: "closed" }, "stream2");
  const [first, second] = talk.take();
  assert.equal(first, "answer 2: <body/>");
  assert.match(second!, /^answer 3: <body [^>]*type='terminate' stream='stream2'/);
});

Deno.test("B-106 more than may wait for the upstream ends the session; both directions are accounted for", () => {
  const talk = established("wait='60' hold='1' ver='1.6'");
  talk.client("rid='11' pause='60'");
  talk.server("<message/>");
  talk.take();
  talk.congested();
  assert.deepEqual(talk.take(), [
    "undelivered 1",
    "drop",
    "ended policy-violation: the XMPP server does not read what the client sends (limits.queued_bytes)",
  ]);
});

Deno.test("B-060 B-106 an upstream that drains while its clients have left keeps nobody who comes back", () => {
  const talk = established("wait='60' hold='1' ver='1.6'");
  flow(talk, false);
  talk.leaves(talk.client("rid='11'"));
  talk.leaves(talk.client("rid='12'", MESSAGE));
  talk.take();
  assert.deepEqual(flow(talk, true), []);
  talk.client("rid='11'");
  assert.deepEqual(talk.take(), ["answer 3: <body/>"]);
  talk.client("rid='12'", MESSAGE);
  assert.deepEqual(talk.take(), []);
});
