/*
 * Octets as RFC 9110 and RFC 9112 divide them, in one table of bit sets: a scanning loop costs a
 * load and a test for each.
 */

/** What an octet can be; `CLASSES` has a set of these for each. */
export const CLASS = {
  /** Stands in a method, a field's name, or another token (RFC 9110 §5.6.2 `tchar`). */
  TOKEN: 1,
  /** Stands in a field's value, or between its parts (RFC 9110 §5.5). */
  VALUE: 2,
  /** Stands in a request target. More than a URI may hold; nothing that could be taken for its end. */
  TARGET: 4,
  /** Stands in a registered name (RFC 3986 §3.2.2), `%` among them. */
  REG_NAME: 8,
  /** A hexadecimal digit. */
  HEX: 16,
  /** A decimal digit. */
  DIGIT: 32,
} as const;

export const OCTET = {
  HTAB: 0x09,
  LF: 0x0a,
  CR: 0x0d,
  SP: 0x20,
  PERCENT: 0x25,
  DOT: 0x2e,
  SLASH: 0x2f,
  COLON: 0x3a,
  SEMICOLON: 0x3b,
  QUESTION: 0x3f,
  OPEN_BRACKET: 0x5b,
  CLOSE_BRACKET: 0x5d,
} as const;

/** What each octet is. */
export const CLASSES: Uint8Array = classes();

/** The octets as text, one character each; fields and targets are read so (RFC 9110 §5.5). */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  // Few characters are built faster one by one, and a call has no room for very many.
  if (end - start > 16) {
    let text = "";
    for (let at = start; at < end; at += 4096) {
      const piece = bytes.subarray(at, Math.min(at + 4096, end));
      text += String.fromCharCode.apply(null, piece as unknown as number[]);
    }
    return text;
  }
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

/** Whether the octets are `text` in any case of its letters; `text` is ASCII, in lower case. */
export function equalsIgnoringCase(
  bytes: Uint8Array,
  start: number,
  end: number,
  text: string,
): boolean {
  if (end - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) {
    if (LOWER[bytes[start + at]!] !== text.charCodeAt(at)) return false;
  }
  return true;
}

/** Whether text that the program itself gives is a token. */
export function isToken(text: string): boolean {
  if (text === "") return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0xff || (CLASSES[code]! & CLASS.TOKEN) === 0) return false;
  }
  return true;
}

/** Whether text that the program itself gives can be a field's value. */
export function isFieldValue(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0xff || (CLASSES[code]! & CLASS.VALUE) === 0) return false;
  }
  return true;
}

const LOWER = Uint8Array.from(
  { length: 256 },
  (_, octet) => octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet,
);

function classes(): Uint8Array {
  const { TOKEN, VALUE, TARGET, REG_NAME, HEX, DIGIT } = CLASS;
  const table = new Uint8Array(256);
  const range = (flags: number, from: number, to: number) => {
    for (let octet = from; octet <= to; octet++) table[octet]! |= flags;
  };
  const each = (flags: number, chars: string) => {
    for (const char of chars) table[char.charCodeAt(0)]! |= flags;
  };
  each(TOKEN | REG_NAME | HEX | DIGIT, "0123456789");
  each(HEX, "abcdefABCDEF");
  range(TOKEN | REG_NAME, 0x41, 0x5a);
  range(TOKEN | REG_NAME, 0x61, 0x7a);
  each(TOKEN, "!#$%&'*+-.^_`|~");
  each(REG_NAME, "-._~!$&'()*+,;=%");
  range(VALUE | TARGET, 0x21, 0x7e);
  range(VALUE, 0x80, 0xff);
  each(VALUE, "\t ");
  // A fragment is the client's own business and never sent (RFC 9110 §7.1).
  table["#".charCodeAt(0)]! &= ~TARGET;
  return table;
}
