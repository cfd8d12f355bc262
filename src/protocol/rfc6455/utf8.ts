import { decodeChar, INCOMPLETE, INVALID, utf8Length } from "../xml/chars.ts";

/**
 * Behind the whole characters that stand from `from` on: at `to`, or where a character begins that
 * goes on after it, or `INVALID` as soon as it is certain that the bytes are not UTF-8 (RFC 3629).
 */
export function skipCharacters(bytes: Uint8Array, from: number, to: number): number {
  let pos = from;
  while (pos < to) {
    if (bytes[pos]! < 0x80) {
      pos++;
      continue;
    }
    const code = decodeChar(bytes, pos, to);
    if (code === INVALID) return INVALID;
    if (code === INCOMPLETE) return pos;
    pos += utf8Length(code);
  }
  return pos;
}
