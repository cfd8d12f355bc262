import type { Payload } from "../../protocol/xml/payload.ts";
import { type XmlHeader, XmlTokenizer } from "../../protocol/xml/tokenizer.ts";

/** A document: its root's start tag and its children. */
export interface Element {
  readonly root: XmlHeader;
  readonly children: readonly Payload[];
}

/** Reads a document; `undefined` when it is not well-formed XML. */
export function readElement(text: string): Element | undefined {
  const bytes = new TextEncoder().encode(text);
  const tokenizer = new XmlTokenizer({
    payloadBytes: bytes.length + 1,
    depth: 256,
    attributes: 256,
  });
  tokenizer.feed(bytes);
  let root: XmlHeader | undefined;
  const children: Payload[] = [];
  for (let item; (item = tokenizer.next());) {
    if (item.type === "error") return undefined;
    if (item.type === "header") root = item;
    if (item.type === "payload") children.push(item.payload);
    if (item.type === "end") return root && { root, children };
  }
  return undefined;
}
