import { NS } from "../../../src/protocol/xml/names.ts";
import { XmlTokenizer } from "../../../src/protocol/xml/tokenizer.ts";

const decoder = new TextDecoder();

/** A response body as a client reads it. */
export interface BoshAnswer {
  readonly type: string | undefined;
  readonly condition: string | undefined;
  readonly stream: string | undefined;
  readonly sid: string | undefined;
  readonly ack: number | undefined;
  readonly report: number | undefined;
  readonly time: number | undefined;
  /** `xmpp:version`. */
  readonly version: string | undefined;
  readonly attributeCount: number;
  readonly payloads: readonly string[];
}

const tokenizer = new XmlTokenizer({ payloadBytes: 1 << 24, depth: 100, attributes: 128 });
const START = new TextEncoder().encode("<body xmlns='http://jabber.org/protocol/httpbind'");

/** Reads one; a sentence when it is not one well-formed document with the right root. */
export function readAnswer(bytes: Uint8Array): BoshAnswer | string {
  if (!START.every((byte, at) => bytes[at] === byte)) return "it does not begin as a body";
  tokenizer.reset();
  tokenizer.feed(bytes);
  const header = tokenizer.next();
  if (header?.type !== "header" || header.namespace !== NS.HTTPBIND) return "it has no root";
  const payloads: string[] = [];
  for (;;) {
    const item = tokenizer.next();
    if (item === undefined) return "it is not complete";
    if (item.type === "error") return item.error.message;
    if (item.type === "end") break;
    if (item.type !== "payload") continue;
    if (item.payload.namespace === NS.HTTPBIND) return "a payload inherits the wrapper's namespace";
    payloads.push(decoder.decode(item.payload.bytes));
  }
  if (tokenizer.next() !== undefined) return "it goes on after its root";
  const { attributes } = header;
  return {
    type: attributes.get("type"),
    condition: attributes.get("condition"),
    stream: attributes.get("stream"),
    sid: attributes.get("sid"),
    ack: number(attributes.get("ack")),
    report: number(attributes.get("report")),
    time: number(attributes.get("time")),
    version: attributes.get("version", NS.XBOSH),
    attributeCount: attributes.list.length,
    payloads,
  };
}

function number(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

export function isSilent({ attributeCount, payloads }: BoshAnswer): boolean {
  return attributeCount === 0 && payloads.length === 0;
}

/** Whether it ends the session with this condition, and nothing else. */
export function isTold({ type, condition, stream, payloads }: BoshAnswer, what: string): boolean {
  return type === "terminate" && condition === what && stream === undefined &&
    payloads.length === 0;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, at) => byte === b[at]));
}

/** The number that every payload here carries. */
export function idOf(text: string): string {
  return /id='(\w+)'/.exec(text)?.[1] ?? "";
}
