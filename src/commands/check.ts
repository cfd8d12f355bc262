import { X509Certificate } from "node:crypto";
import { joinHostPort } from "../config/address.ts";
import type { Config, DiscoveryConfig, ListenConfig, UpstreamConfig } from "../config/config.ts";
import { configFile, loadConfig } from "../config/load.ts";
import type { ConfigSources } from "../config/load.ts";
import { ConfigError } from "../config/mistakes.ts";
import { linksOf } from "../server/discovery.ts";
import { EXPOSED_ADMIN, exposedAdmin } from "./exposed_admin.ts";
import { day, describeNames, untimelyCertificates } from "./untimely.ts";
import { UNVERIFIED, unverifiedDomains } from "./unverified.ts";

/** Where a command writes to; each call is one or more whole lines, without the last line end. */
export interface Output {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/**
 * `causeway check [FILE]`: says what the configuration comes to (0), or every
 * mistake in it (2).
 *
 * @returns the exit status
 */
export function checkCommand(sources: ConfigSources, { stdout, stderr }: Output): number {
  let config: Config;
  try {
    config = loadConfig(sources);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    stderr(error.message);
    return 2;
  }
  stdout(`${configFile(sources) ?? "built-in defaults"}: ok`);
  for (const listen of config.listen) {
    stdout(`  listen  ${describeListener(listen, config)}`);
    for (const { cert } of listen.tls?.certificates ?? []) {
      stdout(`          certificate: ${describeCertificate(cert)}`);
    }
  }
  const domains = config.domains.size === 0
    ? [["*", config.upstream, "* (every domain)"] as const]
    : [...config.domains].map(([pattern, domain]) => [pattern, domain, pattern] as const);
  for (const [pattern, domain, name] of domains) {
    stdout(`  domain  ${name}: ${describeTarget(domain)}`);
    if (config.listen.some(({ serve }) => serve.includes("discovery"))) {
      stdout(`          host-meta: ${describeLinks(pattern, domain, config)}`);
    }
  }
  for (const domain of unverifiedDomains(config)) stdout(`  WARNING ${domain}: ${UNVERIFIED}`);
  for (const listener of exposedAdmin(config)) stdout(`  WARNING ${listener}: ${EXPOSED_ADMIN}`);
  for (const warning of untimelyCertificates(config, Date.now())) stdout(`  WARNING ${warning}`);
  return 0;
}

/** What clients are told by host-meta; the pattern stands for the domain's name. */
function describeLinks(pattern: string, domain: DiscoveryConfig, config: Config): string {
  // Nobody else is told anything (XEP-0156 §2.2), and whoever reaches a unix socket is trusted.
  const https = config.listen.some(({ tls }) => tls !== undefined);
  const proxies = config.http.trustedProxies.length > 0 ||
    config.listen.some(({ at }) => "unix" in at);
  if (!https && !proxies) {
    return "none, because it is for HTTPS only and http.trusted_proxies is empty";
  }
  const links = linksOf(config, domain, pattern) ?? [];
  const whenever = linksOf(config, domain, undefined) !== undefined;
  return [
    links.map(({ href }) => href).join(", ") || "nothing",
    ...(whenever ? [] : [
      https ? "if it was asked by HTTPS" : "if a trusted proxy says that it was asked by HTTPS",
    ]),
  ].join(", ");
}

function describeListener(
  { at, serve, tls }: ListenConfig,
  { bosh, websocket, admin }: Config,
): string {
  const where = "address" in at
    ? `${tls === undefined ? "http" : "https"}://${joinHostPort(at.address, at.port)}`
    : `${"unix" in at ? `unix:${at.unix}` : `fd ${at.fd}`}${tls === undefined ? "" : " (HTTPS)"}`;
  const what = serve.map((service) => {
    switch (service) {
      case "bosh":
        return `bosh at ${bosh.path}`;
      case "websocket":
        return `websocket at ${websocket.path}`;
      case "discovery":
        return "discovery at /.well-known/host-meta";
      case "health":
        return "health at /health/live and /health/ready";
      case "metrics":
        return "metrics at /metrics";
      case "admin":
        return `admin at ${admin.path}`;
      default:
        throw service satisfies never;
    }
  });
  return `${where}: ${what.join(", ")}`;
}

/** The names that a certificate is for, and its last day. */
function describeCertificate(cert: string): string {
  return `${describeNames(cert)}; until ${day(new X509Certificate(cert).validToDate)}`;
}

export function describeTarget({ connect, tls, verify, fingerprints }: UpstreamConfig): string {
  const whose = !verify ? ", any certificate" : fingerprints.length > 0 ? ", by fingerprint" : "";
  const policy = `TLS ${tls}${whose}`;
  if (connect.length === 0) return `SRV lookup, ${policy}`;
  const targets = connect.map(({ direct, hostname, port }) =>
    `${direct ? "xmpps" : "xmpp"}://${joinHostPort(hostname, port)}`
  );
  const allDirect = connect.every(({ direct }) => direct);
  return [targets.join(", then "), ...(allDirect && whose === "" ? [] : [policy])].join(", ");
}
