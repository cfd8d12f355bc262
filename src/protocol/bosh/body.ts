import { Attributes } from "../xml/attributes.ts";
import type { XmlError } from "../xml/errors.ts";
import { NS } from "../xml/names.ts";
import type { XmlHeader, XmlTokenizer } from "../xml/tokenizer.ts";
import { type TerminalCondition, xmlObjection } from "./conditions.ts";
import { ContentGatherer, NO_CONTENT, NO_FAILURES } from "./content.ts";
import type { Octets, Payloads } from "./content_assembler.ts";
import { readStreamAttributes, type StreamAttributes } from "../stream/stream_attributes.ts";

const decoder = new TextDecoder();

interface BodyCommon extends Payloads {
  /** Request id, 1 to 2^53 - 1 (XEP-0124 §14.1). */
  readonly rid: number;
  /** Bytes of the whole body. */
  readonly size: number;
  /** Of a key sequence (XEP-0124 §15). */
  readonly key: string | undefined;
  readonly newkey: string | undefined;
  /** By script syntax, the content as it came; `content` then only tells whether there is any, and `count` nothing. */
  readonly octets: Octets | undefined;
}

/** What a client says of a stream that it wants (XEP-0124 §7.1, §16.2). */
export interface StreamRequest {
  /** The domain as the client wrote it; `undefined` when missing or empty. */
  readonly to: string | undefined;
  readonly from: string | undefined;
  readonly lang: string | undefined;
  readonly route: string | undefined;
  /** XMPP version; `1.0` when missing (the schema's default). */
  readonly xmppVersion: string;
  /** More attributes for the upstream's stream header. */
  readonly attributes: StreamAttributes | undefined;
}

/** Asks for a session: the one body without a `sid` (XEP-0124 §7.1). */
export interface CreationRequest extends BodyCommon {
  readonly type: "create";
  readonly stream: StreamRequest;
  /** `undefined`: a client from before `ver` existed. */
  readonly ver: Version | undefined;
  /** Seconds. */
  readonly wait: number | undefined;
  readonly hold: number | undefined;
  /** Seconds that the client would like to be let alone. */
  readonly inactivity: number | undefined;
  /** The client acknowledges responses (XEP-0124 §9.2). */
  readonly acks: boolean;
  /** The media type that the client wants of responses. */
  readonly contentType: string | undefined;
  /** Only over an encrypted upstream (XEP-0124 1.6). */
  readonly secure: boolean;
  /** What the client says it is. */
  readonly userAgent: string | undefined;
}

/** Every later body of a session. */
export interface SessionRequest extends BodyCommon {
  readonly type: "continue";
  readonly sid: string;
  /** Of multiple streams, the one that is meant; `undefined`: all of them (XEP-0124 §16.4). */
  readonly stream: string | undefined;
  /** The highest rid whose response the client has (XEP-0124 §9.2). */
  readonly ack: number | undefined;
  /** It has a `to`, as every request of some clients has. */
  readonly namesDomain: boolean;
  readonly ask: Ask;
}

/** What a body asks for besides carrying its payloads. */
export type Ask =
  | { readonly type: "nothing" }
  /** Seconds. */
  | { readonly type: "pause"; readonly duration: number }
  | { readonly type: "restart"; readonly attributes: StreamAttributes | undefined }
  /** An empty body with a `to`: another stream, if the session may have several (§16.2). */
  | { readonly type: "open-stream"; readonly opening: StreamRequest }
  | { readonly type: "terminate" };

/** A body that cannot be used, and the condition to answer with. */
export interface RefusedBody {
  readonly type: "refused";
  readonly condition: TerminalCondition;
  /** A sentence for people. */
  readonly reason: string;
  /**
   * The session that the request belongs to, when the wrapper's start tag was read and only
   * what came after it was forbidden (not when the document was broken: then it proves nothing).
   */
  readonly session: { readonly sid: string; readonly rid: number } | undefined;
}

/** A BOSH version, compared as two integers: 1.10 is newer than 1.6 (XEP-0124 §7.1). */
export interface Version {
  readonly major: number;
  readonly minor: number;
}

/**
 * Reads one request body. Whatever the bytes, the result is a request that is legal so far
 * as one body can tell, or a refusal; it never throws. The tokenizer is only borrowed.
 */
export function readBody(
  bytes: Uint8Array,
  tokenizer: XmlTokenizer,
): CreationRequest | SessionRequest | RefusedBody {
  const wrapper = readWrapper(bytes, tokenizer);
  if (wrapper.type === "refused") return wrapper;
  let gathered: ContentGatherer | undefined;
  let refusal: string | undefined;
  for (;;) {
    const item = tokenizer.next();
    if (item === undefined) return badRequest("the request ends before </body>");
    if (item.type === "error") return refuseXml(item.error, sessionOf(wrapper));
    if (item.type === "end") {
      // Whatever stands behind the root makes the document one that is not well-formed.
      const rest = tokenizer.next();
      if (rest !== undefined) return badRequest("the request goes on after </body>");
      break;
    }
    if (item.type === "payload") {
      gathered ??= new ContentGatherer(wrapper.header);
      refusal ??= gathered.add(item.payload, item.start, item.end);
    }
  }
  if (refusal !== undefined) return badRequest(refusal, sessionOf(wrapper));
  if (gathered === undefined) return readRequest(wrapper, NOTHING_FORWARDED, undefined);
  const { count, failures } = gathered;
  return readRequest(wrapper, { content: gathered.content(bytes), count, failures }, undefined);
}

/**
 * Reads one request body of the script syntax (XEP-0252 §2.2), whose content is a piece of an octet
 * stream: only the wrapper's tags are looked at, and what lies between them is left to the
 * session's {@link ContentAssembler}, when the request's turn has come.
 */
export function readScriptBody(
  bytes: Uint8Array,
  tokenizer: XmlTokenizer,
): CreationRequest | SessionRequest | RefusedBody {
  const wrapper = readWrapper(bytes, tokenizer);
  if (wrapper.type === "refused") return wrapper;
  const { header } = wrapper;
  const content = contentOf(bytes, header);
  if (content === undefined) return badRequest("the request does not end with </body>");
  const octets = { startTag: bytes.subarray(0, header.end), content };
  return readRequest(wrapper, { content, count: 0, failures: NO_FAILURES }, octets);
}

/** A request that owns its bytes, for one that is kept: it may be a small part of much. */
export function ownRequest(request: SessionRequest): SessionRequest {
  const { content, octets } = request;
  return {
    ...request,
    content: content.slice(),
    octets: octets && { startTag: octets.startTag.slice(), content: octets.content.slice() },
  };
}

/** The wrapper's start tag, as far as it can be told without what it asks for. */
interface Wrapper {
  readonly type: "wrapper";
  readonly header: XmlHeader;
  readonly rid: number | undefined;
  readonly sid: string | undefined;
  /** Bytes of the whole body. */
  readonly size: number;
}

function readWrapper(bytes: Uint8Array, tokenizer: XmlTokenizer): Wrapper | RefusedBody {
  tokenizer.reset();
  tokenizer.feed(bytes);
  const header = tokenizer.next();
  if (header === undefined) return badRequest("the request is not an XML document");
  if (header.type === "error") return refuseXml(header.error, undefined);
  if (header.type !== "header") return badRequest("the request has no root");
  if (header.name !== "body" || header.namespace !== NS.HTTPBIND) {
    return badRequest(`the root must be <body xmlns='${NS.HTTPBIND}'/>`);
  }
  const rid = readRid(header.attributes.get("rid"));
  const sid = header.attributes.get("sid");
  return { type: "wrapper", header, rid, sid, size: bytes.length };
}

function sessionOf({ sid, rid }: Wrapper): RefusedBody["session"] {
  return sid !== undefined && rid !== undefined ? { sid, rid } : undefined;
}

/** What lies between the wrapper's tags; `undefined` when the second one is missing. */
function contentOf(bytes: Uint8Array, { prefix, end }: XmlHeader): Uint8Array | undefined {
  const last = withoutSpace(bytes, bytes.length);
  // Only an empty element has a slash there: attribute values stand in quotes.
  const isEmpty = bytes[end - 2] === SLASH;
  if (isEmpty) return last === end ? bytes.subarray(end, end) : undefined;
  const endTag = bytes.lastIndexOf(LESS_THAN);
  if (endTag < end || bytes[last - 1] !== GREATER_THAN) return undefined;
  const tag = decoder.decode(bytes.subarray(endTag, withoutSpace(bytes, last - 1)));
  return tag === (prefix === "" ? "</body" : `</${prefix}:body`)
    ? bytes.subarray(end, endTag)
    : undefined;
}

/** Where the white space begins that ends at `end` (XML 1.0 §2.3). */
function withoutSpace(bytes: Uint8Array, end: number): number {
  let at = end;
  while (at > 0 && SPACE.has(bytes[at - 1]!)) at--;
  return at;
}

const SPACE = new Set([0x20, 0x09, 0x0d, 0x0a]);
const SLASH = 0x2f;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;

function readRequest(
  wrapper: Wrapper,
  payloads: Payloads,
  octets: Octets | undefined,
): CreationRequest | SessionRequest | RefusedBody {
  const { header: { attributes }, rid, sid, size } = wrapper;
  if (rid === undefined) {
    return badRequest("rid must be a whole number from 1 to 9007199254740991");
  }
  if (sid === undefined) return readCreation(wrapper, rid, payloads, octets);
  const { content, count, failures } = payloads;
  // Most have these two and nothing that a look for all the others could find.
  const others = attributes.list.length === 2 ? NO_ATTRIBUTES : attributes;
  const ask = readAsk(others, content);
  if (typeof ask === "string") return badRequest(ask, { sid, rid });
  return {
    type: "continue",
    sid,
    stream: others.get("stream"),
    // What is no rid acknowledges nothing.
    ack: readRid(others.get("ack")),
    namesDomain: others.get("to") !== undefined,
    ask,
    // One by one, here and at a creation: to spread them costs more than to read the rest.
    rid,
    size,
    key: others.get("key"),
    newkey: others.get("newkey"),
    content,
    count,
    failures,
    octets,
  };
}

function readCreation(
  { header: { attributes }, size }: Wrapper,
  rid: number,
  { content, count, failures }: Payloads,
  octets: Octets | undefined,
): CreationRequest | RefusedBody {
  const ver = readVersion(attributes.get("ver"));
  if (ver === null) return badRequest("ver must be two numbers with a dot between them");
  // The schema's types: wait is an unsignedShort, hold an unsignedByte (XEP-0124 §22).
  const wait = readCount(attributes.get("wait"));
  if (wait === null) return badRequest("wait must be a whole number of seconds");
  const hold = readCount(attributes.get("hold"));
  if (hold === null) return badRequest("hold must be a whole number");
  const stream = readStreamRequest(attributes);
  if (stream === null) return badRequest(STREAM_ATTRS);
  return {
    type: "create",
    stream,
    ver,
    wait,
    hold,
    inactivity: readCount(attributes.get("inactivity")) ?? undefined,
    acks: attributes.get("ack") === "1",
    contentType: attributes.get("content"),
    secure: attributes.get("secure") === "true" || attributes.get("secure") === "1",
    userAgent: attributes.get("ua"),
    rid,
    size,
    key: attributes.get("key"),
    newkey: attributes.get("newkey"),
    content,
    count,
    failures,
    octets,
  };
}

/** What the body asks for; a sentence when it cannot be asked for. */
function readAsk(attributes: Attributes, content: Uint8Array): Ask | string {
  const type = attributes.get("type");
  // gloox writes "terminal" when it disconnects.
  if (type === "terminate" || type === "terminal") return { type: "terminate" };
  const pause = attributes.get("pause");
  if (pause !== undefined) {
    const duration = readCount(pause);
    return duration ? { type: "pause", duration } : "pause must be a whole number of seconds";
  }
  const restart = attributes.get("restart", NS.XBOSH);
  if (restart === "true" || restart === "1") {
    const more = readStreamAttributes(attributes.get("stream_attrs"));
    return more === null ? STREAM_ATTRS : { type: "restart", attributes: more };
  }
  if (attributes.get("to") && content.length === 0 && attributes.get("stream") === undefined) {
    const opening = readStreamRequest(attributes);
    return opening === null ? STREAM_ATTRS : { type: "open-stream", opening };
  }
  return NOTHING;
}

function readStreamRequest(attributes: Attributes): StreamRequest | null {
  const more = readStreamAttributes(attributes.get("stream_attrs"));
  if (more === null) return null;
  return {
    to: attributes.get("to") || undefined,
    from: attributes.get("from") || undefined,
    lang: attributes.get("lang", NS.XML) || undefined,
    route: attributes.get("route") || undefined,
    xmppVersion: attributes.get("version", NS.XBOSH) || "1.0",
    attributes: more,
  };
}

const NO_ATTRIBUTES = new Attributes([]);
const NOTHING_FORWARDED: Payloads = { content: NO_CONTENT, count: 0, failures: NO_FAILURES };
const NOTHING: Ask = { type: "nothing" };
const STREAM_ATTRS =
  "stream_attrs must be a JSON object of texts, without the names that the stream header has itself";

/** XEP-0124 §14.1: a positive integer, at most 2^53 - 1, so that every step up to it is exact. */
function readRid(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const rid = wholeNumber(text, 16);
  return rid >= 1 && rid <= Number.MAX_SAFE_INTEGER ? rid : undefined;
}

function readCount(text: string | undefined): number | undefined | null {
  if (text === undefined) return undefined;
  const count = wholeNumber(text, 9);
  return Number.isNaN(count) ? null : count;
}

/** `NaN` when the text is anything but one to so many digits. Every step up to 2^53 is exact. */
function wholeNumber(text: string, mostDigits: number): number {
  if (text.length === 0 || text.length > mostDigits) return NaN;
  let number = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return NaN;
    number = 10 * number + digit;
  }
  return number;
}

function readVersion(text: string | undefined): Version | undefined | null {
  if (text === undefined) return undefined;
  const match = /^([0-9]{1,6})\.([0-9]{1,6})$/.exec(text);
  return match === null ? null : { major: Number(match[1]), minor: Number(match[2]) };
}

/**
 * XML that is broken may have lost its true sid on the way, so no session answers for it. XML
 * that is whole but forbidden or too large is what its sender meant to send.
 */
function refuseXml(error: XmlError, session: RefusedBody["session"]): RefusedBody {
  const { kind } = error;
  return {
    type: "refused",
    ...xmlObjection(error),
    session: kind === "restricted-xml" || kind === "limit" ? session : undefined,
  };
}

function badRequest(reason: string, session?: RefusedBody["session"]): RefusedBody {
  return { type: "refused", condition: "bad-request", reason, session };
}
