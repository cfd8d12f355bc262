import { joined } from "./bytes.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { textContent } from "../xml/text.ts";
import { XmlTokenizer } from "../xml/tokenizer.ts";
import { missingDeclarations, writePayload } from "../xml/writer.ts";

/** What clients are not shown of the ways to authenticate, because it cannot work or is not wanted. */
export interface HiddenSasl {
  /** What ties a login to TLS: `*-PLUS` mechanisms and the list of binding types (XEP-0440). */
  readonly channelBinding: boolean;
  /** SASL mechanisms by name. */
  readonly mechanisms: readonly string[];
}

/** `<stream:features/>` of a server, as a connection manager sees it. */
export interface Features {
  readonly startTls: boolean;
  /**
   * What a client is shown: without STARTTLS and stream compression, which are
   * between us and the server (XEP-0206 §4, RFC 7395 §3.9), and without what is
   * hidden of SASL; all else byte for byte.
   */
  readonly shown: Payload;
}

/** Looks through `<stream:features/>`; `shown` is the payload itself when there was nothing to remove. */
export function readFeatures(payload: Payload, hidden?: HiddenSasl): Features {
  let startTls = false;
  const shown = filtered(payload, (feature) => {
    switch (feature.namespace) {
      case NS.TLS:
        if (feature.name !== "starttls") return feature;
        startTls = true;
        return undefined;
      case NS.COMPRESS_FEATURE:
        return feature.name === "compression" ? undefined : feature;
      case NS.SASL_CB:
        return hidden?.channelBinding ? undefined : feature;
      case NS.SASL:
      case NS.SASL2:
        return hidden
          ? filtered(feature, (offer) => isHidden(offer, hidden) ? undefined : offer)
          : feature;
      default:
        return feature;
    }
  });
  return { startTls, shown };
}

/**
 * XEP-0440 §5: a client that sees `*-PLUS` without the list of types, or the list without `*-PLUS`,
 * takes it for an attack, so both go or both stay.
 */
function isHidden(offer: Payload, hidden: HiddenSasl): boolean {
  if (offer.namespace === NS.SASL_CB) return hidden.channelBinding;
  if (offer.name !== "mechanism") return false;
  const mechanism = textContent(offer.bytes);
  return mechanism === undefined || isHiddenMechanism(mechanism, hidden);
}

/** Whether clients are not to use it; with channel binding it is the same mechanism. */
export function isHiddenMechanism(
  name: string,
  { channelBinding, mechanisms }: HiddenSasl,
): boolean {
  return (channelBinding && name.endsWith("-PLUS")) ||
    mechanisms.includes(name.replace(/-PLUS$/, ""));
}

/** The element with each child as `show` wants it, or without it; itself when all stay as they are. */
function filtered(payload: Payload, show: (child: Payload) => Payload | undefined): Payload {
  const declarations = missingDeclarations(payload, NS.CLIENT);
  const added = declarations?.length ?? 0;
  const document = new Uint8Array(payload.bytes.length + added);
  writePayload(document, 0, payload, declarations);

  const kept: Uint8Array[] = [];
  let from = 0;
  // The payload has been through a tokenizer with limits already.
  const limits = { payloadBytes: document.length, depth: Infinity, attributes: Infinity };
  const tokenizer = new XmlTokenizer(limits);
  tokenizer.feed(document);
  for (let item; (item = tokenizer.next());) {
    if (item.type === "error") {
      // Text between the children. What stands behind it cannot be judged, and so is not shown.
      kept.push(payload.bytes.subarray(from, item.error.offset - added));
      from = payload.bytes.lastIndexOf(LESS_THAN);
    }
    if (item.type !== "payload") continue;
    const shown = show(item.payload);
    if (shown === item.payload) continue;
    kept.push(payload.bytes.subarray(from, item.start - added));
    if (shown) kept.push(shown.bytes);
    from = item.end - added;
  }
  if (from === 0) return payload;
  kept.push(payload.bytes.subarray(from));
  return { ...payload, bytes: joined(kept) };
}

const LESS_THAN = 0x3c;
