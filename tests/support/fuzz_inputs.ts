import fc from "fast-check";

const encoder = new TextEncoder();

/** Bytes, of a text in UTF-8. */
export function encode(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** What no UTF-8 has: surrogates, too many bytes for a character, one beyond the last, cut-off ones. */
export const NOT_UTF8: readonly Uint8Array<ArrayBuffer>[] = [
  "eda080",
  "edbfbf",
  "eda081edb080",
  "c080",
  "c1bf",
  "e08080",
  "f0808080",
  "f4908080",
  "f888808080",
  "80",
  "bf",
  "c3",
  "e282",
  "f09f98",
  "ff",
  "fe",
].map((hex) => Uint8Array.fromHex(hex));

/** A place in something whose length is not known yet: in millionths. */
const place = fc.noBias(fc.nat(999_999));

type Change = (bytes: Uint8Array) => Uint8Array;

/**
 * Sources with a few changes: a bit is flipped, a byte replaced, a bit of markup put in or over
 * something, something left out, doubled, or replaced by a part of another source.
 */
export function mutants(
  sources: fc.Arbitrary<Uint8Array>,
  bits: readonly Uint8Array[],
): fc.Arbitrary<Uint8Array> {
  const put = fc.tuple(place, fc.constantFrom(0, 0, 1, 2), fc.constantFrom(...bits))
    .map(([place, length, bit]): Change => (bytes) => {
      const at = within(bytes, place);
      return concat(bytes.subarray(0, at), bit, bytes.subarray(at + length));
    });
  const flip = fc.tuple(place, fc.nat(7)).map(([place, bit]): Change => (bytes) => {
    const changed = bytes.slice();
    if (changed.length > 0) changed[within(bytes, place)]! ^= 1 << bit;
    return changed;
  });
  const replace = fc.tuple(place, fc.nat(255)).map(([place, byte]): Change => (bytes) => {
    const changed = bytes.slice();
    if (changed.length > 0) changed[within(bytes, place)] = byte;
    return changed;
  });
  const leaveOut = fc.tuple(place, fc.integer({ min: 1, max: 12 }))
    .map(([place, length]): Change => (bytes) => {
      const at = within(bytes, place);
      return concat(bytes.subarray(0, at), bytes.subarray(at + length));
    });
  const double = fc.tuple(place, fc.integer({ min: 1, max: 80 }), place)
    .map(([from, length, to]): Change => (bytes) => {
      const start = within(bytes, from);
      const at = within(bytes, to);
      return concat(
        bytes.subarray(0, at),
        bytes.subarray(start, start + length),
        bytes.subarray(at),
      );
    });
  const splice = fc.tuple(place, fc.nat(40), sources, place, fc.integer({ min: 1, max: 80 }))
    .map(([place, removed, other, from, length]): Change => (bytes) => {
      const at = within(bytes, place);
      const start = within(other, from);
      return concat(
        bytes.subarray(0, at),
        other.subarray(start, start + length),
        bytes.subarray(at + removed),
      );
    });
  const change = fc.oneof(
    { weight: 4, arbitrary: put },
    { weight: 2, arbitrary: flip },
    { weight: 2, arbitrary: replace },
    { weight: 2, arbitrary: leaveOut },
    { weight: 2, arbitrary: double },
    { weight: 1, arbitrary: splice },
  );
  return fc.tuple(sources, fc.array(change, { maxLength: 3 }))
    .map(([source, changes]) => changes.reduce((bytes, change) => change(bytes), source));
}

/** Bits of markup and bytes of any kind, one after the other. */
export function soups(bits: readonly Uint8Array[], maxLength = 30): fc.Arbitrary<Uint8Array> {
  const byte = fc.nat(255).map((byte) => Uint8Array.of(byte));
  const bit = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...bits) }, byte);
  return fc.array(bit, { maxLength }).map((parts) => concat(...parts));
}

/** The sizes of the first pieces of something; what is left is the last one. */
export function cuts(): fc.Arbitrary<number[]> {
  return fc.array(fc.nat(60), { minLength: 1, maxLength: 20 });
}

export function* cutBy(bytes: Uint8Array, sizes: readonly number[]): Iterable<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function within(bytes: Uint8Array, place: number): number {
  return Math.floor(place * bytes.length / 1_000_000);
}
