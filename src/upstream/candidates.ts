import type { Clock } from "../clock.ts";
import { splitHostPort } from "../config/address.ts";
import type { UpstreamConfig } from "../config/config.ts";
import type { UpstreamPhase } from "../events.ts";
import type { StreamEnd } from "../protocol/stream/c2s.ts";
import { hostAndPort } from "./dial.ts";
import { type Bounds, within, words } from "./failure.ts";
import { addressKind } from "./policy.ts";
import { addresses, asciiDomain, type Service, services } from "./resolve.ts";

/** One place to try. */
export interface Candidate {
  readonly hostname: string;
  readonly port: number;
  /** TLS from the first byte. */
  readonly direct: boolean;
  /** As the events name it. */
  readonly target: string;
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
}

/** What a search for places works with. */
export interface Search {
  readonly clock: Clock;
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
  // What the operator wrote is dialled whatever kind of address it is.
  const configured = { ...search, mayDial: () => true };
  for (const target of connect) {
    if (nameserver === undefined) yield asCandidate(target);
    else yield* hosts(domain, target, settings, configured);
  }
  if (connect.length > 0) return;
  const name = asciiDomain(domain);
  if (name === undefined) {
    yield { phase: "lookup", target: domain, reason: "that is not a name that DNS can have" };
    return;
  }
  yield* lookedUp(domain, name, settings, search);
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
  const { host = "", port } = splitHostPort(otherHost) ?? {};
  const name = asciiDomain(host);
  if (name === undefined || (port !== undefined && (port < 1 || port > 65_535))) {
    const reason = "the server says that the stream is elsewhere, and does not say where";
    yield { phase: "lookup", target: domain, reason };
  } else if (port !== undefined) {
    yield* hosts(domain, { hostname: name, port, direct }, settings, search);
  } else {
    yield* lookedUp(domain, name, settings, search);
  }
}

/** The places that DNS has for a name. */
async function* lookedUp(
  domain: string,
  name: string,
  settings: HowToReach,
  search: Search,
): AsyncGenerator<Candidate | Failure> {
  const { nameserver, tls } = settings;
  const { random } = search;
  let found: Service[];
  try {
    found = await within(
      boundsOf(settings, search),
      NO_ANSWER,
      (signal) => services(name, { nameserver, directTls: tls !== "never", random, signal }),
    );
  } catch (error) {
    yield { phase: "lookup", target: name, reason: words(error) };
    return;
  }
  if (found.length === 0) {
    const reason = "its DNS records say that it has no XMPP service for clients";
    yield { phase: "lookup", target: name, reason };
  }
  for (const service of found) yield* hosts(domain, service, settings, search);
}

/** The addresses of a host. What is checked here is what is dialled: there is no second lookup. */
async function* hosts(
  domain: string,
  service: Service,
  settings: HowToReach,
  search: Search,
): AsyncGenerator<Candidate | Failure> {
  const { nameserver } = settings;
  const { hostname, port, direct } = service;
  const target = hostAndPort(hostname, port);
  let found: string[];
  try {
    found = await within(
      boundsOf(settings, search),
      NO_ANSWER,
      (signal) => addresses(hostname, { nameserver, signal }),
    );
  } catch (error) {
    yield { phase: "lookup", target, reason: words(error) };
    return;
  }
  if (found.length === 0) {
    yield { phase: "lookup", target, reason: `DNS has no address for ${hostname}` };
  }
  for (const address of found) {
    yield search.mayDial(address) ? { hostname: address, port, direct, target } : {
      phase: "lookup",
      target,
      reason: `the address of ${hostname} is not public (${addressKind(address)}); ` +
        `if that is where the server is, write: [domains."${domain}"] ` +
        `connect = "${direct ? "xmpps" : "xmpp"}://${target}"`,
    };
  }
}

function boundsOf({ connectTimeout }: HowToReach, { clock, cancelled }: Search): Bounds {
  return { clock, timeout: connectTimeout, cancelled };
}

const NO_ANSWER = "no answer from the name server";

function asCandidate({ hostname, port, direct }: Service): Candidate {
  return { hostname, port, direct, target: hostAndPort(hostname, port) };
}
