import type { XmlError } from "./errors.ts";
import { type XmlItem, type XmlLimits, XmlTokenizer } from "./tokenizer.ts";

/** What `xmlStream` does beyond reading one document. */
export interface XmlStreamOptions {
  /**
   * Every start of a new document where a payload could begin is taken as one: what a
   * server sees when its client restarts the stream (RFC 6120 §4.3.3).
   *
   * @default {false}
   */
  readonly restarts?: boolean;
}

/** The XML was refused; the stream it came through is errored with this. */
export class XmlStreamError extends Error {
  readonly error: XmlError;

  constructor(error: XmlError) {
    super(`Cannot read XML: ${error.message} (byte ${error.offset})`);
    this.name = "XmlStreamError";
    this.error = error;
  }
}

/**
 * XML in, items out, as a Web Stream. Payloads come with bytes of their own, which are
 * safe to keep. What is refused errors the stream with an `XmlStreamError`, and so does
 * an input that ends before its root; no item of type `error` comes out. Items that were
 * not yet read when it errors are lost, as Web Streams have it.
 *
 * @example
 * ```ts
 * const items = connection.readable.pipeThrough(xmlStream(limits));
 * for await (const item of items) {
 *   if (item.type === "payload") console.log(item.payload.name);
 * }
 * ```
 */
export function xmlStream(
  limits: XmlLimits,
  options: XmlStreamOptions = {},
): TransformStream<Uint8Array, XmlItem> {
  const tokenizer = new XmlTokenizer(limits);
  let length = 0;
  let ended = false;
  return new TransformStream<Uint8Array, XmlItem>({
    transform(chunk, controller) {
      length += chunk.length;
      tokenizer.feed(chunk);
      for (let item; (item = tokenizer.next()) !== undefined;) {
        if (item.type === "error") throw new XmlStreamError(item.error);
        if (item.type === "header" && options.restarts) tokenizer.expectRestart();
        if (item.type === "end") ended = true;
        controller.enqueue(item.type === "payload" ? toKeep(item) : item);
      }
    },
    flush() {
      if (ended) return;
      throw new XmlStreamError({
        kind: "not-well-formed",
        message: "the input ends before the document does",
        offset: length,
      });
    },
  });
}

function toKeep(item: XmlItem & { readonly type: "payload" }): XmlItem {
  return { ...item, payload: { ...item.payload, bytes: item.payload.bytes.slice() } };
}
