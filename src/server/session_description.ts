import type { BoshDescription } from "../protocol/bosh/description.ts";
import type { WebSocketDescription } from "../protocol/websocket/actions.ts";
import type { Payload } from "../protocol/xml/payload.ts";
import type { ClientInfo } from "../upstream/connector.ts";

/**
 * What an operator may see of a session, made of what there is when somebody asks. Times are
 * milliseconds of the manager's clock. Neither its sid nor whose session it is stands here.
 */
export interface SessionDescription {
  /** Its short name, as in logs. */
  readonly session: string;
  readonly client: ClientInfo;
  /** The client came by TLS, here or to a trusted proxy. */
  readonly isTls: boolean;
  /** `""`: a WebSocket that has not said yet which. */
  readonly domain: string;
  readonly created: number;
  readonly state: "connecting" | "open" | "authenticated";
  /** When its client gave a sign of life; of a WebSocket, also when it was sent something. */
  readonly heard: number;
  /** Streams to XMPP servers that are open. */
  readonly streams: number;
  /** Requests that wait for their answer. */
  readonly held: number;
  /** Bytes that wait for the XMPP server. */
  readonly up: number;
  /** Bytes that wait for the client. */
  readonly down: number;
  /** By script syntax (XEP-0252). */
  readonly isScript?: boolean;
  /** Its client is from before `ver` (XEP-0124 §17.1). */
  readonly isLegacy?: boolean;
  readonly bosh?: BoshDescription;
  readonly websocket?: WebSocketDescription;
}

/** Somebody who watches what goes through one session. What it is given is borrowed until the call returns. */
export interface SessionTap {
  /** Payloads that go to the XMPP server, as they stand beside each other. */
  sent(content: Uint8Array): void;
  /** Payloads that came from the XMPP server. */
  delivered(payloads: readonly Payload[]): void;
  /** Comes last. */
  ended(condition: string | undefined, reason: string): void;
}
