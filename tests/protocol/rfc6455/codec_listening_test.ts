import assert from "node:assert/strict";
import { close, CodecTalk, concat, continuation, ping, text } from "../../support/rfc6455.ts";
import { cutInto } from "../../support/xml_items.ts";

Deno.test("W-040 what has come while nobody listens waits, cut anywhere, and is read in order later", () => {
  const bytes = concat(text("a"), text("b", false), ping("p"), continuation("c"), text("d"));
  const whole = ["text a", "alive", "text bc", "text d", "write pong p"];
  for (const size of [1, 3, bytes.length]) {
    const talk = new CodecTalk();
    talk.codec.listen(0, false);
    assert.deepEqual(talk.receive(...cutInto(bytes, size)), []);
    talk.codec.listen(0, true);
    assert.deepEqual(talk.take(), whole);
    assert.deepEqual(talk.receive(text("e")), ["text e"]);
  }
});

Deno.test("W-040 who stops listening at a message gets no other of the same chunk", () => {
  const { codec } = new CodecTalk();
  codec.receive(0, concat(text("a"), text("b"), text("c")));
  assert.equal(codec.poll()?.type, "message");
  codec.listen(0, false);
  assert.equal(codec.poll(), undefined);
  codec.receive(0, text("d"));
  assert.equal(codec.poll(), undefined);
  codec.listen(0, true);
  for (const letter of ["b", "c", "d"]) {
    const action = codec.poll();
    assert.ok(action?.type === "message");
    assert.equal(new TextDecoder().decode(action.bytes), letter);
  }
  assert.equal(codec.poll(), undefined);
});

Deno.test("W-035 W-040 who is not listened to is pinged, and not lost for answering none; afterwards it is", () => {
  const talk = new CodecTalk({ pingInterval: 30_000 });
  talk.codec.listen(0, false);
  assert.deepEqual(talk.wait(300), Array(10).fill("write ping"));
  talk.codec.listen(talk.now, true);
  assert.deepEqual(talk.wait(90), ["write ping", "write ping", "drop", "closed 1006"]);
});

Deno.test("W-040 the closing handshake has its time from when it is read, not from when it came", () => {
  const talk = new CodecTalk();
  talk.codec.listen(0, false);
  talk.receive(close(1000));
  talk.wait(50);
  talk.codec.listen(talk.now, true);
  assert.deepEqual(talk.take(), ["write close 1000", "end", "closed 1000"]);
  assert.equal(talk.codec.deadline, 52_000);
});

Deno.test("W-040 our close frame leaves though nobody listens, and the answer to it is waited for", () => {
  const talk = new CodecTalk();
  talk.codec.listen(0, false);
  talk.receive(concat(text("a"), close(1000)));
  assert.deepEqual(talk.close(1001), ["write close 1001"]);
  talk.codec.listen(0, true);
  assert.deepEqual(talk.take(), ["end", "closed 1000"]);
});
