import { ASCII, CLASS, CLASSES } from "./chars.ts";
import type { Input } from "./input.ts";
import { type Refusal, STEP, type Step } from "./step.ts";
import { textOf } from "./text.ts";

/**
 * Goes on with the `<?` that began the item: `STEP.AGAIN` when it is a complete and good XML
 * declaration. Every other processing instruction is refused (RFC 6120 §11.1).
 */
export function scanXmlDeclaration(input: Input, refusal: Refusal): Step {
  const { bytes, end, item } = input;
  let pos = input.pos;
  for (; pos < item + OPEN.length; pos++) {
    if (pos === end) return wait(input, pos);
    if (bytes[pos] !== OPEN[pos - item]) return refuseInstruction(input, item, refusal);
  }
  if (pos === end) return wait(input, pos);
  if (pos === item + OPEN.length) {
    // Another target may begin with the same letters.
    const byte = bytes[pos]!;
    if ((CLASSES[byte]! & CLASS.IN_NAME) !== 0 || byte === ASCII.COLON || byte >= 0x80) {
      return refuseInstruction(input, item, refusal);
    }
  }
  // It holds neither < nor anything beyond ASCII: its end is not waited for behind one.
  while (
    pos < end && (CLASSES[bytes[pos]!]! & CLASS.STOPS_CDATA) === 0 && bytes[pos] !== ASCII.LT
  ) pos++;
  if (pos === end) return wait(input, pos);
  if (bytes[pos] !== ASCII.GT) return refusal.refuse(input, pos, MALFORMED);
  const match = DECLARATION.exec(textOf(bytes, item, pos + 1));
  if (match === null) {
    return refusal.fail(input, item, "not-well-formed", MALFORMED);
  }
  // RFC 6120 §11.6: an entity that does not use UTF-8 is refused with unsupported-encoding.
  const encoding = match[3];
  if (encoding !== undefined && encoding.toLowerCase() !== "utf-8") {
    return refusal.fail(input, item, "bad-encoding", "the XML declaration names no UTF-8");
  }
  input.pos = pos + 1;
  return STEP.AGAIN;
}

/** Refuses the processing instruction that begins at `pos`. */
export function refuseInstruction(input: Input, pos: number, refusal: Refusal): Step {
  return refusal.fail(input, pos, "restricted-xml", "a processing instruction is used");
}

const MALFORMED = "the XML declaration is malformed";

const OPEN = new TextEncoder().encode("<?xml");

/** XML 1.0 §2.8 `XMLDecl` and `VersionNum`, §4.3.3 `EncName`, §2.9 `SDDecl`. */
const DECLARATION = new RegExp(
  String.raw`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(["'])1\.[0-9]+\1` +
    String.raw`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])([A-Za-z][A-Za-z0-9._-]*)\2)?` +
    String.raw`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(?:yes|no)\4)?[ \t\r\n]*\?>$`,
);

function wait(input: Input, pos: number): Step {
  input.pos = pos;
  return STEP.NEEDS_BYTES;
}
