import assert from "node:assert/strict";
import { GatheredMessage } from "../../../src/protocol/rfc6455/gathered_message.ts";
import { bytesOf } from "../../support/rfc6455.ts";

/** The mask 0 leaves bytes as they are. */
const NO_MASK = 0;

Deno.test("pieces are put together, each unmasked by its place in its frame", () => {
  const message = new GatheredMessage(true);
  message.declared = 6;
  const mask = 0x04030201;
  const masked = Uint8Array.of(10 ^ 1, 20 ^ 2, 30 ^ 3, 40 ^ 4, 50 ^ 1, 60 ^ 2);
  assert.ok(message.append(masked, 0, 1, mask, 0));
  assert.ok(message.append(masked, 1, 3, mask, 1));
  assert.ok(message.append(masked, 3, 6, mask, 3));
  assert.deepEqual([...message.finish()!], [10, 20, 30, 40, 50, 60]);
  assert.equal(masked[0], 10 ^ 1, "the chunk is not changed");
});

Deno.test("W-012 what is declared costs nothing before it comes, and little more after", () => {
  const message = new GatheredMessage(true);
  message.declared = 1_000_000;
  const piece = new Uint8Array(700);
  for (let length = 700; length <= 980_000; length += 700) {
    message.append(piece, 0, 700, NO_MASK, 0);
    const view = message.finish()!;
    assert.equal(view.length, length);
    assert.ok(view.buffer.byteLength <= Math.max(1024, 2 * length));
  }
  assert.equal(message.finish()!.buffer.byteLength, 1_000_000, "the last buffer is the exact one");
  const small = new GatheredMessage(true);
  small.declared = 10;
  small.append(piece, 0, 10, NO_MASK, 0);
  assert.equal(small.finish()!.buffer.byteLength, 10);
});

Deno.test("W-005 text is judged as it comes, binary never", () => {
  const split = bytesOf("a€b");
  for (const binary of [false, true]) {
    const message = new GatheredMessage(binary);
    message.declared = 100;
    assert.ok(message.append(split, 0, 2, NO_MASK, 0));
    assert.equal(message.finish() !== undefined, binary, "text does not end inside a character");
    assert.ok(message.append(split, 2, 5, NO_MASK, 0));
    assert.deepEqual([...message.finish()!], [...split]);
    assert.ok(message.append(split, 0, 2, NO_MASK, 0));
    assert.equal(message.append(split, 0, 1, NO_MASK, 0), binary, "ASCII inside a character");
  }
});
