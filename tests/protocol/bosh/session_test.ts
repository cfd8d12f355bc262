import assert from "node:assert/strict";
import { BoshConversation, established, payloadsOf } from "../../support/bosh_conversation.ts";

const FEATURES = "<stream:features xmlns='jabber:client'/>";

Deno.test("B-047 B-048 B-052 B-053 X-009 X-010 X-012 the creation response waits for features and carries what was granted", () => {
  const talk = new BoshConversation("wait='600' hold='5' ver='1.6' xml:lang='de'");
  assert.deepEqual(talk.take(), ['open {"to":"example.test","version":"1.0","lang":"de"}']);
  talk.opened("s-1");
  assert.deepEqual(talk.take(), []);
  talk.server("<stream:features/>");
  assert.deepEqual(talk.take(), [
    "answer 0: <body xmlns:stream='http://etherx.jabber.org/streams' sid='SID' wait='60' requests='3' " +
    "hold='2' ver='1.6' polling='5' inactivity='30' maxpause='120' xmlns:xmpp='urn:xmpp:xbosh' " +
    `xmpp:restartlogic='true' from='example.test' authid='s-1' xmpp:version='1.0'>${FEATURES}</body>`,
  ]);
  talk.client("rid='11'");
  talk.server("<message/>");
  assert.deepEqual(talk.take(), ["answer 1: <body><message xmlns='jabber:client'/></body>"]);
});

Deno.test("B-049 ver is the lower of both, compared as numbers", () => {
  for (
    const [theirs, ours] of [["1.6", "1.6"], ["1.10", "1.10"], ["1.12", "1.11"], ["2.0", "1.11"]]
  ) {
    assert.equal(new BoshConversation(`ver='${theirs}'`).session.granted.ver, ours);
  }
});

Deno.test("B-053 X-011 B-051 late features come with version, from and authid, once", () => {
  const talk = new BoshConversation("wait='60' hold='1' ver='1.6'");
  talk.take();
  talk.wait(10);
  const [created] = talk.take();
  assert.match(created!, /^answer 0: <body sid='SID' wait='60' [^>]*xmpp:restartlogic='true'\/>$/);
  assert.doesNotMatch(created!, /authid|xmpp:version|from=/);
  talk.client("rid='11'");
  talk.opened("s-1");
  talk.server("<stream:features/>");
  assert.deepEqual(talk.take(), [
    "answer 1: <body xmlns:stream='http://etherx.jabber.org/streams' from='example.test' " +
    `authid='s-1' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'>${FEATURES}</body>`,
  ]);
  talk.client("rid='12'");
  talk.server("<stream:features/>");
  assert.deepEqual(talk.take(), [
    `answer 2: <body xmlns:stream='http://etherx.jabber.org/streams'>${FEATURES}</body>`,
  ]);
});

Deno.test("X-001 the wrapper declares the prefix of features that declare it themselves", () => {
  const talk = established();
  talk.client("rid='11'");
  talk.server("<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>");
  assert.deepEqual(talk.take(), [
    "answer 1: <body xmlns:stream='http://etherx.jabber.org/streams'><stream:features " +
    "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'/></body>",
  ]);
});

Deno.test("B-054 with wait 0 the creation response leaves at once", () => {
  const talk = new BoshConversation("wait='0' ver='1.6'");
  assert.match(talk.take()[1]!, /^answer 0: <body sid='SID' wait='0' requests='2' hold='1'/);
});

Deno.test("B-043 payloads of the creation request go upstream behind the opening", () => {
  const talk = new BoshConversation("ver='1.6'", {}, {
    content: "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
  });
  assert.deepEqual(talk.take().slice(1), ["send <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"]);
});

Deno.test("B-055 a polling session is granted more inactivity than others, by more than polling", () => {
  assert.equal(new BoshConversation("hold='0'").session.granted.inactivity, 40_000);
  assert.equal(new BoshConversation("hold='1'").session.granted.inactivity, 30_000);
});

Deno.test("B-056 B-057 B-065 requests are processed and answered in rid order, whatever the order of arrival", () => {
  const talk = established();
  talk.client("rid='12'", "<message id='b'/>");
  talk.server("<message id='from-server'/>");
  assert.deepEqual(talk.take(), [], "a request behind a gap carries nothing");
  talk.client("rid='11'", "<message id='a'/>");
  assert.deepEqual(talk.take(), [
    "send <message id='a'/>",
    "answer 2: <body><message xmlns='jabber:client' id='from-server'/></body>",
    "send <message id='b'/>",
  ]);
});

Deno.test("B-059 an empty answer leaves just before the wait is over", () => {
  const talk = established();
  talk.client("rid='11'");
  talk.wait(59.5);
  assert.deepEqual(talk.take(), []);
  talk.wait(0.5);
  assert.deepEqual(talk.take(), ["answer 1: <body/>"]);
});

Deno.test("B-060 no more than hold requests stay held: the oldest is answered", () => {
  const talk = established();
  talk.client("rid='11'");
  assert.deepEqual(talk.take(), []);
  talk.client("rid='12'", "<message/>");
  assert.deepEqual(talk.take(), ["send <message/>", "answer 1: <body/>"]);
});

Deno.test("B-060 with hold 2 the third request releases the first", () => {
  const talk = established("wait='60' hold='2' ver='1.6'");
  talk.client("rid='11'");
  talk.client("rid='12'");
  assert.deepEqual(talk.take(), []);
  talk.client("rid='13'");
  assert.deepEqual(talk.take(), ["answer 1: <body/>"]);
});

Deno.test("B-061 B-062 what comes down goes to the oldest held request, or waits for the next", () => {
  const talk = established();
  talk.server("<message id='1'/><message id='2'/>");
  talk.server("<message id='3'/>");
  assert.deepEqual(talk.take(), []);
  talk.client("rid='11'");
  assert.deepEqual(talk.take(), [
    "answer 1: <body><message xmlns='jabber:client' id='1'/>" +
    "<message xmlns='jabber:client' id='2'/><message xmlns='jabber:client' id='3'/></body>",
  ]);
});

Deno.test("B-063 a long queue goes out in several answers, in order", () => {
  const talk = established();
  const text = "x".repeat(150_000);
  for (const id of [1, 2, 3]) talk.server(`<message id='${id}'>${text}</message>`);
  talk.client("rid='11'");
  talk.client("rid='12'");
  const ids = talk.take().map((line) => [...line.matchAll(/id='(\d)'/g)].map((match) => match[1]));
  assert.deepEqual(ids, [["1", "2"], ["3"]]);
});

Deno.test("B-066 a gap that does not close within the inactivity period ends the session", () => {
  const talk = established();
  talk.wait(20);
  talk.client("rid='12'");
  talk.wait(29);
  assert.deepEqual(talk.take(), []);
  talk.wait(1);
  assert.deepEqual(talk.take(), [
    "answer 1: <body type='terminate' condition='item-not-found' message='no request from the client for 30 s'/>",
    "drop",
    "ended item-not-found: no request from the client for 30 s",
  ]);
});

Deno.test("B-068 what a lost request would have carried waits for its repetition", () => {
  const talk = established();
  talk.leaves(talk.client("rid='11'"));
  talk.server("<message/>");
  assert.deepEqual(talk.take(), []);
  talk.client("rid='11'");
  assert.deepEqual(talk.take(), ["answer 2: <body><message xmlns='jabber:client'/></body>"]);
});

Deno.test("B-068 or goes to the next request, and the lost one counts as answered empty", () => {
  const talk = established();
  talk.leaves(talk.client("rid='11'"));
  talk.server("<message/>");
  talk.client("rid='12'");
  assert.deepEqual(talk.take(), ["answer 2: <body><message xmlns='jabber:client'/></body>"]);
  talk.client("rid='11'");
  assert.deepEqual(talk.take(), ["answer 3: <body/>"]);
});

Deno.test("B-069 two payloads in two reads: the first goes to the first request, the second to the second", () => {
  const talk = established("wait='60' hold='2' ver='1.6'");
  talk.client("rid='11'");
  talk.client("rid='12'");
  talk.server("<message id='1'/>");
  assert.deepEqual(talk.take(), ["answer 1: <body><message xmlns='jabber:client' id='1'/></body>"]);
  talk.server("<message id='2'/>");
  assert.deepEqual(talk.take(), ["answer 2: <body><message xmlns='jabber:client' id='2'/></body>"]);
});

Deno.test("B-076 nothing held for the inactivity period: the upstream is dropped, silently", () => {
  const talk = established();
  talk.wait(29.9);
  assert.deepEqual(talk.take(), []);
  talk.wait(0.1);
  assert.deepEqual(talk.take(), [
    "drop",
    "ended item-not-found: no request from the client for 30 s",
  ]);
});

Deno.test("B-077 a held request is activity, and replacing it does not start the timer", () => {
  const talk = established();
  talk.client("rid='11'");
  talk.wait(50);
  talk.client("rid='12'");
  talk.wait(50);
  assert.deepEqual(talk.take(), ["answer 1: <body/>"]);
});

Deno.test("B-078 a held request whose client left is not held from then on", () => {
  const talk = established();
  const held = talk.client("rid='11'");
  talk.wait(40);
  talk.leaves(held);
  talk.wait(29);
  assert.deepEqual(talk.take(), []);
  talk.wait(1);
  assert.equal(talk.take().length, 2);
});

Deno.test("B-088 a session with hold 0 or wait 0 is answered at once", () => {
  for (const attributes of ["hold='0' wait='60'", "hold='1' wait='0'"]) {
    const talk = established(attributes);
    // With wait 0 the features were not there in time: the first poll brings them.
    talk.client("rid='11'");
    assert.equal(talk.take().length, 1);
    talk.wait(5);
    talk.client("rid='12'");
    assert.deepEqual(talk.take(), ["answer 2: <body/>"]);
    talk.server("<message/>");
    talk.wait(5);
    talk.client("rid='13'");
    assert.deepEqual(talk.take(), ["answer 3: <body><message xmlns='jabber:client'/></body>"]);
  }
});

Deno.test("B-092 B-093 terminate forwards its payloads, closes the stream, and is told to the oldest request", () => {
  const talk = established();
  talk.client("rid='11'");
  talk.client("rid='12' type='terminate'", "<presence type='unavailable'/>");
  assert.deepEqual(talk.take(), [
    "send <presence type='unavailable'/>",
    "answer 1: <body type='terminate'/>",
    "answer 2: <body/>",
    "close",
    "ended well: the client ended the session",
  ]);
});

Deno.test("B-093 B-095 X-020 a terminate alone is the oldest, takes nothing that was queued, and may be misspelt", () => {
  const talk = established();
  talk.server("<message from='a@b' id='m'/>");
  talk.client("rid='11' type='terminal'");
  assert.deepEqual(talk.take(), [
    "answer 1: <body type='terminate'/>",
    "undelivered 1",
    "send <message xmlns='jabber:client' type='error' id='m' to='a@b'>" +
    "<error type='wait'><recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
    "close",
    "ended well: the client ended the session",
  ]);
});

Deno.test("B-095 who has ended the session misses no presence and nothing that is no stanza", () => {
  const talk = established();
  talk.server("<presence from='a@b' type='unavailable'/><r xmlns='urn:xmpp:sm:3'/>");
  talk.client("rid='11' type='terminate'");
  assert.deepEqual(talk.take(), [
    "answer 1: <body type='terminate'/>",
    "close",
    "ended well: the client ended the session",
  ]);
});

Deno.test("B-094 a terminate behind a gap waits for the request before it", () => {
  const talk = established();
  talk.client("rid='12' type='terminate'");
  assert.deepEqual(talk.take(), []);
  talk.client("rid='11'", "<message/>");
  assert.deepEqual(talk.take(), [
    "send <message/>",
    "answer 2: <body type='terminate'/>",
    "answer 1: <body/>",
    "close",
    "ended well: the client ended the session",
  ]);
});

Deno.test("B-096 X-015 X-016 what the server said last is kept until the client asks, stanzas first", () => {
  const talk = established();
  const [error] = payloadsOf(
    "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
      "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>Replaced &amp; gone</text></stream:error>",
  );
  talk.server("<message/>");
  talk.serverEnds({ type: "stream-error", error: error! });
  assert.deepEqual(talk.take(), []);
  talk.wait(29);
  talk.client("rid='11'");
  talk.client("rid='12'");
  assert.deepEqual(talk.take(), [
    "answer 1: <body><message xmlns='jabber:client'/></body>",
    "answer 2: <body xmlns:stream='http://etherx.jabber.org/streams' type='terminate' " +
    "condition='remote-stream-error' " +
    "message='the XMPP server closed the stream: conflict, Replaced &amp; gone'>" +
    "<stream:error xmlns='jabber:client'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
    "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>Replaced &amp; gone</text></stream:error></body>",
    "ended remote-stream-error: the XMPP server closed the stream: conflict, Replaced & gone",
  ]);
});

Deno.test("B-119 an upstream that cannot be reached is told to the creation request", () => {
  const talk = new BoshConversation();
  talk.take();
  talk.serverEnds({ type: "connection-failed", reason: "connection refused by 127.0.0.1:5222" });
  assert.deepEqual(talk.take(), [
    "answer 0: <body type='terminate' condition='remote-connection-failed' " +
    "message='connection refused by 127.0.0.1:5222'/>",
    "ended remote-connection-failed: connection refused by 127.0.0.1:5222",
  ]);
});

Deno.test("B-124 when the upstream is lost, the oldest request is told, and no other is forgotten", () => {
  const talk = established("wait='60' hold='2' ver='1.6'");
  talk.client("rid='11'");
  talk.client("rid='12'");
  talk.client("rid='14'");
  talk.serverEnds({ type: "connection-failed", reason: "gone" });
  const body = "<body type='terminate' condition='remote-connection-failed' message='gone'/>";
  assert.deepEqual(talk.take(), [
    `answer 1: ${body}`,
    `answer 2: ${body}`,
    `answer 3: ${body}`,
    "ended remote-connection-failed: gone",
  ]);
});

Deno.test("B-097 B-098 an answered rid gets the same bytes again, and its payloads are not sent again", () => {
  const talk = established();
  talk.client("rid='11'", "<message id='up'/>");
  talk.server("<message id='down'/>");
  talk.server("<message id='queued'/>");
  const [, answer] = talk.take();
  talk.client("rid='11'", "<message id='other'/>");
  assert.deepEqual(talk.take(), [answer!.replace("answer 1", "answer 2")]);
});

Deno.test("B-068 B-099 a held rid that is repeated is answered on all its connections at first: nobody can know yet which one the client reads", () => {
  const talk = established();
  talk.client("rid='11'", "<message/>");
  talk.take();
  const late = talk.client("rid='11'", "<message/>");
  talk.client("rid='11'", "<message/>");
  assert.deepEqual(talk.take(), []);
  talk.leaves(late);
  talk.server("<message/>");
  const message = "<body><message xmlns='jabber:client'/></body>";
  assert.deepEqual(talk.take(), [`answer 1: ${message}`, `answer 3: ${message}`]);
});

Deno.test("B-099 half a second later the older connection is let go with an empty body, and the new one has its place", () => {
  const talk = established();
  talk.client("rid='11'", "<message/>");
  talk.take();
  talk.client("rid='11'", "<message/>");
  talk.wait(0.499);
  assert.deepEqual(talk.take(), []);
  talk.wait(0.001);
  assert.deepEqual(talk.take(), ["answer 1: <body/>"]);
  talk.server("<message/>");
  assert.deepEqual(talk.take(), ["answer 2: <body><message xmlns='jabber:client'/></body>"]);
});

Deno.test("B-068 B-099 a held rid is given data as long as one of its connections is there", () => {
  const talk = established();
  const first = talk.client("rid='11'");
  talk.client("rid='11'");
  const third = talk.client("rid='11'");
  talk.leaves(third);
  talk.leaves(first);
  talk.server("<message/>");
  assert.deepEqual(talk.take(), ["answer 2: <body><message xmlns='jabber:client'/></body>"]);
});

Deno.test("B-099 so has one that waits behind a gap; the first body counts", () => {
  const talk = established();
  talk.client("rid='12'", "<message id='first'/>");
  talk.client("rid='12'", "<message id='second'/>");
  assert.deepEqual(talk.take(), []);
  talk.client("rid='11'");
  assert.deepEqual(talk.take(), ["send <message id='first'/>", "answer 3: <body/>"]);
  talk.client("rid='13'");
  assert.deepEqual(talk.take(), ["answer 1: <body/>", "answer 2: <body/>"]);
});

Deno.test("B-087 B-099 nor may one that waits behind a gap be repeated without a rest", () => {
  const talk = established();
  for (let i = 0; i < 12; i++) talk.client("rid='12'", "<message/>");
  assert.ok(talk.take().some((line) => line.startsWith("ended policy-violation: it repeats")));
});

Deno.test("B-099 B-101 a request that ends the session when its turn has come is told why on all its connections", () => {
  const talk = established();
  for (let i = 0; i < 2; i++) talk.client("rid='12' pause='1000'");
  talk.client("rid='11'");
  const told = talk.take().filter((line) => line.includes("condition='policy-violation'"));
  assert.deepEqual(told.map((line) => line.slice(0, 8)), ["answer 1", "answer 2"]);
});

Deno.test("B-100 a rid whose answer is gone ends the session", () => {
  const talk = established();
  for (const rid of [11, 12, 13]) talk.client(`rid='${rid}'`);
  talk.take();
  talk.client("rid='10'");
  assert.deepEqual(talk.take(), [
    "answer 3: <body type='terminate' condition='other-request' message='another request ended the session'/>",
    "answer 4: <body type='terminate' condition='item-not-found' message='there is no such session or request'/>",
    "drop",
    "ended item-not-found: request 10 is outside the window",
  ]);
});

Deno.test("B-101 rids up to the window ahead are accepted, those beyond it end the session", () => {
  const talk = established();
  talk.client("rid='12'");
  assert.deepEqual(talk.take(), []);
  talk.client("rid='13'", "<message/>");
  const [, refusal, ...end] = talk.take();
  assert.match(refusal!, /^answer 2: .*condition='item-not-found'/);
  assert.deepEqual(end, ["drop", "ended item-not-found: request 13 is outside the window"]);
});

Deno.test("B-104 the creation rid with the sid repeats the creation response", () => {
  const talk = new BoshConversation();
  talk.opened();
  talk.server("<stream:features/>");
  const created = talk.take().at(-1)!;
  talk.client("rid='10'");
  assert.deepEqual(talk.take(), [created.replace("answer 0", "answer 1")]);
});

Deno.test("B-106 back-pressure: the upstream is not read while much is queued", () => {
  const talk = established("", { queuedBytes: 10_000 });
  talk.server(`<message>${"x".repeat(6_000)}</message>`);
  assert.deepEqual(talk.take(), ["flow closed"]);
  talk.client("rid='11'");
  assert.deepEqual(talk.take().map((line) => line.slice(0, 9)), ["flow open", "answer 1:"]);
});

Deno.test("B-106 more than a session may have queued ends it", () => {
  const talk = established("", { queuedBytes: 10_000 });
  talk.server(`<message>${"x".repeat(11_000)}</message>`);
  assert.deepEqual(talk.take(), [
    "undelivered 1",
    "drop",
    "ended policy-violation: too much is waiting for the client (limits.queued_bytes)",
  ]);
});

Deno.test("B-122 B-123 shutdown: whoever listens is told, the stream is closed in good order", () => {
  const talk = established();
  talk.client("rid='11'");
  talk.shutdown();
  const body = "<body type='terminate' condition='system-shutdown' " +
    "message='the connection manager is shutting down'/>";
  assert.deepEqual(talk.take(), [
    `answer 1: ${body}`,
    "close",
    "ended system-shutdown: the connection manager is shutting down",
  ]);
});

Deno.test("B-122 a client between two requests has a moment to ask, and loses nothing that was queued", () => {
  const body = "<body type='terminate' condition='system-shutdown' " +
    "message='the connection manager is shutting down'/>";
  const end = ["close", "ended system-shutdown: the connection manager is shutting down"];
  const talk = established();
  talk.server("<message/>");
  talk.shutdown();
  assert.deepEqual(talk.take(), []);
  talk.wait(1);
  talk.client("rid='11'");
  talk.client("rid='12'");
  assert.deepEqual(talk.take(), [
    "answer 1: <body><message xmlns='jabber:client'/></body>",
    `answer 2: ${body}`,
    ...end,
  ]);
  const quiet = established();
  quiet.shutdown();
  quiet.wait(1.9);
  assert.deepEqual(quiet.take(), []);
  quiet.wait(0.1);
  assert.deepEqual(quiet.take(), end);
});

Deno.test("X-002 X-004 stanzas get jabber:client, and prefixes of the stream header where they are used", () => {
  const talk = established();
  talk.client("rid='11'");
  talk.server("<message><db:x/></message><iq xmlns='jabber:client'/>");
  assert.deepEqual(talk.take(), [
    "answer 1: <body><message xmlns='jabber:client' xmlns:db='urn:db'><db:x/></message>" +
    "<iq xmlns='jabber:client'/></body>",
  ]);
});

Deno.test("X-006 starttls and compress are answered, not forwarded, and harm nothing", () => {
  const talk = established();
  talk.client(
    "rid='11'",
    "<message id='1'/><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" +
      "<compress xmlns='http://jabber.org/protocol/compress'/><message id='2'/>",
  );
  assert.deepEqual(talk.take(), [
    "send <message id='1'/><message id='2'/>",
    "answer 1: <body><failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" +
    "<failure xmlns='http://jabber.org/protocol/compress'><setup-failed/></failure></body>",
  ]);
});

Deno.test("X-013 X-014 X-017 a restart releases what is held, writes a header and gets the features", () => {
  const talk = established("wait='60' hold='2' ver='1.6'");
  talk.client("rid='11'");
  talk.client("rid='12' xmpp:restart='true' to='other.test'", "<iq/>");
  assert.deepEqual(talk.take(), ["answer 1: <body/>", "restart"]);
  talk.opened("stream-2");
  talk.server("<stream:features/>");
  assert.deepEqual(talk.take(), [
    `answer 2: <body xmlns:stream='http://etherx.jabber.org/streams'>${FEATURES}</body>`,
  ]);
});

Deno.test("a request for a session that has ended is answered item-not-found", () => {
  const talk = established();
  talk.client("rid='11' type='terminate'");
  talk.take();
  talk.client("rid='12'");
  assert.match(talk.take()[0]!, /^answer 2: .*condition='item-not-found'/);
});
