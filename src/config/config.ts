/**
 * The configuration as the rest of the program sees it: complete, checked,
 * read-only. Times are milliseconds here (seconds in the file); sizes are bytes.
 */
export interface Config {
  /** Used when a client names no domain; `undefined` when there is none. */
  readonly domainDefault: string | undefined;
  /** Listeners beyond loopback may serve every domain: the operator said so. */
  readonly openProxy: boolean;
  readonly listen: readonly ListenConfig[];
  readonly http: HttpConfig;
  readonly bosh: BoshConfig;
  readonly websocket: WebSocketConfig;
  readonly limits: LimitsConfig;
  /** What holds for every domain that has no entry of its own, or leaves a key out. */
  readonly upstream: DomainConfig;
  /**
   * Domains served, by pattern: a name, `*.name` (every sub-domain) or `*` (every
   * domain). Empty: every domain. Keys are normalised like {@link domainKey} does.
   */
  readonly domains: ReadonlyMap<string, DomainConfig>;
  readonly drain: DrainConfig;
  readonly admin: AdminConfig;
  readonly log: LogConfig;
}

export type Service = "bosh" | "websocket" | "discovery" | "health" | "metrics" | "admin";

export interface ListenConfig {
  /** A TCP address, the path of a unix socket, or a listening socket that was inherited (systemd's socket activation). */
  readonly at:
    | { readonly address: string; readonly port: number }
    | { readonly unix: string }
    | { readonly fd: number };
  readonly serve: readonly Service[];
  /** `"deno"`: Deno.serve. `"sockets"`: our own codecs over plain sockets. */
  readonly server: "deno" | "sockets";
  /** Connections at a time; `sockets` only. */
  readonly maxConnections: number;
  /** Of those, from one address (an IPv6 /64 counts as one); trusted proxies may have any number. */
  readonly maxConnectionsPerAddress: number;
  readonly tls: TlsConfig | undefined;
}

export interface TlsConfig {
  /** Never empty. A client gets the one that has the name it asks for; else the first. */
  readonly certificates: readonly CertificateConfig[];
  /** PEM certificates of authorities, and then only clients with a certificate of theirs get in; `undefined`: nobody is asked for one. */
  readonly clientCa: string | undefined;
  /** Absolute paths of the files that all this was read from, passwords of keys among them. */
  readonly files: readonly string[];
}

export interface CertificateConfig {
  /** PEM: the server's own certificate, then its chain. */
  readonly cert: string;
  /** PEM (PKCS#8), without a password. */
  readonly key: string;
}

export interface HttpConfig {
  /** Ranges (`address/length`) of the peers whose word on the client's address and scheme counts. */
  readonly trustedProxies: readonly string[];
  /** `["*"]`, or origins as browsers send them. */
  readonly allowedOrigins: readonly string[];
  readonly maxBody: number;
  /** Added to every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * `sockets` only, as the three that follow: from acceptance, or from the first octet of a later
   * request, until a head is complete. TLS counts in.
   */
  readonly headTimeout: number;
  /** From the end of a head until its body is complete. */
  readonly bodyTimeout: number;
  /** Of a connection between two requests. */
  readonly keepaliveTimeout: number;
  /** While a client takes nothing of what it is sent. */
  readonly writeTimeout: number;
}

export interface BoshConfig {
  readonly path: string;
  readonly maxWait: number;
  readonly maxHold: number;
  readonly inactivity: number;
  readonly maxInactivity: number;
  readonly polling: number;
  /** Replacing held requests too quickly ends a session. */
  readonly strict: boolean;
  /** 0: no pausing. */
  readonly maxPause: number;
  readonly maxStreams: number;
  readonly acks: boolean;
  readonly report: boolean;
  /** GET and JSONP. */
  readonly script: boolean;
}

export interface WebSocketConfig {
  readonly path: string;
  /** 0: no pings. */
  readonly pingInterval: number;
  /** Without a message or a pong either way; 0: none. */
  readonly idleTimeout: number;
  /** Whether `<stream:stream>` may be the first message. */
  readonly legacyFraming: boolean;
  /** Where clients are sent at shutdown; `undefined`: nowhere. */
  readonly seeOtherUri: string | undefined;
}

export interface LimitsConfig {
  readonly sessions: number;
  /** Of those, from one address (an IPv6 /64 counts as one). */
  readonly sessionsPerAddress: number;
  readonly newSessionsPerMinute: number;
  /** Streams that are being opened at a time. */
  readonly connecting: number;
  /** Names that are being looked up at a time. */
  readonly lookups: number;
  /** Bytes of the bigger request bodies that are being read, of all clients together. */
  readonly bodies: number;
  /** Bytes of resident memory above which nobody new is served; `undefined`: the control group's. */
  readonly memory: number | undefined;
  /** Bytes and milliseconds that a client has until it has authenticated. */
  readonly unauthenticatedBytes: number;
  readonly unauthenticatedTime: number;
  readonly clientStanza: number;
  readonly serverStanza: number;
  readonly depth: number;
  readonly queuedBytes: number;
}

/** What host-meta says of a domain (XEP-0156); `undefined`: what the request came in by. */
export interface DiscoveryConfig {
  readonly boshUrl: string | undefined;
  readonly websocketUrl: string | undefined;
}

/** All that can be said of one domain. */
export interface DomainConfig extends UpstreamConfig, DiscoveryConfig {}

export interface UpstreamConfig {
  /** Where to connect, in order; empty: look it up by SRV. */
  readonly connect: readonly ConnectTarget[];
  /** For each of: name lookup, TCP, TLS, stream features. */
  readonly connectTimeout: number;
  readonly tls: TlsPolicy;
  /** Whether the server's certificate has to be right. */
  readonly verify: boolean;
  /** SHA-256 of certificates (lower-case hexadecimal) that are right, and then no others are; empty: any that verifies. */
  readonly fingerprints: readonly string[];
  /** The version of the PROXY header that the server is sent first; 0: none. */
  readonly proxyProtocol: 0 | 1 | 2;
  /** The longest silence on an authenticated stream; 0: any. */
  readonly keepalive: number;
  readonly stripChannelBinding: boolean;
  readonly allowAnonymous: boolean;
  /** `host:port` patterns that a client's `route` may name; empty: a `route` is ignored. */
  readonly allowRoute: readonly string[];
  /** PEM certificates trusted besides the system's own; `undefined`: none. */
  readonly ca: string | undefined;
  /** PEM of what we show the server when it asks for a certificate; `undefined`: nothing. */
  readonly identity: { readonly cert: string; readonly key: string } | undefined;
  /** DNS server for SRV and address lookups; `undefined`: the system's. */
  readonly nameserver: { readonly address: string; readonly port: number } | undefined;
}

export type TlsPolicy = "required" | "optional" | "never";

/** `xmpp://host:port` (STARTTLS as the policy says) or `xmpps://host:port` (TLS from the first byte). */
export interface ConnectTarget {
  readonly direct: boolean;
  readonly hostname: string;
  readonly port: number;
}

export interface DrainConfig {
  /** From the signal until sessions are ended. */
  readonly delay: number;
  /** From then on, for all to end in good order. */
  readonly timeout: number;
}

export interface AdminConfig {
  readonly path: string;
  readonly username: string;
  /** A secret, as the next one; `undefined`: nobody gets in by it. Where a listener serves `admin`, one of them is there. */
  readonly password: string | undefined;
  readonly token: string | undefined;
  /** Of the GraphQL schema. */
  readonly allowedCategories: readonly AdminCategory[];
}

export type AdminCategory = "session" | "stat" | "metric" | "server";

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  /** Ranges (`address/length`) of the clients whose stanzas are told as events, and logged at level `debug`. */
  readonly trace: readonly string[];
}

export type LogLevel = "debug" | "info" | "warn" | "error";
