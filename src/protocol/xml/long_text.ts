import { CLASS, CLASSES } from "./chars.ts";

/** So many bytes are looked at one by one before a text counts as long. */
export const SHORT_TEXT = 128;

/**
 * Behind the bytes at `pos` that do not end a run of text, four at a time where the machine's words
 * lie. A view of the words has its price too, which some sixteen of them earn back.
 */
export function skipLongText(bytes: Uint8Array, pos: number, end: number): number {
  const first = (bytes.byteOffset + pos + 3) >>> 2;
  const count = ((bytes.byteOffset + end) >>> 2) - first;
  if (count < 16) return skipPlain(bytes, pos, end);
  const start = 4 * first - bytes.byteOffset;
  const before = skipPlain(bytes, pos, start);
  if (before < start) return before;
  const words = new Int32Array(bytes.buffer, 4 * first, count);
  for (let i = 0; i < count; i++) {
    const word = words[i]!;
    // In each byte, the highest bit of a difference tells that it was below zero: that the byte is
    // one of < = > ?, or &, or below the blank; what lies beyond ASCII has that bit itself. A byte
    // borrows of the next one only when it is told itself.
    const told = (word ^ FOUR_LT) - FOUR_FOURS | (word ^ FOUR_AMP) - FOUR_ONES |
      word - FOUR_BLANKS | word;
    if ((told & FOUR_HIGHEST_BITS) === 0) continue;
    const at = start + 4 * i;
    const next = skipPlain(bytes, at, at + 4);
    if (next < at + 4) return next;
  }
  return skipPlain(bytes, start + 4 * count, end);
}

function skipPlain(bytes: Uint8Array, pos: number, end: number): number {
  while (pos < end && (classes[bytes[pos]!]! & STOPS_TEXT) === 0) pos++;
  return pos;
}

// V8 folds a module's own constants into its code; imported ones it loads and checks at each use.
const classes = CLASSES;
const { STOPS_TEXT } = CLASS;

const FOUR_LT = 0x3c3c3c3c;
const FOUR_AMP = 0x26262626;
const FOUR_BLANKS = 0x20202020;
const FOUR_FOURS = 0x04040404;
const FOUR_ONES = 0x01010101;
const FOUR_HIGHEST_BITS = 0x80808080;
