import { CLASS, CLASSES, equalsIgnoringCase, latin1, OCTET } from "./chars.ts";
import { type Refusal, REFUSALS } from "./refusals.ts";
import { isHost } from "./target.ts";

/** What header fields say of the message itself and of the connection. */
export interface Framing {
  /** Bytes of the body; `undefined` when it comes in chunks. */
  readonly length: number | undefined;
  /** The connection may be used again after the answer. */
  readonly persistent: boolean;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** The protocols that the client would rather speak from here on. */
  readonly upgrade: string | undefined;
}

/**
 * Reads the fields that decide where a request ends and what becomes of its connection.
 *
 * Wherever two recipients could take them in two ways the request is refused: what one of them
 * takes for a body, the other would take for a request (RFC 9112 §11.2).
 */
export function readFraming(
  minorVersion: 0 | 1,
  bytes: Uint8Array,
  offsets: readonly number[],
): Framing | Refusal {
  let length: number | undefined;
  let codings: string | undefined;
  let hosts = 0;
  let expectsContinue = false;
  let upgrade: string | undefined;
  let closes = false;
  let keepsAlive = false;
  let upgrades = false;
  for (let at = 0; at < offsets.length; at += 4) {
    const nameStart = offsets[at]!;
    const nameEnd = offsets[at + 1]!;
    const start = offsets[at + 2]!;
    const end = offsets[at + 3]!;
    // Most fields are none of these, and their name's length shows it.
    switch (nameEnd - nameStart) {
      case 4:
        if (!equalsIgnoringCase(bytes, nameStart, nameEnd, "host")) break;
        // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code [...] to any
        // request message that contains more than one Host header field line or a Host header
        // field with an invalid field value."
        if (++hosts > 1 || !isHost(bytes, start, end)) return REFUSALS.HOST;
        break;
      case 6:
        if (!equalsIgnoringCase(bytes, nameStart, nameEnd, "expect")) break;
        // RFC 9110 §10.1.1: in HTTP/1.0 a server MUST ignore it.
        if (minorVersion === 0) break;
        if (!equalsIgnoringCase(bytes, start, end, "100-continue")) return REFUSALS.EXPECTATION;
        expectsContinue = true;
        break;
      case 7:
        if (!equalsIgnoringCase(bytes, nameStart, nameEnd, "upgrade")) break;
        upgrade = joined(upgrade, latin1(bytes, start, end));
        break;
      case 10:
        if (!equalsIgnoringCase(bytes, nameStart, nameEnd, "connection")) break;
        if (equalsIgnoringCase(bytes, start, end, "keep-alive")) {
          keepsAlive = true;
          break;
        }
        for (const option of latin1(bytes, start, end).split(",")) {
          const name = trimmed(option).toLowerCase();
          if (name === "close") closes = true;
          else if (name === "keep-alive") keepsAlive = true;
          else if (name === "upgrade") upgrades = true;
        }
        break;
      case 14: {
        if (!equalsIgnoringCase(bytes, nameStart, nameEnd, "content-length")) break;
        // RFC 9110 §8.6 would let a list of equal numbers pass.
        const declared = length === undefined ? readLength(bytes, start, end) : undefined;
        if (declared === undefined) return REFUSALS.CONTENT_LENGTH;
        length = declared;
        break;
      }
      case 17:
        if (!equalsIgnoringCase(bytes, nameStart, nameEnd, "transfer-encoding")) break;
        // White space may stand behind a value, but llhttp does not know chunked before a tab.
        if (bytes[end] !== OCTET.CR) return REFUSALS.NOT_CHUNKED;
        codings = joined(codings, latin1(bytes, start, end));
        break;
    }
  }
  // RFC 9112 §3.2: 400 as well for a request of HTTP/1.1 "that lacks a Host header field".
  if (hosts === 0 && minorVersion === 1) return REFUSALS.NO_HOST;
  if (codings !== undefined) {
    // §6.1: "A server MAY reject a request that contains both Content-Length and
    // Transfer-Encoding", and for a transfer coding in HTTP/1.0 the framing is faulty.
    if (length !== undefined) return REFUSALS.TWO_LENGTHS;
    if (minorVersion === 0) return REFUSALS.OLD_CODING;
    const refusal = judgeCodings(codings);
    if (refusal !== undefined) return refusal;
  } else {
    // RFC 9112 §6.3: "If this is a request message and none of the above are true, then the
    // message body length is zero."
    length ??= 0;
    if (length > Number.MAX_SAFE_INTEGER) return REFUSALS.HUGE;
  }
  const hasBody = length !== 0;
  return {
    length,
    persistent: !closes && (minorVersion === 1 || keepsAlive),
    expectsContinue: expectsContinue && hasBody,
    // RFC 9110 §7.8: a server MUST ignore it in HTTP/1.0, and MAY always. Behind a body it would
    // not be plain where the other protocol begins.
    upgrade: upgrades && minorVersion === 1 && !hasBody ? upgrade : undefined,
  };
}

/** `1*DIGIT` (RFC 9110 §8.6); `undefined` for anything else. */
function readLength(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (start === end) return undefined;
  let length = 0;
  for (let at = start; at < end; at++) {
    if ((CLASSES[bytes[at]!]! & CLASS.DIGIT) === 0) return undefined;
    length = 10 * length + bytes[at]! - 0x30;
  }
  return length;
}

/** Why these transfer codings are refused; nothing when they are chunked and only that. */
function judgeCodings(codings: string): Refusal | undefined {
  const names = codings.split(",").map((name) => trimmed(name).toLowerCase());
  // RFC 9112 §6.3: where chunked is not the final coding "the message body length cannot be
  // determined reliably; the server MUST respond with the 400 (Bad Request) status code and then
  // close the connection"; §6.1: it must not be applied more than once.
  if (names.indexOf("chunked") !== names.length - 1) return REFUSALS.NOT_CHUNKED;
  // §6.1: 501 for "a transfer coding it does not understand".
  return names.length === 1 ? undefined : REFUSALS.CODING;
}

function joined(before: string | undefined, text: string): string {
  return before === undefined ? text : `${before}, ${text}`;
}

/** Without the white space that HTTP knows; `trim` would take away much else. */
function trimmed(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}
