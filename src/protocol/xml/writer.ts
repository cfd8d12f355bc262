import type { Declaration, Payload } from "./payload.ts";
import { NS } from "./names.ts";

const encoder = new TextEncoder();
const CLIENT_DECLARATION = encoder.encode(` xmlns='${NS.CLIENT}'`);

/** Text made safe for an attribute value in either kind of quotes, and for character data. */
export function escape(text: string): string {
  return /[&<>'"\t\n\r]/.test(text) ? text.replace(/[&<>'"\t\n\r]/g, (c) => ESCAPES[c] ?? c) : text;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "'": "&apos;",
  '"': "&quot;",
  // XML 1.0 §3.3.3 turns these into spaces in an attribute unless they are references.
  "\t": "&#x9;",
  "\n": "&#xA;",
  "\r": "&#xD;",
};

/** ` name='value'`, or nothing for `undefined`. */
export function attribute(name: string, value: string | number | undefined): string {
  return value === undefined
    ? ""
    : ` ${name}='${typeof value === "number" ? value : escape(value)}'`;
}

/**
 * What a payload must declare to keep its meaning outside its stream: the default
 * namespace it inherited, and the inherited prefixes, but for those in `known`.
 */
export function missingDeclarations(
  payload: Payload,
  defaultNamespace: string | undefined,
  known?: string,
): Uint8Array | undefined {
  const needsDefault = defaultNamespace !== undefined && !payload.declaresDefault;
  if (payload.inherits.length === 0) {
    if (!needsDefault) return undefined;
    if (defaultNamespace === NS.CLIENT) return CLIENT_DECLARATION;
  }
  let text = needsDefault ? attribute("xmlns", defaultNamespace) : "";
  for (const { prefix, namespace } of payload.inherits) {
    if (prefix !== known) text += declaration({ prefix, namespace });
  }
  return text === "" ? undefined : encoder.encode(text);
}

/** The payload with declarations spliced in after its name, written to `target` at `at`; returns the end. */
export function writePayload(
  target: Uint8Array,
  at: number,
  payload: Payload,
  declarations: Uint8Array | undefined,
): number {
  const { bytes, nameEnd } = payload;
  if (declarations === undefined) {
    target.set(bytes, at);
    return at + bytes.length;
  }
  target.set(bytes.subarray(0, nameEnd), at);
  target.set(declarations, at + nameEnd);
  target.set(bytes.subarray(nameEnd), at + nameEnd + declarations.length);
  return at + bytes.length + declarations.length;
}

/** A copy of the payload that stands alone: a namespace-well-formed document (RFC 7395 §3.3.3). */
export function standalone(payload: Payload, defaultNamespace: string | undefined): Uint8Array {
  const declarations = missingDeclarations(payload, defaultNamespace);
  const copy = new Uint8Array(payload.bytes.length + (declarations?.length ?? 0));
  writePayload(copy, 0, payload, declarations);
  return copy;
}

function declaration({ prefix, namespace }: Declaration): string {
  return attribute(prefix === "" ? "xmlns" : `xmlns:${prefix}`, namespace);
}
