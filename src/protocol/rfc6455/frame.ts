/*
 * One frame on the wire (RFC 6455 §5.2): its header read, and whole frames written.
 */

import { NEW_ROOM, type Room } from "../room.ts";

/** What a frame carries (§11.8). */
export const OPCODE = {
  CONTINUATION: 0x0,
  TEXT: 0x1,
  BINARY: 0x2,
  CLOSE: 0x8,
  PING: 0x9,
  PONG: 0xa,
} as const;

/** A client's frame, as far as its header says. */
export interface FrameHeader {
  /** The last frame of its message. */
  readonly fin: boolean;
  /** One of `OPCODE`. */
  readonly opcode: number;
  /** Bytes of the payload; not exact beyond 2^53, which nobody sends to the end. */
  readonly length: number;
  /** The masking key, its first byte lowest. */
  readonly mask: number;
  /** Bytes of the header itself. */
  readonly size: number;
}

/** The longest header of a client's frame (bytes). */
export const MAX_HEADER = 14;

/** §5.5: what control frames carry at most (bytes). */
const MAX_CONTROL = 125;
const FIN = 0x80;
const MASKED = 0x80;

/** Close, ping and pong: may stand between the fragments of a message (§5.5). */
export function isControl(opcode: number): boolean {
  return opcode >= OPCODE.CLOSE;
}

/**
 * Reads the header that begins at `from`. `undefined`: it goes on after these bytes. A text says
 * what is wrong with it (1002, §7.4.1), as soon as the byte is there that it is wrong by.
 */
export function readFrameHeader(
  bytes: Uint8Array,
  from: number,
): FrameHeader | string | undefined {
  const available = bytes.length - from;
  if (available < 1) return undefined;
  const first = bytes[from]!;
  // §5.2: reserved bits "MUST be 0 unless an extension is negotiated", and none ever is.
  if ((first & 0x70) !== 0) return "a reserved bit is set, but no extension was negotiated";
  const opcode = first & 0x0f;
  if (opcode > OPCODE.BINARY && opcode < OPCODE.CLOSE || opcode > OPCODE.PONG) {
    return `opcode ${opcode} is reserved`;
  }
  const fin = first >= FIN;
  if (isControl(opcode) && !fin) return "a control frame is fragmented";
  if (available < 2) return undefined;
  const second = bytes[from + 1]!;
  // §5.1: "The server MUST close the connection upon receiving a frame that is not masked."
  if (second < MASKED) return "a frame of a client is not masked";
  const short = second & 0x7f;
  if (isControl(opcode) && short > MAX_CONTROL) {
    return `a control frame has more than ${MAX_CONTROL} bytes`;
  }
  const size = short < 126 ? 6 : short === 126 ? 8 : MAX_HEADER;
  if (available < size - 4) return undefined;
  const length = short < 126 ? short : extendedLength(bytes, from + 2, short);
  if (typeof length === "string") return length;
  if (available < size) return undefined;
  const key = from + size - 4;
  const mask = bytes[key]! | bytes[key + 1]! << 8 | bytes[key + 2]! << 16 | bytes[key + 3]! << 24;
  return { fin, opcode, length, mask, size };
}

/** §5.2: "in all cases, the minimal number of bytes MUST be used to encode the length". */
function extendedLength(bytes: Uint8Array, at: number, short: number): number | string {
  if (short === 126) {
    const length = bytes[at]! << 8 | bytes[at + 1]!;
    return length < 126 ? "a length is not written in the fewest bytes" : length;
  }
  // "The most significant bit MUST be 0."
  if (bytes[at]! >= 0x80) return "a length has more than 63 bits";
  const length = uint32(bytes, at) * 2 ** 32 + uint32(bytes, at + 4);
  return length < 0x10000 ? "a length is not written in the fewest bytes" : length;
}

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

/** A frame of ours: final, and never masked (§5.1: "A server MUST NOT mask any frames"). */
export function frame(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  return frames(opcode, [payload], NEW_ROOM);
}

/** One such frame for each payload, behind each other. */
export function frames(
  opcode: number,
  payloads: readonly Uint8Array[],
  room: Room,
): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const { length } of payloads) size += headerSize(length) + length;
  const bytes = room.room(size);
  let at = 0;
  for (const payload of payloads) {
    const { length } = payload;
    writeHeader(bytes, at, opcode, length);
    at += headerSize(length);
    bytes.set(payload, at);
    at += length;
  }
  return bytes;
}

function headerSize(length: number): number {
  return length < 126 ? 2 : length < 0x10000 ? 4 : 10;
}

function writeHeader(bytes: Uint8Array, at: number, opcode: number, length: number): void {
  bytes[at] = FIN | opcode;
  if (length < 126) {
    bytes[at + 1] = length;
  } else if (length < 0x10000) {
    bytes[at + 1] = 126;
    bytes[at + 2] = length >>> 8;
    bytes[at + 3] = length;
  } else {
    bytes[at + 1] = 127;
    for (let last = at + 9, rest = length; last > at + 1; last--, rest = Math.floor(rest / 256)) {
      bytes[last] = rest;
    }
  }
}
