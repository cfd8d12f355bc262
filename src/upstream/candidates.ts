import type { Clock } from "../clock.ts";
import { splitHostPort } from "../config/address.ts";
import type { UpstreamConfig } from "../config/config.ts";
import type { UpstreamPhase } from "../events.ts";
import type { Meter } from "../meter.ts";
import type { StreamEnd } from "../protocol/stream/c2s.ts";
import { NO_ANSWER } from "./dns/client.ts";
import type { Resolver } from "./dns/resolver.ts";
import { hostAndPort } from "./dial.ts";
import type { Families } from "./families.ts";
import { within, words } from "./failure.ts";
import { addressKind } from "./policy.ts";
import {
  addresses,
  asciiDomain,
  type ResolveOptions,
  type Service,
  services,
  systemAddresses,
  withoutAsking,
} from "./resolve.ts";

/** One place to try. */
export interface Candidate {
  readonly hostname: string;
  readonly port: number;
  /** TLS from the first byte. */
  readonly direct: boolean;
  /** As the events name it. */
  readonly target: string;
  /** Milliseconds after which the next place is tried when TCP gets no answer here. */
  readonly patience: number;
  /** To be called when it got none. */
  readonly silent: () => void;
}

/** Why one place was of no use. */
export interface Failure {
  readonly phase: UpstreamPhase;
  readonly target: string;
  /** Fits after a colon. */
  readonly reason: string;
  /** What the server said itself. */
  readonly end?: StreamEnd;
  /** Where it said to go, as it wrote that (RFC 6120 §4.9.3.19). */
  readonly otherHost?: string | undefined;
  /** What the server said came under TLS. */
  readonly isEncrypted?: boolean;
}

/** What a search for places works with. */
export interface Search {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly families: Families;
  readonly meter: Meter;
  readonly cancelled: AbortSignal;
  /** At least 0, less than 1. */
  readonly random: () => number;
  /** Whether an address that DNS gave may be dialled. */
  readonly mayDial: (address: string) => boolean;
}

type HowToReach = Pick<UpstreamConfig, "connect" | "connectTimeout" | "nameserver" | "tls">;

/**
 * Every place where a domain's server may be, in the order in which they are to be tried; a failure
 * stands for one that is not worth trying. Looks up no more than the places that are asked for need.
 */
export async function* candidates(
  domain: string,
  settings: HowToReach,
  search: Search,
): AsyncGenerator<Candidate | Failure> {
  const { connect, nameserver } = settings;
  const lookups = new Lookups(settings, search);
  if (connect.length > 0) {
    // RFC 6120 §3.2.3: what the operator wrote is the only place, whatever kind of address it is.
    const configured = { families: search.families, mayDial: () => true };
    const find = nameserver === undefined ? systemAddresses : addresses;
    for (const target of connect) yield* hosts(domain, target, settings, configured, lookups, find);
    return;
  }
  const name = asciiDomain(domain);
  if (name === undefined) {
    yield { phase: "lookup", target: domain, reason: "that is not a name that DNS can have" };
    return;
  }
  yield* lookedUp(domain, name, settings, search, lookups);
}

/**
 * Every place that a server's `see-other-host` may mean. RFC 6120 §4.9.3.19: "the policies that it
 * would have applied to the original connection attempt" hold there too, and the domain stays what
 * the stream is addressed to and the certificate has to be for.
 */
export async function* redirection(
  domain: string,
  { otherHost, direct }: { readonly otherHost: string; readonly direct: boolean },
  settings: HowToReach,
  search: Search,
): AsyncGenerator<Candidate | Failure> {
  const lookups = new Lookups(settings, search);
  const { host = "", port } = splitHostPort(otherHost) ?? {};
  const name = asciiDomain(host);
  if (name === undefined || (port !== undefined && (port < 1 || port > 65_535))) {
    const reason = "the server says that the stream is elsewhere, and does not say where";
    yield { phase: "lookup", target: domain, reason };
  } else if (port !== undefined) {
    yield* hosts(domain, { hostname: name, port, direct }, settings, search, lookups, addresses);
  } else {
    yield* lookedUp(domain, name, settings, search, lookups);
  }
}

/**
 * Every address of a host that a client named, where the operator allows many: who has a name among
 * them writes its addresses, so these are judged like those of any domain, and asked of DNS alone.
 */
export async function* namedByClient(
  domain: string,
  host: Service,
  settings: HowToReach,
  search: Search,
): AsyncGenerator<Candidate | Failure> {
  yield* hosts(domain, host, settings, search, new Lookups(settings, search), addresses);
}

/** The places that DNS has for a name. */
async function* lookedUp(
  domain: string,
  name: string,
  settings: HowToReach,
  search: Search,
  lookups: Lookups,
): AsyncGenerator<Candidate | Failure> {
  const { tls } = settings;
  const { random } = search;
  let found: Service[];
  try {
    found = await lookups.within((options) =>
      services(name, { ...options, directTls: tls !== "never", random })
    );
  } catch (error) {
    yield { phase: "lookup", target: name, reason: words(error) };
    return;
  }
  if (found.length === 0) {
    const reason = tls === "never"
      ? 'its DNS records have no XMPP service for clients without direct TLS, which tls = "never" forbids'
      : "its DNS records say that it has no XMPP service for clients";
    yield { phase: "lookup", target: name, reason };
  }
  for (const service of found) {
    yield* hosts(domain, service, settings, search, lookups, addresses);
  }
}

/** The addresses of a host. What is checked here is what is dialled: there is no second lookup. */
async function* hosts(
  domain: string,
  service: Service,
  { connectTimeout }: HowToReach,
  { families, mayDial }: Pick<Search, "families" | "mayDial">,
  lookups: Lookups,
  find: (hostname: string, options: ResolveOptions) => Promise<string[]>,
): AsyncGenerator<Candidate | Failure> {
  const { hostname, port, direct } = service;
  const target = hostAndPort(hostname, port);
  let found: string[];
  try {
    // What needs no lookup needs no deadline.
    found = withoutAsking(hostname) ?? await lookups.within((options) => find(hostname, options));
  } catch (error) {
    yield { phase: "lookup", target, reason: words(error) };
    return;
  }
  if (found.length === 0) {
    yield { phase: "lookup", target, reason: `DNS has no address for ${hostname}` };
  }
  const allowed: string[] = [];
  for (const address of found) {
    if (mayDial(address)) allowed.push(address);
    else {
      yield {
        phase: "lookup",
        target,
        reason: `the address of ${hostname} is not public (${addressKind(address)}); ` +
          `if that is where the server is, write: [domains."${domain}"] ` +
          `connect = "${direct ? "xmpps" : "xmpp"}://${target}"`,
      };
    }
  }
  for (let left = families.arrange(allowed); left.length > 0;) {
    const patience = families.patience(left, connectTimeout);
    const [address = ""] = left;
    let isSilent = false;
    const silent = () => void (isSilent = true);
    yield { hostname: address, port, direct, target, patience, silent };
    left.shift();
    if (!isSilent || patience === connectTimeout) continue;
    families.silent(address);
    left = families.arrange(left);
  }
}

/** The name lookups of one search, which together take no longer than one of its other steps may. */
class Lookups {
  readonly #settings: HowToReach;
  readonly #search: Search;
  #spent = 0;

  constructor(settings: HowToReach, search: Search) {
    this.#settings = settings;
    this.#search = search;
  }

  async within<T>(work: (options: ResolveOptions) => Promise<T>): Promise<T> {
    const { nameserver, connectTimeout: limit } = this.#settings;
    const { clock, resolver, cancelled, meter } = this.#search;
    const begun = clock.now();
    try {
      const found = await within(
        { clock, timeout: Math.max(0, limit - this.#spent), limit, cancelled },
        NO_ANSWER,
        (signal) => work({ nameserver, clock, resolver, signal }),
      );
      meter.reached("lookup", clock.now() - begun);
      return found;
    } finally {
      this.#spent += clock.now() - begun;
    }
  }
}
