import {
  ASCII,
  decodeChar,
  INCOMPLETE,
  isChar,
  isNameChar,
  isNameStart,
  utf8Length,
} from "./chars.ts";
import type { Input } from "./input.ts";
import { FORBIDDEN, type Refusal, STEP, type Step } from "./step.ts";
import { isPredefined } from "./text.ts";

/** A reference in text or in an attribute's value (XML 1.0 §4.1), from its `&` to its `;`. */
export class Reference {
  #state = AMPERSAND;
  /** Where the `&` is, counted from the item's start. */
  #start = 0;
  /** The number of a character reference so far, `NO_DIGITS` at first. */
  #code = 0;

  /** Begins at the `&`, which is at `pos`. */
  begin(input: Input, pos: number): void {
    this.#state = AMPERSAND;
    this.#start = pos - input.item;
    input.pos = pos + 1;
  }

  /** `AGAIN` when the reference is complete and good. */
  scan(input: Input, refusal: Refusal): Step {
    const { bytes, end } = input;
    const start = input.item + this.#start;
    let pos = input.pos;
    if (pos === end) return NEEDS_BYTES;
    if (this.#state === AMPERSAND) {
      if (bytes[pos] !== HASH) {
        this.#state = ENTITY;
      } else {
        pos++;
        this.#state = NUMBER;
      }
    }
    if (this.#state === ENTITY) return this.#scanEntity(input, start, refusal);
    if (this.#state === NUMBER) {
      if (pos === end) return wait(input, pos);
      this.#code = NO_DIGITS;
      this.#state = DECIMAL;
      if (bytes[pos] === LETTER_X) {
        pos++;
        this.#state = HEXADECIMAL;
      }
    }
    const base = this.#state === DECIMAL ? 10 : 16;
    for (; pos < end; pos++) {
      const digit = digitOf(bytes[pos]!);
      if (digit >= base) break;
      // There may be any number of leading zeros, so what is too large only stays so.
      this.#code = Math.min(Math.max(this.#code, 0) * base + digit, TOO_LARGE);
    }
    if (pos === end) return wait(input, pos);
    if (bytes[pos] !== SEMICOLON || this.#code === NO_DIGITS) {
      return refusal.refuse(input, pos, "a character reference is malformed");
    }
    // XML 1.0 §4.1: "Characters referred to using character references MUST match … Char."
    if (!isChar(this.#code)) {
      return refusal.fail(input, start, "not-well-formed", FORBIDDEN);
    }
    input.pos = pos + 1;
    return AGAIN;
  }

  #scanEntity(input: Input, start: number, refusal: Refusal): Step {
    const { bytes, end } = input;
    const nameStart = start + 1;
    for (let pos = input.pos;;) {
      if (pos === end) return wait(input, pos);
      const code = decodeChar(bytes, pos, end);
      if (code === INCOMPLETE) return wait(input, pos);
      if (code === SEMICOLON && pos > nameStart) {
        // RFC 6120 §11.1: no "internal or external entity references … with the exception of
        // the predefined entities".
        if (!isPredefined(bytes, nameStart, pos)) {
          return refusal.fail(input, start, "restricted-xml", "an entity is referred to");
        }
        input.pos = pos + 1;
        return AGAIN;
      }
      if (!(pos === nameStart ? isNameStart(code) : isNameChar(code) || code === COLON)) {
        return refusal.refuse(input, pos, "an & does not begin a reference");
      }
      pos += utf8Length(code);
    }
  }
}

const { COLON, HASH, LETTER_X, SEMICOLON } = ASCII;
const { AGAIN, NEEDS_BYTES } = STEP;

const AMPERSAND = 0;
const ENTITY = 1;
const NUMBER = 2;
const DECIMAL = 3;
const HEXADECIMAL = 4;

const NO_DIGITS = -1;
const TOO_LARGE = 0x110000;

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 16;
}

function wait(input: Input, pos: number): Step {
  input.pos = pos;
  return NEEDS_BYTES;
}
