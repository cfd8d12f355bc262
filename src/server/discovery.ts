/**
 * host-meta (RFC 6415): where the services of a domain are found (XEP-0156 §2, RFC 7395 §4), as XML
 * and as JSON. The domain is the one that the request was sent to.
 */
import { splitHostPort } from "../config/address.ts";
import type { Config, DiscoveryConfig } from "../config/config.ts";
import { domainKey, findDomain } from "../config/domains.ts";
import { attribute } from "../protocol/xml/writer.ts";
import { TARGET_HEADERS } from "./client_address.ts";
import type { Answer, Exchange } from "./exchange.ts";
import { CommonHeaders, preflight, type Route, textAnswer } from "./http.ts";
import type { SessionShell } from "./session_shell.ts";

/** One way to reach a domain. */
export interface Link {
  readonly rel: string;
  /** `https:` or `wss:`. */
  readonly href: string;
}

const METHODS = "GET, HEAD, OPTIONS";

const DOCUMENTS = [
  { path: "/.well-known/host-meta", type: "application/xrd+xml", write: writeXrd },
  { path: "/.well-known/host-meta.json", type: "application/json", write: writeJrd },
] as const;

/** Both documents, at their paths. */
export function discoveryRoutes(shell: Pick<SessionShell, "config" | "proxies">): readonly Route[] {
  // XEP-0156 §3: pages of all origins may read these, whichever may use the services.
  const http = { ...shell.config.http, allowedOrigins: ["*"] };
  const common = new CommonHeaders(http);
  return DOCUMENTS.map(({ path, type, write }) => {
    const found = new CommonHeaders(http, {
      "content-type": type,
      "cache-control": "max-age=300",
      "vary": TARGET_HEADERS,
    });
    const handle = (exchange: Exchange): Answer => {
      switch (exchange.method) {
        case "GET":
        case "HEAD": {
          const links = linksFor(exchange, shell);
          return typeof links === "string"
            ? textAnswer(404, `${links}\n`, common.for(exchange))
            : { status: 200, headers: found.for(exchange), body: write(links) };
        }
        case "OPTIONS":
          return preflight(common.for(exchange), METHODS);
        default:
          return textAnswer(405, `Use one of: ${METHODS}\n`, {
            ...common.for(exchange),
            allow: METHODS,
          });
      }
    };
    return { path, handle };
  });
}

/**
 * The ways to reach a domain: one for each service that some listener has, because some clients
 * take the first of several and others the last. `authority` (`host` or `host:port`) stands in
 * the addresses that the operator has not given; `undefined` when one is needed and not known.
 */
export function linksOf(
  { listen, bosh, websocket }: Config,
  { boshUrl, websocketUrl }: DiscoveryConfig,
  authority: string | undefined,
): readonly Link[] | undefined {
  const ways = [
    { service: "bosh", rel: "xbosh", url: boshUrl, base: "https", path: bosh.path },
    {
      service: "websocket",
      rel: "websocket",
      url: websocketUrl,
      base: "wss",
      path: websocket.path,
    },
  ] as const;
  const links: Link[] = [];
  for (const { service, rel, url, base, path } of ways) {
    if (!listen.some(({ serve }) => serve.includes(service))) continue;
    if (url === undefined && authority === undefined) return undefined;
    links.push({
      rel: `urn:xmpp:alt-connections:${rel}`,
      href: url ?? `${base}://${authority}${path}`,
    });
  }
  return links;
}

/** What is found for this request, or a sentence that says why nothing is. */
function linksFor(
  exchange: Exchange,
  { config, proxies }: Pick<SessionShell, "config" | "proxies">,
): readonly Link[] | string {
  const { scheme, host, isProxied } = proxies.target(exchange);
  const { host: name = "", port } = splitHostPort(host ?? "") ?? {};
  const key = port === undefined || (port > 0 && port <= 65_535) ? domainKey(name) : undefined;
  const domain = key === undefined ? undefined : findDomain(config, key);
  if (domain === undefined) {
    return "The Host of this request is no XMPP domain that is served here.";
  }
  // XEP-0156 §2.2: host-meta is fetched by HTTPS alone. Whoever can change what goes over the wire
  // could send clients anywhere.
  if (scheme === "http") return "host-meta is told by HTTPS only.";
  if (!isProxied && scheme === undefined) {
    return "host-meta is told by HTTPS only, by a listener with TLS or a reverse proxy. " +
      "If there is one, http.trusted_proxies must have its address.";
  }
  // A trusted proxy that does not say how the request came to it is still a proxy, and where the
  // operator has given every address nothing depends on its word: it is he who has TLS in front.
  const authority = port === undefined || port === 443 ? key : `${key}:${port}`;
  return linksOf(config, domain, scheme === "https" ? authority : undefined) ??
    "The reverse proxy does not say whether this request came to it by HTTPS: " +
      "it must set X-Forwarded-Proto, or discovery.bosh_url and websocket_url must be configured.";
}

function writeXrd(links: readonly Link[]): string {
  const lines = links.map(({ rel, href }) =>
    `  <Link${attribute("rel", rel)}${attribute("href", href)}/>\n`
  );
  return "<?xml version='1.0' encoding='utf-8'?>\n" +
    `<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n${lines.join("")}</XRD>\n`;
}

function writeJrd(links: readonly Link[]): string {
  return `${JSON.stringify({ links })}\n`;
}
