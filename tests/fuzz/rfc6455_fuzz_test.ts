/*
 * Invariant: whatever the bytes and however they are cut, the codec never throws, finds the same in
 * all cuts, holds no more than the limit allows, ends with one of the codes that it documents, and
 * finds what another implementation (ws) finds, but for what that does not check.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Writable } from "node:stream";
import fc from "fast-check";
import * as ws from "ws";
import { WebSocketCodec } from "../../src/protocol/rfc6455/codec.ts";
import {
  bytesOf,
  type ClientFrame,
  clientFrame,
  CodecTalk,
  concat,
  describe,
  serverFrames,
} from "../support/rfc6455.ts";
import { fuzz } from "../support/fuzz_corpus.ts";
import { cutBy, cuts } from "../support/fuzz_inputs.ts";
import { cutInto } from "../support/xml_items.ts";

const MAX_MESSAGE = 300;
const TEXTS = ["", "<message/>", "Съешь", "\u0000\u{10ffff}é", "x".repeat(130), "€".repeat(90)];

fuzz("what a client sends in good order arrives as it was sent", {
  target: "websocket_messages",
  inputs: fc.record({ sent: fc.array(sendings(), { maxLength: 8 }), sizes: cuts() }),
  check({ sent, sizes }) {
    const bytes = concat(...sent.flatMap(({ frames }) => frames.map(clientFrame)));
    const seen = new CodecTalk({ maxMessage: 100_000 }).receive(...cutBy(bytes, sizes));
    assert.deepEqual(
      seen.filter((line) => !line.startsWith("write pong") && line !== "alive"),
      sent.flatMap(({ line }) => line ?? []),
    );
    const alive = seen.filter((line) => line === "alive").length;
    const controls = sent.flatMap(({ frames }) => frames).filter(({ opcode }) => opcode > 8);
    assert.equal(alive, controls.length);
  },
});

fuzz("the same is found however the bytes are cut", {
  target: "websocket_cuts",
  inputs: fc.record({ bytes: streams(), sizes: cuts() }),
  check({ bytes, sizes }) {
    const whole = outcome([bytes]);
    assert.deepEqual(outcome(cutInto(bytes, 1)).lines, whole.lines);
    const cut = outcome(cutBy(bytes, sizes));
    assert.deepEqual(cut.lines, whole.lines);
    assert.equal(cut.lastPong, whole.lastPong);
  },
});

fuzz("any bytes end in messages, or in one end that is documented", {
  target: "websocket_cuts",
  inputs: fc.record({ bytes: streams(), sizes: cuts() }),
  check({ bytes, sizes }) {
    const codec = new WebSocketCodec(0, { maxMessage: MAX_MESSAGE, pingInterval: 0 });
    const types: string[] = [];
    let code: number | undefined;
    for (const piece of cutBy(bytes, sizes)) {
      const chunk = new Uint8Array(piece);
      codec.receive(0, chunk);
      for (let action; (action = codec.poll());) {
        types.push(action.type);
        if (action.type === "closed") code = action.code;
        if (action.type !== "message") continue;
        assert.ok(action.bytes.length <= MAX_MESSAGE);
        // A view of the chunk, or a buffer that no promise of a header could make larger.
        const held = action.bytes.buffer.byteLength;
        assert.ok(action.bytes.buffer === chunk.buffer || held <= MAX_MESSAGE);
      }
    }
    const end = types.indexOf("end");
    assert.deepEqual(end < 0 ? [] : types.slice(end), end < 0 ? [] : ["end", "closed"]);
    if (end >= 0) assert.equal(types[end - 1], "write", "the peer is told");
    assert.ok(
      code === undefined || [1002, 1005, 1007, 1009].includes(code) || isCloseCode(code),
      `${code}`,
    );
  },
});

fuzz("ws finds the same messages, and the same mistakes", {
  target: "websocket_octets",
  inputs: streams(),
  check(stream) {
    // A header that is cut off is judged sooner by one or by the other: none is, so.
    const bytes = concat(stream, new Uint8Array(14));
    const ours = outcome([bytes]);
    const theirs = receiverOutcome(bytes);
    const messages = ours.lines.filter(isMessage);
    const code = Number(/^closed (\d+)$/.exec(ours.lines.at(-1) ?? "")?.[1]) || undefined;
    if (code === 1007 && theirs.code !== 1007) {
      // ws looks at text when its message is whole, so other mistakes, or the end, may come first.
      assert.deepEqual(theirs.messages, messages);
      return;
    }
    if (code === 1002 && /fewest bytes|63 bits/.test(ours.reason)) {
      // ws does not mind the first; the second is beyond what it can count, 1009 to it.
      assert.deepEqual(theirs.messages.slice(0, messages.length), messages);
      return;
    }
    assert.deepEqual(theirs, { messages, code });
  },
});

const operation = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant("receive" as const), pieces()) },
  fc.tuple(
    fc.constantFrom("text", "close", "flow", "block", "wait", "half", "disconnect"),
    pieces(),
  ),
);

fuzz("whatever is done in whatever order, nothing follows a close frame or the end", {
  target: "websocket_operations",
  inputs: fc.array(operation, { maxLength: 30 }),
  check(operations) {
    const codec = new WebSocketCodec(0, { maxMessage: MAX_MESSAGE, pingInterval: 5000 });
    let now = 0;
    const written: string[] = [];
    const asked: string[] = [];
    for (const [name, bytes] of operations) {
      if (name === "receive") codec.receive(now, new Uint8Array(bytes));
      if (name === "text" && codec.text([bytes])) written.push("text");
      if (name === "close") codec.close(now, 1000);
      if (name === "flow" || name === "block") codec.flow(name === "flow");
      if (name === "half") codec.peerEnded(now);
      if (name === "disconnect") codec.disconnected(now);
      if (name === "wait") codec.handleTimeout(now = codec.deadline ?? now);
      for (let action; (action = codec.poll());) {
        if (action.type === "write") written.push(describe(action));
        else asked.push(action.type);
      }
    }
    const closed = written.findIndex((line) => line.startsWith("write close"));
    if (closed >= 0) assert.equal(closed, written.length - 1);
    const end = asked.findIndex((type) => type === "end" || type === "drop");
    const rest = end < 0 ? "" : asked.slice(end).join(" ");
    assert.ok(["", "end closed", "end closed drop", "drop closed"].includes(rest), rest);
    // Whatever went on, the codec comes to its end once nobody answers.
    for (let i = 0; i < 5 && codec.deadline !== undefined; i++) {
      codec.handleTimeout(now = codec.deadline);
      while (codec.poll());
    }
    assert.equal(codec.deadline, undefined);
  },
});

// ——— What is found in bytes

function outcome(chunks: Iterable<Uint8Array>) {
  const codec = new WebSocketCodec(0, { maxMessage: MAX_MESSAGE, pingInterval: 0 });
  const lines: string[] = [];
  let [lastPong, reason] = ["", ""];
  for (const chunk of chunks) {
    codec.receive(0, new Uint8Array(chunk));
    for (let action; (action = codec.poll());) {
      if (action.type === "message") lines.push(messageLine(action.bytes, action.binary));
      else if (action.type === "write") {
        const { opcode, payload } = serverFrames(action.bytes)[0]!;
        if (opcode === 10) lastPong = payload.toHex();
        else lines.push(describe(action));
        if (opcode === 8) reason = new TextDecoder().decode(payload.subarray(2));
      } else lines.push(describe(action));
    }
  }
  return { lines, lastPong, reason };
}

function isMessage(line: string): boolean {
  return /^(text|binary) /.test(line);
}

function messageLine(bytes: Uint8Array, binary: boolean): string {
  return `${binary ? "binary" : "text"} ${bytes.toHex()}`;
}

function isCloseCode(code: number): boolean {
  return code >= 1000 && code < 1015 && code !== 1004 && code !== 1006 ||
    code >= 3000 && code < 5000;
}

// The types that stanza brings with it leave it out.
const { Receiver } = ws as unknown as { readonly Receiver: new (options: object) => Writable };

/** What ws makes of the bytes of a client. */
function receiverOutcome(bytes: Uint8Array) {
  const receiver = new Receiver({ isServer: true, maxPayload: MAX_MESSAGE });
  const messages: string[] = [];
  let code: number | undefined;
  receiver.on("message", (data: Uint8Array, binary: boolean) => {
    messages.push(messageLine(new Uint8Array(data), binary));
  });
  receiver.on("conclude", (given: number) => code ??= given);
  receiver.on("error", () => {});
  receiver.write(Buffer.from(bytes));
  return { messages, code: code ?? statusOf(receiver.errored) };
}

/** ws keeps the close code of an error under a symbol of its own. */
function statusOf(error: Error | null): number | undefined {
  if (error === null) return undefined;
  const symbols = Object.getOwnPropertySymbols(error);
  const key = symbols.find(({ description }) => description === "status-code");
  assert.ok(key, error.message);
  return Reflect.get(error, key);
}

// ——— What is sent

interface Sending {
  readonly frames: ClientFrame[];
  /** What the codec is to say of it. */
  readonly line: string | undefined;
}

function keys(): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 });
}

function controls(): fc.Arbitrary<ClientFrame> {
  return fc.record({
    opcode: fc.constantFrom(9, 10),
    payload: fc.constantFrom("", "p", "x".repeat(125)),
    key: keys(),
  });
}

/** A message in any fragments with pings between them, or a ping alone. */
function sendings(): fc.Arbitrary<Sending> {
  const message = fc.tuple(
    fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: "binary", maxLength: 40 })),
    fc.boolean(),
    fc.array(fc.tuple(fc.nat(60), fc.option(controls(), { nil: undefined })), { maxLength: 4 }),
    keys(),
  ).map(([text, binary, breaks, key]): Sending => {
    const payload = bytesOf(text);
    const frames: ClientFrame[] = [];
    let at = 0;
    for (const [length, control] of breaks) {
      const part = payload.slice(at, at + length);
      frames.push({
        opcode: at === 0 && frames.length === 0 ? opcode(binary) : 0,
        payload: part,
        fin: false,
        key,
      });
      at += part.length;
      if (control) frames.push(control);
    }
    const last = payload.slice(at);
    frames.push({ opcode: frames.length === 0 ? opcode(binary) : 0, payload: last, key });
    return {
      frames,
      line: describe({ type: "message", bytes: payload, binary }),
    };
  });
  const control = controls().map((frame): Sending => ({ frames: [frame], line: undefined }));
  return fc.oneof({ weight: 3, arbitrary: message }, control);
}

function opcode(binary: boolean): number {
  return binary ? 2 : 1;
}

/** Frames of every kind, right and wrong. */
function anyFrames(): fc.Arbitrary<ClientFrame[]> {
  const often = <T>(usual: T, ...others: T[]) =>
    fc.oneof({ weight: 15, arbitrary: fc.constant(usual) }, fc.constantFrom(usual, ...others));
  const payload = fc.oneof(
    fc.constantFrom(...TEXTS.map(bytesOf)),
    fc.uint8Array({ maxLength: 8 }),
    fc.constantFrom(3, 0xe8, 0xbb8).map((code) => Uint8Array.of(code >> 8, code)),
    fc.constantFrom("03e8", "03ed", "0bb8616263", "03e8ff", "c3", "28", "eda080", "e282", "ac")
      .map((hex) => Uint8Array.fromHex(hex)),
  );
  const frame = fc.record({
    opcode: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(0, 1, 1, 1, 2, 9, 10) },
      fc.constantFrom(8, 3, 11, 15),
    ),
    payload,
    fin: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.boolean()),
    reserved: often(0, 1, 2, 4),
    masked: often(true, false),
    key: keys(),
  });
  const declared = fc.constantFrom(0, 5, 126, 299, 300, 301, 70_000, 2 ** 33, 1n << 62n, 1n << 63n);
  const liar = fc.record({ opcode: fc.constantFrom(1, 2), declared });
  const wasteful = fc.record({
    opcode: fc.constantFrom(1, 2),
    payload,
    lengthBytes: fc.constantFrom(2, 8),
  });
  return fc.array(
    fc.oneof({ weight: 40, arbitrary: frame }, { weight: 1, arbitrary: liar }, {
      weight: 1,
      arbitrary: wasteful,
    }),
    { maxLength: 10 },
  );
}

/** What a client may send: in good order, in bad order, with bytes changed, or nothing but noise. */
function streams(): fc.Arbitrary<Uint8Array> {
  const good = fc.array(sendings(), { maxLength: 4 })
    .map((sent) => sent.flatMap(({ frames }) => frames));
  const bytes = fc.oneof(good, anyFrames()).map((frames) => concat(...frames.map(clientFrame)));
  const change = fc.tuple(fc.noBias(fc.nat(999_999)), fc.nat(2), fc.uint8Array({ maxLength: 3 }));
  const mutants = fc.tuple(bytes, fc.array(change, { minLength: 1, maxLength: 3 })).map(
    ([bytes, changes]) =>
      changes.reduce((bytes, [place, removed, inserted]) => {
        const at = Math.floor(place * bytes.length / 1_000_000);
        return concat(bytes.subarray(0, at), inserted, bytes.subarray(at + removed));
      }, bytes),
  );
  return fc.oneof(bytes, mutants, fc.uint8Array({ maxLength: 60 }));
}

function pieces(): fc.Arbitrary<Uint8Array> {
  const frames = anyFrames().map((frames) => concat(...frames.slice(0, 2).map(clientFrame)));
  const close = fc.constant(clientFrame({ opcode: 8 }));
  const cut = frames.chain((bytes) => fc.nat(bytes.length).map((end) => bytes.subarray(0, end)));
  return fc.oneof({ weight: 4, arbitrary: frames }, cut, close);
}
