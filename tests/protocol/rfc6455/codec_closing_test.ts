import assert from "node:assert/strict";
import {
  bytesOf,
  clientFrame,
  close,
  CodecTalk,
  concat,
  continuation,
  ping,
  pong,
  text,
} from "../../support/rfc6455.ts";
import { cutInto } from "../../support/xml_items.ts";

const SECOND = 1000;

Deno.test("a close frame of the client is echoed, then the TCP connection is half-closed", () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1014, 3000, 4999]) {
    const talk = new CodecTalk();
    const expected = [`write close ${code}`, "end", `closed ${code}`];
    assert.deepEqual(talk.receive(close(code, "Tschüß")), expected);
    assert.deepEqual(new CodecTalk().receive(...cutInto(close(code, "Tschüß"), 1)), expected);
    talk.codec.disconnected(talk.now);
    assert.deepEqual(talk.take(), ["drop"], "closed was told before");
    assert.equal(talk.codec.deadline, undefined);
  }
  assert.deepEqual(new CodecTalk().receive(close()), ["write close", "end", "closed 1005"]);
  assert.equal(new CodecTalk().receive(close(1000, "x".repeat(123))).length, 3);
});

Deno.test("a close frame that says nothing good is answered with what is wrong", () => {
  const half = clientFrame({ opcode: 8, payload: Uint8Array.of(3) });
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
    assert.deepEqual(new CodecTalk().receive(close(code)), refusal(1002), `${code}`);
  }
  assert.deepEqual(new CodecTalk().receive(half), refusal(1002));
  const reason = Uint8Array.of(0x61, 0xed, 0xa0, 0x80);
  assert.deepEqual(new CodecTalk().receive(close(1000, reason)), refusal(1007));
});

Deno.test("behind a close frame nothing is read and nothing is sent", () => {
  const talk = new CodecTalk();
  const behind = concat(close(1000), text("x"), ping(), close(1001), Uint8Array.of(0xff));
  assert.deepEqual(talk.receive(behind), ["write close 1000", "end", "closed 1000"]);
  assert.deepEqual(talk.receive(text("x"), ping(), Uint8Array.of(0xff)), []);
  assert.equal(talk.codec.text([bytesOf("x")]), undefined);
  assert.deepEqual(talk.close(1000), []);
});

Deno.test("W-036 a ping before a close frame is answered before it", () => {
  const talk = new CodecTalk();
  assert.deepEqual(talk.receive(concat(ping("p"), close(1000))), [
    "alive",
    "write pong p",
    "write close 1000",
    "end",
    "closed 1000",
  ]);
  const congested = new CodecTalk();
  congested.codec.flow(false);
  congested.receive(ping("p"));
  assert.deepEqual(congested.close(1000), ["write close 1000"]);
  congested.codec.flow(true);
  assert.deepEqual(congested.take(), [], "nothing follows a close frame");
});

Deno.test("a close frame between fragments ends the message that they were", () => {
  const lines = new CodecTalk().receive(text("x", false), close(1000), continuation("y"));
  assert.deepEqual(lines, ["write close 1000", "end", "closed 1000"]);
});

Deno.test("our close frame is followed by nothing, and theirs is waited for", () => {
  const talk = new CodecTalk();
  assert.deepEqual(talk.close(1001), ["write close 1001"]);
  assert.equal(talk.codec.text([bytesOf("x")]), undefined);
  assert.deepEqual(talk.close(1000), []);
  // What was under way is passed over, however large; pings are not answered any more.
  const late = [text("x", false), ping("p"), continuation("y"), continuation("z"), pong()];
  late.push(clientFrame({ opcode: 2, payload: new Uint8Array(300_000) }), text("\xff"));
  assert.deepEqual(talk.receive(...late).filter((line) => line !== "alive"), []);
  assert.deepEqual(talk.receive(...cutInto(close(1000), 1)), ["end", "closed 1000"]);
  assert.equal(talk.codec.deadline, 2 * SECOND);
});

Deno.test("our close frame holds for what the same read still has", () => {
  const talk = new CodecTalk();
  talk.codec.receive(0, concat(text("first"), text("second"), text("third", false), close(1000)));
  assert.equal(talk.codec.poll()?.type, "message");
  talk.codec.close(0, 1003);
  assert.deepEqual(talk.take(), ["write close 1003", "end", "closed 1000"]);
});

Deno.test("our close frame may leave in the middle of anything that comes", () => {
  const before = concat(text("x", false), ping("pp"), continuation("yy"));
  const bytes = concat(before, close(1000));
  for (let at = 0; at < bytes.length; at++) {
    const talk = new CodecTalk();
    talk.receive(...cutInto(bytes.subarray(0, at), 1));
    assert.equal(talk.close(1001).at(-1), "write close 1001");
    const lines = talk.receive(bytes.subarray(at)).filter((line) => line !== "alive");
    assert.deepEqual(lines, ["end", "closed 1000"], `cut at ${at}`);
  }
});

Deno.test("a peer that breaks a rule after our close frame is not told again", () => {
  const talk = new CodecTalk();
  talk.close(1000);
  assert.deepEqual(talk.receive(clientFrame({ opcode: 3 })), ["end", "closed 1002"]);
  const half = new CodecTalk();
  half.close(1000);
  assert.deepEqual(half.receive(close(1005)), ["end", "closed 1002"]);
});

Deno.test("a client that does not answer our close frame is dropped after two seconds", () => {
  const talk = new CodecTalk({ pingInterval: 30 * SECOND });
  talk.wait(5);
  talk.close(1000);
  assert.equal(talk.codec.deadline, 7 * SECOND);
  assert.deepEqual(talk.wait(1.999), []);
  talk.receive(text("still here"));
  assert.deepEqual(talk.wait(0.001), ["drop", "closed 1006"]);
  assert.equal(talk.codec.deadline, undefined);
  assert.deepEqual(talk.receive(close(1000)), []);
  talk.codec.disconnected(talk.now);
  assert.deepEqual(talk.take(), []);
});

Deno.test("a client that does not end its side after the handshake is dropped after two seconds", () => {
  for (const frame of [close(1000), clientFrame({ opcode: 3 })]) {
    const talk = new CodecTalk({ pingInterval: 30 * SECOND });
    assert.equal(talk.receive(frame).at(-2), "end");
    assert.deepEqual(talk.wait(1.999), []);
    assert.deepEqual(talk.wait(0.001), ["drop"]);
    assert.equal(talk.codec.deadline, undefined);
  }
});

Deno.test("a connection that ends without a close frame is lost", () => {
  for (
    const before of [[], [text("x", false)], [text("x").subarray(0, 3)], [ping().subarray(0, 1)]]
  ) {
    const talk = new CodecTalk({ pingInterval: 30 * SECOND });
    talk.receive(...before);
    talk.codec.peerEnded(0);
    assert.deepEqual(talk.take(), ["drop", "closed 1006"]);
    talk.codec.disconnected(0);
    assert.deepEqual([...talk.take(), ...talk.close(1000), ...talk.receive(text("x"))], []);
    assert.equal(talk.codec.deadline, undefined);
  }
  for (const end of ["peerEnded", "disconnected"] as const) {
    const closing = new CodecTalk();
    closing.close(1000);
    closing.codec[end](0);
    assert.deepEqual(closing.take(), ["drop", "closed 1006"]);
  }
});

Deno.test("a client that ends its side behind its close frame is not cut off from what it has to read", () => {
  const talk = new CodecTalk();
  talk.receive(close(1000));
  talk.codec.peerEnded(0);
  assert.deepEqual(talk.take(), []);
  assert.deepEqual(talk.wait(2), ["drop"], "but has not for ever to read it");
});

function refusal(code: number): string[] {
  return [`write close ${code}`, "end", `closed ${code}`];
}
