import { NS } from "./names.ts";

/*
 * From bytes that have been checked to strings, for the few places that need one.
 */

/** The text of a stretch of well-formed UTF-8; one of the constants below without making a string. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length === 0) return "";
  for (const known of KNOWN[slot(bytes, start, end)]!) {
    if (known.bytes.length === length && sameBytes(known.bytes, 0, bytes, start, length)) {
      return known.text;
    }
  }
  // A short one is put together sooner than the decoder is called.
  return (length < CODES.length ? shortAscii(bytes, start, CODES[length]!) : undefined) ??
    decoder.decode(bytes.subarray(start, end));
}

/**
 * The value of an attribute, from the checked bytes between its quotes: line ends
 * and white space normalised (XML 1.0 §2.11, §3.3.3), references resolved (§4.6).
 */
export function valueOf(bytes: Uint8Array, start: number, end: number): string {
  return textOf(bytes, start, end)
    .replace(/\r\n|[\t\n\r]/g, " ")
    .replace(/&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([a-z]+));/g, (_, hex, decimal, name) => {
      if (name !== undefined) return ENTITIES.get(name)!;
      return String.fromCodePoint(hex === undefined ? parseInt(decimal, 10) : parseInt(hex, 16));
    });
}

/**
 * The character data of an element, given from `<` to `>`; outer white space is left out. `undefined`: it
 * has children, and which text is meant is not for us to say.
 */
export function textContent(element: Uint8Array): string | undefined {
  let start = 0;
  for (let quote = 0; quote !== 0 || element[start] !== GREATER_THAN; start++) {
    const byte = element[start]!;
    if (quote === 0 ? byte === APOSTROPHE || byte === QUOTATION : byte === quote) quote ^= byte;
  }
  let text = "";
  for (let at = start + 1; at < element.length;) {
    const next = element.indexOf(LESS_THAN, at);
    if (next < 0) break;
    text += valueOf(element, at, next);
    // What is neither the end tag nor a child is a CDATA section, in which nothing is a reference.
    if (element[next + 1] === SLASH) break;
    if (element[next + 1] !== EXCLAMATION) return undefined;
    at = endOfCdata(element, next);
    text += textOf(element, next + CDATA_OPEN, at - CDATA_CLOSE);
  }
  return text.trim();
}

/** Where the `]]>` of the CDATA section ends that begins at `start`. */
function endOfCdata(bytes: Uint8Array, start: number): number {
  let at = start + CDATA_OPEN;
  do at = bytes.indexOf(GREATER_THAN, at) + 1; while (
    bytes[at - 2] !== BRACKET || bytes[at - 3] !== BRACKET || at - CDATA_CLOSE < start + CDATA_OPEN
  );
  return at;
}

/** Is it the name of one of the five entities that need no declaration? */
export function isPredefined(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start <= 4 && ENTITIES.has(textOf(bytes, start, end));
}

/** Are `length` bytes of `a` from `at` the same as those of `b` from `from`? */
export function sameBytes(
  a: Uint8Array,
  at: number,
  b: Uint8Array,
  from: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i++) {
    if (a[at + i] !== b[from + i]) return false;
  }
  return true;
}

/** The text of as many bytes as `codes` has room for, when all are ASCII. Made at once, it is flat from the start. */
function shortAscii(bytes: Uint8Array, start: number, codes: number[]): string | undefined {
  let all = 0;
  for (let i = 0; i < codes.length; i++) {
    const byte = bytes[start + i]!;
    all |= byte;
    codes[i] = byte;
  }
  return all < 0x80 ? String.fromCharCode.apply(null, codes) : undefined;
}

/** For each length of a short text, where its codes are laid side by side. */
const CODES = Array.from({ length: 49 }, (_, length) => Array.from({ length }, () => 0));

/** XML 1.0 §4.6. */
const ENTITIES = new Map([["lt", "<"], ["gt", ">"], ["amp", "&"], ["apos", "'"], ["quot", '"']]);

const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
const APOSTROPHE = 0x27;
const QUOTATION = 0x22;
const EXCLAMATION = 0x21;
const SLASH = 0x2f;
const BRACKET = 0x5d;
/** Lengths of `<![CDATA[` and `]]>`. */
const CDATA_OPEN = 9;
const CDATA_CLOSE = 3;

// A byte order mark inside a value is a character of it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Names and namespaces that every session meets over and over. */
const COMMON = [
  ...["message", "presence", "iq", "stream", "features", "error", "body", "open", "close"],
  ...["auth", "challenge", "response", "success", "failure", "abort", "starttls", "proceed"],
  ...["authenticate", "continue", "compress", "compressed", "active", "inactive"],
  ...["r", "a", "enable", "enabled", "resume", "resumed", "failed"],
  ...["to", "from", "id", "version", "lang", "xml", "xmpp", "rid", "sid", "key", "newkey", "ack"],
  ...["type", "condition", "wait", "hold", "ver", "content", "route", "restart", "pause", "1.0"],
  ...ENTITIES.keys(),
  ...["urn:xmpp:sm:3", "urn:xmpp:csi:0", ...Object.values(NS)],
];

const SLOTS = 128;

const KNOWN: readonly (readonly { readonly bytes: Uint8Array; readonly text: string }[])[] =
  knownTexts();

function knownTexts() {
  const slots = Array.from({ length: SLOTS }, () => [] as { bytes: Uint8Array; text: string }[]);
  for (const text of COMMON) {
    const bytes = new TextEncoder().encode(text);
    slots[slot(bytes, 0, bytes.length)]!.push({ bytes, text });
  }
  return slots;
}

function slot(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  return (length * 5 + bytes[end - 1]! + bytes[start + (length >> 1)]! * 3) & (SLOTS - 1);
}
