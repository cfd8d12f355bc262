import assert from "node:assert/strict";
import { Outbox, PIECE_COST } from "../../src/upstream/outbox.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

Deno.test("what waits leaves in order, in batches of 16 KiB, cut wherever they end", () => {
  const outbox = new Outbox();
  const big = "x".repeat(40_000);
  for (const text of ["<a/>", "<b/>", big, "<c/>"]) outbox.push(encode(text), true);
  const batches: string[] = [];
  for (let batch; (batch = outbox.next()); outbox.written()) batches.push(decode(batch)!);
  assert.equal(batches.join(""), `<a/><b/>${big}<c/>`);
  assert.deepEqual(batches.map(({ length }) => length), [16_384, 16_384, 7_244]);
  assert.deepEqual([outbox.size, outbox.takeUnsent(), outbox.isWriting], [0, 0, false]);
});

Deno.test("a piece counts with what it costs while it waits, and with its bytes until it has left", () => {
  const outbox = new Outbox();
  outbox.push(encode("<a/>"), true);
  outbox.push(encode("<b/>"), true);
  assert.equal(outbox.size, 8 + 2 * PIECE_COST);
  outbox.next();
  assert.equal(outbox.size, 8);
  outbox.push(encode("<c/>"), true);
  assert.equal(outbox.size, 12 + PIECE_COST);
  outbox.written();
  assert.equal(outbox.size, 4 + PIECE_COST);
});

Deno.test("of what never leaves the client's bytes are counted, once, and not our own", () => {
  const outbox = new Outbox();
  outbox.push(encode("<header>"), false);
  outbox.push(encode("<a/>"), true);
  outbox.next();
  outbox.written();
  outbox.push(encode("<b/>"), true);
  outbox.next();
  outbox.push(encode("<tag>".repeat(5_000)), false);
  outbox.push(encode("<more/>"), true);
  outbox.close();
  assert.equal(outbox.size, 0);
  assert.equal(outbox.next(), undefined);
  // What comes later is lost as well, and is not kept.
  outbox.push(encode("<later/>"), true);
  assert.equal(outbox.size, 0);
  assert.equal(outbox.takeUnsent(), "<b/><more/><later/>".length);
  assert.equal(outbox.takeUnsent(), 0);
});

Deno.test("a big piece of ours that is cut stays ours", () => {
  const outbox = new Outbox();
  outbox.push(encode("x".repeat(20_000)), false);
  outbox.push(encode("<a/>"), true);
  outbox.next();
  outbox.written();
  assert.equal(decode(outbox.next())!.length, 3_616 + 4);
  outbox.close();
  assert.equal(outbox.takeUnsent(), 4);
});

Deno.test("what waits keeps no more than twice its size in memory, whatever it was a part of", () => {
  const outbox = new Outbox();
  outbox.push(encode("<first/>"), true);
  outbox.next();
  const request = encode("x".repeat(100_000));
  const part = request.subarray(0, 4);
  outbox.push(part, true);
  request.fill(0x79);
  outbox.written();
  assert.equal(decode(outbox.next()), "xxxx", "it was copied");
});
