import { CLASS, CLASSES, equalsIgnoringCase, latin1, OCTET } from "./chars.ts";
import { type Refusal, REFUSALS } from "./refusals.ts";

/** What a request is for. */
export interface Target {
  /** As it was sent, not decoded; `*` for the server as a whole. */
  readonly path: string;
  /** What followed the `?`, without it; `""` when there was none. */
  readonly query: string;
  /** Host and perhaps port, when they stood in the target. */
  readonly authority: string | undefined;
}

/** Reads a request target (RFC 9112 §3.2) of octets that may stand in one. */
export function readTarget(
  method: string,
  bytes: Uint8Array,
  start: number,
  end: number,
): Target | Refusal {
  // §3.2.3: "When making a CONNECT request [...] a client MUST send only the host and port", and
  // what would follow is not HTTP.
  if (method === "CONNECT") return REFUSALS.CONNECT;
  if (bytes[start] === OCTET.SLASH) return split(bytes, start, end, undefined);
  if (end - start === 1 && bytes[start] === ASTERISK) {
    // §3.2.4: this form "is only used for a server-wide OPTIONS request".
    return method === "OPTIONS" ? { path: "*", query: "", authority: undefined } : REFUSALS.TARGET;
  }
  // §3.2.2: "A server MUST accept the absolute-form in requests".
  const scheme = SCHEMES.find((scheme) =>
    equalsIgnoringCase(bytes, start, Math.min(start + scheme.length, end), scheme)
  );
  if (scheme === undefined) return REFUSALS.TARGET;
  const from = start + scheme.length;
  let to = from;
  while (to < end && bytes[to] !== OCTET.SLASH && bytes[to] !== OCTET.QUESTION) to++;
  // RFC 9110 §4.2.1: a URI with an empty host MUST be rejected.
  if (to === from || bytes[from] === OCTET.COLON || !isHost(bytes, from, to)) {
    return REFUSALS.TARGET;
  }
  return split(bytes, to, end, latin1(bytes, from, to));
}

/**
 * Whether these octets are `uri-host [ ":" port ]` (RFC 9110 §7.2). A host may be empty, as it is
 * where the target has none; user information is not part of it.
 */
export function isHost(bytes: Uint8Array, start: number, end: number): boolean {
  let pos = start;
  if (bytes[pos] === OCTET.OPEN_BRACKET && pos < end) {
    pos++;
    // IPv6 alone: nobody has found a use for other literals.
    while (pos < end && isOfAddress(bytes[pos]!)) pos++;
    if (pos < start + 3 || pos === end || bytes[pos] !== OCTET.CLOSE_BRACKET) return false;
    pos++;
  } else {
    for (; pos < end && (CLASSES[bytes[pos]!]! & CLASS.REG_NAME) !== 0; pos++) {
      if (bytes[pos] !== OCTET.PERCENT) continue;
      if (pos + 2 >= end || !isHex(bytes[pos + 1]!) || !isHex(bytes[pos + 2]!)) return false;
    }
  }
  if (pos === end) return true;
  if (bytes[pos] !== OCTET.COLON) return false;
  pos++;
  while (pos < end && (CLASSES[bytes[pos]!]! & CLASS.DIGIT) !== 0) pos++;
  return pos === end;
}

function split(
  bytes: Uint8Array,
  start: number,
  end: number,
  authority: string | undefined,
): Target {
  let question = start;
  while (question < end && bytes[question] !== OCTET.QUESTION) question++;
  return {
    // RFC 9110 §4.2.3: an empty path is the same as "/".
    path: question === start ? "/" : latin1(bytes, start, question),
    query: question === end ? "" : latin1(bytes, question + 1, end),
    authority,
  };
}

function isOfAddress(octet: number): boolean {
  return isHex(octet) || octet === OCTET.COLON || octet === OCTET.DOT;
}

function isHex(octet: number): boolean {
  return (CLASSES[octet]! & CLASS.HEX) !== 0;
}

const ASTERISK = 0x2a;
const SCHEMES = ["http://", "https://"];
