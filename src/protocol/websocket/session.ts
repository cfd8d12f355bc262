/**
 * One WebSocket session (RFC 7395), with no sockets and no clock.
 *
 * Theory. The client's `<open/>` opens an upstream stream, and the answering `<open/>` leaves
 * when the upstream's header is there, so that its id and language are the real ones. From then
 * on, every message of the client is one payload up, every payload one message down. A second
 * `<open/>` restarts the upstream's stream after authentication. Either side ends it with
 * `<close/>`; the other answers with its own, and then the client closes the WebSocket, for which
 * it has two seconds. A WebSocket that is lost without `<close/>` drops the upstream's connection
 * without `</stream:stream>`, so that a server with stream management keeps the session.
 *
 * Inputs take `now` (milliseconds) and change the state. After any input, take what there is to
 * do from `poll` until it is `undefined`, then arm one timer for `deadline`.
 */
import { ActionQueue } from "../action_queue.ts";
import type { StreamEnd, StreamHeader, StreamOpening } from "../stream/c2s.ts";
import { readStreamError } from "../stream/received_error.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import {
  type ClientMessage,
  CLOSE_MESSAGE,
  errorMessage,
  openMessage,
  payloadMessage,
  type StreamCondition,
} from "./framing.ts";

const encoder = new TextEncoder();

/** What the session asks of the shell, in order. */
export type WebSocketAction =
  | { readonly type: "message"; readonly bytes: Uint8Array }
  | { readonly type: "open-stream"; readonly opening: StreamOpening }
  | { readonly type: "restart-stream" }
  | { readonly type: "send"; readonly content: Uint8Array }
  /** `clean`: with `</stream:stream>`; otherwise the server may keep the session for resumption. */
  | { readonly type: "close-stream"; readonly clean: boolean }
  /** Starts the WebSocket's closing handshake with this code (RFC 6455 §7.4.1). */
  | { readonly type: "close-socket"; readonly code: number }
  /** Comes last; `condition` is missing when the session ended in good order. */
  | {
    readonly type: "ended";
    readonly condition: string | undefined;
    readonly reason: string;
  };

/** Which domain a client's `to` means: its name, or the stream error to answer with. */
export type DomainChoice =
  | { readonly type: "served"; readonly domain: string }
  | { readonly type: "refused"; readonly condition: StreamCondition; readonly reason: string };

/** How long each side has for its part of the closing handshake (milliseconds; RFC 7395 §3.6). */
const CLOSE_PATIENCE = 2_000;

type State =
  /** Nothing has come from the client. */
  | { readonly type: "fresh" }
  /** A stream header is on its way to the upstream; `from` is what the client's `<open/>` said. */
  | { readonly type: "opening"; readonly from: string | undefined }
  | { readonly type: "open" }
  /** The client sent `<close/>`; what the upstream still sends is forwarded. */
  | { readonly type: "client-closed" }
  /** Our `<close/>` is out; the client has until `deadline` to close the WebSocket. */
  | { readonly type: "closing" }
  | { readonly type: "over" };

export class WebSocketSession {
  readonly #chooseDomain: (to: string | undefined) => DomainChoice;
  readonly #actions = new ActionQueue<WebSocketAction>();
  #state: State = { type: "fresh" };
  #deadline: number | undefined;
  #upstream = false;
  /** The client has authenticated, or is about to: its next `<open/>` restarts the stream. */
  #mayRestart = false;
  /** How the WebSocket is closed, and what the log says of it. */
  #closeCode = 1000;
  #condition: string | undefined;
  #reason = "the client ended the session";

  constructor(chooseDomain: (to: string | undefined) => DomainChoice) {
    this.#chooseDomain = chooseDomain;
  }

  // ---- inputs

  /** One message of the client, read by `readMessage`. */
  message(now: number, message: ClientMessage): void {
    const state = this.#state.type;
    if (state === "over" || message.type === "blank") return;
    if (state === "closing" || state === "client-closed") {
      // The client's answer to our <close/>: nothing is left to wait for.
      if (state === "closing" && message.type === "close") this.#closeSocket();
      return;
    }
    switch (message.type) {
      case "open":
        return this.#open(now, message);
      case "close":
        return this.#clientCloses(now);
      case "refused":
        return this.#fail(now, message.condition, message.reason);
      case "answer":
      case "payload":
        if (state === "fresh") {
          return this.#fail(now, "not-authorized", "the first message must be <open/>");
        }
        if (message.type === "answer") {
          return this.#act({ type: "message", bytes: encoder.encode(message.failure) });
        }
        if (message.payload.namespace === NS.SASL) this.#mayRestart = true;
        return this.#act({ type: "send", content: message.content });
      default:
        message satisfies never;
    }
  }

  /** A message that RFC 7395 has no place for; `code` is the WebSocket's for it. */
  refuse(now: number, condition: StreamCondition, reason: string, code: number): void {
    if (this.#state.type === "over" || this.#state.type === "closing") return;
    this.#closeCode = code;
    this.#fail(now, condition, reason);
    this.#closeSocket();
  }

  streamOpened(_now: number, header: StreamHeader): void {
    if (this.#state.type !== "opening") return;
    // RFC 7395 §3.4: `to` only in answer to a `from`.
    this.#act({ type: "message", bytes: openMessage(header, this.#state.from) });
    this.#state = { type: "open" };
  }

  /** Each payload becomes a message of its own (RFC 7395 §3.3.3). */
  deliver(_now: number, payloads: readonly Payload[]): void {
    if (this.#state.type === "closing" || this.#state.type === "over") return;
    for (const payload of payloads) {
      this.#act({ type: "message", bytes: payloadMessage(payload) });
    }
  }

  streamEnded(now: number, end: StreamEnd): void {
    this.#upstream = false;
    if (this.#state.type === "over" || this.#state.type === "closing") return;
    const clientCloses = this.#state.type === "client-closed";
    switch (end.type) {
      case "closed":
        if (!clientCloses) this.#reason = "the XMPP server closed the stream";
        return this.#sendClose(now);
      case "stream-error": {
        const error = readStreamError(end.error);
        this.#answerOpen();
        this.#act({ type: "message", bytes: payloadMessage(end.error) });
        this.#condition = error.condition;
        this.#reason = error.reason;
        return this.#sendClose(now);
      }
      case "connection-failed":
        if (clientCloses) return this.#sendClose(now);
        return this.#fail(now, "remote-connection-failed", end.reason);
      default:
        end satisfies never;
    }
  }

  /** The WebSocket is gone. */
  socketClosed(_now: number): void {
    if (this.#state.type === "over") return;
    if (this.#state.type !== "closing" && this.#state.type !== "client-closed") {
      this.#condition = "connection-lost";
      this.#reason = "the client's connection was lost";
    }
    // §3.6: without <close/> the server is to think of a lost connection, one to be resumed.
    this.#closeUpstream({ clean: false });
    this.#end();
  }

  /** The upstream does not take what the client sends, and enough of it waits. */
  congested(now: number): void {
    this.refuse(
      now,
      "policy-violation",
      "the XMPP server does not read what the client sends",
      1000,
    );
  }

  /** To be called when `deadline` has come; harmless before. */
  handleTimeout(now: number): void {
    if (this.#deadline === undefined || now < this.#deadline) return;
    this.#deadline = undefined;
    if (this.#state.type === "client-closed") return this.#sendClose(now);
    if (this.#state.type === "closing") this.#closeSocket();
  }

  /** The connection manager goes down. */
  shutdown(now: number): void {
    this.refuse(now, "system-shutdown", "the connection manager is shutting down", 1001);
  }

  // ---- outputs

  /** What the shell must do next; `undefined` when there is nothing. */
  poll(): WebSocketAction | undefined {
    return this.#actions.poll();
  }

  /** When `handleTimeout` is due (milliseconds), if ever. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  // ---- transitions

  #open(now: number, open: ClientMessage & { type: "open" }): void {
    if (this.#state.type !== "fresh") {
      // A header inside a stream that is not due for one would only confuse the upstream.
      if (!this.#mayRestart) {
        return this.#fail(now, "policy-violation", "<open/> again, but nothing was authenticated");
      }
      this.#mayRestart = false;
      this.#state = { type: "opening", from: open.from };
      return this.#act({ type: "restart-stream" });
    }
    const choice = this.#chooseDomain(open.to);
    if (choice.type === "refused") return this.#fail(now, choice.condition, choice.reason);
    const version = /^([0-9]{1,6})\.([0-9]{1,6})$/.exec(open.version ?? "");
    if (version === null || Number(version[1]) < 1) {
      return this.#fail(now, "unsupported-version", "the version must be 1.0");
    }
    this.#state = { type: "opening", from: open.from };
    this.#upstream = true;
    this.#act({
      type: "open-stream",
      opening: {
        to: choice.domain,
        version: "1.0",
        ...(open.from === undefined ? {} : { from: open.from }),
        ...(open.lang === undefined ? {} : { lang: open.lang }),
      },
    });
  }

  /** §3.6: the upstream is closed in good order first, and may still have something to say. */
  #clientCloses(now: number): void {
    if (!this.#upstream) return this.#sendClose(now);
    this.#state = { type: "client-closed" };
    this.#deadline = now + CLOSE_PATIENCE;
    this.#closeUpstream({ clean: true });
  }

  #fail(now: number, condition: StreamCondition, reason: string): void {
    this.#condition = condition;
    this.#reason = reason;
    this.#answerOpen();
    this.#act({ type: "message", bytes: errorMessage(condition, reason) });
    // The session is over for good: resuming it would only bring the same mistake back.
    this.#closeUpstream({ clean: true });
    this.#sendClose(now);
  }

  /** §3.5: an error during opening comes after an `<open/>` of ours. */
  #answerOpen(): void {
    if (this.#state.type !== "fresh" && this.#state.type !== "opening") return;
    this.#act({ type: "message", bytes: openMessage({}, undefined) });
  }

  #sendClose(now: number): void {
    this.#act({ type: "message", bytes: CLOSE_MESSAGE });
    this.#state = { type: "closing" };
    this.#deadline = now + CLOSE_PATIENCE;
  }

  #closeSocket(): void {
    this.#act({ type: "close-socket", code: this.#closeCode });
    this.#end();
  }

  #closeUpstream({ clean }: { clean: boolean }): void {
    if (!this.#upstream) return;
    this.#upstream = false;
    this.#act({ type: "close-stream", clean });
  }

  #end(): void {
    this.#state = { type: "over" };
    this.#deadline = undefined;
    this.#act({ type: "ended", condition: this.#condition, reason: this.#reason });
  }

  #act(action: WebSocketAction): void {
    this.#actions.push(action);
  }
}
