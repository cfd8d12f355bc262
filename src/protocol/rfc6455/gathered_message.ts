import { INVALID } from "../xml/chars.ts";
import { unmask } from "./mask.ts";
import { skipCharacters } from "./utf8.ts";

/**
 * A message that does not lie whole in one chunk, put together as it comes. It holds at most twice
 * of what has come, whatever the headers promise.
 */
export class GatheredMessage {
  readonly binary: boolean;
  /** The lengths that its frames have declared, together (bytes). */
  declared = 0;
  /** Its frames so far. */
  frames = 0;
  #bytes: Uint8Array = EMPTY;
  #length = 0;
  /** Up to here, text is whole characters. */
  #checked = 0;

  constructor(binary: boolean) {
    this.binary = binary;
  }

  /**
   * Takes what stands in `chunk` from `from` to `to`, masked; false when it is certain that the
   * text is not UTF-8. `phase` counts the bytes of the same frame that came before.
   */
  append(chunk: Uint8Array, from: number, to: number, mask: number, phase: number): boolean {
    const start = this.#length;
    this.#length += to - from;
    this.#reserve();
    this.#bytes.set(chunk.subarray(from, to), start);
    const seen = unmask(this.#bytes, start, this.#length, mask, phase);
    if (this.binary) return true;
    if (seen < 0x80 && this.#checked === start) this.#checked = this.#length;
    else this.#checked = skipCharacters(this.#bytes, this.#checked, this.#length);
    return this.#checked !== INVALID;
  }

  /** All of it; `undefined` when the text ends inside a character. */
  finish(): Uint8Array | undefined {
    if (!this.binary && this.#checked !== this.#length) return undefined;
    return this.#bytes.subarray(0, this.#length);
  }

  /** Doubling keeps the copying linear; what is declared is the most that this frame can need. */
  #reserve(): void {
    if (this.#length <= this.#bytes.length) return;
    const doubled = Math.max(this.#length, 2 * this.#bytes.length, PIECE);
    const bytes = new Uint8Array(Math.min(doubled, this.declared));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}

const EMPTY = new Uint8Array(0);

/** The first buffer (bytes), unless less is declared. */
const PIECE = 1024;
