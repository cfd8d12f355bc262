import assert from "node:assert/strict";
import { payloadsOf } from "../../support/bosh_conversation.ts";
import {
  CLOSE,
  Conversation,
  OPEN,
  open,
  OUR_CLOSE,
  OUR_OPEN,
  OUR_OPEN_FROM,
  START_TAG,
} from "../../support/websocket_conversation.ts";

const SEE_OTHER = "wss://other.test/ws?a=1&b=2";

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
  assert.equal(opened, OUR_OPEN_FROM);
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
  talk.session.refuse(0, "bad-format", "only text messages", { code: 1003 });
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

Deno.test("W-026 <close/> before the stream is up, before <open/>, and in answer to ours", () => {
  const early = new Conversation();
  early.client(OPEN);
  early.client(CLOSE);
  early.session.streamEnded(0, { type: "closed" });
  assert.deepEqual(early.take().slice(1), ["close stream", OUR_CLOSE]);
  early.client(CLOSE);
  assert.equal(early.take()[0], "close socket 1000");

  const fresh = new Conversation();
  fresh.client(CLOSE);
  assert.deepEqual(fresh.take(), [OUR_CLOSE]);
  fresh.client("<presence/>");
  assert.deepEqual(fresh.take(), [], "nothing counts after <close/>");
  fresh.client(CLOSE);
  assert.equal(fresh.take()[0], "close socket 1000");
});

Deno.test("W-026 T-39 a client that closes its stream and is gone at once has logged out all the same", () => {
  const talk = open();
  talk.client(CLOSE);
  talk.session.socketClosed(0);
  assert.deepEqual(talk.take(), ["close stream", "ended well: the client ended the session"]);
  talk.session.streamEnded(0, { type: "closed" });
  assert.deepEqual(talk.take(), []);
});

Deno.test("W-031 an upstream that is lost while the client is logging out is no error", () => {
  const talk = open();
  talk.client(CLOSE);
  talk.session.streamEnded(0, { type: "connection-failed", reason: "lost" });
  assert.deepEqual(talk.take(), ["close stream", OUR_CLOSE]);
});

Deno.test("W-032 W-033 a shutdown with another address sends clients there instead of an error", () => {
  const message =
    'message <close xmlns="urn:ietf:params:xml:ns:xmpp-framing" see-other-uri="wss://other.test/ws?a=1&amp;b=2" />';
  const ending = [
    message,
    "close socket 1001",
    "ended system-shutdown: the connection manager is shutting down, and its clients are sent elsewhere",
  ];
  const talk = open({ seeOtherUri: SEE_OTHER });
  talk.session.shutdown(0);
  assert.deepEqual(talk.take(), ["close stream", ...ending]);

  const opening = new Conversation({ seeOtherUri: SEE_OTHER });
  opening.client(OPEN);
  opening.take();
  opening.session.shutdown(0);
  assert.deepEqual(opening.take(), [OUR_OPEN_FROM, "close stream", ...ending]);

  const closing = open({ seeOtherUri: SEE_OTHER });
  closing.session.streamEnded(0, { type: "closed" });
  closing.take();
  closing.session.shutdown(0);
  assert.deepEqual(closing.take(), []);

  const old = open({ seeOtherUri: SEE_OTHER }, START_TAG);
  old.session.shutdown(0);
  assert.match(old.take()[0]!, /<system-shutdown /, "the older framing has no such thing");
});

Deno.test("W-037 silence ends a session, counted from the last message or pong of either side", () => {
  const talk = open({ idleTimeout: 60_000 });
  const signs = [
    () => talk.client("<presence/>"),
    () => talk.client(" "),
    () => talk.server("<message/>"),
    () => talk.session.alive(talk.now),
  ];
  for (const sign of signs) {
    talk.wait(59);
    sign();
    talk.take();
    assert.equal(talk.session.deadline, talk.now + 60_000);
  }
  talk.wait(59);
  assert.deepEqual(talk.take(), []);
  talk.wait(1);
  const [dropped, error, ...rest] = talk.take();
  assert.equal(dropped, "drop stream", "its session may be resumed");
  assert.match(error!, /<connection-timeout .*nothing was said for 60 s/);
  assert.deepEqual(rest, [OUR_CLOSE]);
  talk.wait(2);
  assert.equal(talk.take()[0], "close socket 1000");
});

Deno.test("W-037 a client that says nothing at all has a minute, and less where silence is bounded", () => {
  for (const [idleTimeout, seconds] of [[0, 60], [90_000, 60], [5_000, 5]] as const) {
    const silent = new Conversation({ idleTimeout });
    silent.wait(seconds - 1);
    silent.client(" ");
    silent.session.alive(silent.now);
    assert.deepEqual(silent.take(), []);
    silent.wait(1);
    const [opened, error, close] = silent.take();
    assert.equal(opened, OUR_OPEN);
    assert.match(error!, /<connection-timeout /);
    assert.equal(close, OUR_CLOSE);
  }
  const talk = open();
  assert.equal(talk.session.deadline, undefined, "without a limit an open stream may be silent");
});

Deno.test("W-030 W-040 a client that is given up is lost, with the reason", () => {
  const talk = open();
  talk.session.socketClosed(0, "the client does not read");
  assert.deepEqual(talk.take(), [
    "drop stream",
    "ended connection-lost: the client does not read",
  ]);
  talk.session.shutdown(0);
  talk.client(CLOSE);
  assert.deepEqual(talk.take(), []);
});

Deno.test("W-022 an upstream that takes nothing is not fed without end", () => {
  const talk = open();
  talk.session.congested(0);
  const [error, ...rest] = talk.take();
  assert.match(error!, /<policy-violation /);
  assert.deepEqual(rest.slice(0, 3), ["close stream", OUR_CLOSE, "close socket 1000"]);
});
