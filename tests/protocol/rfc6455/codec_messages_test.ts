/*
 * What becomes of frames, in the order of the Autobahn suite: framing, pings, reserved bits,
 * opcodes, fragmentation, UTF-8, limits.
 */
import assert from "node:assert/strict";
import { WebSocketCodec } from "../../../src/protocol/rfc6455/codec.ts";
import {
  bytesOf,
  clientFrame,
  close,
  CodecTalk,
  concat,
  continuation,
  INVALID_UTF8,
  ping,
  pong,
  serverFrames,
  text,
} from "../../support/rfc6455.ts";
import { cutInto } from "../../support/xml_items.ts";

const SIZES = [0, 1, 2, 125, 126, 127, 128, 65_535, 65_536, 100_000];
const REFUSED = ["write close 1002", "end", "closed 1002"];
const NOT_UTF8 = ["write close 1007", "end", "closed 1007"];
const TOO_LARGE = ["too-large", "write close 1009", "end", "closed 1009"];

Deno.test("W-005 W-006 messages of every size come as they were sent, however they are cut", () => {
  for (const size of SIZES) {
    const payload = bytesOf("0123456789".repeat(10_000).slice(0, size));
    for (const opcode of [1, 2]) {
      const frame = clientFrame({ opcode, payload });
      for (const cut of [frame.length, frame.length - 1, 1460, 997, 7, 1]) {
        const { messages, last } = messagesOf([...cutInto(frame, cut), ping()]);
        assert.equal(messages.length, 1, `${size} cut into ${cut}`);
        assert.equal(messages[0]!.binary, opcode === 2);
        assert.deepEqual(messages[0]!.bytes, payload);
        assert.equal(last, "write pong");
      }
    }
  }
});

Deno.test("W-006 fifty messages in one read come one by one", () => {
  const talk = new CodecTalk();
  const sent = Array.from({ length: 50 }, (_, i) => `<message id='${i}'/>`);
  const lines = talk.receive(concat(...sent.map((message) => text(message))));
  assert.deepEqual(lines, sent.map((message) => `text ${message}`));
});

Deno.test("a message that lies whole in a chunk is a view of it, and nothing is kept", () => {
  const codec = new WebSocketCodec(0, { maxMessage: 1000, pingInterval: 0 });
  const chunk = concat(text("first"), text("second"));
  codec.receive(0, chunk);
  const [first, second] = [codec.poll(), codec.poll()];
  assert.ok(first?.type === "message" && second?.type === "message");
  assert.equal(first.bytes.buffer, chunk.buffer);
  assert.equal(second.bytes.buffer, chunk.buffer);
  assert.equal(new TextDecoder().decode(second.bytes), "second");
  assert.equal(codec.poll(), undefined);
});

Deno.test("W-036 a ping is answered by a pong of the same payload, unmasked", () => {
  for (const size of [0, 1, 124, 125]) {
    const payload = "p".repeat(size);
    const expected = ["alive", `write pong ${payload}`.trimEnd()];
    assert.deepEqual(new CodecTalk().receive(ping(payload)), expected);
    const lines = new CodecTalk().receive(...cutInto(ping(payload), 1));
    assert.deepEqual(lines, expected);
  }
  const talk = new CodecTalk();
  const cut = ["longer", "short", ""].flatMap((payload) => [...cutInto(ping(payload), 1)]);
  assert.deepEqual(talk.receive(...cut).filter((line) => line !== "alive"), [
    "write pong longer",
    "write pong short",
    "write pong",
  ]);
  const lines = new CodecTalk().receive(ping(Uint8Array.of(0xff, 0xfe, 0)));
  assert.equal(lines.length, 2, "a ping need not be text");
});

Deno.test("W-036 of several pings in one read the last is answered", () => {
  const talk = new CodecTalk();
  const lines = talk.receive(concat(ping("a"), text("x"), ping("b"), ping("c")));
  assert.deepEqual(lines, ["alive", "text x", "alive", "alive", "write pong c"]);
  assert.deepEqual(talk.receive(ping("d"), ping("e")), [
    "alive",
    "write pong d",
    "alive",
    "write pong e",
  ]);
});

Deno.test("W-036 while the network takes nothing, one pong waits: the newest", () => {
  const talk = new CodecTalk();
  talk.codec.flow(false);
  for (let i = 0; i < 1000; i++) assert.deepEqual(talk.receive(ping(`${i}`)), ["alive"]);
  talk.codec.flow(true);
  assert.deepEqual(talk.take(), ["write pong 999"]);
  assert.deepEqual(talk.take(), []);
});

Deno.test("W-036 a pong that nobody asked for is a sign of life and no more", () => {
  const talk = new CodecTalk();
  assert.deepEqual(talk.receive(pong(), pong("x"), text("x")), ["alive", "alive", "text x"]);
});

Deno.test("each reserved bit, opcode and length that §5.2 forbids ends the connection with 1002", () => {
  const wrong = [
    ...[1, 2, 3, 4, 5, 6, 7].flatMap((reserved) => [
      clientFrame({ opcode: 1, payload: "x", reserved }),
      clientFrame({ opcode: 9, payload: "x", reserved }),
      clientFrame({ opcode: 8, reserved }),
    ]),
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
      clientFrame({ opcode }),
      clientFrame({ opcode, payload: "x" }),
    ]),
    ...[0, 1, 2, 8, 9, 10].map((opcode) => clientFrame({ opcode, masked: false, payload: "x" })),
    clientFrame({ opcode: 9, payload: "x".repeat(126) }),
    clientFrame({ opcode: 8, payload: "x".repeat(126) }),
    clientFrame({ opcode: 9, fin: false }),
    clientFrame({ opcode: 1, payload: "x", lengthBytes: 2 }),
    clientFrame({ opcode: 1, payload: "x".repeat(200), lengthBytes: 8 }),
    clientFrame({ opcode: 1, declared: 1n << 63n }),
  ];
  for (const frame of wrong) {
    const behind = concat(text("before"), frame, text("after"), close(1000));
    const expected = ["text before", ...REFUSED];
    assert.deepEqual(new CodecTalk().receive(behind), expected, frame.toHex());
    assert.deepEqual(new CodecTalk().receive(...cutInto(behind, 1)), expected);
    const inside = concat(text("before", false), frame);
    assert.deepEqual(new CodecTalk().receive(inside), REFUSED, "inside a message too");
  }
});

Deno.test("the close frame says in words which rule was broken", () => {
  const codec = new WebSocketCodec(0, { maxMessage: 1000, pingInterval: 0 });
  codec.receive(0, clientFrame({ opcode: 1, masked: false }));
  const action = codec.poll();
  assert.ok(action?.type === "write");
  const [frame] = serverFrames(action.bytes);
  const reason = new TextDecoder().decode(frame!.payload.subarray(2));
  assert.equal(reason, "a frame of a client is not masked");
});

Deno.test("W-011 fragments are one message, whatever stands between them", () => {
  const parts = [text("frag", false), ping("p"), continuation("", false), pong("q")];
  parts.push(continuation("men", false), continuation("ted"), text("next"));
  const whole = concat(...parts);
  assert.deepEqual(new CodecTalk().receive(whole), [
    "alive",
    "alive",
    "text fragmented",
    "text next",
    "write pong p",
  ]);
  for (let size = 1; size < whole.length; size++) {
    const lines = new CodecTalk().receive(...cutInto(whole, size));
    assert.deepEqual(lines.filter((line) => !line.includes("pong")), [
      "alive",
      "alive",
      "text fragmented",
      "text next",
    ]);
    assert.equal(lines.filter((line) => line === "write pong p").length, 1);
  }
  const binary = [clientFrame({ opcode: 2, payload: "a", fin: false }), continuation("b")];
  assert.deepEqual(new CodecTalk().receive(...binary), ["binary 6162"]);
  const empty = [text("", false), continuation("", false), continuation("")];
  assert.deepEqual(new CodecTalk().receive(...empty), ["text "]);
});

Deno.test("W-011 fragments that do not make a message end the connection with 1002", () => {
  const wrong = [
    [continuation("x")],
    [continuation("x", false)],
    [text("x"), continuation("x")],
    [text("x", false), text("x")],
    [text("x", false), text("x", false)],
    [text("x", false), clientFrame({ opcode: 2 })],
    [text("x", false), continuation("x"), continuation("x")],
  ];
  for (const frames of wrong) {
    const lines = new CodecTalk().receive(concat(...frames));
    assert.deepEqual(lines.slice(-3), REFUSED);
    assert.deepEqual(new CodecTalk().receive(...cutInto(concat(...frames), 1)), lines);
  }
});

Deno.test("W-005 text passes with any characters, cut at every byte and into any fragments", () => {
  const payload = bytesOf(
    "κόσμε\u0000\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}",
  );
  const expected = [`text ${new TextDecoder().decode(payload)}`];
  for (let at = 0; at <= payload.length; at++) {
    const [head, tail] = [payload.subarray(0, at), payload.subarray(at)];
    const fragments = concat(text(head, false), continuation(tail));
    assert.deepEqual(new CodecTalk().receive(fragments), expected);
    assert.deepEqual(new CodecTalk().receive(...cutInto(fragments, 1)), expected);
    const whole = text(payload);
    const cut = whole.length - at;
    assert.deepEqual(
      new CodecTalk().receive(whole.subarray(0, cut), whole.subarray(cut)),
      expected,
    );
  }
  const bytes = [...payload].map((byte, i) =>
    clientFrame({
      opcode: i === 0 ? 1 : 0,
      payload: Uint8Array.of(byte),
      fin: i === payload.length - 1,
    })
  );
  assert.deepEqual(new CodecTalk().receive(...bytes), expected);
});

Deno.test("W-005 text that is not UTF-8 ends the connection with 1007, as soon as it is certain", () => {
  for (const [what, hex, possible] of INVALID_UTF8) {
    const wrong = Uint8Array.fromHex(hex);
    assert.deepEqual(new CodecTalk().receive(text(wrong)), NOT_UTF8, what);
    for (const before of ["", "é", "x".repeat(100)]) {
      const payload = concat(bytesOf(before), wrong, bytesOf("behind"));
      assert.deepEqual(new CodecTalk().receive(text(payload)), NOT_UTF8, what);
      // The byte that makes it certain is enough, in the middle of a frame and of a message.
      const certain = payload.length - wrong.length - 6 + possible + 1;
      const header = text(payload).length - payload.length;
      const talk = new CodecTalk();
      const cut = [...cutInto(text(payload), 1)].slice(0, header + certain);
      assert.deepEqual(talk.receive(...cut.slice(0, -1)), [], what);
      assert.deepEqual(talk.receive(cut.at(-1)!), NOT_UTF8, what);
      const fragments = new CodecTalk();
      const [good, bad] = [payload.subarray(0, certain - 1), payload.subarray(certain - 1)];
      assert.deepEqual(fragments.receive(text(good, false)), [], what);
      assert.deepEqual(fragments.receive(continuation(bad.subarray(0, 1), false)), NOT_UTF8, what);
    }
  }
  for (const unfinished of ["c3", "e282", "f09d84", "41f0"]) {
    const payload = Uint8Array.fromHex(unfinished);
    assert.deepEqual(new CodecTalk().receive(text(payload)), NOT_UTF8);
    assert.deepEqual(new CodecTalk().receive(text(payload, false), continuation("")), NOT_UTF8);
    assert.deepEqual(new CodecTalk().receive(...cutInto(text(payload), 1)), NOT_UTF8);
    const binary = clientFrame({ opcode: 2, payload });
    assert.deepEqual(new CodecTalk().receive(binary), [`binary ${unfinished}`]);
  }
});

Deno.test("W-012 a message beyond the limit is refused by its frame's header", () => {
  const limit = { maxMessage: 1000 };
  for (const opcode of [1, 2]) {
    const good = clientFrame({ opcode, payload: "x".repeat(1000) });
    assert.equal(new CodecTalk(limit).receive(good).length, 1);
    const header = clientFrame({ opcode, declared: 1001 });
    assert.deepEqual(new CodecTalk(limit).receive(header), TOO_LARGE);
    const byByte = [...cutInto(header, 1)];
    const talk = new CodecTalk(limit);
    assert.deepEqual(talk.receive(...byByte.slice(0, -1)), []);
    assert.deepEqual(talk.receive(byByte.at(-1)!), TOO_LARGE);
  }
  const huge = clientFrame({ opcode: 1, declared: (1n << 63n) - 1n });
  assert.deepEqual(new CodecTalk(limit).receive(concat(huge, text("x"))), TOO_LARGE);
});

Deno.test("W-012 fragments count together, before the one that is too much has come", () => {
  const fragments = [text("x".repeat(600), false), continuation("x".repeat(400), false)];
  const talk = new CodecTalk({ maxMessage: 1000 });
  assert.deepEqual(talk.receive(...fragments), []);
  assert.deepEqual(talk.receive(clientFrame({ opcode: 0, declared: 1, fin: false })), TOO_LARGE);
  const whole = new CodecTalk({ maxMessage: 1000 });
  assert.equal(whole.receive(...fragments, continuation("")).length, 1);
  assert.equal(whole.receive(...fragments, continuation("")).length, 1, "each message for itself");
});

Deno.test("W-012 a message cannot go on for ever in empty fragments", () => {
  const talk = new CodecTalk();
  const empty = concat(...Array.from({ length: 5000 }, () => continuation("", false)));
  assert.deepEqual(talk.receive(text("x", false)), []);
  for (let i = 0; i < 13; i++) assert.deepEqual(talk.receive(empty), []);
  assert.deepEqual(talk.receive(empty), TOO_LARGE);
});

Deno.test("W-012 of a message that is too large the endpoint hears first, and may still speak", () => {
  const codec = new WebSocketCodec(0, { maxMessage: 10, pingInterval: 0 });
  codec.receive(0, concat(text("x".repeat(11)), text("behind")));
  assert.deepEqual(codec.poll(), { type: "too-large" });
  assert.deepEqual(serverFrames(codec.text([bytesOf("<stream:error/>")])!).length, 1);
  codec.close(0, 1001);
  assert.equal(codec.text([bytesOf("late")]), undefined);
  const actions = [codec.poll(), codec.poll(), codec.poll(), codec.poll()];
  assert.ok(actions[0]?.type === "write");
  assert.equal(serverFrames(actions[0].bytes)[0]!.payload.toHex(), "03e9");
  assert.deepEqual(actions.slice(1), [{ type: "end" }, { type: "closed", code: 1001 }, undefined]);
});

Deno.test("W-006 a text message is one frame, and several are as many, where there is room", () => {
  const { codec } = new CodecTalk();
  for (const size of SIZES) {
    const message = bytesOf("x".repeat(size));
    const frame = codec.text([message])!;
    assert.deepEqual(serverFrames(frame), [{ opcode: 1, payload: message }]);
    assert.equal(frame.buffer.byteLength, frame.length);
    const place = new Uint8Array(3 * frame.length + 1);
    const room = { room: (bytes: number) => place.subarray(1, 1 + bytes) };
    const frames = codec.text([message, bytesOf(""), message], room)!;
    assert.equal(frames.buffer, place.buffer);
    assert.deepEqual(serverFrames(frames).map(({ payload }) => payload), [
      message,
      bytesOf(""),
      message,
    ]);
  }
});

function messagesOf(chunks: Iterable<Uint8Array>) {
  const codec = new WebSocketCodec(0, { maxMessage: 100_000, pingInterval: 0 });
  const messages: { bytes: Uint8Array; binary: boolean }[] = [];
  let last = "";
  for (const chunk of chunks) {
    codec.receive(0, new Uint8Array(chunk));
    for (let action; (action = codec.poll());) {
      if (action.type === "message") messages.push({ ...action, bytes: action.bytes.slice() });
      last = action.type === "write"
        ? serverFrames(action.bytes)[0]!.opcode === 10 ? "write pong" : "write"
        : action.type;
    }
  }
  return { messages, last };
}
