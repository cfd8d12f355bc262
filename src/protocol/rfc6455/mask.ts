/** From how many bytes on a view of their words pays (measured: tests/bench/rfc6455_bench.ts). */
const WORDS_PAY = 64;

/**
 * Takes the mask off `bytes` from `from` to `to`, where they are (RFC 6455 §5.3). `mask` has its
 * first byte lowest; `phase` of its bytes were used before. The result is all of the bytes
 * or-ed together: below 0x80, everything was ASCII.
 */
export function unmask(
  bytes: Uint8Array,
  from: number,
  to: number,
  mask: number,
  phase: number,
): number {
  if (to - from < WORDS_PAY) return unmaskBytes(bytes, from, to, mask, phase);
  const aligned = from + (-(bytes.byteOffset + from) & 3);
  const count = (to - aligned) >> 2;
  const rest = aligned + 4 * count;
  // Every platform that we run on is little-endian, as `mask` is.
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, count);
  const key = rotate(mask, phase + aligned - from);
  let seen = 0;
  for (let i = 0; i < count; i++) seen |= words[i] = words[i]! ^ key;
  return unmaskBytes(bytes, from, aligned, mask, phase) |
    (seen | seen >>> 8 | seen >>> 16 | seen >>> 24) & 0xff |
    unmaskBytes(bytes, rest, to, mask, phase + rest - from);
}

function unmaskBytes(
  bytes: Uint8Array,
  from: number,
  to: number,
  mask: number,
  phase: number,
): number {
  let key = rotate(mask, phase);
  let seen = 0;
  for (let i = from; i < to; i++) {
    seen |= bytes[i] = bytes[i]! ^ key & 0xff;
    key = rotate(key, 1);
  }
  return seen;
}

/** The mask as it is `count` bytes on. */
function rotate(mask: number, count: number): number {
  const bits = 8 * (count & 3);
  // A shift by 32 is one by 0, so nothing moves when nothing is to.
  return mask >>> bits | mask << 32 - bits;
}
