import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { attribute, missingDeclarations, writePayload } from "../xml/writer.ts";
import type { TerminalCondition } from "./conditions.ts";
import type { Granted } from "./negotiation.ts";

const encoder = new TextEncoder();

// XEP-0124 §6: the wrapper is in the httpbind namespace; clients compare the unprefixed name.
const START = `<body xmlns='${NS.HTTPBIND}'`;
// XEP-0206 §2: features and errors need `xmlns:stream` on the wrapper, under just that prefix, also where
// they declare it themselves, as jabberd2's do.
const STREAM_DECLARATION = ` xmlns:stream='${NS.STREAMS}'`;
const END = encoder.encode("</body>");
const PLAIN_START = encoder.encode(`${START}>`);
const STREAM_START = encoder.encode(`${START}${STREAM_DECLARATION}>`);

/** The answer that says nothing. */
export const EMPTY_BODY: Uint8Array<ArrayBuffer> = encoder.encode(`${START}/>`);

/**
 * Payloads from the upstream, ready for a body: kept ones are copies with all that they must
 * declare, those of the read at hand are views with what is still to be spliced in.
 */
export interface Outgoing {
  readonly payload: Payload;
  readonly declarations: Uint8Array | undefined;
  /** Has the prefix `stream`, or uses it, so that the wrapper has to declare it. */
  readonly usesStream: boolean;
  readonly size: number;
}

/** XEP-0206 §2: a stanza must not inherit the wrapper's namespace, so it is given its own. */
export function outgoing(payload: Payload): Outgoing {
  const usesStream = payload.namespace === NS.STREAMS || payload.inherits.some(isStreamPrefix);
  const declarations = missingDeclarations(payload, NS.CLIENT, usesStream ? "stream" : undefined);
  const size = payload.bytes.length + (declarations?.length ?? 0);
  return { payload, declarations, usesStream, size };
}

/** An {@link Outgoing} that owns its bytes. */
export function kept(out: Outgoing): Outgoing {
  const bytes = new Uint8Array(out.size);
  writePayload(bytes, 0, out.payload, out.declarations);
  const inherits = out.payload.inherits.filter(isStreamPrefix);
  const payload = { ...out.payload, bytes, declaresDefault: true, inherits };
  return { ...out, payload, declarations: undefined };
}

/** A body around these payloads, built once at its exact size. `attributes` begins with a space. */
export function bodyOf(payloads: readonly Outgoing[], attributes = ""): Uint8Array<ArrayBuffer> {
  if (payloads.length === 0) {
    return attributes === "" ? EMPTY_BODY : encoder.encode(`${START}${attributes}/>`);
  }
  let size = END.length;
  let usesStream = false;
  for (const out of payloads) {
    size += out.size;
    usesStream ||= out.usesStream;
  }
  const start = attributes === ""
    ? (usesStream ? STREAM_START : PLAIN_START)
    : encoder.encode(`${START}${usesStream ? STREAM_DECLARATION : ""}${attributes}>`);
  const body = new Uint8Array(start.length + size);
  body.set(start);
  let at = start.length;
  for (const out of payloads) at = writePayload(body, at, out.payload, out.declarations);
  body.set(END, at);
  return body;
}

/**
 * A terminal body (XEP-0124 §13, §17.2); one that names a stream ends only that (§16.5). `message`
 * is a sentence for people: the attribute is ours, and clients must ignore those they do not know.
 */
export function terminalBody(
  condition: TerminalCondition | undefined,
  message: string | undefined,
  { payloads = [], stream }: {
    readonly payloads?: readonly Outgoing[];
    readonly stream?: string;
  } = {},
): Uint8Array<ArrayBuffer> {
  const attributes = attribute("condition", condition) + attribute("stream", stream) +
    attribute("message", message);
  return bodyOf(payloads, ` type='terminate'${attributes}`);
}

/**
 * The terminal body for a request that cannot be. One with a wrong sid, rid or key is told no more
 * than the other two: nobody shall find out by the answer which of them he has guessed.
 */
export function refusalBody(
  condition: TerminalCondition,
  reason: string,
): Uint8Array<ArrayBuffer> {
  return condition === "item-not-found" ? NOT_FOUND_BODY : terminalBody(condition, reason);
}

const NOT_FOUND_BODY = terminalBody("item-not-found", "there is no such session or request");

/** What an answer is, by the bytes that were written above. */
export function kindOf(body: Uint8Array): "payloads" | "empty" | "terminal" {
  const declares = body[START.length + 1] === LETTER_X;
  const at = START.length + (declares ? STREAM_DECLARATION.length : 0);
  // Of all that may stand there, ` type='terminate'` alone begins so.
  if (body[at + 1] === LETTER_T && body[at + 2] === LETTER_Y) return "terminal";
  return body[body.length - 2] === SLASH ? "empty" : "payloads";
}

const LETTER_T = 0x74;
const LETTER_X = 0x78;
const LETTER_Y = 0x79;
const SLASH = 0x2f;

/** XEP-0124 §7.2 and XEP-0206 §4; they appear in the creation response only. Declares `xmpp`. */
export function creationAttributes(sid: string, granted: Granted): string {
  const { wait, hold, requests, inactivity, polling, maxPause, ver } = granted;
  return attribute("sid", sid) + attribute("wait", wait / 1000) +
    attribute("requests", requests) + attribute("hold", hold) + attribute("ver", ver) +
    attribute("polling", polling / 1000) + attribute("inactivity", inactivity / 1000) +
    attribute("maxpause", maxPause === undefined ? undefined : maxPause / 1000) +
    attribute("xmlns:xmpp", NS.XBOSH) + attribute("xmpp:restartlogic", "true");
}

/** A payload of our own. */
export function outgoingText(xml: string): Outgoing {
  const bytes = encoder.encode(xml);
  const payload = {
    name: "",
    namespace: "",
    bytes,
    nameEnd: 0,
    declaresDefault: true,
    inherits: [],
  };
  return { payload, declarations: undefined, usesStream: false, size: bytes.length };
}

function isStreamPrefix(declaration: { prefix: string; namespace: string }): boolean {
  return declaration.prefix === "stream" && declaration.namespace === NS.STREAMS;
}
