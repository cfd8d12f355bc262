import type { StreamOpening } from "../stream/c2s.ts";
import type { Overdrawn, UnauthenticatedLimits } from "../unauthenticated.ts";
import type { Framing, StreamCondition } from "./framing.ts";

/** What the session asks of the shell, in order. */
export type WebSocketAction =
  /** The bytes are borrowed until the next input. */
  | { readonly type: "message"; readonly bytes: Uint8Array }
  | { readonly type: "open-stream"; readonly opening: StreamOpening }
  | { readonly type: "restart-stream" }
  | { readonly type: "send"; readonly content: Uint8Array }
  /** `clean`: with `</stream:stream>`; otherwise the server may keep the session for resumption. */
  | { readonly type: "close-stream"; readonly clean: boolean }
  /** Back-pressure: whether the client may be read. */
  | { readonly type: "flow"; readonly open: boolean }
  /** Starts the WebSocket's closing handshake with this code (RFC 6455 §7.4.1). */
  | { readonly type: "close-socket"; readonly code: number }
  /** The server knows its client. */
  | { readonly type: "authenticated" }
  /** Comes last; `condition` is missing when the session ended in good order. */
  | {
    readonly type: "ended";
    readonly condition: string | undefined;
    readonly reason: string;
    /** The limit that was met, if that ended it. */
    readonly limit: LimitMet | undefined;
  };

/** What an operator may see of a WebSocket session. */
export interface WebSocketDescription {
  readonly state: "connecting" | "open" | "authenticated";
  /** When there was a message either way, or a ping or a pong (milliseconds). */
  readonly heard: number;
  /** Streams that are open: one, or none. */
  readonly streams: number;
  readonly framing: Framing;
  /** The XMPP server does not take what the client sends. */
  readonly isBackedUp: boolean;
}

/** A limit that ends sessions, by its key. */
export type LimitMet =
  | "limits.client_stanza"
  | "limits.queued_bytes"
  | Overdrawn["limit"];

/** Which domain a client's `to` means: its name, or the stream error to answer with. */
export type DomainChoice =
  | { readonly type: "served"; readonly domain: string }
  | { readonly type: "refused"; readonly condition: StreamCondition; readonly reason: string };

/** What a session knows from its beginning. */
export interface WebSocketSessionInit {
  readonly chooseDomain: (to: string | undefined) => DomainChoice;
  /** Those that its client may choose from; in the first of them it is told of mistakes before it has. */
  readonly framings: readonly [Framing, ...Framing[]];
  /** Milliseconds without a message or a pong, either way, that end it; 0: any number. */
  readonly idleTimeout: number;
  /** Where its client is sent when the connection manager goes down. */
  readonly seeOtherUri: string | undefined;
  /** An id for a stream of which there is no other. */
  readonly nameStream: () => string;
  readonly limits: UnauthenticatedLimits;
}
