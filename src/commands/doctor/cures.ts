/** What to do about a step on the way to an XMPP server that failed. */
import type { UpstreamPhase } from "../../events.ts";

/** A reason of the upstream, and what to do about it. */
export interface Diagnosis {
  readonly detail: string;
  readonly cure: string;
}

/** Takes a reason apart, which often has its cure behind a semicolon, and finds a cure for one that has none. */
export function diagnose(
  phase: UpstreamPhase,
  reason: string,
  { domain, configured }: { readonly domain: string; readonly configured: boolean },
): Diagnosis {
  const where = configured ? `"connect" of the domain` : `the SRV records of ${domain}`;
  for (const [pattern, cure] of CURES) {
    const words = pattern.test(reason) ? cure(domain, where) : undefined;
    if (words !== undefined) return { detail: reason.split("; ")[0]!, cure: words };
  }
  const [detail = reason, ...rest] = reason.split("; ");
  if (rest.length > 0) return { detail, cure: rest.join("; ") };
  return { detail: reason, cure: GENERAL[phase](where) };
}

const CURES: readonly (readonly [RegExp, (domain: string, where: string) => string])[] = [
  [
    /connection refused by/,
    (_, where) =>
      `nothing listens there: start the XMPP server, have it listen for clients on that address and port, or correct ${where}`,
  ],
  [
    /^no answer from(?! the name server)/,
    (_, where) =>
      `a firewall drops what is sent there, or the machine is gone: open the port, or correct ${where}`,
  ],
  [
    /no (?:stream header|stream features|answer to STARTTLS|TLS handshake).* within/,
    (_, where) =>
      `what listens there takes connections and is silent: it is no XMPP server for clients, or one that is stuck ` +
      `or wants TLS from the first byte (xmpps://); look into its log, or correct ${where}`,
  ],
  [
    /there is no route to/,
    () =>
      "this machine has no way to that address; without IPv6 that is harmless as long as an IPv4 address works",
  ],
  [/has expired/, () => "renew the certificate on the XMPP server, and have it read anew"],
  [/is not valid yet/, () => "set the clock, here and on the XMPP server; or wait"],
  [
    /is not valid for that name/,
    (domain) =>
      `give the XMPP server a certificate for ${domain}: the XMPP domain counts, not the name of the host; ` +
      `or, if you know that server, write its fingerprints = ["…"] for the domain`,
  ],
  [
    /offers no STARTTLS/,
    (domain) =>
      "enable TLS for clients on the XMPP server (a certificate and its key); where the way there is safe without, " +
      `write [domains."${domain}"] tls = "optional" or tls = "never"`,
  ],
  [
    /host-unknown/,
    (domain) =>
      `the XMPP server does not serve ${domain}: add it there (a VirtualHost, in hosts:), or correct the name`,
  ],
  [
    /does not speak TLS there/,
    () => "use xmpp:// (STARTTLS) for that port, or the port of direct TLS",
  ],
  [
    /name server/,
    () => `correct /etc/resolv.conf, or write [upstream] nameserver = "address:53"`,
  ],
  [
    /DNS has no address|does not resolve/,
    (_, where) => `correct ${where}, or give that host an A or AAAA record`,
  ],
  [
    /have no XMPP service|has no XMPP service/,
    (domain) =>
      `correct the SRV records of ${domain} (a target that is a host name, a port that is not 0), or write ` +
      `[domains."${domain}"] connect = "xmpp://host:5222"`,
  ],
  [
    /dropped the connection/,
    () => "look into the XMPP server's log for why, and into a firewall's",
  ],
];

const GENERAL: Readonly<Record<UpstreamPhase, (where: string) => string>> = {
  lookup: (where) => `correct ${where}`,
  tcp: (where) => `open the way there, or correct ${where}`,
  tls: () => "correct the certificate or the TLS settings of the XMPP server",
  stream: (where) => `look into the XMPP server's log, or correct ${where}`,
};
