import type { Config } from "../config/config.ts";
import { domainKey, findDomain } from "../config/domains.ts";

/** Which domain a client's `to` means, or the condition that refuses it; both transports have them. */
export type DomainChoice =
  | { readonly type: "served"; readonly domain: string }
  | {
    readonly type: "refused";
    readonly condition: "improper-addressing" | "host-unknown";
    readonly reason: string;
  };

/**
 * `host-unknown` only for domains that are not served, never for a passing fault: clients take
 * it as final and do not come back.
 */
export function chooseDomain(config: Config, to: string | undefined): DomainChoice {
  const wanted = to ?? config.domainDefault;
  if (wanted === undefined) return improper("the attribute 'to' must name an XMPP domain");
  const key = domainKey(wanted);
  if (key === undefined) return improper("the attribute 'to' is not the name of an XMPP domain");
  if (findDomain(config, key) === undefined) {
    return {
      type: "refused",
      condition: "host-unknown",
      reason: `the domain ${key} is not served here`,
    };
  }
  // The server compares names by its own rules (RFC 7622), so it gets the client's spelling.
  return { type: "served", domain: wanted.toLowerCase().replace(/\.$/, "") };
}

function improper(reason: string): DomainChoice {
  return { type: "refused", condition: "improper-addressing", reason };
}
