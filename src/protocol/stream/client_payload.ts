import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";

/** What a connection manager does with a payload that a client sends. */
export type ClientPayload =
  | { readonly type: "forward" }
  /** It negotiates what belongs to the connection manager: not forwarded, answered with this. */
  | { readonly type: "answer"; readonly failure: string }
  /** It belongs to no client: a stream tag inside the stream. */
  | { readonly type: "refuse"; readonly reason: string };

const FORWARD: ClientPayload = { type: "forward" };

/**
 * Transport security and stream compression belong to the connection manager (XEP-0206 §2:
 * the client "SHOULD NOT" negotiate TLS over HTTP; RFC 7395 §3.9), and a stream tag from a
 * client would unbalance the upstream's document.
 */
export function judgeClientPayload(payload: Payload): ClientPayload {
  switch (payload.namespace) {
    case NS.TLS:
      return payload.name === "starttls"
        ? { type: "answer", failure: `<failure xmlns='${NS.TLS}'/>` }
        : FORWARD;
    case NS.COMPRESS:
      return payload.name === "compress"
        ? {
          type: "answer",
          failure: `<failure xmlns='${NS.COMPRESS}'><setup-failed/></failure>`,
        }
        : FORWARD;
    case NS.STREAMS:
      return {
        type: "refuse",
        reason: "a client cannot send an element of the stream itself inside its stream",
      };
    default:
      return FORWARD;
  }
}
