import { isIPv4 } from "./address.ts";
import type { Config, DomainConfig } from "./config.ts";

/**
 * The form in which domains are compared: lower case, A-labels, no trailing
 * dot. `undefined` when the text is not a plain domain name or IPv4 address,
 * so what comes out is safe in a DNS query, an SNI field and a log.
 */
export function domainKey(name: string): string | undefined {
  // A stranger chooses the length: nothing that DNS could hold is lost by not looking further.
  if (name.length > 1024) return undefined;
  const ascii = asciiName(name);
  const key = ascii.endsWith(".") ? ascii.slice(0, -1) : ascii;
  if (key.length > 253) return undefined;
  const labels = key.split(".");
  if (!labels.every((label) => LABEL.test(label))) return undefined;
  return isOddAddress(key) ? undefined : key;
}

/**
 * A name in A-labels (RFC 5890) and lower case; empty or no host name where there is no such thing.
 * Names that are nothing but letters, digits and the like are that already, and nearly all are.
 */
export function asciiName(name: string): string {
  // Labels that say they are A-labels are looked at: they may say so wrongly.
  if (/^[a-z0-9._-]*$/i.test(name) && !/(?:^|\.)xn--/i.test(name)) return name.toLowerCase();
  return globalThis.process.getBuiltinModule("node:url").domainToASCII(name).toLowerCase();
}

/**
 * Whether this is one of the spellings of an IPv4 address that some resolvers know and others take for
 * a name, such as `127.1` and `0x7f000001`; `name` is in lower case. Whatever ends in a number may be.
 */
export function isOddAddress(name: string): boolean {
  return /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/.test(name) && !isIPv4(name);
}

/** {@link domainKey} for a pattern: a name, `*.name` or `*`. */
export function domainPattern(pattern: string): string | undefined {
  if (pattern === "*") return pattern;
  if (!pattern.startsWith("*.")) return domainKey(pattern);
  const suffix = domainKey(pattern.slice(2));
  return suffix === undefined || isIPv4(suffix) ? undefined : `*.${suffix}`;
}

/**
 * What serves a domain, given its {@link domainKey}: its own entry, else the
 * longest `*.suffix`, else `*`. `undefined`: the domain is not served.
 */
export function findDomain(
  config: Pick<Config, "domains" | "upstream">,
  key: string,
): DomainConfig | undefined {
  if (config.domains.size === 0) return config.upstream;
  const exact = config.domains.get(key);
  if (exact !== undefined) return exact;
  for (let dot = key.indexOf("."); dot >= 0; dot = key.indexOf(".", dot + 1)) {
    const wildcard = config.domains.get(`*${key.slice(dot)}`);
    if (wildcard !== undefined) return wildcard;
  }
  return config.domains.get("*");
}

/** Letters, digits and inner hyphens (RFC 1123 §2.1), and the underscore that real names have. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
