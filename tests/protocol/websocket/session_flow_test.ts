import assert from "node:assert/strict";
import { CLOSE, type Conversation, open, OUR_CLOSE } from "../../support/websocket_conversation.ts";

const STUCK = "ended remote-connection-failed: the XMPP server has taken nothing for 60 s";

function flow(talk: Conversation, isOpen: boolean): string[] {
  talk.session.flow(talk.now, isOpen);
  return talk.take();
}

Deno.test("W-040 while the upstream takes nothing the client is not read, and then it is again", () => {
  const talk = open();
  assert.deepEqual(flow(talk, false), ["read no more"]);
  assert.deepEqual(flow(talk, false), []);
  talk.server("<message/>");
  assert.deepEqual(talk.take(), ["message <message xmlns='jabber:client'/>"]);
  assert.deepEqual(flow(talk, true), ["read on"]);
  assert.deepEqual(flow(talk, true), []);
});

Deno.test("W-037 W-040 a client that is not read is not silent: its time begins when it is read again", () => {
  const talk = open({ idleTimeout: 10_000 });
  talk.wait(9);
  flow(talk, false);
  talk.wait(59);
  assert.deepEqual(talk.take(), []);
  flow(talk, true);
  talk.wait(9);
  assert.deepEqual(talk.take(), []);
  talk.wait(1);
  assert.match(talk.take().at(-2)!, /<connection-timeout .*10 s/);
});

Deno.test("W-040 an upstream that takes nothing for a minute ends the session, which may be resumed; one that takes some does not", () => {
  const talk = open();
  flow(talk, false);
  for (let i = 0; i < 5; i++) {
    talk.wait(59);
    assert.deepEqual(flow(talk, false), [], "it has taken something");
  }
  assert.equal(talk.session.deadline, talk.now + 60_000);
  talk.wait(60);
  const [dropped, error, ...rest] = talk.take();
  assert.equal(dropped, "drop stream");
  assert.match(error!, /^message <stream:error .*<remote-connection-failed .*nothing for 60 s/);
  // Its answer to our closing is behind what it sent meanwhile.
  assert.deepEqual(rest, [OUR_CLOSE, "read on"]);
  talk.client("<message/>");
  talk.client(CLOSE);
  assert.deepEqual(talk.take(), ["close socket 1000", STUCK]);
});

Deno.test("W-026 W-040 a client that closes is heard to the end, whatever its upstream takes", () => {
  const talk = open();
  flow(talk, false);
  // It stood in what had been read.
  talk.client(CLOSE);
  assert.deepEqual(talk.take(), ["read on", "close stream"]);
  assert.deepEqual(flow(talk, false), []);
  assert.deepEqual(flow(talk, true), []);
  talk.wait(2);
  assert.deepEqual(talk.take(), [OUR_CLOSE]);
});

Deno.test("W-030 W-040 a client that goes while it is not read is a lost one", () => {
  const talk = open();
  flow(talk, false);
  talk.session.socketClosed(talk.now);
  assert.deepEqual(talk.take(), [
    "drop stream",
    "ended connection-lost: the client's connection was lost",
  ]);
  assert.equal(talk.session.deadline, undefined);
  assert.deepEqual(flow(talk, true), []);
});

Deno.test("W-040 more than may wait ends the session, and the reason names the limit", () => {
  const talk = open();
  talk.session.congested(talk.now);
  assert.equal(
    talk.take().at(-1),
    "ended policy-violation: the XMPP server does not read what the client sends (limits.queued_bytes)",
  );
});
