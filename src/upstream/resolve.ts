/**
 * Where a domain's XMPP servers are (RFC 6120 §3.2, XEP-0368): the SRV records of
 * `_xmpp-client` and `_xmpps-client` as one list, by priority and weight, or
 * where there are none the domain itself on port 5222.
 */

import type { Appointment, Clock } from "../clock.ts";
import { asciiName, isOddAddress } from "../config/domains.ts";
import type { Data, RecordType, SrvRecord } from "./dns/message.ts";
import type { Resolver } from "./dns/resolver.ts";
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
  readonly resolver: Resolver;
  /** `undefined`: the system's. */
  readonly nameserver: { readonly address: string; readonly port: number } | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * The domain as DNS and certificates spell it: A-labels (RFC 5890), lower case,
 * no brackets around an IPv6 address, no dot at the end. `undefined`: no such name can be.
 */
export function asciiDomain(domain: string): string | undefined {
  const address = domain.replace(/^\[(.*)\]$/, "$1");
  if (addressKind(address) !== "invalid") return address.toLowerCase();
  const ascii = asciiName(domain).replace(/\.$/, "");
  return ascii.length <= 253 && isHostName(ascii) ? ascii : undefined;
}

/**
 * Where to connect for a domain, best first. The list is empty when the domain's
 * records say that there is no service. `directTls`: whether that may be used. Rejects
 * when the signal fires.
 */
export async function services(
  domain: string,
  options: ResolveOptions & { readonly directTls: boolean; readonly random: () => number },
): Promise<Service[]> {
  if (isAddress(domain) || isLocalhost(domain)) return [fallback(domain)];
  const answers = await both([
    [`_xmpp-client._tcp.${domain}`, "SRV"],
    [`_xmpps-client._tcp.${domain}`, "SRV"],
  ], options);
  const [starttls, direct] = answers.map(foundBy) as [SrvRecord[], SrvRecord[]];

  // RFC 6120 §3.2.1: the address records are for a domain that has no SRV records at all, or of which
  // the initiating entity "does not receive a response to its SRV query" (step 9). One whose records
  // are of no use (step 8), or say "." (RFC 2782), has no service elsewhere.
  if (starttls.length === 0 && direct.length === 0) {
    options.signal.throwIfAborted();
    return [fallback(domain)];
  }
  const usable = order([
    ...starttls.map((record) => ({ record, direct: false })),
    ...(options.directTls ? direct.map((record) => ({ record, direct: true })) : []),
  ], options.random)
    .map(({ record, direct }) => ({ hostname: record.target, port: record.port, direct }))
    // The target "." leaves nothing, and nothing is no host name.
    .filter(({ hostname, port }) => isHostName(hostname) && port > 0)
    .slice(0, MAX_SERVICES);
  // The half that is known is of no use, and the other half may be: that is no answer.
  const missing = answers.find((answer) => answer.status === "rejected");
  if (usable.length === 0 && missing !== undefined) throw missing.reason;
  return usable;
}

/**
 * All addresses of a host, in the order in which RFC 8305 §4 has them: IPv6 first, and by turns. None
 * when the name has none. Rejects with {@link NetworkError}, and when the signal fires.
 */
export async function addresses(hostname: string, options: ResolveOptions): Promise<string[]> {
  const { resolver, nameserver } = options;
  // What the operator's name server says is not corrected by a file of the machine's.
  const known = withoutAsking(hostname) ??
    (nameserver === undefined ? await resolver.hosts(hostname) : undefined);
  if (known !== undefined) return byTurns(known).slice(0, MAX_ADDRESSES);
  const answers = await both([[hostname, "AAAA"], [hostname, "A"]], options);
  const found = byTurns(answers.flatMap(foundBy)).slice(0, MAX_ADDRESSES);
  if (found.length > 0) return found;
  for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
  return [];
}

/** As {@link addresses}, of a host that the operator named and did not name a name server for. */
export async function systemAddresses(
  hostname: string,
  { resolver, signal }: ResolveOptions,
): Promise<string[]> {
  const found = withoutAsking(hostname) ?? await resolver.system(hostname, signal);
  return byTurns(found).slice(0, MAX_ADDRESSES);
}

/** The two families by turns, IPv6 first; within each, the order stays. */
function byTurns(addresses: readonly string[]): string[] {
  const ipv6 = addresses.filter((address) => address.includes(":"));
  const ipv4 = addresses.filter((address) => !address.includes(":"));
  const turns = Array.from({ length: Math.max(ipv6.length, ipv4.length) }, (_, i) => i);
  return turns.flatMap((i) => [...ipv6.slice(i, i + 1), ...ipv4.slice(i, i + 1)]);
}

/** The addresses of a name that needs no lookup, IPv6 first. */
export function withoutAsking(hostname: string): string[] | undefined {
  if (isAddress(hostname)) return [hostname];
  // RFC 6761 §6.3: the name is answered without asking anybody.
  return isLocalhost(hostname) ? ["::1", "127.0.0.1"] : undefined;
}

/** Both answers, or why there is none. When one has found something, the other one has little time left. */
async function both<T extends RecordType>(
  questions: readonly [readonly [string, T], readonly [string, T]],
  { resolver, nameserver, clock, signal }: ResolveOptions,
): Promise<PromiseSettledResult<readonly Data<T>[]>[]> {
  const late = new AbortController();
  const inTime = AbortSignal.any([signal, late.signal]);
  let straggling: Appointment | undefined;
  const lookups = questions.map(async ([name, type]) => {
    const found = await resolver.records(name, type, { nameserver, signal: inTime });
    // That there is no service one way says nothing of the other.
    if (found.some((data) => typeof data === "string" || data.target !== "")) {
      straggling?.cancel();
      straggling = clock.after(STRAGGLER, { wake: () => late.abort() });
    }
    return found;
  });
  const answers = await Promise.allSettled(lookups);
  straggling?.cancel();
  for (const answer of answers) {
    if (answer.status === "fulfilled" || inTime.aborted) continue;
    // What the network did is an answer of a kind; anything else is our fault.
    if (!(answer.reason instanceof NetworkError)) throw answer.reason;
  }
  return answers;
}

function foundBy<T>(answer: PromiseSettledResult<readonly T[]>): readonly T[] {
  return answer.status === "fulfilled" ? answer.value : [];
}

/** The order of RFC 2782: lowest priority first, and by chance weighted within one priority. */
export function order<T extends { readonly record: SrvRecord }>(
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
function weight({ record }: { readonly record: SrvRecord }): number {
  return record.weight === 0 ? 0.01 : record.weight;
}

/** A domain's owner decides how much there is to try; we, how much of it we try. */
const MAX_SERVICES = 8;
const MAX_ADDRESSES = 8;

/**
 * Milliseconds, in which a question that was lost is asked again. Some name servers say nothing at all when
 * they are asked for IPv6, or for SRV.
 */
const STRAGGLER = 2_000;

/** `name` is in lower case. */
function isHostName(name: string): boolean {
  return HOST_NAME.test(name) && !isOddAddress(name);
}

const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/;

function fallback(domain: string): Service {
  return { hostname: domain, port: 5222, direct: false };
}

function isAddress(hostname: string): boolean {
  return addressKind(hostname) !== "invalid";
}

function isLocalhost(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost");
}
