import { judgeClientPayload } from "../stream/client_payload.ts";
import type { Attributes } from "../xml/attributes.ts";
import type { XmlError } from "../xml/errors.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import type { XmlHeader, XmlTokenizer } from "../xml/tokenizer.ts";
import { standalone } from "../xml/writer.ts";
import type { TerminalCondition } from "./conditions.ts";

interface BodyCommon {
  /** Request id, 1 to 2^53 - 1 (XEP-0124 §14.1). */
  readonly rid: number;
  /** The payloads to forward, side by side; a view of the request where nothing had to be rewritten. */
  readonly content: Uint8Array;
  /** Failures to hand back for payloads that are not the client's business. */
  readonly failures: readonly string[];
}

/** Asks for a session: the one body without a `sid` (XEP-0124 §7.1). */
export interface CreationRequest extends BodyCommon {
  readonly type: "create";
  /** The domain as the client wrote it; `undefined` when missing or empty. */
  readonly to: string | undefined;
  readonly from: string | undefined;
  readonly lang: string | undefined;
  /** `undefined`: a client from before `ver` existed. */
  readonly ver: Version | undefined;
  /** Seconds. */
  readonly wait: number | undefined;
  readonly hold: number | undefined;
  /** XMPP version; `1.0` when missing (the schema's default). */
  readonly xmppVersion: string;
}

/** Every later body of a session. */
export interface SessionRequest extends BodyCommon {
  readonly type: "continue";
  readonly sid: string;
  readonly ask: "nothing" | "restart" | "terminate";
}

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

const NO_CONTENT = new Uint8Array(0);
const NO_FAILURES: readonly string[] = [];

/**
 * Reads one request body. Whatever the bytes, the result is a request that is legal so far
 * as one body can tell, or a refusal; it never throws. The tokenizer is only borrowed.
 */
export function readBody(
  bytes: Uint8Array,
  tokenizer: XmlTokenizer,
): CreationRequest | SessionRequest | RefusedBody {
  tokenizer.reset();
  tokenizer.feed(bytes);
  const result = readDocument(bytes, tokenizer);
  tokenizer.reset();
  return result;
}

function readDocument(
  bytes: Uint8Array,
  tokenizer: XmlTokenizer,
): CreationRequest | SessionRequest | RefusedBody {
  const first = tokenizer.next();
  if (first === undefined) return badRequest("the request is not an XML document");
  if (first.type === "error") return refuseXml(first.error, undefined);
  if (first.type !== "header") return badRequest("the request has no root");
  if (first.name !== "body" || first.namespace !== NS.HTTPBIND) {
    return badRequest(`the root must be <body xmlns='${NS.HTTPBIND}'/>`);
  }
  const rid = readRid(first.attributes.get("rid"));
  const sid = first.attributes.get("sid");
  const session = sid !== undefined && rid !== undefined ? { sid, rid } : undefined;
  const gathered = new ContentGatherer(first);
  let refusal: string | undefined;
  for (;;) {
    const item = tokenizer.next();
    if (item === undefined) return badRequest("the request ends before </body>");
    if (item.type === "error") return refuseXml(item.error, session);
    if (item.type === "end") {
      // Whatever stands behind the root makes the document one that is not well-formed.
      const rest = tokenizer.next();
      if (rest !== undefined) return badRequest("the request goes on after </body>");
      break;
    }
    if (item.type === "payload") refusal ??= gathered.add(item.payload, item.start, item.end);
  }
  if (refusal !== undefined) return badRequest(refusal, session);
  if (rid === undefined) {
    return badRequest("rid must be a whole number from 1 to 9007199254740991");
  }
  const common = { rid, content: gathered.content(bytes), failures: gathered.failures };
  return sid === undefined
    ? readCreation(first.attributes, common)
    : { type: "continue", sid, ask: readAsk(first.attributes), ...common };
}

function readCreation(attributes: Attributes, common: BodyCommon): CreationRequest | RefusedBody {
  const ver = readVersion(attributes.get("ver"));
  if (ver === null) return badRequest("ver must be two numbers with a dot between them");
  // The schema's types: wait is an unsignedShort, hold an unsignedByte (XEP-0124 §22).
  const wait = readCount(attributes.get("wait"));
  if (wait === null) return badRequest("wait must be a whole number of seconds");
  const hold = readCount(attributes.get("hold"));
  if (hold === null) return badRequest("hold must be a whole number");
  return {
    type: "create",
    to: attributes.get("to") || undefined,
    from: attributes.get("from") || undefined,
    lang: attributes.get("lang", NS.XML) || undefined,
    ver,
    wait,
    hold,
    xmppVersion: attributes.get("version", NS.XBOSH) || "1.0",
    ...common,
  };
}

function readAsk(attributes: Attributes): SessionRequest["ask"] {
  const type = attributes.get("type");
  // gloox writes "terminal" when it disconnects.
  if (type === "terminate" || type === "terminal") return "terminate";
  const restart = attributes.get("restart", NS.XBOSH);
  return restart === "true" || restart === "1" ? "restart" : "nothing";
}

/** XEP-0124 §14.1: a positive integer, at most 2^53 - 1, so that every step up to it is exact. */
function readRid(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,16}$/.test(text)) return undefined;
  const rid = Number(text);
  return rid >= 1 && rid <= Number.MAX_SAFE_INTEGER ? rid : undefined;
}

function readCount(text: string | undefined): number | undefined | null {
  if (text === undefined) return undefined;
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : null;
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
function refuseXml({ kind, message }: XmlError, session: RefusedBody["session"]): RefusedBody {
  return {
    type: "refused",
    condition: kind === "limit" ? "policy-violation" : "bad-request",
    reason: message,
    session: kind === "restricted-xml" || kind === "limit" ? session : undefined,
  };
}

function badRequest(reason: string, session?: RefusedBody["session"]): RefusedBody {
  return { type: "refused", condition: "bad-request", reason, session };
}

/**
 * Bytes that rewriting may come to. A long declaration and many payloads that use it, each a few
 * bytes, would otherwise make much of little.
 */
const MOST_REWRITTEN = 1_048_576;

/**
 * Gathers what is forwarded. Payloads that lie side by side in the request go up as one view
 * of it, because the upstream's default namespace is theirs already: a stanza that inherited
 * the wrapper's namespace becomes `jabber:client` on the way, all the way down (XEP-0206 §2).
 * Only what used a declaration of the wrapper's is rewritten to take it along.
 */
class ContentGatherer {
  failures: readonly string[] = NO_FAILURES;
  readonly #inheritedDefault: string | undefined;
  /** The run of untouched payloads at the end; `pieces` holds what came before it. */
  #runStart = 0;
  #runEnd = 0;
  #rewrittenBytes = 0;
  #pieces: { start: number; end: number; rewritten?: Uint8Array }[] | undefined;

  constructor(wrapper: XmlHeader) {
    const inherited = wrapper.declarations.find((d) => d.prefix === "")?.namespace ?? "";
    const harmless = inherited === "" || inherited === NS.HTTPBIND || inherited === NS.CLIENT;
    this.#inheritedDefault = harmless ? undefined : inherited;
  }

  /** Returns the reason when the payload makes the whole request unacceptable. */
  add(payload: Payload, start: number, end: number): string | undefined {
    const verdict = judgeClientPayload(payload);
    if (verdict.type === "refuse") return verdict.reason;
    if (verdict.type === "answer") {
      this.failures = [...this.failures, verdict.failure];
      return undefined;
    }
    const rewrite = payload.inherits.length > 0 ||
      (this.#inheritedDefault !== undefined && !payload.declaresDefault);
    if (rewrite) {
      const rewritten = standalone(payload, this.#inheritedDefault);
      this.#rewrittenBytes += rewritten.length;
      if (this.#rewrittenBytes > MOST_REWRITTEN) {
        return "the payloads repeat too much of what the wrapper declares";
      }
      this.#cut();
      this.#pieces!.push({ start, end, rewritten });
    } else if (this.#runEnd === start) {
      this.#runEnd = end;
    } else {
      if (this.#runEnd > this.#runStart) this.#cut();
      this.#runStart = start;
      this.#runEnd = end;
    }
    return undefined;
  }

  content(bytes: Uint8Array): Uint8Array {
    if (this.#pieces === undefined) {
      return this.#runEnd === this.#runStart
        ? NO_CONTENT
        : bytes.subarray(this.#runStart, this.#runEnd);
    }
    this.#cut();
    const views = this.#pieces.map((p) => p.rewritten ?? bytes.subarray(p.start, p.end));
    const joined = new Uint8Array(views.reduce((sum, view) => sum + view.length, 0));
    let at = 0;
    for (const view of views) {
      joined.set(view, at);
      at += view.length;
    }
    return joined;
  }

  #cut(): void {
    this.#pieces ??= [];
    if (this.#runEnd > this.#runStart) {
      this.#pieces.push({ start: this.#runStart, end: this.#runEnd });
    }
    this.#runStart = this.#runEnd = 0;
  }
}
