import { CLASS, CLASSES, OCTET } from "./chars.ts";
import { FieldLines, STEP, type Step } from "./field_lines.ts";
import type { Input } from "./input.ts";
import type { HttpLimits } from "./limits.ts";
import { type Refusal, REFUSALS } from "./refusals.ts";

/**
 * Reads one body in the chunked transfer coding (RFC 9112 §7.1) and puts it together. Chunk
 * extensions and trailer fields are checked, bounded and dropped.
 *
 * What is held grows with what has come, not with what a chunk says that it will bring.
 */
export class ChunkedBody {
  /** Why the body is refused, once it is. */
  refusal: Refusal | undefined;
  readonly #limits: HttpLimits;
  readonly #max: number;
  readonly #trailer: FieldLines;
  #state: number = SIZE_START;
  /** Of the chunk being read: its size, and then what is still to come of it. */
  #size = 0;
  /** Octets so far of the line that gives the size. */
  #line = 0;
  /** Octets of all extensions. */
  #dropped = 0;
  #buffer: Uint8Array = EMPTY;
  #length = 0;

  /** `max` is the most bytes that the body may have. */
  constructor(limits: HttpLimits, max: number) {
    this.#limits = limits;
    this.#max = max;
    this.#trailer = new FieldLines(limits.fields);
  }

  /** The body, once it is complete. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  read(input: Input): Step {
    for (;;) {
      if (this.#state === TRAILER) return this.#readTrailer(input);
      const step = this.#state === DATA ? this.#readData(input) : this.#readLine(input);
      if (step !== AGAIN) return step;
    }
  }

  /** What stands around a chunk's data. */
  #readLine(input: Input): Step | typeof AGAIN {
    const { bytes, end } = input;
    for (; input.pos < end; input.advance(input.pos + 1)) {
      const octet = bytes[input.pos]!;
      switch (this.#state) {
        case SIZE_START:
        case SIZE: {
          if ((CLASSES[octet]! & CLASS.HEX) !== 0) {
            // RFC 9112 §7.1: recipients "MUST anticipate potentially large hexadecimal numerals".
            if (++this.#line > SIZE_DIGITS) return this.#refuse(REFUSALS.CHUNK_SIZE);
            this.#size = 16 * this.#size + hexValue(octet);
            this.#state = SIZE;
            continue;
          }
          if (this.#state === SIZE_START) return this.#refuse(REFUSALS.CHUNK_SIZE);
          if (this.#size > this.#max - this.#length) return this.#refuse(REFUSALS.LONG_BODY);
          if (octet === CR) this.#state = SIZE_LF;
          // The grammar would let white space stand before the semicolon, where others see it end.
          else if (octet === OCTET.SEMICOLON) return this.#readExtension(input);
          else return this.#refuse(octet === LF ? REFUSALS.BARE_LF : REFUSALS.CHUNK_SIZE);
          continue;
        }
        case EXTENSION:
          return this.#readExtension(input);
        case SIZE_LF:
          if (octet !== LF) return this.#refuse(REFUSALS.BARE_CR);
          input.advance(input.pos + 1);
          this.#line = 0;
          this.#state = this.#size === 0 ? TRAILER : DATA;
          return AGAIN;
        case DATA_CR:
          if (octet !== CR) return this.#refuse(REFUSALS.CHUNK_END);
          this.#state = DATA_LF;
          continue;
        case DATA_LF:
          if (octet !== LF) return this.#refuse(REFUSALS.CHUNK_END);
          this.#size = 0;
          this.#state = SIZE_START;
          continue;
      }
    }
    return STEP.NEEDS_BYTES;
  }

  /** From the semicolon to the end of the line; what is said there nobody knows here. */
  #readExtension(input: Input): Step | typeof AGAIN {
    const { bytes, end, start } = input;
    const { chunkLineBytes, trailerBytes } = this.#limits;
    this.#state = EXTENSION;
    const room = Math.min(chunkLineBytes - this.#line, trailerBytes - this.#dropped);
    const stop = Math.min(end, start + Math.max(room, 0));
    let pos = start;
    while (pos < stop && (CLASSES[bytes[pos]!]! & CLASS.VALUE) !== 0) pos++;
    this.#line += pos - start;
    this.#dropped += pos - start;
    input.advance(pos);
    if (pos === end) return STEP.NEEDS_BYTES;
    if (bytes[pos] !== CR) {
      return this.#refuse(bytes[pos] === LF ? REFUSALS.BARE_LF : REFUSALS.CHUNK_LINE);
    }
    input.advance(pos + 1);
    this.#state = SIZE_LF;
    return AGAIN;
  }

  #readData(input: Input): Step | typeof AGAIN {
    const count = Math.min(this.#size, input.end - input.pos);
    this.#append(input.bytes.subarray(input.pos, input.pos + count));
    input.advance(input.pos + count);
    this.#size -= count;
    if (this.#size > 0) return STEP.NEEDS_BYTES;
    this.#state = DATA_CR;
    return AGAIN;
  }

  #readTrailer(input: Input): Step {
    // The empty line behind the fields is none of them.
    const limit = this.#limits.trailerBytes - this.#dropped + 2;
    const step = this.#trailer.read(input, Math.min(input.end, input.start + limit));
    if (step === STEP.DONE) input.advance(input.pos);
    else if (step === STEP.REFUSED) this.refusal = this.#trailer.refusal;
    else if (input.pos - input.start >= limit) return this.#refuse(REFUSALS.LONG_TRAILER);
    return step;
  }

  #append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#buffer.length) {
      const doubled = Math.min(2 * this.#buffer.length, this.#max);
      const buffer = new Uint8Array(Math.max(length, doubled));
      buffer.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = buffer;
    }
    this.#buffer.set(piece, this.#length);
    this.#length = length;
  }

  #refuse(refusal: Refusal): Step {
    this.refusal = refusal;
    return STEP.REFUSED;
  }
}

function hexValue(octet: number): number {
  return octet < 0x3a ? octet - 0x30 : (octet | 0x20) - 0x57;
}

const EMPTY = new Uint8Array(0);
/** More than any number that a body's length could be. */
const SIZE_DIGITS = 16;
/** Another state is to go on. */
const AGAIN = -1;

const { CR, LF } = OCTET;

const SIZE_START = 0;
const SIZE = 1;
const EXTENSION = 2;
const SIZE_LF = 3;
const DATA = 4;
const DATA_CR = 5;
const DATA_LF = 6;
const TRAILER = 7;
