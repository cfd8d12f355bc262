import type { Config } from "../config/config.ts";
import { domainKey, findDomain } from "../config/domains.ts";
import type { StreamRequest } from "../protocol/bosh/body.ts";
import type { StreamOpening } from "../protocol/stream/c2s.ts";
import type { UpstreamRequest } from "../upstream/connector.ts";
import { chooseDomain } from "./domain_choice.ts";

/** A stream that may be opened. */
export interface StreamTarget {
  readonly opening: StreamOpening;
  /** Where the client wants to be taken instead of to where the domain is. */
  readonly route: UpstreamRequest["route"] | undefined;
}

export type StreamChoice =
  | { readonly type: "open" } & StreamTarget
  | {
    readonly type: "refused";
    readonly condition: "bad-request" | "host-unknown" | "improper-addressing";
    readonly reason: string;
  };

/** Decides where a stream goes that a BOSH client asks for (XEP-0124 §7.1). */
export function chooseStream(config: Config, request: StreamRequest): StreamChoice {
  const choice = chooseDomain(config, request.to);
  if (choice.type === "refused") return choice;
  const { from, lang, xmppVersion, attributes } = request;
  const opening = {
    to: choice.domain,
    version: xmppVersion,
    ...(from === undefined ? {} : { from }),
    ...(lang === undefined ? {} : { lang }),
    ...(attributes === undefined ? {} : { attributes }),
  };
  const key = domainKey(choice.domain) ?? "";
  const { allowRoute } = findDomain(config, key) ?? config.upstream;
  // By default a route is ignored: some clients send one without being asked.
  if (request.route === undefined || allowRoute.length === 0) {
    return { type: "open", opening, route: undefined };
  }
  const route = readRoute(request.route);
  if (route === undefined) {
    return {
      type: "refused",
      condition: "bad-request",
      reason: "route must be xmpp:host:port",
    };
  }
  const allowing = allowRoute.filter((pattern) => matches(pattern, route));
  if (allowing.length === 0) {
    return {
      type: "refused",
      condition: "host-unknown",
      reason: `the route to ${route.hostname}:${route.port} is not allowed here`,
    };
  }
  const isNamed = allowing.some((pattern) => !pattern.startsWith("*."));
  return { type: "open", opening, route: { ...route, isNamed } };
}

function readRoute(text: string): { hostname: string; port: number } | undefined {
  const match = /^xmpp:(?:\[([0-9a-fA-F:.]+)\]|([^:/@\s]+)):([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const hostname = match[1]?.toLowerCase() ?? domainKey(match[2]!);
  const port = Number(match[3]);
  return hostname === undefined || port < 1 || port > 65_535 ? undefined : { hostname, port };
}

function matches(pattern: string, { hostname, port }: { hostname: string; port: number }): boolean {
  const colon = pattern.lastIndexOf(":");
  const host = pattern.slice(0, colon);
  const allowedPort = pattern.slice(colon + 1);
  if (allowedPort !== "*" && Number(allowedPort) !== port) return false;
  return host.startsWith("*.") ? hostname.endsWith(host.slice(1)) : hostname === host;
}
