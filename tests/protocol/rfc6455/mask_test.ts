import assert from "node:assert/strict";
import { unmask } from "../../../src/protocol/rfc6455/mask.ts";

const KEY = [0x9a, 0x01, 0xf0, 0x7f];
const MASK = 0x7ff0019a;

Deno.test("a mask comes off at every length, alignment and phase, and nothing beside is touched", () => {
  for (let length = 0; length < 150; length++) {
    for (let from = 0; from < 9; from++) {
      for (let phase = 0; phase < 5; phase++) {
        // The view does not begin where its buffer does.
        const bytes = new Uint8Array(new ArrayBuffer(200), phase, 180).map((_, i) => i * 13);
        const expected = bytes.map((byte, i) =>
          i < from || i >= from + length ? byte : byte ^ KEY[(phase + i - from) % 4]!
        );
        unmask(bytes, from, from + length, MASK, phase);
        assert.deepEqual(bytes, expected);
      }
    }
  }
});

Deno.test("one byte beyond ASCII is seen, wherever it stands", () => {
  for (const length of [1, 2, 3, 4, 63, 64, 65, 66, 67, 100]) {
    for (let at = 0; at < length; at++) {
      const bytes = new Uint8Array(length + 2).fill(0x41);
      bytes[0] = bytes[length + 1] = 0xff;
      for (let i = 0; i < length; i++) bytes[1 + i]! ^= KEY[i % 4]!;
      assert.ok(unmask(bytes.slice(), 1, 1 + length, MASK, 0) < 0x80);
      bytes[1 + at]! ^= 0x80;
      assert.ok(unmask(bytes, 1, 1 + length, MASK, 0) >= 0x80);
    }
  }
});
