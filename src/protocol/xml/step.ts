import { decodeChar, INCOMPLETE, INVALID } from "./chars.ts";
import type { XmlError, XmlErrorKind } from "./errors.ts";
import type { Input } from "./input.ts";

/** What scanning came to. */
export const STEP = {
  /** The bytes end, and what is being scanned does not. */
  NEEDS_BYTES: 0,
  /** The document is refused. */
  REFUSED: 1,
  /** The root's start tag or a payload's is complete. */
  START_TAG: 2,
  /** The root's end tag or a payload's is complete. */
  END_TAG: 3,
  /** Nothing to tell: another step is due. */
  AGAIN: 4,
} as const;

export type Step = typeof STEP[keyof typeof STEP];

/** What is said of a character that stands where XML allows others only, or none like it. */
export const FORBIDDEN = "a character stands there that XML does not allow";

/** Why a document is refused, and the way there. */
export class Refusal {
  error: XmlError | undefined;
  /** What to say of an unexpected character of which not all bytes are there; `""` without one. */
  #complaint = "";

  /** Refuses the character at `pos`: for standing there, or for not being one at all. */
  refuse(input: Input, pos: number, message: string): Step {
    const code = decodeChar(input.bytes, pos, input.end);
    if (code === INCOMPLETE) {
      this.#complaint = message;
      input.pos = pos;
      return STEP.NEEDS_BYTES;
    }
    if (code === INVALID) return this.fail(input, pos, "bad-encoding", "the bytes are not UTF-8");
    return this.fail(input, pos, "not-well-formed", message);
  }

  /** Refuses what begins at `pos`. */
  fail(input: Input, pos: number, kind: XmlErrorKind, message: string): Step {
    this.error = { kind, message, offset: input.offset(pos) };
    return STEP.REFUSED;
  }

  /** As if new. */
  reset(): void {
    this.error = undefined;
    this.#complaint = "";
  }

  /** A character is refused, but for how is not certain before more bytes are there. */
  get waits(): boolean {
    return this.#complaint !== "";
  }

  /** Goes on with it when they are. */
  resume(input: Input): Step {
    return this.refuse(input, input.pos, this.#complaint);
  }
}
