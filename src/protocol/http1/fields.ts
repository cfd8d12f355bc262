import { equalsIgnoringCase, latin1 } from "./chars.ts";

/**
 * The header fields of one request; a value becomes text when it is asked for. They are views of
 * what came, good until those bytes change.
 */
export class Fields {
  readonly #bytes: Uint8Array;
  readonly #offsets: readonly number[];

  /** `offsets` are those of `FieldLines`, into `bytes`, which must stay as they are. */
  constructor(bytes: Uint8Array, offsets: readonly number[]) {
    this.#bytes = bytes;
    this.#offsets = offsets;
  }

  /** A field's value, several of one name joined by `, ` (RFC 9110 §5.3); `name` in lower case. */
  get(name: string): string | undefined {
    const bytes = this.#bytes;
    const offsets = this.#offsets;
    let value: string | undefined;
    for (let at = 0; at < offsets.length; at += 4) {
      if (!equalsIgnoringCase(bytes, offsets[at]!, offsets[at + 1]!, name)) continue;
      const text = latin1(bytes, offsets[at + 2]!, offsets[at + 3]!);
      value = value === undefined ? text : `${value}, ${text}`;
    }
    return value;
  }

  get count(): number {
    return this.#offsets.length / 4;
  }
}
