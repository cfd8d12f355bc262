import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { attribute, missingDeclarations, writePayload } from "../xml/writer.ts";
import type { TerminalCondition } from "./conditions.ts";

const encoder = new TextEncoder();

// XEP-0124 §6: the wrapper is in the httpbind namespace; clients compare the unprefixed name.
const START = `<body xmlns='${NS.HTTPBIND}'`;
// XEP-0206 §2: features and errors need `xmlns:stream` on the wrapper, under just that prefix.
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
  /** Uses the prefix `stream`, which the wrapper then has to declare. */
  readonly usesStream: boolean;
  readonly size: number;
}

/** XEP-0206 §2: a stanza must not inherit the wrapper's namespace, so it is given its own. */
export function outgoing(payload: Payload): Outgoing {
  const usesStream = payload.inherits.some(isStreamPrefix);
  const declarations = missingDeclarations(payload, NS.CLIENT, usesStream ? "stream" : undefined);
  const size = payload.bytes.length + (declarations?.length ?? 0);
  return { payload, declarations, usesStream, size };
}

/** An {@link Outgoing} that owns its bytes. */
export function kept(out: Outgoing): Outgoing {
  const bytes = new Uint8Array(out.size);
  writePayload(bytes, 0, out.payload, out.declarations);
  return { ...out, payload: { ...out.payload, bytes }, declarations: undefined };
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
 * A terminal body (XEP-0124 §13, §17.2). `message` is a sentence for people: the attribute is
 * ours, and clients must ignore attributes that they do not know.
 */
export function terminalBody(
  condition: TerminalCondition | undefined,
  message: string | undefined,
  payloads: readonly Outgoing[] = [],
): Uint8Array<ArrayBuffer> {
  const attributes = attribute("condition", condition) + attribute("message", message);
  return bodyOf(payloads, ` type='terminate'${attributes}`);
}

function isStreamPrefix(declaration: { prefix: string; namespace: string }): boolean {
  return declaration.prefix === "stream" && declaration.namespace === NS.STREAMS;
}
