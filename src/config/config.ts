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
  readonly upstream: UpstreamConfig;
  /**
   * Domains served, by pattern: a name, `*.name` (every sub-domain) or `*` (every
   * domain). Empty: every domain. Keys are normalised like {@link domainKey} does.
   */
  readonly domains: ReadonlyMap<string, UpstreamConfig>;
  readonly log: LogConfig;
}

export type Service = "bosh" | "websocket";

export interface ListenConfig {
  /** A TCP address, or the path of a unix socket. */
  readonly at: { readonly address: string; readonly port: number } | { readonly unix: string };
  readonly serve: readonly Service[];
}

export interface HttpConfig {
  /** `["*"]`, or origins as browsers send them. */
  readonly allowedOrigins: readonly string[];
  readonly maxBody: number;
  /** Added to every answer. */
  readonly headers: Readonly<Record<string, string>>;
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
}

export interface LimitsConfig {
  readonly sessions: number;
  readonly clientStanza: number;
  readonly serverStanza: number;
  readonly depth: number;
  readonly queuedBytes: number;
}

export interface UpstreamConfig {
  /** Where to connect; `undefined`: look it up by SRV. */
  readonly connect: ConnectTarget | undefined;
  /** For each of: name lookup, TCP, TLS, stream features. */
  readonly connectTimeout: number;
  readonly tls: TlsPolicy;
  /** `host:port` patterns that a client's `route` may name; empty: a `route` is ignored. */
  readonly allowRoute: readonly string[];
  /** PEM certificates trusted besides the system's own; `undefined`: none. */
  readonly ca: string | undefined;
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

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

export type LogLevel = "debug" | "info" | "warn" | "error";
