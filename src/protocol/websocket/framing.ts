import type { StreamHeader } from "../stream/c2s.ts";
import { judgeClientPayload } from "../stream/client_payload.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { XmlTokenizer } from "../xml/tokenizer.ts";
import { attribute, escape, standalone } from "../xml/writer.ts";

const encoder = new TextEncoder();

/** The stream errors that a client can be sent (RFC 6120 §4.9.3). */
export type StreamCondition =
  | "bad-format"
  | "host-unknown"
  | "improper-addressing"
  | "internal-server-error"
  | "invalid-namespace"
  | "not-authorized"
  | "not-well-formed"
  | "policy-violation"
  | "remote-connection-failed"
  | "resource-constraint"
  | "restricted-xml"
  | "system-shutdown"
  | "unsupported-encoding"
  | "unsupported-version";

/** One message of a client, read (RFC 7395 §3.3). */
export type ClientMessage =
  /** White space only: old clients keep their connection alive with it. */
  | { readonly type: "blank" }
  | {
    readonly type: "open";
    readonly to: string | undefined;
    readonly from: string | undefined;
    readonly lang: string | undefined;
    readonly version: string | undefined;
  }
  | { readonly type: "close" }
  /** To be forwarded as it is; `content` is a view of the message unless it had to be rewritten. */
  | { readonly type: "payload"; readonly payload: Payload; readonly content: Uint8Array }
  /** Not forwarded, answered with this. */
  | { readonly type: "answer"; readonly failure: string }
  | {
    readonly type: "refused";
    readonly condition: StreamCondition;
    readonly reason: string;
  };

/**
 * Messages are read as if they were the children of one endless stream in `jabber:client`: so
 * each is bounded, checked and classified by the same tokenizer as everything else, and a
 * stanza without a namespace is in the one that RFC 7395 §3.3.3 has for it.
 */
const STREAM = encoder.encode(`<stream xmlns='${NS.CLIENT}'>`);
const XML_DECLARATION = encoder.encode("<?xml");

/**
 * Reads one message. Whatever the bytes, it never throws. The tokenizer is only borrowed; views
 * in the result are good as long as `bytes` is.
 */
export function readMessage(bytes: Uint8Array, tokenizer: XmlTokenizer): ClientMessage {
  const message = withoutDeclaration(bytes);
  if (message === undefined) return refused("not-well-formed", "the XML declaration does not end");
  if (message.every(isWhiteSpace)) return { type: "blank" };
  // §3.3.3: the first character "MUST be a '<' character".
  if (message[0] !== 0x3c) return refused("bad-format", "a message must begin with '<'");
  tokenizer.reset();
  tokenizer.feed(STREAM);
  tokenizer.next();
  tokenizer.feed(message);
  return readOne(message, tokenizer);
}

function readOne(message: Uint8Array, tokenizer: XmlTokenizer): ClientMessage {
  const item = tokenizer.next();
  if (item === undefined) return refused("not-well-formed", "the message ends inside its element");
  if (item.type === "error") return refuseXml(item.error.kind, item.error.message);
  if (item.type !== "payload") return refused("not-well-formed", "the message is an end tag");
  const rest = tokenizer.next();
  if (rest?.type === "error") return refuseXml(rest.error.kind, rest.error.message);
  // §3.3.3: "the data in each message MUST be a complete XML document": one element, all of it.
  if (rest !== undefined || item.payload.bytes.length !== trimmedLength(message)) {
    return refused("not-well-formed", "a message must be one complete element");
  }
  return classify(item.payload);
}

function classify(payload: Payload): ClientMessage {
  const { name, namespace } = payload;
  if (namespace === NS.FRAMING) {
    if (name === "close") return { type: "close" };
    if (name === "open") return readOpen(payload);
  }
  // §3.3.2: both are in the framing namespace, and nothing else of these names opens or closes.
  if (name === "open" || name === "close") {
    return refused("invalid-namespace", `<${name}/> must be in the namespace ${NS.FRAMING}`);
  }
  const verdict = judgeClientPayload(payload);
  if (verdict.type === "refuse") return refused("bad-format", verdict.reason);
  if (verdict.type === "answer") return verdict;
  return { type: "payload", payload, content: payload.bytes };
}

function readOpen(payload: Payload): ClientMessage {
  const tokenizer = new XmlTokenizer({
    payloadBytes: payload.bytes.length + 1,
    depth: 1,
    attributes: 32,
  });
  tokenizer.feed(payload.bytes);
  const open = tokenizer.next();
  if (open?.type !== "header") return refused("not-well-formed", "<open/> has too many attributes");
  const { attributes } = open;
  return {
    type: "open",
    to: attributes.get("to") || undefined,
    from: attributes.get("from") || undefined,
    lang: attributes.get("lang", NS.XML) || undefined,
    version: attributes.get("version"),
  };
}

function refuseXml(kind: string, reason: string): ClientMessage {
  switch (kind) {
    case "restricted-xml":
      return refused("restricted-xml", reason);
    case "bad-encoding":
      return refused("unsupported-encoding", reason);
    case "limit":
      return refused("policy-violation", reason);
    default:
      return refused("not-well-formed", reason);
  }
}

function refused(condition: StreamCondition, reason: string): ClientMessage {
  return { type: "refused", condition, reason };
}

/** The message behind its XML declaration, if it has one; `undefined` when that does not end. */
function withoutDeclaration(bytes: Uint8Array): Uint8Array | undefined {
  for (let i = 0; i < XML_DECLARATION.length; i++) {
    if (bytes[i] !== XML_DECLARATION[i]) return bytes;
  }
  if (!isWhiteSpace(bytes[XML_DECLARATION.length] ?? 0)) return bytes;
  const end = bytes.indexOf(0x3e);
  if (end < 0 || bytes[end - 1] !== 0x3f) return undefined;
  let start = end + 1;
  while (start < bytes.length && isWhiteSpace(bytes[start]!)) start++;
  return bytes.subarray(start);
}

function trimmedLength(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && isWhiteSpace(bytes[end - 1]!)) end--;
  return end;
}

function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

// ---- messages to the client

/**
 * `<open/>` as one line that begins with `<open ` and closes itself: clients compare the text.
 * Its attributes are those of the upstream's stream header (RFC 7395 §3.4).
 */
export function openMessage(header: Partial<StreamHeader>, to: string | undefined): Uint8Array {
  return encoder.encode(
    `<open xmlns='${NS.FRAMING}'${attribute("from", header.from)}${attribute("id", header.id)}` +
      `${attribute("to", to)}${attribute("xml:lang", header.lang)} version="1.0"/>`,
  );
}

/** Spelled exactly so because clients compare the whole string. */
export const CLOSE_MESSAGE: Uint8Array = encoder.encode(`<close xmlns="${NS.FRAMING}" />`);

/** RFC 7395 §3.5; each child has a literal `xmlns`, which is what clients look at. */
export function errorMessage(condition: StreamCondition, text: string): Uint8Array {
  return encoder.encode(
    `<stream:error xmlns:stream='${NS.STREAMS}'><${condition} xmlns='${NS.STREAM_ERRORS}'/>` +
      `<text xmlns='${NS.STREAM_ERRORS}' xml:lang='en'>${escape(text)}</text></stream:error>`,
  );
}

/** RFC 7395 §3.3.3: every message declares the namespaces that it uses. */
export function payloadMessage(payload: Payload): Uint8Array {
  return standalone(payload, NS.CLIENT);
}
