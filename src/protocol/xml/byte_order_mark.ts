import type { Input } from "./input.ts";
import { type Refusal, STEP, type Step } from "./step.ts";

const MARK = new TextEncoder().encode("\ufeff");

/** What a byte order mark begins with. */
export const MARK_START = 0xef;

/** Goes on with the byte order mark that began the item: `STEP.AGAIN` when it was one, and is forgotten. */
export function scanMark(input: Input, refusal: Refusal): Step {
  const { bytes, end, item } = input;
  for (; input.pos < item + MARK.length; input.pos++) {
    if (input.pos === end) return STEP.NEEDS_BYTES;
    if (bytes[input.pos] !== MARK[input.pos - item]) {
      return refusal.refuse(input, item, "a document must begin with <");
    }
  }
  input.drop();
  return STEP.AGAIN;
}
