import { NS } from "../../protocol/xml/names.ts";
import type { Payload } from "../../protocol/xml/payload.ts";
import { textContent } from "../../protocol/xml/text.ts";
import { XmlTokenizer } from "../../protocol/xml/tokenizer.ts";
import { standalone } from "../../protocol/xml/writer.ts";
import type { UpstreamConfig } from "../../config/config.ts";
import type { Report } from "./report.ts";

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

/** What clients can log in with. */
export function reportFeatures(
  target: string,
  features: Payload,
  { stripChannelBinding }: UpstreamConfig,
  report: Report,
): void {
  const offers = readOffers(features);
  const list = offers.features.join(", ") || "none";
  report({ step: "features", target, result: "ok", detail: list });
  const { mechanisms } = offers;
  const step = "sasl";
  if (mechanisms.length === 0) {
    return report({
      step,
      target,
      result: "bad",
      detail: "no SASL mechanism is offered, so nobody can log in",
      cure: "have the XMPP server offer SCRAM-SHA-256 or SCRAM-SHA-1 on such streams",
    });
  }
  const detail = mechanisms.join(", ");
  const bound = mechanisms.filter((name) => name.endsWith("-PLUS"));
  if (bound.length > 0 && !stripChannelBinding) {
    return report({
      step,
      target,
      result: "warning",
      detail:
        `${detail}: with ${
          bound[0]
        } a login is tied to the TLS connection, which here is Causeway's and not the ` +
        "client's, so clients that take it (stanza does) cannot log in",
      cure: `write strip_channel_binding = true for the domain, or disable it on the server`,
    });
  }
  if (!mechanisms.some((name) => name.startsWith("SCRAM-"))) {
    return report({
      step,
      target,
      result: "warning",
      detail:
        `${detail}: no SCRAM, so passwords are shown to the server, and to Causeway in between`,
      cure: "have the XMPP server offer SCRAM-SHA-256 or SCRAM-SHA-1",
    });
  }
  const hidden = bound.length > 0 ? "; -PLUS is hidden from clients (strip_channel_binding)" : "";
  report({ step, target, result: "ok", detail: detail + hidden });
}
