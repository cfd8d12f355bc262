import type { Payload } from "./protocol/xml/payload.ts";
import type { ClientInfo } from "./upstream/connector.ts";

/**
 * Everything about a connection manager that can be watched. One union is the
 * whole vocabulary; `session` is always the short name that is safe in logs.
 */
export type ManagerEvent =
  | {
    readonly type: "session-created";
    readonly session: string;
    readonly domain: string;
    readonly client: ClientInfo;
    /** What the client says it is; a stranger's word. */
    readonly userAgent?: string | undefined;
  }
  | {
    readonly type: "session-ended";
    readonly session: string;
    readonly domain: string;
    readonly client: ClientInfo;
    /** Terminal binding condition or stream error; `undefined` when it ended in good order. */
    readonly condition: string | undefined;
    /** A sentence for people. */
    readonly reason: string;
    /** Milliseconds that it lived. */
    readonly duration: number;
  }
  | {
    readonly type: "upstream-connected";
    readonly session: string;
    readonly domain: string;
    readonly client: ClientInfo;
    /** `host:port` that was reached. */
    readonly target: string;
    readonly tls: "none" | "starttls" | "direct";
  }
  | {
    readonly type: "upstream-failed";
    readonly session: string;
    readonly domain: string;
    readonly client: ClientInfo;
    /** `host:port`, or the name that was looked up. */
    readonly target: string;
    readonly phase: UpstreamPhase;
    /** A sentence for people, with the cure where there is one. */
    readonly reason: string;
    /** Another target is tried next. */
    readonly retrying: boolean;
  }
  /** A BOSH client says that it has the responses up to this request's (XEP-0124 §9.2). */
  | {
    readonly type: "responses-acknowledged";
    readonly session: string;
    readonly domain: string;
    readonly client: ClientInfo;
    readonly rid: number;
  }
  /** Stanzas that never reached the client of a session that ended. */
  | {
    readonly type: "undelivered";
    readonly session: string;
    readonly domain: string;
    readonly client: ClientInfo;
    /** The bytes are the receiver's to keep. */
    readonly payloads: readonly Payload[];
  }
  /**
   * What one end of a session sent and the other will not get, for the connection to it is gone: bytes
   * that had not been handed to the network. Comes when that is known, perhaps after `session-ended`.
   */
  | {
    readonly type: "unsent";
    readonly session: string;
    readonly domain: string;
    readonly client: ClientInfo;
    readonly to: "server" | "client";
    readonly bytes: number;
  }
  /** A stanza, or anything else beside it, of a client in `log.trace`, on its way. */
  | {
    readonly type: "trace";
    readonly session: string;
    readonly domain: string;
    readonly client: ClientInfo;
    /** To the XMPP server, or from it. */
    readonly direction: "up" | "down";
    /** What it has in all. */
    readonly bytes: number;
    /** Without what logs somebody in; 4,000 characters at most. */
    readonly xml: string;
  }
  /** A limit bites; comes at most once in ten seconds for each of them. */
  | {
    readonly type: "limit-reached";
    readonly limit: LimitName;
    /** Whom it met last; `""`: nobody in particular. */
    readonly address: string;
    /** How often, since the event before. */
    readonly count: number;
  }
  /** Somebody did not get in to the operator's side; comes at most once in ten seconds. */
  | {
    readonly type: "login-failed";
    /** Who was refused last. */
    readonly address: string;
    /** How often somebody was, since the event before. */
    readonly count: number;
  }
  /** An operator has something done, by the admin API or its page. */
  | {
    readonly type: "operator-acted";
    /** As in a sentence that begins with "an operator": "drained", "ended the session". */
    readonly action: string;
    readonly address: string;
    /** The one that it was done to, if it was one. */
    readonly session: string | undefined;
  }
  /** A client did not come into TLS; strangers can make it come often. */
  | { readonly type: "handshake-failed"; readonly address: string; readonly reason: string }
  /**
   * A fault of ours: one session ended for it, the process goes on. The message of the error may quote
   * what a client or a server sent: it is not for logs.
   */
  | {
    readonly type: "fault";
    /** `undefined`: none could be blamed. */
    readonly session: string | undefined;
    readonly client?: ClientInfo;
    readonly error: unknown;
  };

/** Every limit, by its key in the configuration. */
export const LIMITS = [
  "http.body_timeout",
  "http.head_timeout",
  "http.max_body",
  "http.write_timeout",
  "limits.bodies",
  "limits.client_stanza",
  "limits.connecting",
  "limits.depth",
  "limits.lookups",
  "limits.memory",
  "limits.new_sessions_per_minute",
  "limits.queued_bytes",
  "limits.sessions",
  "limits.sessions_per_address",
  "limits.unauthenticated_bytes",
  "limits.unauthenticated_time",
  "listen.max_connections",
  "listen.max_connections_per_address",
] as const;

export type LimitName = typeof LIMITS[number];

/** The step of reaching an XMPP server in which something happened. */
export type UpstreamPhase = "lookup" | "tcp" | "tls" | "stream";

export type EventSink = (event: ManagerEvent) => void;
