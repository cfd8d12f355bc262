import assert from "node:assert/strict";
import { ReadBuffer } from "../../src/upstream/read_buffer.ts";

Deno.test("no more than 512 connections that wait keep a large buffer, and who is gone gives his place up", () => {
  const buffers = Array.from({ length: 600 }, () => new ReadBuffer());
  for (const buffer of buffers) buffer.adapt(512);
  // All are in a burst; what they read now did not fill the large buffer.
  for (const buffer of buffers) buffer.adapt(5_000);
  const large = () => buffers.filter(({ bytes }) => bytes.length > 512).length;
  assert.equal(large(), 512);
  for (const buffer of buffers.slice(0, 100)) buffer.release();
  const newcomer = new ReadBuffer();
  newcomer.adapt(512);
  newcomer.adapt(5_000);
  assert.equal(newcomer.bytes.length, 16_384);
  for (const buffer of [...buffers, newcomer]) buffer.release();
  const last = new ReadBuffer();
  last.adapt(512);
  last.adapt(5_000);
  last.adapt(100);
  assert.equal(last.bytes.length, 512);
});
