import { joined } from "../stream/bytes.ts";
import type { StreamHeader } from "../stream/c2s.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { XmlTokenizer } from "../xml/tokenizer.ts";
import { attribute, escape, missingDeclarations, standalone, writePayload } from "../xml/writer.ts";
import type { StreamCondition } from "./framing.ts";

const encoder = new TextEncoder();

/**
 * `<open/>` as one line that begins with `<open ` and closes itself: clients compare the text.
 * Its attributes are those of the upstream's stream header (RFC 7395 §3.4).
 */
export function openMessage(header: Partial<StreamHeader>, to: string | undefined): Uint8Array {
  return encoder.encode(
    `<open xmlns='${NS.FRAMING}'${headerAttributes(header, to)} version="1.0"/>`,
  );
}

/**
 * The same for clients from before RFC 7395, which look for `<stream:stream ` at the beginning.
 * `isEmpty`: it closes itself, for clients that read each message as a document.
 */
export function startTagMessage(
  header: Partial<StreamHeader>,
  to: string | undefined,
  { isEmpty }: { isEmpty: boolean },
): Uint8Array {
  return encoder.encode(
    `<stream:stream xmlns='${NS.CLIENT}' xmlns:stream='${NS.STREAMS}'` +
      `${headerAttributes(header, to)} version='1.0'${isEmpty ? "/>" : ">"}`,
  );
}

function headerAttributes({ from, id, lang }: Partial<StreamHeader>, to: string | undefined) {
  return attribute("from", from) + attribute("id", id) + attribute("to", to) +
    attribute("xml:lang", lang);
}

/** Spelled exactly so because clients compare the whole string. */
export const CLOSE_MESSAGE: Uint8Array = encoder.encode(`<close xmlns="${NS.FRAMING}" />`);

/** Likewise, for clients from before RFC 7395. */
export const END_TAG_MESSAGE: Uint8Array = encoder.encode("</stream:stream>");

/** Sends the client elsewhere (RFC 7395 §3.6.1). */
export function seeOtherMessage(uri: string): Uint8Array {
  return encoder.encode(`<close xmlns="${NS.FRAMING}" see-other-uri="${escape(uri)}" />`);
}

/** RFC 7395 §3.5; each child has a literal `xmlns`, which is what clients look at. */
export function errorMessage(condition: StreamCondition, text: string): Uint8Array {
  return encoder.encode(
    `<stream:error xmlns:stream='${NS.STREAMS}'><${condition} xmlns='${NS.STREAM_ERRORS}'/>` +
      `<text xmlns='${NS.STREAM_ERRORS}' xml:lang='en'>${escape(text)}</text></stream:error>`,
  );
}

/**
 * RFC 7395 §3.3.3: every message declares the namespaces that it uses. Payloads that do are borrowed as they
 * are; the others share one array.
 */
export function payloadMessages(payloads: readonly Payload[]): readonly Uint8Array[] {
  const declarations = payloads.map((payload) => missingDeclarations(payload, NS.CLIENT));
  let size = 0;
  for (const [index, { bytes }] of payloads.entries()) {
    const missing = declarations[index];
    if (missing !== undefined) size += bytes.length + missing.length;
  }
  const shared = new Uint8Array(size);
  let end = 0;
  return payloads.map((payload, index) => {
    const missing = declarations[index];
    if (missing === undefined) return payload.bytes;
    const start = end;
    end = writePayload(shared, start, payload, missing);
    return shared.subarray(start, end);
  });
}

/**
 * A stream error of the upstream. Children that inherit their namespace get an `xmlns` of their
 * own: some clients look for the attribute and not for the namespace.
 */
export function receivedErrorMessage(error: Payload): Uint8Array {
  const whole = standalone(error, NS.CLIENT);
  // The payload has been through a tokenizer with limits already.
  const limits = { payloadBytes: whole.length, depth: Infinity, attributes: Infinity };
  const tokenizer = new XmlTokenizer(limits);
  tokenizer.feed(whole);
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (let item; (item = tokenizer.next());) {
    if (item.type !== "payload") continue;
    const { bytes, namespace, nameEnd, declaresDefault } = item.payload;
    // On an element with a prefix it would change what is inside.
    if (declaresDefault || bytes.subarray(0, nameEnd).includes(0x3a)) continue;
    const at = item.start + nameEnd;
    pieces.push(whole.subarray(from, at), encoder.encode(attribute("xmlns", namespace)));
    from = at;
  }
  return joined([...pieces, whole.subarray(from)]);
}
