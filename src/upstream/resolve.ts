/**
 * Where a domain's XMPP servers are (RFC 6120 §3.2, XEP-0368): the SRV records of
 * `_xmpp-client` and `_xmpps-client` as one list, by priority and weight, or
 * where there are none the domain itself on port 5222.
 */

import { domainToASCII } from "node:url";
import { NetworkError } from "./failure.ts";
import { addressKind } from "./policy.ts";

/** A place where a server of the domain listens. */
export interface Service {
  /** A host name without a dot at its end, or an IP address. */
  readonly hostname: string;
  readonly port: number;
  /** TLS from the first byte. */
  readonly direct: boolean;
}

export interface ResolveOptions {
  /** `undefined`: the system's. */
  readonly nameserver: { readonly address: string; readonly port: number } | undefined;
  readonly signal: AbortSignal;
}

/**
 * The domain as DNS and certificates spell it: A-labels (RFC 5890), lower case,
 * no brackets around an IPv6 address, no dot at the end. `undefined`: no such name can be.
 */
export function asciiDomain(domain: string): string | undefined {
  const address = domain.replace(/^\[(.*)\]$/, "$1");
  if (addressKind(address) !== "invalid") return address.toLowerCase();
  const ascii = domainToASCII(domain).toLowerCase().replace(/\.$/, "");
  return ascii.length <= 253 && HOST_NAME.test(ascii) ? ascii : undefined;
}

/**
 * Where to connect for a domain, best first. The list is empty when the domain's
 * records say that there is no service. `directTls`: whether that may be used. Rejects
 * with {@link NetworkError}, and when the signal fires.
 */
export async function services(
  domain: string,
  options: ResolveOptions & { readonly directTls: boolean; readonly random: () => number },
): Promise<Service[]> {
  if (isAddress(domain) || isLocalhost(domain)) return [fallback(domain)];
  const answers = await Promise.allSettled([
    lookup(`_xmpp-client._tcp.${domain}`, "SRV", options),
    lookup(`_xmpps-client._tcp.${domain}`, "SRV", options),
  ]);
  const [starttls, direct] = answers.map((answer) =>
    answer.status === "fulfilled" ? answer.value : []
  ) as [Deno.SrvRecord[], Deno.SrvRecord[]];

  // RFC 6120 §3.2.1: the address records are for a domain that has no SRV records at
  // all. One whose records are of no use, or say "." (RFC 2782), has no service elsewhere.
  if (starttls.length === 0 && direct.length === 0) {
    const failed = answers.filter((answer) => answer.status === "rejected");
    if (failed.length === answers.length) throw failed[0]?.reason;
    return [fallback(domain)];
  }
  return order([
    ...starttls.map((record) => ({ record, direct: false })),
    ...(options.directTls ? direct.map((record) => ({ record, direct: true })) : []),
  ], options.random)
    .map(({ record, direct }) => ({
      hostname: record.target.replace(/\.$/, ""),
      port: record.port,
      direct,
    }))
    // The target "." leaves nothing, and nothing is no host name.
    .filter(({ hostname }) => HOST_NAME.test(hostname))
    .slice(0, MAX_SERVICES);
}

/** All addresses of a host, IPv6 first; none when the name has none. Rejects as {@link services} does. */
export async function addresses(hostname: string, options: ResolveOptions): Promise<string[]> {
  if (isAddress(hostname)) return [hostname];
  // RFC 6761 §6.3: the name is answered without asking anybody.
  if (isLocalhost(hostname)) return ["::1", "127.0.0.1"];
  const answers = await Promise.allSettled([
    lookup(hostname, "AAAA", options),
    lookup(hostname, "A", options),
  ]);
  const found = answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
  if (found.length > 0) return found.slice(0, MAX_ADDRESSES);
  for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
  return [];
}

/** The order of RFC 2782: lowest priority first, and by chance weighted within one priority. */
export function order<T extends { readonly record: Deno.SrvRecord }>(
  entries: readonly T[],
  random: () => number,
): T[] {
  const left = [...entries].sort((a, b) => a.record.priority - b.record.priority);
  const ordered: T[] = [];
  while (left.length > 0) {
    const priority = left[0]?.record.priority;
    const equal = left.filter(({ record }) => record.priority === priority);
    const total = equal.reduce((sum, entry) => sum + weight(entry), 0);
    let at = random() * total;
    const chosen = equal.find((entry) => (at -= weight(entry)) < 0) ?? equal[0];
    if (chosen === undefined) break;
    ordered.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return ordered;
}

/** "records containing weights greater than 0 … a very small chance" of weight 0 being chosen first (RFC 2782). */
function weight({ record }: { readonly record: Deno.SrvRecord }): number {
  return record.weight === 0 ? 0.01 : record.weight;
}

/** A domain's owner decides how much there is to try; we, how much of it we try. */
const MAX_SERVICES = 8;
const MAX_ADDRESSES = 8;

const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/i;

function fallback(domain: string): Service {
  return { hostname: domain, port: 5222, direct: false };
}

function isAddress(hostname: string): boolean {
  return addressKind(hostname) !== "invalid";
}

function isLocalhost(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost");
}

async function lookup<T extends "A" | "AAAA" | "SRV">(
  name: string,
  type: T,
  { nameserver, signal }: ResolveOptions,
): Promise<Answers[T]> {
  try {
    // The dot at the end keeps the resolver from trying the machine's search domains.
    return await (Deno.resolveDns as Resolve)(`${name}.`, type, {
      ...(nameserver && { nameServer: { ipAddr: nameserver.address, port: nameserver.port } }),
      signal,
    });
  } catch (error) {
    // That there is no such name and that it has no such record look the same here.
    if (error instanceof Deno.errors.NotFound) return [];
    if (signal.aborted) throw error;
    throw new NetworkError(
      error instanceof Deno.errors.TimedOut
        ? "no answer from the name server"
        : `the name server's answer is of no use (${(error as Error).message})`,
      { cause: error },
    );
  }
}

interface Answers {
  A: string[];
  AAAA: string[];
  SRV: Deno.SrvRecord[];
}

type Resolve = <T extends keyof Answers>(
  name: string,
  type: T,
  options: Deno.ResolveDnsOptions,
) => Promise<Answers[T]>;
