/*
 * Bytes and characters as XML 1.0 (fifth edition) divides them.
 *
 * ASCII is looked up in one table of bit sets, so that a scanning loop costs a
 * load and a test for each byte; what lies beyond ASCII is decoded and compared.
 */

/** What a byte can be; `CLASSES` has a set of these for each. */
export const CLASS = {
  /** Ends a run of text: markup, `&`, `>`, forbidden and non-ASCII bytes. */
  STOPS_TEXT: 1,
  /** Ends a run of an attribute's value: quotes, and white space that is normalised, as well. */
  STOPS_VALUE: 2,
  /** Ends a run of a CDATA section, where only `>` is markup. */
  STOPS_CDATA: 4,
  /** White space (XML 1.0 §2.3 `S`). */
  SPACE: 8,
  /** May begin a name that has no colon (Namespaces in XML §3 `NCName`); ASCII only. */
  STARTS_NAME: 16,
  /** May stand inside such a name; ASCII only. */
  IN_NAME: 32,
} as const;

/** What each byte is. */
export const CLASSES: Uint8Array = classes();

/** The bytes that markup is made of. */
export const ASCII = {
  BANG: 0x21,
  QUOTATION: 0x22,
  HASH: 0x23,
  AMP: 0x26,
  APOSTROPHE: 0x27,
  SLASH: 0x2f,
  COLON: 0x3a,
  SEMICOLON: 0x3b,
  LT: 0x3c,
  EQUALS_SIGN: 0x3d,
  GT: 0x3e,
  QUESTION: 0x3f,
  BRACKET: 0x5d,
  LETTER_X: 0x78,
} as const;

/** `decodeChar`: the bytes so far begin a character that goes on after them. */
export const INCOMPLETE = -1;
/** `decodeChar`: not UTF-8. */
export const INVALID = -2;

/**
 * The code point that begins at `pos`, or `INCOMPLETE`, or `INVALID` as soon as the
 * bytes before `end` cannot begin any character (RFC 3629 §3: no overlong forms,
 * no surrogates, nothing above U+10FFFF).
 */
export function decodeChar(bytes: Uint8Array, pos: number, end: number): number {
  const a = bytes[pos]!;
  if (a < 0x80) return a;
  if (a < 0xc2 || a > 0xf4) return INVALID;
  if (pos + 1 >= end) return INCOMPLETE;
  const b = bytes[pos + 1]!;
  if ((b & 0xc0) !== 0x80) return INVALID;
  if (a < 0xe0) return (a & 0x1f) << 6 | b & 0x3f;
  if (a === 0xe0 && b < 0xa0 || a === 0xed && b > 0x9f) return INVALID;
  if (a === 0xf0 && b < 0x90 || a === 0xf4 && b > 0x8f) return INVALID;
  if (pos + 2 >= end) return INCOMPLETE;
  const c = bytes[pos + 2]!;
  if ((c & 0xc0) !== 0x80) return INVALID;
  if (a < 0xf0) return (a & 0x0f) << 12 | (b & 0x3f) << 6 | c & 0x3f;
  if (pos + 3 >= end) return INCOMPLETE;
  const d = bytes[pos + 3]!;
  if ((d & 0xc0) !== 0x80) return INVALID;
  return (a & 0x07) << 18 | (b & 0x3f) << 12 | (c & 0x3f) << 6 | d & 0x3f;
}

/** How many bytes the code point takes in UTF-8. */
export function utf8Length(code: number): number {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** Behind the characters beyond ASCII that stand whole at `pos` and that XML allows. */
export function skipBeyondAscii(bytes: Uint8Array, pos: number, end: number): number {
  while (pos < end) {
    const a = bytes[pos]!;
    if (a < 0x80) break;
    // Whatever follows, what begins with these is allowed: U+0080 to U+07FF, U+1000 to U+CFFF.
    if (a >= 0xc2 && a < 0xe0 && pos + 1 < end && (bytes[pos + 1]! & 0xc0) === 0x80) {
      pos += 2;
    } else if (
      a > 0xe0 && a < 0xed && pos + 2 < end &&
      (bytes[pos + 1]! & bytes[pos + 2]! & 0xc0) === 0x80 &&
      ((bytes[pos + 1]! | bytes[pos + 2]!) & 0x40) === 0
    ) {
      pos += 3;
    } else {
      const code = decodeChar(bytes, pos, end);
      if (!isChar(code)) break;
      pos += utf8Length(code);
    }
  }
  return pos;
}

/** XML 1.0 §2.2 `Char`. */
export function isChar(code: number): boolean {
  if (code < 0x20) return code === 0x9 || code === 0xa || code === 0xd;
  return code < 0xd800 || code > 0xdfff && code < 0xfffe || code > 0xffff && code <= 0x10ffff;
}

/** XML 1.0 §2.3 `NameStartChar`, but for the colon (Namespaces in XML §3). */
export function isNameStart(code: number): boolean {
  if (code < 0x80) return code >= 0 && (CLASSES[code]! & CLASS.STARTS_NAME) !== 0;
  return code >= 0xc0 && code <= 0x2ff && code !== 0xd7 && code !== 0xf7 ||
    code >= 0x370 && code <= 0x1fff && code !== 0x37e ||
    code === 0x200c || code === 0x200d ||
    code >= 0x2070 && code <= 0x218f ||
    code >= 0x2c00 && code <= 0x2fef ||
    code >= 0x3001 && code <= 0xd7ff ||
    code >= 0xf900 && code <= 0xfdcf ||
    code >= 0xfdf0 && code <= 0xfffd ||
    code >= 0x10000 && code <= 0xeffff;
}

/** XML 1.0 §2.3 `NameChar`, but for the colon. */
export function isNameChar(code: number): boolean {
  if (code < 0x80) return code >= 0 && (CLASSES[code]! & CLASS.IN_NAME) !== 0;
  return isNameStart(code) || code === 0xb7 ||
    code >= 0x300 && code <= 0x36f ||
    code === 0x203f || code === 0x2040;
}

function classes(): Uint8Array {
  const { STOPS_TEXT, STOPS_VALUE, STOPS_CDATA, SPACE, STARTS_NAME, IN_NAME } = CLASS;
  const table = new Uint8Array(256);
  const add = (flags: number, from: number, to = from) => {
    for (let byte = from; byte <= to; byte++) table[byte]! |= flags;
  };
  add(STOPS_TEXT | STOPS_VALUE | STOPS_CDATA, 0x00, 0x1f);
  add(STOPS_TEXT | STOPS_VALUE | STOPS_CDATA, 0x80, 0xff);
  for (const char of "\t\n\r ") {
    table[char.charCodeAt(0)] = char === " " ? SPACE : SPACE | STOPS_VALUE;
  }
  for (const char of "<&") add(STOPS_TEXT | STOPS_VALUE, char.charCodeAt(0));
  for (const char of "'\"") add(STOPS_VALUE, char.charCodeAt(0));
  add(STOPS_TEXT | STOPS_CDATA, ">".charCodeAt(0));
  add(STARTS_NAME | IN_NAME, "a".charCodeAt(0), "z".charCodeAt(0));
  add(STARTS_NAME | IN_NAME, "A".charCodeAt(0), "Z".charCodeAt(0));
  add(STARTS_NAME | IN_NAME, "_".charCodeAt(0));
  add(IN_NAME, "0".charCodeAt(0), "9".charCodeAt(0));
  for (const char of "-.") add(IN_NAME, char.charCodeAt(0));
  return table;
}
