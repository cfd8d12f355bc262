import { isLoopback, joinHostPort } from "./address.ts";
import type { Config, DomainConfig, ListenConfig } from "./config.ts";
import { findDomain } from "./domains.ts";
import { keyPath, values } from "./draft.ts";
import type { Draft, Settings, Table } from "./draft.ts";
import { domainKeys, sections } from "./keys.ts";
import type { SingleSection } from "./keys.ts";
import type { Place } from "./mistakes.ts";
import { absolute, beside } from "./paths.ts";
import { nodeCrypto } from "./node_crypto.ts";

/**
 * Makes the draft the configuration, and reports to it what does not fit
 * together. The result counts only if the draft has no mistake then.
 */
export function settle(draft: Draft): Config {
  const single = draft.single;
  const top = values(sections.top, single.top);
  const http = values(sections.http, single.http);
  const bosh = values(sections.bosh, single.bosh);
  const websocket = values(sections.websocket, single.websocket);
  const limits = values(sections.limits, single.limits);
  const drain = values(sections.drain, single.drain);
  const admin = values(sections.admin, single.admin);
  const log = values(sections.log, single.log);
  const common: Settings = new Map([...single.upstream, ...single.discovery]);
  const listeners = draft.listeners ?? [{ settings: new Map(), place: nowhere("listen") }];
  const config: Config = {
    domainDefault: top.domain_default === "" ? undefined : top.domain_default,
    openProxy: top.open_proxy,
    listen: listeners.map((listener) => listenConfig(listener.settings)),
    http: {
      trustedProxies: http.trusted_proxies,
      allowedOrigins: http.allowed_origins,
      maxBody: http.max_body,
      headers: http.headers,
      headTimeout: http.head_timeout * 1000,
      bodyTimeout: http.body_timeout * 1000,
      keepaliveTimeout: http.keepalive_timeout * 1000,
      writeTimeout: http.write_timeout * 1000,
    },
    bosh: {
      path: bosh.path,
      maxWait: bosh.max_wait * 1000,
      maxHold: bosh.max_hold,
      inactivity: bosh.inactivity * 1000,
      maxInactivity: bosh.max_inactivity * 1000,
      polling: bosh.polling * 1000,
      strict: bosh.overactivity === "strict",
      maxPause: bosh.max_pause * 1000,
      maxStreams: bosh.max_streams,
      acks: bosh.acks,
      report: bosh.report,
      // A script of any origin can read what JSONP answers, whatever the list says.
      script: bosh.script && http.allowed_origins.includes("*"),
    },
    websocket: {
      path: websocket.path,
      pingInterval: websocket.ping_interval * 1000,
      idleTimeout: websocket.idle_timeout * 1000,
      legacyFraming: websocket.legacy_framing,
      seeOtherUri: websocket.see_other_uri,
    },
    limits: {
      sessions: limits.sessions,
      sessionsPerAddress: limits.sessions_per_address,
      newSessionsPerMinute: limits.new_sessions_per_minute,
      connecting: limits.connecting,
      lookups: limits.lookups,
      bodies: limits.bodies,
      memory: limits.memory,
      unauthenticatedBytes: limits.unauthenticated_bytes,
      unauthenticatedTime: limits.unauthenticated_time * 1000,
      clientStanza: limits.client_stanza,
      serverStanza: limits.server_stanza,
      depth: limits.depth,
      queuedBytes: limits.queued_bytes,
    },
    upstream: domainConfig(common),
    domains: new Map(
      [...draft.domains].map(([pattern, { settings }]) =>
        [pattern, domainConfig(inherited(common, settings))] as const
      ),
    ),
    drain: { delay: drain.delay * 1000, timeout: drain.timeout * 1000 },
    admin: {
      path: admin.path,
      username: admin.username,
      password: admin.password_file,
      token: admin.token_file,
      allowedCategories: admin.allowed_categories,
    },
    log: { level: log.level, format: log.format, trace: log.trace },
  };
  checkListeners(draft, config);
  checkOpenProxy(draft, config, listeners);
  checkAdmin(draft, config, listeners);
  checkDomains(draft, config);
  checkCertificates(draft);
  checkNumbers(draft, config);
  return config;
}

function listenConfig(settings: Settings): ListenConfig {
  const own = values(sections.listen, settings);
  const { unix, fd, address, port, serve } = own;
  const at = unix !== undefined ? { unix } : fd !== undefined ? { fd } : { address, port };
  const local = "unix" in at || ("address" in at && isLoopback(at.address));
  return {
    at,
    serve,
    server: own.server ?? (local && own.tls === undefined ? "deno" : "sockets"),
    maxConnections: own.max_connections ?? 10_000,
    maxConnectionsPerAddress: own.max_connections_per_address ?? 500,
    tls: own.tls && {
      certificates: own.tls,
      clientCa: own.client_ca,
      files: filesOf(settings, ["tls", "client_ca"]),
    },
  };
}

/** Absolute paths of the files that these keys were read from. */
function filesOf(settings: Settings, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const setting = settings.get(name);
    return setting?.files.map((path) => absolute(beside(setting.place.source, path))) ?? [];
  });
}

function domainConfig(settings: Settings): DomainConfig {
  const own = values(domainKeys, settings);
  const { client_cert: cert, client_key: key } = own;
  return {
    connect: own.connect ?? [],
    connectTimeout: own.connect_timeout * 1000,
    tls: own.tls,
    verify: own.verify,
    fingerprints: own.fingerprints,
    proxyProtocol: own.proxy_protocol as 0 | 1 | 2,
    keepalive: own.keepalive * 1000,
    stripChannelBinding: own.strip_channel_binding,
    allowAnonymous: own.allow_anonymous,
    allowRoute: own.allow_route,
    ca: own.ca,
    identity: cert === undefined || key === undefined ? undefined : { cert, key },
    nameserver: own.nameserver,
    boshUrl: own.bosh_url,
    websocketUrl: own.websocket_url,
  };
}

/**
 * A domain's own settings over those that hold for every domain. Whoever says how a domain's certificate
 * is known means it to be verified, whatever was said for the others.
 */
function inherited(common: Settings, own: Settings): Settings {
  const all = new Map([...common, ...own]);
  if (!own.has("verify") && (own.has("ca") || own.has("fingerprints"))) all.delete("verify");
  return all;
}

function checkListeners(draft: Draft, config: Config): void {
  const listeners = draft.listeners ?? [];
  for (const [index, { settings, place, sound }] of listeners.entries()) {
    if (!sound) continue;
    const { at, server } = config.listen[index]!;
    const [unix, fd] = [settings.get("unix"), settings.get("fd")];
    const tcp = settings.get("address") ?? settings.get("port");
    const crowded = (unix && (tcp ?? fd)) ?? (fd && tcp);
    if (crowded !== undefined) {
      draft.mistakes.push({
        ...(unix ?? fd)!.place,
        message: unix === undefined
          ? "a socket that is inherited has its address already; leave out address and port"
          : "a unix socket has neither address nor port nor fd; leave out either, or write two [[listen]] tables",
      });
      continue;
    }
    checkServer(draft, settings, server);
    const first = listeners.find((other, before) =>
      before < index && other.sound && overlap(config.listen[before]!.at, at)
    )?.place;
    if (first === undefined) continue;
    draft.mistakes.push({
      ...(unix ?? fd ?? tcp)?.place ?? place,
      message: `${describePlace(at)} is taken by ${
        first.line === undefined ? `another ${first.source}` : `the listener in line ${first.line}`
      }; leave one of them out, or choose another ${
        "unix" in at ? "path" : "fd" in at ? "fd" : "port"
      }`,
    });
  }
}

/** Whether a listener's keys are for the server that serves it. */
function checkServer(draft: Draft, settings: Settings, server: ListenConfig["server"]): void {
  const clientCa = settings.get("client_ca");
  if (clientCa !== undefined && !settings.has("tls")) {
    draft.mistakes.push({
      ...clientCa.place,
      message: "clients show certificates in TLS only; write tls too, or leave client_ca out",
    });
  }
  if (server === "sockets") return;
  for (const [name, what] of unknownToDeno(settings)) {
    const where = settings.has("server") ? "" : " (which is the default here)";
    draft.mistakes.push({
      ...settings.get(name)!.place,
      message: `server = "deno"${where} knows no ${what}; write server = "sockets"`,
    });
  }
}

/** Keys of a listener that Deno's server does not know, and what it is that it does not. */
function unknownToDeno(settings: Settings): [name: string, what: string][] {
  const names = ["fd", "max_connections", "max_connections_per_address"];
  const unknown: [string, string][] = names.filter((name) => settings.has(name))
    .map((name) => [name, name]);
  const { tls } = values(sections.listen, settings);
  if (tls === undefined) return unknown;
  if (settings.has("client_ca")) unknown.push(["client_ca", "client_ca"]);
  if (settings.has("unix")) unknown.push(["tls", "tls on a unix socket"]);
  if (tls.length > 1) unknown.push(["tls", "choice among certificates"]);
  return unknown;
}

/** Whether the second of two listeners could not be opened. */
function overlap(a: ListenConfig["at"], b: ListenConfig["at"]): boolean {
  if ("unix" in a || "unix" in b) return "unix" in a && "unix" in b && a.unix === b.unix;
  if ("fd" in a || "fd" in b) return "fd" in a && "fd" in b && a.fd === b.fd;
  if (a.port !== b.port || a.port === 0) return false;
  const [one, other] = [a.address, b.address];
  if (one === other || one === "::" || other === "::") return true;
  return (one === "0.0.0.0" && !other.includes(":")) || (other === "0.0.0.0" && !one.includes(":"));
}

/** The listeners, by their places, through which strangers could reach any XMPP server, and nobody has said that they may. */
export function openProxies({ openProxy, domains, listen }: Config): number[] {
  if (openProxy || (domains.size > 0 && !domains.has("*"))) return [];
  return [...listen.keys()].filter((index) => {
    const { at } = listen[index]!;
    return !("unix" in at || ("address" in at && isLoopback(at.address)));
  });
}

/**
 * Whoever may connect to any domain through a listener that the world reaches
 * has an open proxy: nobody gets one without having written that he wants it.
 */
function checkOpenProxy(draft: Draft, config: Config, listeners: readonly Table[]): void {
  const every = draft.domains.get("*");
  for (const index of openProxies(config)) {
    const { at } = config.listen[index]!;
    const { settings, place } = listeners[index]!;
    const served = every === undefined
      ? "no domains are named, so every domain is served"
      : `domain "*" (${whereIs(every.place)}) serves every domain`;
    draft.contradiction(
      every === undefined ? ["domains", "open_proxy"] : ["open_proxy"],
      (settings.get("fd") ?? settings.get("address"))?.place ?? place,
      `${
        "address" in at
          ? `${at.address} is not loopback`
          : `whoever reaches ${describePlace(at)} is unknown`
      } and ${served}: strangers could reach any XMPP server through this machine; ` +
        `write a table [domains."example.org"] for each domain that you serve (or --domain example.org), ` +
        `or open_proxy = true at the top of the file if every domain is meant`,
    );
  }
}

/** The operator's side is never open to whoever comes by. */
function checkAdmin(draft: Draft, { admin, listen }: Config, listeners: readonly Table[]): void {
  const index = listen.findIndex(({ serve }) => serve.includes("admin"));
  if (index < 0 || admin.password !== undefined || admin.token !== undefined) return;
  const { settings, place } = listeners[index]!;
  draft.contradiction(
    ["admin.password_file", "admin.token_file"],
    settings.get("serve")?.place ?? place,
    '"admin" is served to nobody without a secret; write password_file or token_file in [admin], ' +
      'the path of a file with one, or leave "admin" out',
  );
}

function checkDomains(draft: Draft, config: Config): void {
  const { domainDefault } = config;
  if (domainDefault !== undefined && findDomain(config, domainDefault) === undefined) {
    draft.contradiction(
      ["domains", "domain_default"],
      placeOf(draft, "top", "domain_default"),
      `${domainDefault} is not among the domains served; write [domains."${domainDefault}"], or name one of: ` +
        [...config.domains.keys()].join(", "),
    );
  }
  for (const { settings } of draft.domains.values()) {
    const connect = settings.get("connect");
    const { connect: targets, tls } = values(domainKeys, settings);
    if (connect !== undefined && tls === "never" && targets?.some(({ direct }) => direct)) {
      draft.contradiction(
        ["domains"],
        connect.place,
        'xmpps:// is TLS from the first byte, and tls = "never" forbids it; write xmpp://, or leave tls out',
      );
    }
  }
}

/** What is said of certificates, domain by domain. */
function checkCertificates(draft: Draft): void {
  const { upstream } = draft.single;
  for (const own of [upstream, ...[...draft.domains.values()].map(({ settings }) => settings)]) {
    const all = inherited(upstream, own);
    const { client_cert, client_key, ca, verify, fingerprints } = values(domainKeys, all);
    const one = own.get("client_cert") ?? own.get("client_key");
    if (one !== undefined && (client_cert === undefined) !== (client_key === undefined)) {
      draft.contradiction(
        ["domains", "upstream.client_cert", "upstream.client_key"],
        one.place,
        "a certificate is of no use without its key, nor the key without it; write both, client_cert and client_key",
      );
    }
    if (one !== undefined && client_cert !== undefined && client_key !== undefined) {
      const { createPrivateKey, X509Certificate } = nodeCrypto();
      if (!new X509Certificate(client_cert).checkPrivateKey(createPrivateKey(client_key))) {
        draft.contradiction(
          ["domains", "upstream.client_cert", "upstream.client_key"],
          one.place,
          "client_key is not the key of client_cert; write the two that were made together",
        );
      }
    }
    // The platform that shows a client certificate cannot verify by a private authority.
    const trust = own.get("ca") ?? one;
    if (trust !== undefined && ca !== undefined && client_cert !== undefined) {
      if (verify && fingerprints.length === 0) {
        draft.contradiction(
          ["domains", "upstream.ca", "upstream.client_cert"],
          trust.place,
          "ca does not go together with client_cert; name the server's own certificate in fingerprints, " +
            "or leave ca out and start the program with the file in the environment variable DENO_CERT",
        );
      }
    }
    const lax = own.get("verify") ?? own.get("fingerprints") ?? own.get("ca");
    if (lax !== undefined && !verify && (fingerprints.length > 0 || ca !== undefined)) {
      draft.contradiction(
        ["domains", "upstream.verify", "upstream.fingerprints"],
        lax.place,
        "verify = false takes any certificate, and ca and fingerprints say which is the right one; leave one or the other out",
      );
    }
  }
}

function checkNumbers(draft: Draft, { bosh, limits }: Config): void {
  if (bosh.polling >= bosh.inactivity) {
    draft.contradiction(
      ["bosh.polling", "bosh.inactivity"],
      placeOf(draft, "bosh", draft.single.bosh.has("polling") ? "polling" : "inactivity"),
      `a client that keeps to polling (${
        bosh.polling / 1000
      }) would lose its session to inactivity (${
        bosh.inactivity / 1000
      }); write polling smaller than inactivity`,
    );
  }
  for (const name of ["client_stanza", "server_stanza"] as const) {
    const stanza = name === "client_stanza" ? limits.clientStanza : limits.serverStanza;
    if (limits.queuedBytes >= stanza) continue;
    draft.contradiction(
      ["limits.queued_bytes", `limits.${name}`],
      placeOf(draft, "limits", draft.single.limits.has("queued_bytes") ? "queued_bytes" : name),
      `a stanza of ${name} (${stanza}) would not fit into queued_bytes (${limits.queuedBytes}); write queued_bytes at least as large`,
    );
  }
}

/** Where a key is set; of two that contradict each other at least one is. */
function placeOf(draft: Draft, section: SingleSection, name: string): Place {
  return draft.single[section].get(name)?.place ?? nowhere(keyPath(section, name));
}

/** The place of what nobody has written. */
function nowhere(key: string): Place {
  return { source: "built-in defaults", line: undefined, key };
}

function whereIs({ source, line }: Place): string {
  return line === undefined ? source : `line ${line}`;
}

function describePlace(at: ListenConfig["at"]): string {
  if ("fd" in at) return `fd ${at.fd}`;
  return "unix" in at ? at.unix : joinHostPort(at.address, at.port);
}
