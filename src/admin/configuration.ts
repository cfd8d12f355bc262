import { joinHostPort } from "../config/address.ts";
import type { Config, DomainConfig, ListenConfig } from "../config/config.ts";
import { nodeCrypto } from "../config/node_crypto.ts";
import { namesOf } from "../config/tls_kind.ts";

/** In the keys of the file, tables in tables. */
export type View = Readonly<Record<string, unknown>>;

/** What stands for a secret that is there. */
const REDACTED = "[redacted]";

/**
 * What is in force, in the keys and units of the file: what is not set is `null`. No secret is in it:
 * passwords, tokens and keys are `[redacted]`, of certificates there are the names and the last day.
 */
export function configurationView(config: Config): View {
  const { http, bosh, websocket, limits, drain, admin, log } = config;
  const { boshUrl, websocketUrl, ...upstream } = config.upstream;
  return {
    domain_default: config.domainDefault ?? "",
    open_proxy: config.openProxy,
    listen: config.listen.map(listener),
    http: {
      trusted_proxies: http.trustedProxies,
      allowed_origins: http.allowedOrigins,
      max_body: http.maxBody,
      headers: http.headers,
      head_timeout: http.headTimeout / 1000,
      body_timeout: http.bodyTimeout / 1000,
      keepalive_timeout: http.keepaliveTimeout / 1000,
      write_timeout: http.writeTimeout / 1000,
    },
    bosh: {
      path: bosh.path,
      max_wait: bosh.maxWait / 1000,
      max_hold: bosh.maxHold,
      inactivity: bosh.inactivity / 1000,
      max_inactivity: bosh.maxInactivity / 1000,
      polling: bosh.polling / 1000,
      overactivity: bosh.strict ? "strict" : "lenient",
      max_pause: bosh.maxPause / 1000,
      max_streams: bosh.maxStreams,
      acks: bosh.acks,
      report: bosh.report,
      script: bosh.script,
    },
    websocket: {
      path: websocket.path,
      ping_interval: websocket.pingInterval / 1000,
      idle_timeout: websocket.idleTimeout / 1000,
      legacy_framing: websocket.legacyFraming,
      see_other_uri: websocket.seeOtherUri ?? null,
    },
    discovery: { bosh_url: boshUrl ?? null, websocket_url: websocketUrl ?? null },
    limits: {
      sessions: limits.sessions,
      sessions_per_address: limits.sessionsPerAddress,
      new_sessions_per_minute: limits.newSessionsPerMinute,
      connecting: limits.connecting,
      lookups: limits.lookups,
      bodies: limits.bodies,
      memory: limits.memory ?? null,
      unauthenticated_bytes: limits.unauthenticatedBytes,
      unauthenticated_time: limits.unauthenticatedTime / 1000,
      client_stanza: limits.clientStanza,
      server_stanza: limits.serverStanza,
      depth: limits.depth,
      queued_bytes: limits.queuedBytes,
    },
    upstream: upstreamKeys({ ...upstream, boshUrl, websocketUrl }),
    domains: Object.fromEntries(
      [...config.domains].map(([pattern, domain]) => [pattern, {
        connect: domain.connect.map(({ direct, hostname, port }) =>
          `${direct ? "xmpps" : "xmpp"}://${joinHostPort(hostname, port)}`
        ),
        ...upstreamKeys(domain),
        bosh_url: domain.boshUrl ?? null,
        websocket_url: domain.websocketUrl ?? null,
      }]),
    ),
    drain: { delay: drain.delay / 1000, timeout: drain.timeout / 1000 },
    admin: {
      path: admin.path,
      username: admin.username,
      password_file: admin.password === undefined ? null : REDACTED,
      token_file: admin.token === undefined ? null : REDACTED,
      allowed_categories: admin.allowedCategories,
    },
    log: { level: log.level, format: log.format, trace: log.trace },
  };
}

function listener(listen: ListenConfig): View {
  const { at, serve, server, tls } = listen;
  return {
    ...at,
    serve,
    server,
    max_connections: listen.maxConnections,
    max_connections_per_address: listen.maxConnectionsPerAddress,
    tls: tls?.certificates.map(({ cert }) => ({ cert: certificates(cert), key: REDACTED })) ?? null,
    client_ca: tls?.clientCa === undefined ? null : certificates(tls.clientCa),
  };
}

function upstreamKeys(domain: DomainConfig): View {
  const { ca, identity, nameserver } = domain;
  return {
    connect_timeout: domain.connectTimeout / 1000,
    tls: domain.tls,
    verify: domain.verify,
    fingerprints: domain.fingerprints,
    proxy_protocol: domain.proxyProtocol,
    keepalive: domain.keepalive / 1000,
    strip_channel_binding: domain.stripChannelBinding,
    allow_anonymous: domain.allowAnonymous,
    allow_route: domain.allowRoute,
    ca: ca === undefined ? null : certificates(ca),
    client_cert: identity === undefined ? null : certificates(identity.cert),
    client_key: identity === undefined ? null : REDACTED,
    nameserver: nameserver === undefined ? null : joinHostPort(nameserver.address, nameserver.port),
  };
}

/** Of each certificate in a PEM text the names, or whose it is where it has none, and the last day. */
function certificates(pem: string): readonly View[] {
  const { X509Certificate } = nodeCrypto();
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    const { subject, validToDate } = new X509Certificate(block);
    const names = namesOf(block);
    return {
      names: names.length > 0 ? names : [(subject ?? "").replaceAll("\n", ", ")],
      until: validToDate.toISOString().slice(0, 10),
    };
  });
}
