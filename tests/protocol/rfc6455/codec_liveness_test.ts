import assert from "node:assert/strict";
import { CodecTalk, concat, ping, pong, text } from "../../support/rfc6455.ts";

const options = { pingInterval: 30_000 };

Deno.test("W-035 a ping leaves every interval, to a client that talks as well", () => {
  const talk = new CodecTalk(options);
  assert.equal(talk.codec.deadline, 30_000);
  assert.deepEqual(talk.wait(29.999), []);
  assert.deepEqual(talk.wait(0.001), ["write ping"]);
  assert.deepEqual(talk.receive(pong()), ["alive"]);
  for (let i = 0; i < 100; i++) {
    assert.deepEqual(talk.wait(15), []);
    assert.deepEqual(talk.receive(text("x")), ["text x"]);
    assert.deepEqual(talk.wait(15), ["write ping"]);
  }
});

Deno.test("W-035 a client that gives no sign for two pings is lost, without a word", () => {
  const talk = new CodecTalk(options);
  assert.deepEqual(talk.wait(89.999), ["write ping", "write ping"]);
  assert.deepEqual(talk.wait(0.001), ["drop", "closed 1006"]);
  assert.equal(talk.codec.deadline, undefined);
  assert.deepEqual(talk.wait(1000), []);
});

Deno.test("W-035 W-036 any sign of life counts: a pong, a ping, a message, one byte of a long frame", () => {
  const long = concat(text("x".repeat(1000)));
  for (const signs of [pong(), ping(), text("x"), long.subarray(0, 1)]) {
    const talk = new CodecTalk(options);
    talk.wait(89.999);
    talk.receive(signs);
    assert.deepEqual(talk.wait(0.001), ["write ping"]);
    assert.deepEqual(talk.wait(59.999), ["write ping"]);
    assert.deepEqual(talk.wait(0.001), ["drop", "closed 1006"]);
  }
});

Deno.test("W-035 a clock that stood still costs nobody the connection", () => {
  const talk = new CodecTalk(options);
  talk.now = 1_000_000;
  talk.codec.handleTimeout(talk.now);
  assert.deepEqual(talk.take(), ["write ping"]);
  assert.equal(talk.codec.deadline, 1_030_000);
});

Deno.test("W-035 without an interval there are no pings, and nothing to wait for", () => {
  const talk = new CodecTalk({ pingInterval: 0 });
  assert.equal(talk.codec.deadline, undefined);
  assert.deepEqual(talk.wait(1_000_000), []);
});

Deno.test("a timeout that comes early changes nothing", () => {
  const talk = new CodecTalk(options);
  talk.codec.handleTimeout(29_999);
  assert.deepEqual(talk.take(), []);
  assert.equal(talk.codec.deadline, 30_000);
});
