import { ASCII, CLASS, CLASSES, decodeChar, INCOMPLETE, skipBeyondAscii } from "./chars.ts";
import type { Input } from "./input.ts";
import { FORBIDDEN, type Refusal, STEP, type Step } from "./step.ts";

/**
 * Goes on behind the `<!` at `start`: `AGAIN` when a CDATA section is open. Whatever
 * else begins so, comments and parts of a document type, is refused (RFC 6120 §11.1).
 */
export function scanCdataOpen(input: Input, start: number, refusal: Refusal): Step {
  const { bytes, end } = input;
  for (; input.pos < start + OPEN.length; input.pos++) {
    if (input.pos === end) return NEEDS_BYTES;
    if (bytes[input.pos] !== OPEN[input.pos - start]) {
      return refusal.fail(input, start, "restricted-xml", "a comment or document type is used");
    }
  }
  return AGAIN;
}

/** Goes on inside of a CDATA section: `AGAIN` behind its `]]>`. */
export function scanCdata(input: Input, refusal: Refusal): Step {
  const { bytes, end } = input;
  let pos = input.pos;
  for (;;) {
    while (pos < end && (classes[bytes[pos]!]! & STOPS_CDATA) === 0) pos++;
    input.pos = pos;
    if (pos === end) return NEEDS_BYTES;
    if (bytes[pos] === GT) {
      pos++;
      // What opens the section ends in another byte, so these two are its content.
      if (bytes[pos - 2] !== BRACKET || bytes[pos - 3] !== BRACKET) continue;
      input.pos = pos;
      return AGAIN;
    }
    pos = skipBeyondAscii(bytes, pos, end);
    if (pos > input.pos) continue;
    if (decodeChar(bytes, pos, end) === INCOMPLETE) return NEEDS_BYTES;
    return refusal.refuse(input, pos, FORBIDDEN);
  }
}

const classes = CLASSES;
const { STOPS_CDATA } = CLASS;
const { BRACKET, GT } = ASCII;
const { AGAIN, NEEDS_BYTES } = STEP;

const OPEN = new TextEncoder().encode("<![CDATA[");
