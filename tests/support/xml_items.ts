import assert from "node:assert/strict";
import type { XmlErrorKind } from "../../src/protocol/xml/errors.ts";
import { type XmlItem, type XmlLimits, XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";

export const XML_LIMITS: XmlLimits = { payloadBytes: 10_000, depth: 20, attributes: 20 };

export interface TokenizeOptions {
  readonly limits?: XmlLimits;
  /** A restart is expected from each header on. */
  readonly restarts?: boolean;
  /** Default: a new one. */
  readonly tokenizer?: XmlTokenizer;
}

/** All items of the input, fed in these chunks; payload bytes are copies. */
export function tokenize(chunks: Iterable<Uint8Array>, options: TokenizeOptions = {}): XmlItem[] {
  const tokenizer = options.tokenizer ?? new XmlTokenizer(options.limits ?? XML_LIMITS);
  const items: XmlItem[] = [];
  // One buffer for all chunks, as a read loop has: what is borrowed too long shows.
  let buffer = new Uint8Array(64);
  for (const chunk of chunks) {
    if (chunk.length > buffer.length) buffer = new Uint8Array(chunk.length);
    buffer.set(chunk);
    tokenizer.feed(buffer.subarray(0, chunk.length));
    for (let item; (item = tokenizer.next()) !== undefined;) {
      if (item.type === "header" && options.restarts) tokenizer.expectRestart();
      if (item.type === "payload") {
        item = { ...item, payload: { ...item.payload, bytes: item.payload.bytes.slice() } };
      }
      items.push(item);
    }
    buffer.fill(0x21);
  }
  return items;
}

/** The chunks of `size` bytes that make up the input. */
export function* cutInto(bytes: Uint8Array, size: number): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** The items of an input, which must be the same however it is cut. */
export function itemsOf(input: string | Uint8Array, options: TokenizeOptions = {}): XmlItem[] {
  const bytes = typeof input === "string" ? bytesOf(input) : input;
  const whole = tokenize([bytes], options);
  assert.deepEqual(tokenize(cutInto(bytes, 1), options), whole, "cut into single bytes");
  for (let cut = 1; cut < bytes.length; cut++) {
    const halves = [bytes.subarray(0, cut), bytes.subarray(cut)];
    assert.deepEqual(tokenize(halves, options), whole, `cut at ${cut}`);
  }
  return whole;
}

/** The bytes of a text in which `{C3}` stands for the byte C3. */
export function bytesOf(text: string): Uint8Array {
  const parts = text.split(/\{([0-9A-F]{2})\}/);
  const bytes = parts.flatMap((part, index) =>
    index % 2 === 0 ? [...new TextEncoder().encode(part)] : [parseInt(part, 16)]
  );
  return Uint8Array.from(bytes);
}

/** A document, why it is refused, and (as `▸` in it) the byte where. */
export type Refused = readonly [document: string, kind: XmlErrorKind];

/** Checks that each is refused so and there, however it is cut, and nothing comes after. */
export function assertRefused(documents: readonly Refused[], options: TokenizeOptions = {}): void {
  for (const [marked, kind] of documents) {
    const [before, after] = marked.split("▸");
    assert(before !== undefined && after !== undefined, `${marked} marks no place`);
    const items = itemsOf(before + after, options);
    const last = items.at(-1);
    assert(last?.type === "error", `${marked} is refused`);
    const { kind: actual, offset } = last.error;
    assert.deepEqual({ kind: actual, offset }, { kind, offset: bytesOf(before).length }, marked);
    assert.equal(items.filter(({ type }) => type === "error").length, 1, marked);
  }
}

/** Checks that each is accepted to its end, however it is cut. */
export function assertAccepted(documents: readonly string[], options: TokenizeOptions = {}): void {
  for (const document of documents) {
    const items = itemsOf(document, options);
    const last = items.at(-1);
    assert.equal(last?.type, "end", `${document}: ${JSON.stringify(last)}`);
  }
}
