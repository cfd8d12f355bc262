/**
 * One WebSocket session (RFC 7395), with no sockets and no clock.
 *
 * Theory. The client's `<open/>` opens an upstream stream, and the answering `<open/>` leaves
 * when the upstream's header is there, so that its id and language are the real ones. From then
 * on, every message of the client is one payload up, every payload one message down. A second
 * `<open/>` restarts the upstream's stream after authentication. Either side ends it with
 * `<close/>`; the other answers with its own, and then the client closes the WebSocket, for which
 * it has two seconds. Clients from before the RFC say the same with the start tag and the end tag
 * of a stream; the first message decides how a session is framed. A WebSocket that is lost without `<close/>` drops the upstream's connection
 * without `</stream:stream>`, so that a server with stream management keeps the session.
 *
 * Inputs take `now` (milliseconds) and change the state. After any input, take what there is to
 * do from `poll` until it is `undefined`, then arm one timer for `deadline`.
 */
import { ActionQueue } from "../action_queue.ts";
import type { StreamEnd, StreamHeader } from "../stream/c2s.ts";
import { readStreamError } from "../stream/received_error.ts";
import { type Overdrawn, showsAuthentication, Unauthenticated } from "../unauthenticated.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import type {
  LimitMet,
  WebSocketAction,
  WebSocketDescription,
  WebSocketSessionInit,
} from "./actions.ts";
import type { ClientMessage, Framing, StreamCondition } from "./framing.ts";
import {
  CLOSE_MESSAGE,
  END_TAG_MESSAGE,
  errorMessage,
  openMessage,
  payloadMessages,
  receivedErrorMessage,
  seeOtherMessage,
  startTagMessage,
} from "./messages.ts";

const encoder = new TextEncoder();

/** How long each side has for its part of the closing handshake (milliseconds; RFC 7395 §3.6). */
const CLOSE_PATIENCE = 2_000;
/** How long a client has for its first message (milliseconds): until then it costs and brings nothing. */
const OPENING_PATIENCE = 60_000;
/** How long the upstream may take nothing while the client waits for it (milliseconds). */
const UPSTREAM_PATIENCE = 60_000;
/** Payloads that we answer ourselves: whoever sends more of them does not listen. */
const MOST_ANSWERS = 10;

type State =
  /** Nothing has come from the client. */
  | "fresh"
  /** A stream is there, or on its way. */
  | "open"
  /** The client closed its side; what the upstream still sends is forwarded. */
  | "client-closed"
  /** Ours is closed too; the client has until the deadline to close the WebSocket. */
  | "closing"
  | "over";

export class WebSocketSession {
  readonly #init: WebSocketSessionInit;
  readonly #actions = new ActionQueue<WebSocketAction>();
  #state: State = "fresh";
  #framing: Framing;
  /** The client closes its start tags at once, and gets such ones. */
  #isEmptyTag = false;
  /** The `from` of each opening that the upstream has not answered, oldest first. */
  readonly #unanswered: (string | undefined)[] = [];
  #hasLeft = false;
  /** When the closing handshake has taken too long. */
  #closesAt: number | undefined;
  /** When there was a message or a pong last; in the beginning, when it began. */
  #lastSign: number;
  #upstream = false;
  /** When the upstream took something last, while the client is not read; `undefined` while it is. */
  #waitsSince: number | undefined;
  #domain: string | undefined;
  /** The client has authenticated, or is about to: its next opening restarts the stream. */
  #mayRestart = false;
  #answers = 0;
  /** `undefined`: the client has authenticated. */
  #unauthenticated: Unauthenticated | undefined;
  /** How the WebSocket is closed, and what the log says of it. */
  #closeCode = 1000;
  #condition: string | undefined;
  #reason = "the client ended the session";
  #limit: LimitMet | undefined;

  constructor(now: number, init: WebSocketSessionInit) {
    this.#init = init;
    this.#framing = init.framings[0];
    this.#lastSign = now;
    this.#unauthenticated = new Unauthenticated(now, init.limits);
  }

  // ---- inputs

  /** One message of the client, read by `readMessage`; `size` is its length (bytes). */
  message(now: number, message: ClientMessage, size: number): void {
    this.alive(now);
    const state = this.#state;
    if (state === "over" || message.type === "blank") return;
    const overdrawn = this.#unauthenticated?.sends(size);
    if (overdrawn && (state === "fresh" || state === "open")) return this.#overdraw(now, overdrawn);
    if (state === "closing" || state === "client-closed") {
      // The client's answer to our <close/>: nothing is left to wait for.
      if (state === "closing" && message.type === "close") this.#closeSocket();
      return;
    }
    switch (message.type) {
      case "open":
        return this.#open(now, message);
      case "close":
        if (state === "fresh" && this.#init.framings.includes(message.framing)) {
          this.#framing = message.framing;
        }
        if (message.framing !== this.#framing) return this.#refuseFraming(now);
        return this.#clientCloses(now);
      case "refused":
        return this.#fail(now, message.condition, message.reason);
      case "answer":
      case "payload":
        if (state === "fresh") {
          return this.#fail(now, "not-authorized", "the first message must be <open/>");
        }
        return message.type === "answer"
          ? this.#answer(now, message.failure)
          : this.#forward(message);
      default:
        message satisfies never;
    }
  }

  /** A ping or a pong of the client. */
  alive(now: number): void {
    if (this.#state === "open") this.#lastSign = now;
  }

  /** A message that RFC 7395 has no place for; `code` is the WebSocket's for it. */
  refuse(
    now: number,
    condition: StreamCondition,
    reason: string,
    { code, limit }: { readonly code: number; readonly limit?: LimitMet },
  ): void {
    if (this.#state === "over" || this.#state === "closing") return;
    this.#limit = limit;
    this.#closeCode = code;
    this.#fail(now, condition, reason);
    this.#closeSocket();
  }

  streamOpened(now: number, header: StreamHeader): void {
    if (this.#state === "closing" || this.#state === "over") return;
    if (this.#unanswered.length === 0) return;
    // RFC 7395 §3.4: `to` only in answer to a `from`.
    this.#sendOpen(header, this.#unanswered.shift());
    this.alive(now);
  }

  /** Each payload becomes a message of its own (RFC 7395 §3.3.3). */
  deliver(now: number, payloads: readonly Payload[]): void {
    if (this.#state === "closing" || this.#state === "over") return;
    const messages = payloadMessages(payloads);
    for (const [index, payload] of payloads.entries()) {
      if (payload.namespace === NS.SASL) this.#heed(payload);
      if (this.#unauthenticated && showsAuthentication(payload)) {
        this.#unauthenticated = undefined;
        this.#act({ type: "authenticated" });
      }
      this.#act({ type: "message", bytes: messages[index]! });
    }
    this.alive(now);
  }

  streamEnded(now: number, end: StreamEnd): void {
    this.#upstream = false;
    if (this.#state === "over" || this.#state === "closing") return;
    const clientCloses = this.#state === "client-closed";
    switch (end.type) {
      case "closed":
        if (!clientCloses) this.#reason = "the XMPP server closed the stream";
        return this.#sendClose(now);
      case "stream-error": {
        const error = readStreamError(end.error);
        this.#answerOpen();
        this.#act({ type: "message", bytes: receivedErrorMessage(end.error) });
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

  /** The WebSocket is gone, or given up. */
  socketClosed(_now: number, reason = "the client's connection was lost"): void {
    if (this.#state === "over") return;
    if (this.#state !== "closing" && this.#state !== "client-closed") {
      this.#condition = "connection-lost";
      this.#reason = reason;
    }
    // §3.6: without <close/> the server is to think of a lost connection, one to be resumed.
    this.#closeUpstream({ clean: false });
    this.#end();
  }

  /**
   * Whether the upstream takes what the client sends; while it does not, told again whenever it has
   * taken something. The client is not read meanwhile, and so can give no sign that it is there.
   */
  flow(now: number, open: boolean): void {
    if (this.#state !== "open") return;
    const waited = this.#waitsSince !== undefined;
    this.#waitsSince = open ? undefined : now;
    if (waited !== open) return;
    this.alive(now);
    this.#act({ type: "flow", open });
  }

  /** The upstream does not take what the client sends, and more of it waits than may. */
  congested(now: number): void {
    const reason = "the XMPP server does not read what the client sends (limits.queued_bytes)";
    this.refuse(now, "policy-violation", reason, { code: 1000, limit: "limits.queued_bytes" });
  }

  /** To be called when `deadline` has come; harmless before. */
  handleTimeout(now: number): void {
    const { deadline } = this;
    if (deadline === undefined || now < deadline) return;
    this.#closesAt = undefined;
    const late = this.#unauthenticated?.late(now);
    if (late && (this.#state === "fresh" || this.#state === "open")) {
      return this.#overdraw(now, late);
    }
    switch (this.#state) {
      case "client-closed":
        return this.#sendClose(now);
      case "closing":
        return this.#closeSocket();
      case "fresh":
        return this.#fail(now, "connection-timeout", "the client said nothing");
      case "open": {
        const isStuck = this.#waitsSince !== undefined;
        const seconds = (isStuck ? UPSTREAM_PATIENCE : this.#init.idleTimeout) / 1000;
        // Who is silent may be gone without knowing, and come back to resume (XEP-0198).
        this.#closeUpstream({ clean: false });
        return isStuck
          ? this.#fail(
            now,
            "remote-connection-failed",
            `the XMPP server has taken nothing for ${seconds} s`,
          )
          : this.#fail(now, "connection-timeout", `nothing was said for ${seconds} s`);
      }
      case "over":
        return;
      default:
        this.#state satisfies never;
    }
  }

  /** The connection manager goes down. */
  shutdown(now: number): void {
    const { seeOtherUri } = this.#init;
    const reason = "the connection manager is shutting down";
    if (seeOtherUri === undefined || this.#framing === "draft") {
      return this.refuse(now, "system-shutdown", reason, { code: 1001 });
    }
    if (this.#state === "over" || this.#state === "closing") return;
    this.#closeCode = 1001;
    this.#condition = "system-shutdown";
    this.#reason = `${reason}, and its clients are sent elsewhere`;
    this.#answerOpen();
    this.#closeUpstream({ clean: true });
    this.#act({ type: "message", bytes: seeOtherMessage(seeOtherUri) });
    this.#closeSocket();
  }

  // ---- outputs

  /** What the shell must do next; `undefined` when there is nothing. */
  poll(): WebSocketAction | undefined {
    return this.#actions.poll();
  }

  /** The client has ended the stream: all that it still waits for is our part of that. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** What an operator may see of it, made when somebody asks. */
  describe(): WebSocketDescription {
    const state = this.#unauthenticated === undefined
      ? "authenticated"
      : this.#state === "fresh" || this.#unanswered.length > 0
      ? "connecting"
      : "open";
    return {
      state,
      heard: this.#lastSign,
      streams: this.#upstream ? 1 : 0,
      framing: this.#framing,
      isBackedUp: this.#waitsSince !== undefined,
    };
  }

  /** When `handleTimeout` is due (milliseconds), if ever. */
  get deadline(): number | undefined {
    const { idleTimeout } = this.#init;
    const most = idleTimeout || Infinity;
    const late = this.#unauthenticated?.deadline ?? Infinity;
    if (this.#state === "fresh") {
      return Math.min(this.#lastSign + Math.min(OPENING_PATIENCE, most), late);
    }
    if (this.#state !== "open") return this.#closesAt;
    const due = this.#waitsSince === undefined
      ? this.#lastSign + most
      : this.#waitsSince + UPSTREAM_PATIENCE;
    const deadline = Math.min(due, late);
    return deadline === Infinity ? undefined : deadline;
  }

  // ---- transitions

  #open(now: number, open: ClientMessage & { type: "open" }): void {
    if (this.#state !== "fresh") {
      if (open.framing !== this.#framing) return this.#refuseFraming(now);
      // A header inside a stream that is not due for one would only confuse the upstream.
      if (!this.#mayRestart) {
        return this.#fail(now, "policy-violation", "opened again, but nothing was authenticated");
      }
      this.#mayRestart = false;
      this.#isEmptyTag = open.isEmpty;
      this.#unanswered.push(open.from);
      return this.#act({ type: "restart-stream" });
    }
    if (!this.#init.framings.includes(open.framing)) {
      this.#framing = "rfc7395";
      return open.framing === "draft"
        ? this.#refuseFraming(now)
        // §3.1: without the subprotocol it is something else that is spoken.
        : this.#fail(now, "policy-violation", "the handshake did not offer the subprotocol xmpp");
    }
    this.#framing = open.framing;
    this.#isEmptyTag = open.isEmpty;
    const choice = this.#init.chooseDomain(open.to);
    if (choice.type === "refused") return this.#fail(now, choice.condition, choice.reason);
    const version = /^([0-9]{1,6})\.([0-9]{1,6})$/.exec(open.version ?? "");
    if (version === null || Number(version[1]) < 1) {
      return this.#fail(now, "unsupported-version", "the version must be 1.0");
    }
    this.#state = "open";
    this.#lastSign = now;
    this.#domain = choice.domain;
    this.#unanswered.push(open.from);
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

  #forward({ payload, content }: ClientMessage & { type: "payload" }): void {
    const { name, namespace } = payload;
    // Clients need not wait for <success/> before they open again.
    if (namespace === NS.SASL && (name === "auth" || name === "response")) this.#mayRestart = true;
    this.#act({ type: "send", content });
  }

  #answer(now: number, failure: string): void {
    if (++this.#answers > MOST_ANSWERS) {
      return this.#fail(now, "policy-violation", "what was refused is asked for again and again");
    }
    this.#act({ type: "message", bytes: encoder.encode(failure) });
  }

  /** §3.3.2, and the draft's counterpart: one way of framing a session, and no other. */
  #refuseFraming(now: number): void {
    const { STREAMS, FRAMING } = NS;
    const [right, wrong] = this.#framing === "draft" ? [STREAMS, FRAMING] : [FRAMING, STREAMS];
    const reason = `streams begin and end in the namespace ${right} here, not in ${wrong}`;
    this.#fail(now, "invalid-namespace", reason);
  }

  /** §3.7: after success, and never after a failure, the client opens again. */
  #heed({ name }: Payload): void {
    if (name === "failure") this.#mayRestart = false;
    // It may have opened again already, or have begun to log in twice.
    else if (name === "success" && this.#unanswered.length === 0) this.#mayRestart = true;
  }

  /** §3.6: the upstream is closed in good order first, and may still have something to say. */
  #clientCloses(now: number): void {
    this.#hasLeft = true;
    if (!this.#upstream) return this.#sendClose(now);
    this.#state = "client-closed";
    this.#closesAt = now + CLOSE_PATIENCE;
    this.#listen();
    this.#closeUpstream({ clean: true });
  }

  /** The client has cost more than one may that its server does not know. */
  #overdraw(now: number, { limit, reason }: Overdrawn): void {
    this.#limit = limit;
    this.#fail(now, "policy-violation", reason);
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

  /** §3.5: what ends a stream during its opening comes after an `<open/>` of ours. */
  #answerOpen(): void {
    if (this.#state !== "fresh" && this.#unanswered.length === 0) return;
    this.#sendOpen(
      { id: this.#init.nameStream(), from: this.#domain, lang: "en" },
      this.#unanswered[0],
    );
  }

  #sendOpen(header: Partial<StreamHeader>, to: string | undefined): void {
    const bytes = this.#framing === "draft"
      ? startTagMessage(header, to, { isEmpty: this.#isEmptyTag })
      : openMessage(header, to);
    this.#act({ type: "message", bytes });
  }

  #sendClose(now: number): void {
    const bytes = this.#framing === "draft" ? END_TAG_MESSAGE : CLOSE_MESSAGE;
    this.#act({ type: "message", bytes });
    this.#state = "closing";
    this.#closesAt = now + CLOSE_PATIENCE;
    this.#listen();
  }

  /** What the client still has to say is about the end, and goes nowhere. */
  #listen(): void {
    if (this.#waitsSince === undefined) return;
    this.#waitsSince = undefined;
    this.#act({ type: "flow", open: true });
  }

  #closeSocket(): void {
    this.#listen();
    this.#act({ type: "close-socket", code: this.#closeCode });
    this.#end();
  }

  #closeUpstream({ clean }: { clean: boolean }): void {
    if (!this.#upstream) return;
    this.#upstream = false;
    this.#act({ type: "close-stream", clean });
  }

  #end(): void {
    this.#state = "over";
    this.#closesAt = undefined;
    this.#act({
      type: "ended",
      condition: this.#condition,
      reason: this.#reason,
      limit: this.#limit,
    });
  }

  #act(action: WebSocketAction): void {
    this.#actions.push(action);
  }
}
