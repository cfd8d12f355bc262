import { HttpCodec } from "../../src/protocol/http1/codec.ts";
import type { HttpLimits } from "../../src/protocol/http1/limits.ts";
import type { Request } from "../../src/protocol/http1/request.ts";

export const HTTP_LIMITS: HttpLimits = {
  headBytes: 1000,
  targetBytes: 300,
  fields: 20,
  chunkLineBytes: 40,
  trailerBytes: 100,
  requests: 4,
};

/** A time that HTTP understands. */
export const NOW = "Sun, 06 Nov 1994 08:49:37 GMT";

/** What came of a connection's octets, in plain values. */
export type Seen =
  | SeenRequest
  | { readonly type: "refusal"; readonly status: number; readonly reason: string };

export interface SeenRequest {
  readonly type: "request";
  readonly line: string;
  readonly persistent: boolean;
  readonly upgrade?: string;
  /** Of the header fields that were asked for, those that are there. */
  readonly fields: Readonly<Record<string, string>>;
  /** In Latin-1; `undefined` when it is not complete. */
  body: string | undefined;
}

export interface ReadOptions {
  readonly limits?: HttpLimits;
  /** Default: 10,000. */
  readonly maxBody?: number;
  /** Names of header fields to look up. */
  readonly fields?: readonly string[];
  /** Default: each request is answered when it is complete. */
  readonly answers?: boolean;
  /** Is given the codec when the chunks are over, and after each of them. */
  readonly watch?: (codec: HttpCodec) => void;
}

/** All that the codec finds in these chunks. */
export function readHttp(chunks: Iterable<Uint8Array>, options: ReadOptions = {}): Seen[] {
  const codec = new HttpCodec(options.limits ?? HTTP_LIMITS);
  const seen: Seen[] = [];
  const answer = (request: Request) => {
    if (options.answers === false) return;
    codec.answer(request, { status: 200, headers: {}, body: "ok" }, NOW);
  };
  // One buffer for all chunks, as a read loop may have: what is borrowed too long shows.
  let buffer = new Uint8Array(64);
  for (const chunk of chunks) {
    if (chunk.length > buffer.length) buffer = new Uint8Array(chunk.length);
    buffer.set(chunk);
    codec.feed(buffer.subarray(0, chunk.length));
    for (let event; (event = codec.next()) !== undefined;) {
      switch (event.type) {
        case "request": {
          const { request } = event;
          seen.push(describe(request, options.fields ?? []));
          if (request.length === 0) answer(request);
          else codec.readBody(request, options.maxBody ?? 10_000);
          break;
        }
        case "body": {
          const last = seen.at(-1)!;
          if (last.type === "request") last.body = binary(event.bytes);
          answer(event.request);
          break;
        }
        case "refusal":
          seen.push({ type: "refusal", ...event.refusal });
          break;
      }
    }
    options.watch?.(codec);
    buffer.fill(0x21);
  }
  return seen;
}

/** It must be a request. */
export function asRequest(item: Seen | undefined): SeenRequest {
  if (item?.type !== "request") throw new Error(`Cannot take for a request: ${item?.reason}`);
  return item;
}

/** The octets of text whose characters are octets. */
export function octets(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** The other way. */
export function binary(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => String.fromCharCode(octet)).join("");
}

function describe(request: Request, names: readonly string[]): SeenRequest {
  const { method, path, query, minorVersion, persistent, upgrade, length } = request;
  const fields: Record<string, string> = {};
  for (const name of names) {
    const value = request.header(name);
    if (value !== undefined) fields[name] = value;
  }
  return {
    type: "request",
    line: `${method} ${path}${query === "" ? "" : `?${query}`} 1.${minorVersion}`,
    persistent,
    ...(upgrade === undefined ? {} : { upgrade }),
    fields,
    body: length === 0 ? "" : undefined,
  };
}
