import assert from "node:assert/strict";
import { showsAuthentication, Unauthenticated } from "../../src/protocol/unauthenticated.ts";
import { established, payloadsOf } from "../support/bosh_conversation.ts";
import { open, OUR_CLOSE } from "../support/websocket_conversation.ts";

const LIMITS = { unauthenticatedBytes: 10_000, unauthenticatedTime: 60_000 };
const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
const SUCCESS = `<success xmlns='${SASL}'/>`;

Deno.test("S-007 who has not authenticated may send so many bytes in all, and has so much time", () => {
  const stranger = new Unauthenticated(1_000, LIMITS);
  assert.equal(stranger.sends(9_999), undefined);
  assert.equal(stranger.sends(1), undefined);
  assert.equal(stranger.sends(1)?.limit, "limits.unauthenticated_bytes");
  assert.equal(stranger.deadline, 61_000);
  assert.equal(stranger.late(60_999), undefined);
  assert.equal(stranger.late(61_000)?.limit, "limits.unauthenticated_time");
});

Deno.test("S-007 success, messages and presence show that a server knows its client, and nothing else does", () => {
  const shows = (xml: string) => payloadsOf(xml).map(showsAuthentication);
  assert.deepEqual(
    shows(`${SUCCESS}<success xmlns='urn:xmpp:sasl:2'/><message xmlns='jabber:client'/>`),
    [true, true, true],
  );
  assert.deepEqual(shows("<presence xmlns='jabber:client'/>"), [true]);
  assert.deepEqual(
    shows(
      `<challenge xmlns='${SASL}'/><failure xmlns='${SASL}'/><success xmlns='urn:other'/>` +
        "<iq xmlns='jabber:client' type='result'/><message xmlns='urn:other'/>",
    ),
    [false, false, false, false, false],
  );
});

Deno.test("S-007 a BOSH session ends when its client has not authenticated in time, however busy it is", () => {
  const talk = established("", LIMITS);
  for (let rid = 11; rid < 16; rid++) {
    talk.wait(10);
    talk.client(`rid='${rid}'`, "<a/>");
  }
  talk.take();
  talk.wait(9.999);
  assert.ok(!talk.take().some((line) => line.startsWith("ended")));
  talk.wait(0.001);
  const ended = talk.take();
  assert.match(ended.join("\n"), /type='terminate' condition='policy-violation'/);
  assert.match(
    ended.join("\n"),
    /has not authenticated within 60 s \(limits\.unauthenticated_time\)/,
  );
});

Deno.test("S-007 a BOSH session ends when its client sends too much before it has authenticated", () => {
  const talk = established("", LIMITS);
  talk.client("rid='11'", `<a>${"x".repeat(9_000)}</a>`);
  assert.ok(!talk.take().some((line) => line.startsWith("ended")));
  talk.client("rid='12'", `<a>${"x".repeat(1_000)}</a>`);
  const ended = talk.take().join("\n");
  assert.match(ended, /policy-violation/);
  assert.match(ended, /more than 10000 bytes before authentication/);
  assert.ok(!ended.includes("send <a>x"), "what is too much does not go up");
});

Deno.test("S-007 a BOSH client that has authenticated has neither limit", () => {
  const talk = established("", LIMITS);
  talk.server(SUCCESS);
  for (let i = 0; i < 20; i++) {
    talk.client(`rid='${11 + i}'`, `<a>${"x".repeat(9_000)}</a>`);
    talk.wait(9);
    assert.ok(!talk.take().some((line) => line.startsWith("ended")));
  }
});

Deno.test("S-007 a WebSocket session ends when its client has not authenticated in time", () => {
  const talk = open({ limits: LIMITS });
  for (let i = 0; i < 5; i++) {
    talk.wait(11);
    talk.client("<a xmlns='urn:a'/>");
  }
  assert.ok(!talk.take().some((line) => line.includes("error")));
  assert.equal(talk.session.deadline, 60_000);
  talk.wait(5);
  const ended = talk.take();
  assert.match(ended.join("\n"), /policy-violation.*unauthenticated_time/);
  assert.ok(ended.includes(OUR_CLOSE));
});

Deno.test("S-007 a WebSocket session ends when its client sends too much before it has authenticated", () => {
  const talk = open({ limits: LIMITS });
  talk.client(`<a xmlns='urn:a'>${"x".repeat(9_000)}</a>`);
  assert.ok(!talk.take().some((line) => line.includes("error")));
  talk.client(`<a xmlns='urn:a'>${"x".repeat(9_000)}</a>`);
  const ended = talk.take();
  assert.match(ended.join("\n"), /policy-violation.*unauthenticated_bytes/);
  assert.ok(!ended.some((line) => line.startsWith("send ")));
});

Deno.test("S-007 a WebSocket client that has authenticated has neither limit", () => {
  const talk = open({ limits: LIMITS });
  talk.server(SUCCESS);
  talk.take();
  assert.equal(talk.session.deadline, undefined);
  for (let i = 0; i < 20; i++) talk.client(`<a xmlns='urn:a'>${"x".repeat(9_000)}</a>`);
  talk.wait(100);
  assert.equal(talk.take().length, 20);
});

Deno.test("S-007 what waits behind a gap counts before authentication, and is bounded after it", () => {
  const LIMIT = { ...LIMITS, queuedBytes: 20_000 };
  for (const [isKnown, most] of [[false, 10_000], [true, 20_000]] as const) {
    const talk = established("hold='2'", LIMIT);
    if (isKnown) talk.server(SUCCESS);
    talk.take();
    talk.client("rid='12'", `<a>${"x".repeat(most * 0.6)}</a>`);
    assert.deepEqual(talk.take(), []);
    talk.client("rid='13'", `<a>${"x".repeat(most * 0.4)}</a>`);
    assert.match(talk.take().join("\n"), /condition='policy-violation'/);
  }
});

Deno.test("S-007 a wrapper counts like what is in it", () => {
  const talk = established("", LIMITS);
  talk.client(`rid='11' xml:lang='${"x".repeat(10_000)}'`);
  assert.match(talk.take().join("\n"), /before authentication/);
});
