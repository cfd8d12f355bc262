import { CLASS, CLASSES, OCTET } from "./chars.ts";
import type { Input } from "./input.ts";
import { type Refusal, REFUSALS } from "./refusals.ts";

/** What reading a part of a message came to. */
export const STEP = {
  /** The bytes end, and the part does not. */
  NEEDS_BYTES: 0,
  /** It is refused. */
  REFUSED: 1,
  /** It is complete, and `pos` behind it. */
  DONE: 2,
} as const;

export type Step = typeof STEP[keyof typeof STEP];

/**
 * Reads field lines up to the empty line behind them: those of a head, and those of a trailer.
 *
 * RFC 9112 §2.2 lets a recipient take a bare LF for a line's end, and §5.2 lets it unfold folded
 * lines. Where another recipient does not do the same, two of them see different messages; so
 * here a line ends with CRLF, and nothing is folded.
 */
export class FieldLines {
  /** Why the lines are refused, once they are. */
  refusal: Refusal | undefined;
  /** Of each field four: where its name begins and ends, and its value; counted from `Input.start`. */
  #offsets: number[] = [];
  #state: number = LINE;
  #nameStart = 0;
  #nameEnd = 0;
  #valueStart = 0;
  readonly #most: number;

  /** `most` is how many fields there may be. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Where the fields are, once they are complete; and as if new. */
  take(): readonly number[] {
    const offsets = this.#offsets;
    this.#offsets = [];
    this.#state = LINE;
    return offsets;
  }

  /** Goes on at `pos`, and looks at nothing from `end` on. */
  read(input: Input, end: number): Step {
    const { bytes, start } = input;
    let pos = input.pos;
    let state = this.#state;
    for (;;) {
      if (state === LINE) {
        if (pos === end) return this.#wait(input, LINE, pos);
        const octet = bytes[pos]!;
        if (octet === CR) {
          pos++;
          state = LAST_LF;
        } else {
          if ((classes[octet]! & TOKEN) === 0) return this.#refuseLine(octet);
          if (this.#offsets.length >= 4 * this.#most) return this.#refuse(REFUSALS.MANY_FIELDS);
          this.#nameStart = pos - start;
          state = NAME;
        }
      }
      if (state === LAST_LF) {
        if (pos === end) return this.#wait(input, LAST_LF, pos);
        if (bytes[pos] !== LF) return this.#refuse(REFUSALS.BARE_CR);
        input.pos = pos + 1;
        return STEP.DONE;
      }
      if (state === NAME) {
        while (pos < end && (classes[bytes[pos]!]! & TOKEN) !== 0) pos++;
        if (pos === end) return this.#wait(input, NAME, pos);
        // RFC 9112 §5.1: "No whitespace is allowed between the field name and colon."
        if (bytes[pos] !== OCTET.COLON) return this.#refuse(REFUSALS.FIELD_NAME);
        this.#nameEnd = pos - start;
        pos++;
        state = BEFORE_VALUE;
      }
      if (state === BEFORE_VALUE) {
        while (pos < end && isBlank(bytes[pos]!)) pos++;
        if (pos === end) return this.#wait(input, BEFORE_VALUE, pos);
        this.#valueStart = pos - start;
        state = VALUE;
      }
      if (state === VALUE) {
        while (pos < end && (classes[bytes[pos]!]! & CLASS.VALUE) !== 0) pos++;
        if (pos === end) return this.#wait(input, VALUE, pos);
        if (bytes[pos] !== CR) {
          return this.#refuse(bytes[pos] === LF ? REFUSALS.BARE_LF : REFUSALS.FIELD_VALUE);
        }
        let valueEnd = pos - start;
        while (valueEnd > this.#valueStart && isBlank(bytes[start + valueEnd - 1]!)) valueEnd--;
        this.#offsets.push(this.#nameStart, this.#nameEnd, this.#valueStart, valueEnd);
        pos++;
        state = VALUE_LF;
      }
      // VALUE_LF
      if (pos === end) return this.#wait(input, VALUE_LF, pos);
      if (bytes[pos] !== LF) return this.#refuse(REFUSALS.BARE_CR);
      pos++;
      state = LINE;
    }
  }

  #wait(input: Input, state: number, pos: number): Step {
    this.#state = state;
    input.pos = pos;
    return STEP.NEEDS_BYTES;
  }

  #refuse(refusal: Refusal): Step {
    this.refusal = refusal;
    return STEP.REFUSED;
  }

  #refuseLine(octet: number): Step {
    if (octet === LF) return this.#refuse(REFUSALS.BARE_LF);
    return this.#refuse(isBlank(octet) ? REFUSALS.FOLDED : REFUSALS.FIELD_NAME);
  }
}

function isBlank(octet: number): boolean {
  return octet === OCTET.SP || octet === OCTET.HTAB;
}

const { CR, LF } = OCTET;
const { TOKEN } = CLASS;
const classes = CLASSES;

/** A line begins: a field, or the end of them. */
const LINE = 0;
const NAME = 1;
/** The colon is read, and perhaps white space behind it. */
const BEFORE_VALUE = 2;
const VALUE = 3;
/** The CR that ends a field's line is read. */
const VALUE_LF = 4;
/** The CR of the empty line is read. */
const LAST_LF = 5;
