import { NS } from "../../protocol/xml/names.ts";
import type { Payload } from "../../protocol/xml/payload.ts";
import { textContent } from "../../protocol/xml/text.ts";
import { XmlTokenizer } from "../../protocol/xml/tokenizer.ts";
import { standalone } from "../../protocol/xml/writer.ts";

/** What a server's `<stream:features/>` offer. */
export interface Offers {
  /** Names of the features, SASL's own among them. */
  readonly features: readonly string[];
  /** SASL mechanisms, of RFC 6120 and of XEP-0388, each once. */
  readonly mechanisms: readonly string[];
}

export function readOffers(features: Payload): Offers {
  const names: string[] = [];
  const mechanisms = new Set<string>();
  for (const feature of childrenOf(features)) {
    names.push(feature.namespace === NS.SASL2 ? "sasl2" : feature.name);
    if (feature.namespace !== NS.SASL && feature.namespace !== NS.SASL2) continue;
    for (const offer of childrenOf(feature)) {
      if (offer.name === "mechanism") mechanisms.add(textContent(offer.bytes) ?? "?");
    }
  }
  return { features: [...new Set(names)], mechanisms: [...mechanisms] };
}

/** The elements in an element. */
export function childrenOf(payload: Payload): Payload[] {
  const document = standalone(payload, NS.CLIENT);
  const tokenizer = new XmlTokenizer({
    payloadBytes: document.length,
    depth: Infinity,
    attributes: Infinity,
  });
  tokenizer.feed(document);
  const children: Payload[] = [];
  for (let item; (item = tokenizer.next());) {
    if (item.type === "payload") children.push(item.payload);
  }
  return children;
}
