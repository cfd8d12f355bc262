import assert from "node:assert/strict";
import { BoshConversation, established } from "../../support/bosh_conversation.ts";

const MESSAGE = "<message xmlns='jabber:client'/>";
const LEGACY = "wait='60' hold='1'";

// ---- acknowledgements

Deno.test("B-070 B-071 acks: the creation response and those that answer an earlier rid carry one", () => {
  const talk = new BoshConversation("hold='1' ver='1.6' ack='1'");
  talk.opened();
  talk.server("<stream:features/>");
  assert.match(talk.take().at(-1)!, / ack='10'/);
  talk.client("rid='11'");
  talk.client("rid='12'");
  assert.deepEqual(talk.take(), ["answer 1: <body ack='12'/>"]);
  talk.server("<message/>");
  assert.deepEqual(talk.take(), [`answer 2: <body>${MESSAGE}</body>`]);
  talk.client("rid='13'");
  talk.client("rid='15'");
  talk.server("<message/>");
  assert.deepEqual(talk.take(), [`answer 3: <body>${MESSAGE}</body>`]);
});

Deno.test("B-040 B-070 only ack='1' switches acks on, and only where they are allowed", () => {
  for (
    const [attributes, limits] of [["ack='0'", {}], ["ack='yes'", {}], ["", {}], ["ack='1'", {
      acks: false,
    }]] as const
  ) {
    const talk = new BoshConversation(`hold='1' ver='1.6' ${attributes}`, limits);
    talk.opened();
    talk.server("<stream:features/>");
    talk.client("rid='11'");
    talk.client("rid='12'");
    for (const line of talk.take()) assert.doesNotMatch(line, / ack=/);
  }
});

Deno.test("B-072 acknowledged answers are forgotten, unacknowledged ones kept beyond the window", () => {
  const talk = established("hold='1' ver='1.6' ack='1'");
  for (let rid = 11; rid <= 20; rid++) talk.client(`rid='${rid}' ack='10'`);
  talk.take();
  talk.client("rid='12' ack='10'");
  assert.deepEqual(talk.take(), ["answer 11: <body ack='13'/>"]);
  talk.client("rid='21' ack='15'");
  talk.take();
  talk.client("rid='15'");
  assert.match(talk.take().at(-1)!, /^ended item-not-found/);
});

Deno.test("B-073 an ack for what was never answered, or that is no number, frees nothing", () => {
  for (const ack of ["999999999999", "x", "-1"]) {
    const talk = established("hold='1' ver='1.6' ack='1'");
    talk.client("rid='11'");
    talk.client(`rid='12' ack='${ack}'`);
    talk.take();
    talk.client("rid='11'");
    assert.deepEqual(talk.take(), ["answer 3: <body ack='12'/>"]);
  }
});

Deno.test("B-074 B-075 report: off by default; on, a stale ack is answered at once with what is missing", () => {
  for (const report of [false, true]) {
    const talk = established("hold='1' ver='1.6' ack='1'", { report });
    talk.client("rid='11' ack='10'");
    talk.server("<message/>");
    talk.take();
    talk.wait(2);
    talk.client("rid='12' ack='10'");
    assert.deepEqual(talk.take(), report ? ["answer 2: <body report='11' time='2000'/>"] : []);
  }
  const late = established("hold='1' ver='1.6' ack='1'", { report: true, inactivity: 100_000 });
  late.client("rid='11' ack='10'");
  late.server("<message/>");
  late.take();
  late.wait(70);
  late.client("rid='12' ack='10'");
  assert.deepEqual(late.take(), ["answer 2: <body report='11' time='65535'/>"]);
});

// ---- pauses

Deno.test("B-080 B-083 a pause answers everything at once, without payloads, and forwards its own", () => {
  const talk = established("hold='2' ver='1.6'");
  talk.client("rid='11'");
  talk.client("rid='12'");
  talk.client("rid='13' pause='60'", "<presence/>");
  assert.deepEqual(talk.take(), [
    "send <presence/>",
    "answer 1: <body/>",
    "answer 2: <body/>",
    "answer 3: <body/>",
  ]);
  talk.server("<message/>");
  assert.deepEqual(talk.take(), []);
  talk.client("rid='14'");
  assert.deepEqual(talk.take(), [`answer 4: <body>${MESSAGE}</body>`]);
});

Deno.test("B-081 B-103 the pause is the inactivity period until the next request; repeating it does not prolong it", () => {
  const long = established();
  long.client("rid='11' pause='60'");
  long.wait(59);
  long.client("rid='11' pause='60'");
  assert.deepEqual(long.take(), ["answer 1: <body/>", "answer 2: <body/>"]);
  long.wait(1);
  assert.match(long.take().at(-1)!, /^ended item-not-found: no request from the client for 60 s/);
  const short = established();
  short.client("rid='11' pause='5'");
  short.take();
  short.wait(5);
  assert.match(short.take().at(-1)!, /^ended/);
  const back = established();
  back.client("rid='11' pause='120'");
  back.wait(10);
  back.leaves(back.client("rid='12'"));
  back.take();
  back.wait(29);
  assert.deepEqual(back.take(), []);
  back.wait(1);
  assert.match(back.take().at(-1)!, /^ended/);
});

Deno.test("B-082 a pause that is too long, not offered or nonsense ends the session", () => {
  const cases: [string, number, string][] = [
    ["121", 120_000, "policy-violation"],
    ["1", 0, "policy-violation"],
    ["0", 120_000, "bad-request"],
    ["-1", 120_000, "bad-request"],
    ["x", 120_000, "bad-request"],
  ];
  for (const [pause, maxPause, condition] of cases) {
    const talk = established(undefined, { maxPause });
    talk.client(`rid='11' pause='${pause}'`);
    assert.match(talk.take()[0]!, new RegExp(`type='terminate' condition='${condition}'`), pause);
  }
});

Deno.test("B-050 maxpause is only offered where sessions may be paused", () => {
  const talk = new BoshConversation("wait='0'", { maxPause: 0 });
  assert.doesNotMatch(talk.take()[1]!, /maxpause/);
});

// ---- key sequences; the keys are those of the checklist's worked example

const FIRST = [
  "73bf0d68c92277b9cf236b45f442c58800dbe6b8",
  "86c29f97bff6748f2fb5b517ea64e935b202ea87",
  "07693a683565e74486456555ed01881fa11fcd49",
  "81915e5e54ff75e6fd96452dfc099b2f31c52d1c",
  "c2feed74b47e7b9e279ca7568de519aaf1a8194e",
];
const SECOND = [
  "e08d2a0b63870752166427548e45d8ac1ebb7caf",
  "e5235a0b82f20087aefb02c4e6704162b05d5c96",
  "387849440c8f4487301b4f9af620309bf66a7f93",
];

Deno.test("B-107 B-109 keys: each hashes to the one before, and a sequence hands over to the next", () => {
  const talk = established(`hold='1' ver='1.6' newkey='${FIRST[4]}'`);
  talk.client(`rid='11' key='${FIRST[3]}'`, "<a/>");
  talk.client(`rid='12' key='${FIRST[2]}'`, "<b/>");
  talk.client(`rid='13' key='${FIRST[1]}'`, "<c/>");
  talk.client(`rid='14' key='${FIRST[0]}' newkey='${SECOND[2]}'`, "<d/>");
  talk.client(`rid='15' key='${SECOND[1]}'`, "<e/>");
  talk.client(`rid='16' key='${SECOND[0]}'`, "<f/>");
  const sent = talk.take().filter((line) => line.startsWith("send"));
  assert.deepEqual(
    sent,
    ["<a/>", "<b/>", "<c/>", "<d/>", "<e/>", "<f/>"].map((xml) => `send ${xml}`),
  );
});

Deno.test("B-107 upper case is hashed as it came and compared in either case", () => {
  const talk = established("hold='1' ver='1.6' newkey='456F61CEB0D61C788121DAA5C69BE989DADE9EDC'");
  talk.client("rid='11' key='577E2ADC6036FB33271BEEB573347AAC113141EA'", "<a/>");
  talk.client("rid='12' key='691D3C1BECF5696F302ED854AA7727E0FCD36D64'", "<b/>");
  assert.equal(talk.take().filter((line) => line.startsWith("send")).length, 2);
});

Deno.test("B-108 B-111 a wrong or missing key ends the session, whatever is asked", () => {
  for (
    const attributes of [
      "",
      `key='${"0".repeat(40)}'`,
      `key='${FIRST[4]}'`,
      "pause='5'",
      "type='terminate'",
    ]
  ) {
    const talk = established(`hold='1' ver='1.6' newkey='${FIRST[4]}'`);
    talk.client(`rid='11' ${attributes}`, "<message/>");
    const [answer, ...rest] = talk.take();
    assert.match(answer!, /^answer 1: .*condition='item-not-found'/);
    assert.deepEqual(rest.map((line) => line.split(":")[0]), ["drop", "ended item-not-found"]);
  }
});

Deno.test("B-110 keys are checked in rid order, and a repeat does not advance them", () => {
  const talk = established(`hold='1' ver='1.6' newkey='${FIRST[4]}'`);
  talk.client(`rid='12' key='${FIRST[2]}'`, "<b/>");
  talk.client(`rid='11' key='${FIRST[3]}'`, "<a/>");
  talk.client(`rid='11' key='${FIRST[3]}'`, "<a/>");
  talk.client(`rid='13' key='${FIRST[1]}'`, "<c/>");
  assert.deepEqual(
    talk.take().filter((line) => line.startsWith("send")),
    ["<a/>", "<b/>", "<c/>"].map((xml) => `send ${xml}`),
  );
});

Deno.test("B-111 without keys a stray one is ignored; a later newkey begins a sequence", () => {
  const talk = established();
  talk.client("rid='11' key='whatever'", "<a/>");
  talk.client(`rid='12' newkey='${SECOND[2]}'`, "<b/>");
  talk.client(`rid='13' key='${SECOND[1]}'`, "<c/>");
  assert.equal(talk.take().filter((line) => line.startsWith("send")).length, 3);
  talk.client("rid='14'", "<d/>");
  assert.match(talk.take().at(-1)!, /^ended item-not-found/);
});

// ---- activity

Deno.test("B-084 B-086 overactivity is lenient by default, strict if asked, and never counts payloads", () => {
  const lenient = established();
  lenient.client("rid='11'");
  lenient.client("rid='12'");
  assert.deepEqual(lenient.take(), ["answer 1: <body/>"]);
  const strict = established(undefined, { strict: true });
  strict.client("rid='11'");
  strict.wait(0.2);
  strict.client("rid='12'");
  assert.match(strict.take()[1]!, /^answer 2: .*condition='policy-violation'/);
  const slow = established(undefined, { strict: true });
  slow.client("rid='11'");
  slow.wait(5.3);
  slow.client("rid='12'");
  assert.deepEqual(slow.take(), ["answer 1: <body/>"]);
  const talking = established(undefined, { strict: true });
  for (let rid = 11; rid < 30; rid++) {
    talking.client(`rid='${rid}'`, "<message/>");
    talking.wait(0.05);
  }
  assert.ok(!talking.take().some((line) => line.startsWith("ended")));
});

Deno.test("B-086 B-087 repeats are no overactivity, but there is an end to them", () => {
  const talk = established(undefined, { strict: true });
  for (let i = 0; i < 6; i++) talk.client("rid='11'");
  assert.ok(!talk.take().some((line) => line.startsWith("ended")));
  for (let i = 0; i < 24; i++) talk.client("rid='11'");
  assert.ok(talk.take().some((line) => line.startsWith("ended policy-violation: it repeats")));
});

Deno.test("B-087 a session lives on where something closes every long poll after five seconds", () => {
  const talk = established();
  for (let i = 0; i < 100; i++) {
    talk.leaves(talk.client("rid='11'"));
    talk.wait(5);
  }
  assert.deepEqual(talk.take(), []);
  talk.server("<message/>");
  talk.client("rid='11'");
  assert.deepEqual(talk.take(), ["answer 101: <body><message xmlns='jabber:client'/></body>"]);
});

Deno.test("B-089 B-090 a polling client may not ask for nothing twice in a hurry", () => {
  const poll = (between: (talk: BoshConversation) => void, second = "") => {
    const talk = established("hold='0' ver='1.6'");
    talk.client("rid='11'");
    between(talk);
    talk.client("rid='12'", second);
    return talk.take().some((line) => line.startsWith("ended policy-violation"));
  };
  assert.equal(poll((talk) => talk.wait(0.2)), true);
  assert.equal(poll((talk) => talk.wait(5)), false);
  assert.equal(poll((talk) => talk.wait(4.6)), false);
  assert.equal(poll(() => {}, "<message/>"), false);
  const fed = established("hold='0' ver='1.6'");
  fed.server("<message/>");
  fed.client("rid='11'");
  fed.client("rid='12'");
  assert.ok(!fed.take().some((line) => line.startsWith("ended")));
});

// ---- clients from before `ver`

Deno.test("B-118 without ver, three conditions are HTTP statuses, and the others are not", () => {
  const outside = established(LEGACY);
  outside.client("rid='99'");
  assert.match(
    outside.take()[0]!,
    /^answer 1 HTTP 404: <body type='terminate' condition='item-not-found'/,
  );
  const paused = established(LEGACY);
  paused.client("rid='11' pause='1000'");
  assert.match(paused.take()[0]!, /^answer 1 HTTP 403: .*condition='policy-violation'/);
  const lost = established(LEGACY);
  lost.client("rid='11'");
  lost.serverEnds({ type: "connection-failed", reason: "gone" });
  assert.match(lost.take()[0]!, /^answer 1: .*condition='remote-connection-failed'/);
});

// ---- undelivered stanzas

const STANZAS = "<iq type='get' id='1' from='a@b'><x xmlns='y'/></iq>" +
  "<iq type='result' id='2' from='a@b'/><message id='3' from='a@b'/>" +
  "<message id='4' from='a@b' type='groupchat'/><message id='5' from='a@b' type='error'/>" +
  "<presence id='6' from='a@b'/><message id='7' from='a&apos;b'><body>x</body></message>";

Deno.test("X-020 stanzas that never reached the client are answered, each as its kind is", () => {
  const talk = established();
  talk.server(STANZAS);
  talk.wait(30);
  const error = (name: string) => `<${name} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
  assert.deepEqual(talk.take(), [
    "undelivered 7",
    "send <iq xmlns='jabber:client' type='error' id='1' to='a@b'><error type='cancel'>" +
    `${error("service-unavailable")}</iq>` +
    "<message xmlns='jabber:client' type='error' id='3' to='a@b'><error type='wait'>" +
    `${error("recipient-unavailable")}</message>` +
    "<message xmlns='jabber:client' type='error' id='7' to='a&apos;b'><error type='wait'>" +
    `${error("recipient-unavailable")}</message>`,
    "close",
    "ended item-not-found: no request from the client for 30 s",
  ]);
});

Deno.test("X-020 U-027 with stream management the server answers for them itself", () => {
  const talk = established();
  talk.client("rid='11'");
  talk.server("<enabled xmlns='urn:xmpp:sm:3'/>");
  talk.server(STANZAS);
  talk.take();
  talk.wait(30);
  assert.deepEqual(talk.take(), [
    "undelivered 7",
    "drop",
    "ended item-not-found: no request from the client for 30 s",
  ]);
});

Deno.test("B-058 B-093 a terminate also answers those that came ahead of it", () => {
  const talk = established("hold='1' ver='1.6'");
  talk.client("rid='12'");
  talk.client("rid='11' type='terminate'");
  assert.deepEqual(talk.take(), [
    "answer 2: <body type='terminate'/>",
    "answer 1: <body/>",
    "close",
    "ended well: the client ended the session",
  ]);
});

Deno.test("B-093 B-095 X-020 a terminate whose client has left takes nothing with it", () => {
  const talk = established("hold='0' ver='1.6'", { queuedBytes: 1 << 21 });
  const long = `<message from='a@b.test' id='1'>${"x".repeat(300_000)}</message>`;
  talk.server(long);
  talk.server("<message from='a@b.test' id='2'/>");
  talk.leaves(talk.client("rid='12' type='terminate'"));
  talk.client("rid='11'");
  assert.deepEqual(talk.take().map((line) => line.slice(0, 60)), [
    `answer 2: <body>${long.replace("message", "message xmlns='jabber:client'")}`.slice(0, 60),
    "undelivered 1",
    "send <message xmlns='jabber:client' type='error' id='2' to='a@b.test'>".slice(0, 60),
    "close",
    "ended well: the client ended the session",
  ]);
});

Deno.test("B-106 failures that a pausing client never fetches are bounded, too", () => {
  const talk = established("ver='1.6'", { queuedBytes: 1_000 });
  const starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".repeat(15);
  talk.client("rid='11' pause='60'", starttls);
  assert.deepEqual(talk.take(), ["answer 1: <body/>", "flow closed"]);
  talk.client("rid='12' pause='60'", starttls);
  assert.equal(
    talk.take().at(-1),
    "ended policy-violation: too much is waiting for the client (limits.queued_bytes)",
  );
});

// ---- several streams

const MANY = { maxStreams: 3 };

function twoStreams(): BoshConversation {
  const talk = established("hold='1' ver='1.6'", MANY);
  talk.client("rid='11' to='second.test'");
  talk.opened("s2", "stream2");
  talk.server("<stream:features/>", "stream2");
  talk.take();
  return talk;
}

Deno.test("B-113 the creation response names its stream; an empty body with a 'to' opens another", () => {
  const talk = new BoshConversation("hold='1' ver='1.6'", MANY);
  talk.opened();
  talk.server("<stream:features/>");
  assert.match(talk.take().at(-1)!, / stream='stream1' /);
  talk.client("rid='11' to='second.test'");
  assert.deepEqual(talk.take(), ['open stream2 {"to":"second.test","version":"1.0"}']);
  talk.server("<message/>");
  assert.deepEqual(talk.take(), [], "the answer is for the new stream");
  talk.opened("s2", "stream2");
  talk.server("<stream:features/>", "stream2");
  assert.deepEqual(talk.take(), [
    "answer 1: <body xmlns:stream='http://etherx.jabber.org/streams' stream='stream2' " +
    "from='example.test' authid='s2' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'>" +
    "<stream:features xmlns='jabber:client'/></body>",
  ]);
  talk.client("rid='12'");
  assert.deepEqual(talk.take(), [`answer 2: <body stream='stream1'>${MESSAGE}</body>`]);
});

Deno.test("B-113 features that do not come: the answer still names the stream", () => {
  const talk = established("hold='1' ver='1.6'", MANY);
  talk.client("rid='11' to='second.test'");
  talk.wait(10);
  assert.deepEqual(talk.take().slice(1), ["answer 1: <body stream='stream2'/>"]);
});

Deno.test("B-112 off: no stream is named, and a 'to' is nothing", () => {
  const talk = established("hold='1' ver='1.6'", { maxStreams: 1 });
  talk.client("rid='11' to='second.test'");
  assert.deepEqual(talk.take(), []);
});

Deno.test("B-112a a client that writes 'to' beside payloads, or is known to, opens nothing with it", () => {
  const shown = established("hold='1' ver='1.6'", MANY);
  shown.client("rid='11' to='example.test'", "<auth/>");
  shown.client("rid='12' to='second.test'");
  const known = new BoshConversation("hold='1' ver='1.6'", MANY, {
    init: { writesToAlways: true },
  });
  known.opened();
  known.server("<stream:features/>");
  known.client("rid='11' to='second.test'");
  for (const talk of [shown, known]) {
    assert.equal(
      talk.take().filter((line) => line.startsWith("open ")).length,
      talk === known ? 1 : 0,
    );
  }
});

Deno.test("B-114 payloads go to the stream they name, or to all; answers are of one stream each", () => {
  const talk = twoStreams();
  talk.client("rid='12' stream='stream2'", "<a/>");
  talk.client("rid='13'", "<b/>");
  talk.client("rid='14' stream='unheard-of'");
  const sent = talk.take().filter((line) => line.startsWith("send"));
  assert.deepEqual(sent, ["send stream2 <a/>", "send <b/>", "send stream2 <b/>"]);
  talk.server("<message id='1'/>", "stream2");
  talk.server("<message id='2'/>", "stream2");
  talk.server("<message id='3'/>");
  assert.equal(talk.take().length, 1);
  talk.client("rid='15'");
  talk.client("rid='16'");
  assert.deepEqual(talk.take().map((line) => line.slice(0, 35)), [
    "answer 5: <body stream='stream2'><m",
    "answer 6: <body stream='stream1'><m",
  ]);
});

Deno.test("B-115 a stream that is not known ends the session; one that is closed does not", () => {
  const unknown = twoStreams();
  unknown.client("rid='12' stream='unheard-of'", "<a/>");
  assert.match(unknown.take()[0]!, /condition='item-not-found'/);
  const talk = twoStreams();
  talk.client("rid='12' stream='stream2' type='terminate'", "<presence/>");
  assert.deepEqual(talk.take(), [
    "send stream2 <presence/>",
    "close stream2",
    "answer 2: <body type='terminate' stream='stream2' message='the client ended the stream'/>",
  ]);
  talk.client("rid='13' stream='stream2'", "<late/>");
  talk.client("rid='14'", "<b/>");
  assert.deepEqual(talk.take(), ["send <b/>", "answer 3: <body/>"]);
  talk.client("rid='15' stream='stream1' type='terminate'");
  assert.match(talk.take().at(-1)!, /^ended well/);
});

Deno.test("B-115 the end of one stream is told by its name; the last ends the session", () => {
  const talk = twoStreams();
  talk.client("rid='12'");
  talk.serverEnds({ type: "connection-failed", reason: "gone" }, "stream2");
  assert.deepEqual(talk.take(), [
    "answer 2: <body type='terminate' condition='remote-connection-failed' stream='stream2' message='gone'/>",
  ]);
  talk.client("rid='13'");
  talk.serverEnds({ type: "closed" });
  assert.deepEqual(talk.take(), [
    "answer 3: <body type='terminate' message='the XMPP server closed the stream'/>",
    "ended well: the XMPP server closed the stream",
  ]);
});

Deno.test("B-113 a stream that may not be opened is named and ended at once", () => {
  const talk = established("hold='1' ver='1.6'", MANY);
  talk.client("rid='11' to='elsewhere.example'");
  assert.deepEqual(talk.take(), [
    "answer 1: <body type='terminate' condition='host-unknown' stream='stream2' message='not served'/>",
  ]);
  talk.client("rid='12' to='third.test'");
  talk.client("rid='13' to='fourth.test'");
  talk.client("rid='14' to='fifth.test'");
  assert.match(talk.take().at(-1)!, /condition='policy-violation' stream='stream5' .*at most 3/);
});

Deno.test("B-113 hold 2: who is held releases the request before the one that opens a stream", () => {
  for (const to of ["second.test", "elsewhere.example"]) {
    const talk = established("hold='2' ver='1.6'", MANY);
    talk.client("rid='11'");
    talk.client(`rid='12' to='${to}'`);
    talk.server("<stream:features/>", "stream2");
    const answers = talk.take().filter((line) => line.startsWith("answer"));
    assert.equal(answers[0], "answer 1: <body/>");
    assert.match(answers[1]!, /^answer 2: <body .*stream='stream2'/);
    talk.client("rid='13'");
    talk.server("<message/>");
    assert.equal(talk.take().length, 1, "nothing stands before the other stream's stanzas");
  }
});

Deno.test("B-113 what waited behind a request that opens a stream goes out when its patience is over", () => {
  const talk = established("hold='2' ver='1.6'", MANY);
  talk.client("rid='11' to='second.test'");
  talk.server("<message/>");
  talk.client("rid='12'");
  talk.take();
  talk.wait(10);
  assert.deepEqual(talk.take(), [
    "answer 1: <body stream='stream2'/>",
    `answer 2: <body stream='stream1'>${MESSAGE}</body>`,
  ]);
});

Deno.test("B-068 or when its client leaves", () => {
  const talk = established("hold='2' ver='1.6'", MANY);
  const opening = talk.client("rid='11' to='second.test'");
  talk.server("<message/>");
  talk.client("rid='12'");
  talk.take();
  talk.leaves(opening);
  assert.deepEqual(talk.take(), [`answer 2: <body stream='stream1'>${MESSAGE}</body>`]);
});

Deno.test("B-099 B-113 a repeated request that opens a stream waits no longer for its features than a new one", () => {
  const talk = new BoshConversation("wait='60' hold='1' ver='1.6'");
  talk.wait(5);
  talk.client("rid='10'");
  talk.take();
  talk.wait(9);
  assert.deepEqual(talk.take(), ["answer 0: <body/>"]);
  talk.wait(1);
  assert.match(talk.take()[0]!, /^answer 1: <body sid='SID'/);
});

Deno.test("B-074 B-113 a report does not send away the request that opens a stream", () => {
  const talk = established("hold='2' ver='1.6' ack='1'", { ...MANY, report: true });
  talk.client("rid='11' to='second.test'");
  talk.take();
  talk.client("rid='12' ack='9'");
  assert.deepEqual(talk.take(), []);
});

Deno.test("restart goes to the stream it names, with its own attributes", () => {
  const talk = twoStreams();
  talk.client(`rid='12' stream='stream2' xmpp:restart='true' stream_attrs='{"a":"b"}'`);
  assert.deepEqual(talk.take(), ['restart stream2 [["a","b"]]']);
});

Deno.test("the client's own inactivity is granted up to the most that is allowed", () => {
  assert.equal(new BoshConversation("inactivity='100'").session.granted.inactivity, 100_000);
  assert.equal(new BoshConversation("inactivity='10'").session.granted.inactivity, 10_000);
  assert.equal(new BoshConversation("inactivity='999'").session.granted.inactivity, 160_000);
});
