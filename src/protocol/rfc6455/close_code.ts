/*
 * The code that a close frame says it by, and its payload (RFC 6455 §5.5.1, §7.4).
 */
import { frame, OPCODE } from "./frame.ts";
import { skipCharacters } from "./utf8.ts";

/** Codes of §7.4.1 that the codec itself says, or tells of. */
export const CLOSE_CODE = {
  NORMAL: 1000,
  PROTOCOL_ERROR: 1002,
  /** Never on the wire: a close frame came that has none. */
  NONE: 1005,
  /** Never on the wire: the connection was lost without a closing handshake. */
  LOST: 1006,
  INVALID_DATA: 1007,
  TOO_LARGE: 1009,
} as const;

/** A rule that the peer broke: the code to close with, and words for it. */
export interface Violation {
  readonly code: number;
  readonly reason: string;
}

/** What a close frame says; `NONE` when it says nothing. */
export function readClosePayload(payload: Uint8Array): { readonly code: number } | Violation {
  if (payload.length === 0) return { code: CLOSE_CODE.NONE };
  // §5.5.1: "the first two bytes of the body MUST be a 2-byte unsigned integer".
  if (payload.length === 1) return wrong(CLOSE_CODE.PROTOCOL_ERROR, "half a close code");
  const code = payload[0]! << 8 | payload[1]!;
  if (!mayStandInFrame(code)) {
    return wrong(CLOSE_CODE.PROTOCOL_ERROR, `close code ${code} means nothing`);
  }
  if (skipCharacters(payload, 2, payload.length) !== payload.length) {
    return wrong(CLOSE_CODE.INVALID_DATA, "the reason of a close is not UTF-8");
  }
  return { code };
}

/**
 * 1000 to 2999 are for the protocol, which has defined (§7.4.1, and the IANA registry for 1012 to
 * 1014) these; 1004 to 1006 and 1015 "MUST NOT be set as a status code in a Close control frame";
 * 3000 to 4999 are for libraries and applications (§7.4.2).
 */
export function mayStandInFrame(code: number): boolean {
  return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 ||
    code >= 3000 && code <= 4999;
}

/** A close frame of ours; `NONE` has no payload. `reason` is ASCII, of 123 characters at most. */
export function closeFrame(code: number, reason = ""): Uint8Array<ArrayBuffer> {
  if (code === CLOSE_CODE.NONE) return frame(OPCODE.CLOSE, new Uint8Array(0));
  const payload = new Uint8Array(2 + reason.length);
  payload[0] = code >> 8;
  payload[1] = code;
  for (let i = 0; i < reason.length; i++) payload[2 + i] = reason.charCodeAt(i);
  return frame(OPCODE.CLOSE, payload);
}

function wrong(code: number, reason: string): Violation {
  return { code, reason };
}
