import type { Restart, StreamEnd, StreamHeader, StreamOpening } from "../protocol/stream/c2s.ts";
import type { Payload } from "../protocol/xml/payload.ts";

/**
 * The plug between sessions and XMPP servers. The built-in connector speaks
 * XMPP over TCP; implement this one to reach anything else.
 */
export interface Connector {
  /** Opens one stream and returns at once; what comes of it is told through `events`. */
  open(request: UpstreamRequest, events: UpstreamEvents): Upstream;
}

export interface UpstreamRequest {
  readonly opening: StreamOpening;
  /** A short name of the session, safe in logs. */
  readonly session: string;
  readonly client: ClientInfo;
  /** Where the client wants to be taken, and may: it is reached there and nowhere else. */
  readonly route?: {
    readonly hostname: string;
    readonly port: number;
    /** The operator has written this very host, and not a pattern that whoever has a name in it meets. */
    readonly isNamed: boolean;
  };
  /** The client refuses an upstream that is neither encrypted nor known to need no encryption. */
  readonly secure?: boolean;
}

/** Who is at the other end of the session. */
export interface ClientInfo {
  /** IP address as text; `""` when it is not known. */
  readonly address: string;
  /** 0 when it is not known. */
  readonly port: number;
  readonly transport: "bosh" | "websocket";
}

/** One upstream stream. Calls never throw and never wait; after `ended` they do nothing. */
export interface Upstream {
  /**
   * Sends payloads. They wait until the stream is up and negotiation of TLS is over.
   * The bytes must not be changed afterwards.
   */
  send(content: Uint8Array): void;
  /** Writes a new stream header on the same connection (XEP-0206 §5, RFC 7395 §3.7). */
  restart(restart?: Restart): void;
  /** Stops or resumes reading from the server: back-pressure. */
  flow(open: boolean): void;
  /** Ends the stream in good order: `</stream:stream>`, then the connection. */
  close(): void;
  /**
   * Drops the connection without `</stream:stream>`, so that a server with stream
   * management keeps the session for resumption (RFC 7395 §3.6, XEP-0198).
   */
  abort(): void;
  /** Bytes accepted by `send` and not yet handed to the network, with what it costs to keep them. */
  readonly queuedBytes: number;
}

/** What an upstream stream tells its session. */
export interface UpstreamEvents {
  /** The stream is up: first after TLS is negotiated, and again after each restart. */
  opened(header: StreamHeader): void;
  /** Everything that one read brought, in order. The bytes are borrowed until the call returns. */
  deliver(payloads: readonly Payload[]): void;
  /**
   * Back-pressure: whether the client is to be read. `false` when much of what was sent waits, and
   * again whenever some of that has left; `true` when little waits. It may come from within `send`.
   * An upstream that never says it is sent what the client sends until `queuedBytes` is beyond
   * `limits.queued_bytes`, which ends the session.
   */
  flow?(open: boolean): void;
  /** Comes once and comes last. */
  ended(end: StreamEnd): void;
}
