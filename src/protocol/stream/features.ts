import { joined } from "./bytes.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { XmlTokenizer } from "../xml/tokenizer.ts";
import { missingDeclarations, writePayload } from "../xml/writer.ts";

/** `<stream:features/>` of a server, as a connection manager sees it. */
export interface Features {
  readonly startTls: boolean;
  /**
   * What a client is shown: without STARTTLS and stream compression, which are
   * between us and the server (XEP-0206 §4, RFC 7395 §3.9); all else byte for byte.
   */
  readonly shown: Payload;
}

/** Looks through `<stream:features/>`; `shown` is the payload itself when there was nothing to remove. */
export function readFeatures(payload: Payload): Features {
  const declarations = missingDeclarations(payload, NS.CLIENT);
  const added = declarations?.length ?? 0;
  const document = new Uint8Array(payload.bytes.length + added);
  writePayload(document, 0, payload, declarations);

  let startTls = false;
  const kept: Uint8Array[] = [];
  let from = 0;
  // The payload has been through a tokenizer with limits already.
  const limits = { payloadBytes: document.length, depth: Infinity, attributes: Infinity };
  const tokenizer = new XmlTokenizer(limits);
  tokenizer.feed(document);
  for (let item; (item = tokenizer.next());) {
    if (item.type !== "payload") continue;
    const { name, namespace } = item.payload;
    const isStartTls = name === "starttls" && namespace === NS.TLS;
    if (!isStartTls && !(name === "compression" && namespace === NS.COMPRESS_FEATURE)) continue;
    startTls ||= isStartTls;
    kept.push(payload.bytes.subarray(from, item.start - added));
    from = item.end - added;
  }
  if (from === 0) return { startTls, shown: payload };
  kept.push(payload.bytes.subarray(from));
  return { startTls, shown: { ...payload, bytes: joined(kept) } };
}
