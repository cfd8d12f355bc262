import { judgeClientPayload } from "../stream/client_payload.ts";
import type { Attributes } from "../xml/attributes.ts";
import { clientLimit, type XmlErrorKind } from "../xml/errors.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { XmlTokenizer } from "../xml/tokenizer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The stream errors that a client can be sent (RFC 6120 §4.9.3). */
export type StreamCondition =
  | "bad-format"
  | "connection-timeout"
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

/** How a stream begins and ends on a WebSocket. */
export type Framing =
  /** RFC 7395: with `<open/>` and `<close/>`. */
  | "rfc7395"
  /** draft-ietf-xmpp-websocket-00: with the stream's start tag and end tag, each a message. */
  | "draft";

/** One message of a client, read (RFC 7395 §3.3). */
export type ClientMessage =
  /** White space only: old clients keep their connection alive with it. */
  | { readonly type: "blank" }
  | {
    readonly type: "open";
    readonly framing: Framing;
    /** It closes itself; a start tag of the draft may be left open. */
    readonly isEmpty: boolean;
    readonly to: string | undefined;
    readonly from: string | undefined;
    readonly lang: string | undefined;
    readonly version: string | undefined;
  }
  | { readonly type: "close"; readonly framing: Framing }
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
const START_TAG = encoder.encode("<stream:stream");
const END_TAG = /^<\/stream:stream[ \t\r\n]*>[ \t\r\n]*$/;

/**
 * Reads one message. Whatever the bytes, it never throws. The tokenizer is only borrowed; views
 * in the result are good as long as `bytes` is.
 */
export function readMessage(bytes: Uint8Array, tokenizer: XmlTokenizer): ClientMessage {
  if (bytes.length > 0 && bytes.every(isWhiteSpace)) return { type: "blank" };
  const start = declarationLength(bytes);
  if (start > 0) {
    tokenizer.reset();
    tokenizer.feed(bytes.subarray(0, start));
    const item = tokenizer.next();
    if (item?.type === "error") return refuseXml(item.error.kind, item.error.message);
  }
  const message = start > 0 ? trimmedStart(bytes.subarray(start)) : bytes;
  if (message.length === 0) return refused("not-well-formed", "the message has no element");
  // §3.3.3: the first character "MUST be a '<' character".
  if (message[0] !== 0x3c) return refused("bad-format", "a message must begin with '<'");
  if (isStartTag(message)) return readStartTag(message, tokenizer);
  if (message[1] === 0x2f && message.length < 100 && END_TAG.test(decoder.decode(message))) {
    return { type: "close", framing: "draft" };
  }
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
    if (name === "close") return { type: "close", framing: "rfc7395" };
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
  return opening("rfc7395", true, open.attributes);
}

/** The start tag of a stream, which the draft has for a message; old clients leave it open or close it. */
function readStartTag(message: Uint8Array, tokenizer: XmlTokenizer): ClientMessage {
  tokenizer.reset();
  tokenizer.feed(message);
  const header = tokenizer.next();
  if (header?.type === "error") return refuseXml(header.error.kind, header.error.message);
  if (header?.type !== "header") return refused("not-well-formed", "the start tag does not end");
  const end = tokenizer.next();
  if (end?.type === "error") return refuseXml(end.error.kind, end.error.message);
  const isEmpty = end?.type === "end";
  if ((end !== undefined && !isEmpty) || (end ?? header).end !== trimmedLength(message)) {
    return refused("not-well-formed", "a message must be one start tag and nothing else");
  }
  const content = header.declarations.find(({ prefix }) => prefix === "");
  if (header.namespace !== NS.STREAMS || (content && content.namespace !== NS.CLIENT)) {
    return refused("invalid-namespace", "the start tag is not that of a client's stream");
  }
  return opening("draft", isEmpty, header.attributes);
}

function opening(framing: Framing, isEmpty: boolean, attributes: Attributes): ClientMessage {
  return {
    type: "open",
    framing,
    isEmpty,
    to: attributes.get("to") || undefined,
    from: attributes.get("from") || undefined,
    lang: attributes.get("lang", NS.XML) || undefined,
    version: attributes.get("version"),
  };
}

function refuseXml(kind: XmlErrorKind, reason: string): ClientMessage {
  return refused(CONDITION[kind], kind === "limit" ? clientLimit(reason) : reason);
}

const CONDITION: Readonly<Record<XmlErrorKind, StreamCondition>> = {
  "not-well-formed": "not-well-formed",
  "restricted-xml": "restricted-xml",
  "bad-encoding": "unsupported-encoding",
  "limit": "policy-violation",
};

function refused(condition: StreamCondition, reason: string): ClientMessage {
  return { type: "refused", condition, reason };
}

/** Bytes of the XML declaration that the message begins with, to its end or to that of the message. */
function declarationLength(bytes: Uint8Array): number {
  if (!startsWith(bytes, XML_DECLARATION)) return 0;
  // Another processing instruction is refused as what it is.
  if (!isWhiteSpace(bytes[XML_DECLARATION.length] ?? 0)) return 0;
  return bytes.indexOf(0x3e) + 1 || bytes.length;
}

/** Whether it begins like a stream; what is wrong with it is told later. */
function isStartTag(message: Uint8Array): boolean {
  const next = message[START_TAG.length] ?? 0x20;
  return startsWith(message, START_TAG) && (isWhiteSpace(next) || next === 0x3e || next === 0x2f);
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, i) => bytes[i] === byte);
}

function trimmedStart(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => !isWhiteSpace(byte));
  return start < 0 ? bytes.subarray(bytes.length) : bytes.subarray(start);
}

function trimmedLength(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && isWhiteSpace(bytes[end - 1]!)) end--;
  return end;
}

function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
