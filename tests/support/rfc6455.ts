import { Buffer } from "node:buffer";
import {
  type CodecAction,
  type CodecOptions,
  WebSocketCodec,
} from "../../src/protocol/rfc6455/codec.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const KEY = [0x37, 0xfa, 0x21, 0x3d] as const;

/** What a client's frame says, right or wrong. */
export interface ClientFrame {
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  readonly fin?: boolean;
  /** The three reserved bits as a number. */
  readonly reserved?: number;
  readonly masked?: boolean;
  readonly key?: readonly number[];
  /** How many bytes the length takes, if not the fewest: 1, 2 or 8. */
  readonly lengthBytes?: number;
  /** What the header says of the length, if not the truth. */
  readonly declared?: number | bigint;
}

export function clientFrame(
  { opcode, payload = "", fin = true, reserved = 0, masked = true, key = KEY, ...how }: ClientFrame,
): Uint8Array<ArrayBuffer> {
  const data = bytesOf(payload);
  const length = BigInt(how.declared ?? data.length);
  const lengthBytes = how.lengthBytes ?? (length < 126n ? 1 : length < 65_536n ? 2 : 8);
  const short = lengthBytes === 1 ? Number(length) : lengthBytes === 2 ? 126 : 127;
  const extended = lengthBytes === 1 ? 0 : lengthBytes;
  const start = 2 + extended + (masked ? 4 : 0);
  const bytes = new Uint8Array(start + data.length);
  bytes[0] = (fin ? 0x80 : 0) | reserved << 4 | opcode;
  bytes[1] = (masked ? 0x80 : 0) | short;
  for (let i = 0; i < extended; i++) {
    bytes[2 + i] = Number(length >> BigInt(8 * (extended - 1 - i)) & 0xffn);
  }
  if (masked) bytes.set(key, start - 4);
  bytes.set(masked ? data.map((byte, i) => byte ^ key[i % 4]!) : data, start);
  return bytes;
}

export function text(payload: Uint8Array | string, fin = true): Uint8Array<ArrayBuffer> {
  return clientFrame({ opcode: 1, payload, fin });
}

export function continuation(payload: Uint8Array | string, fin = true): Uint8Array<ArrayBuffer> {
  return clientFrame({ opcode: 0, payload, fin });
}

export function ping(payload: Uint8Array | string = ""): Uint8Array<ArrayBuffer> {
  return clientFrame({ opcode: 9, payload });
}

export function pong(payload: Uint8Array | string = ""): Uint8Array<ArrayBuffer> {
  return clientFrame({ opcode: 10, payload });
}

/** A close frame, without a payload if without a code. */
export function close(code?: number, reason: Uint8Array | string = ""): Uint8Array<ArrayBuffer> {
  const payload = code === undefined ? "" : concat(Uint8Array.of(code >> 8, code), bytesOf(reason));
  return clientFrame({ opcode: 8, payload });
}

/** A codec, and what it asked for, in words. The clock stands until `wait`. */
export class CodecTalk {
  readonly codec: WebSocketCodec;
  now = 0;

  constructor(options: Partial<CodecOptions> = {}) {
    this.codec = new WebSocketCodec(0, { maxMessage: 100_000, pingInterval: 0, ...options });
  }

  /** Gives the codec each chunk, and takes what it asks for. */
  receive(...chunks: Uint8Array[]): string[] {
    return chunks.flatMap((chunk) => {
      this.codec.receive(this.now, new Uint8Array(chunk));
      return this.take();
    });
  }

  close(code: number): string[] {
    this.codec.close(this.now, code);
    return this.take();
  }

  /** Lets seconds pass; deadlines come at their time. */
  wait(seconds: number): string[] {
    const until = this.now + 1000 * seconds;
    const lines: string[] = [];
    for (let due; (due = this.codec.deadline) !== undefined && due <= until;) {
      this.now = Math.max(this.now, due);
      this.codec.handleTimeout(this.now);
      lines.push(...this.take());
    }
    this.now = until;
    return lines;
  }

  take(): string[] {
    const lines: string[] = [];
    for (let action; (action = this.codec.poll());) lines.push(describe(action));
    return lines;
  }
}

/** An action in words: `text hello`, `binary 00ff`, `write pong abc`, `write close 1002`, `end`. */
export function describe(action: CodecAction): string {
  switch (action.type) {
    case "message":
      return action.binary
        ? `binary ${action.bytes.toHex()}`
        : `text ${short(decoder.decode(action.bytes))}`;
    case "write": {
      const [frame, ...others] = serverFrames(action.bytes);
      if (frame === undefined || others.length > 0) throw new Error("not one frame");
      return `write ${describeFrame(frame)}`.trimEnd();
    }
    case "closed":
      return `closed ${action.code}`;
    default:
      return action.type;
  }
}

/** What a server's frames say; throws for what no server may send. */
export function serverFrames(bytes: Uint8Array): { opcode: number; payload: Uint8Array }[] {
  const frames: { opcode: number; payload: Uint8Array }[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const [first, short] = [view.getUint8(at), view.getUint8(at + 1)];
    if ((first & 0xf0) !== 0x80) throw new Error("not final, or a reserved bit");
    if (short > 127) throw new Error("masked");
    const size = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length = short < 126
      ? short
      : short === 126
      ? view.getUint16(at + 2)
      : Number(view.getBigUint64(at + 2));
    if (at + size + length > bytes.length) throw new Error("not whole");
    frames.push({
      opcode: first & 0xf,
      payload: bytes.slice(at + size, at + size + length),
    });
    at += size + length;
  }
  return frames;
}

function describeFrame({ opcode, payload }: { opcode: number; payload: Uint8Array }): string {
  switch (opcode) {
    case 1:
      return `text ${short(decoder.decode(payload))}`;
    case 8:
      return payload.length === 0 ? "close" : `close ${payload[0]! << 8 | payload[1]!}`;
    case 9:
      return `ping ${decoder.decode(payload)}`;
    case 10:
      return `pong ${decoder.decode(payload)}`;
    default:
      throw new Error(`a server does not send opcode ${opcode}`);
  }
}

function short(text: string): string {
  return text.length <= 60 ? text : `(${text.length}) ${text.slice(0, 20)}`;
}

export function bytesOf(payload: Uint8Array | string): Uint8Array<ArrayBuffer> {
  return typeof payload === "string" ? encoder.encode(payload) : new Uint8Array(payload);
}

export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

/** What RFC 3629 forbids, and up to which byte it may still be a character. */
export const INVALID_UTF8: [string, string, number][] = [
  ["a continuation byte alone", "80", 0],
  ["the last of them alone", "bf", 0],
  ["two bytes, cut short", "c328", 1],
  ["three bytes, cut short by ASCII", "e28228", 2],
  ["four bytes, cut short by ASCII", "f09d8428", 3],
  ["a lead instead of a continuation", "e2c3a9", 1],
  ["an overlong slash in two bytes", "c0af", 0],
  ["the largest overlong in two bytes", "c1bf", 0],
  ["an overlong slash in three bytes", "e080af", 1],
  ["the largest overlong in three bytes", "e09fbf", 1],
  ["an overlong slash in four bytes", "f08080af", 1],
  ["the largest overlong in four bytes", "f08fbfbf", 1],
  ["the first surrogate", "eda080", 1],
  ["the last surrogate", "edbfbf", 1],
  ["a pair of surrogates", "eda080edb080", 1],
  ["U+110000", "f4908080", 1],
  ["a lead beyond U+10FFFF", "f5808080", 0],
  ["five bytes", "f888808080", 0],
  ["six bytes", "fc8480808080", 0],
  ["FE", "fe", 0],
  ["FF", "ff", 0],
];
