/**
 * One BOSH session (XEP-0124, XEP-0206), with no sockets and no clock.
 *
 * Theory. A session is a window of request ids. `#last` is the highest rid whose predecessors
 * have all arrived; requests up to it are *processed*: their payloads went upstream, in rid
 * order, each once. Of the processed ones, some are *held* (unanswered, oldest first) and the
 * newest answered ones are *kept* for repetition. Requests beyond `#last + 1` wait *behind the
 * gap*: they are neither processed nor used to carry data. Answers leave in rid order, always
 * from the front of the held ones.
 *
 * What comes down is answered at once on the oldest held request whose client is still there;
 * with none it is queued. The session ends *at once* when the client or its mistake ends it. When
 * the upstream ends it while nobody is listening, the *final* answer is kept until the client
 * asks or its inactivity period is over.
 *
 * Inputs take `now` (milliseconds) and change the state. After any input, take what there is to
 * do from `poll` until it is `undefined`, then arm one timer for `deadline`.
 */
import type { StreamEnd, StreamHeader, StreamOpening } from "../stream/c2s.ts";
import { readStreamError } from "../stream/received_error.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { attribute } from "../xml/writer.ts";
import type { CreationRequest, SessionRequest } from "./body.ts";
import type { TerminalCondition } from "./conditions.ts";
import { type BoshLimits, grant, type Granted } from "./negotiation.ts";
import { bodyOf, EMPTY_BODY, kept, type Outgoing, outgoing, terminalBody } from "./response.ts";
import { type RequestId, RequestWindow } from "./window.ts";

export type { RequestId };

/** What the session asks of the shell, in order. */
export type BoshAction =
  | {
    readonly type: "respond";
    readonly request: RequestId;
    readonly body: Uint8Array<ArrayBuffer>;
  }
  | { readonly type: "open-stream"; readonly opening: StreamOpening }
  | { readonly type: "restart-stream" }
  | { readonly type: "send"; readonly content: Uint8Array }
  /** `clean`: with `</stream:stream>`; otherwise the server may keep the session for resumption. */
  | { readonly type: "close-stream"; readonly clean: boolean }
  /** Back-pressure: whether the upstream may be read. */
  | { readonly type: "flow"; readonly open: boolean }
  /** Comes last; `condition` is missing when the session ended in good order. */
  | {
    readonly type: "ended";
    readonly condition: TerminalCondition | undefined;
    readonly reason: string;
  };

/** The longest that the creation response waits for stream features (milliseconds). */
const FEATURES_PATIENCE = 10_000;
/**
 * Clients give up on a request some 10 % after its wait, so an answer that is due must never be
 * late: it leaves this much (milliseconds) before the wait is over.
 */
const WAIT_MARGIN = 200;
/** How long a client has to ask, when the connection manager goes down (milliseconds). */
const LAST_CALL = 2_000;
/** What is queued goes out in answers of about this size, so that what is kept for repetition stays small. */
const RESPONSE_BYTES = 262_144;

interface Final {
  readonly condition: TerminalCondition | undefined;
  readonly reason: string;
  readonly payloads: readonly Outgoing[];
}

export class BoshSession {
  readonly granted: Granted;
  readonly #sid: string;
  readonly #limits: BoshLimits;
  readonly #window: RequestWindow;
  readonly #actions: BoshAction[] = [];
  #nextAction = 0;

  /** What came down while nobody was listening. */
  #queue: Outgoing[] = [];
  #queuedBytes = 0;
  #flowing = true;
  #header: StreamHeader | undefined;
  #featuresSeen = false;
  /** The creation request has not been answered: its answer carries what was granted. */
  #creating = true;
  /** Parts of the creation response that were not known in time: they go into a later one. */
  #owed: "nothing" | "stream-attributes" = "nothing";
  /** The upstream is over, and the client has yet to be told. */
  #final: Final | undefined;
  /** When the connection manager stops waiting for the client to be told (milliseconds). */
  #lastCall: number | undefined;
  #over = false;
  /** Since when no request has been held (milliseconds); counts while none is. */
  #quietSince: number;

  constructor(
    now: number,
    request: RequestId,
    init: { sid: string; to: string; creation: CreationRequest; limits: BoshLimits },
  ) {
    const { creation, limits } = init;
    this.#sid = init.sid;
    this.#limits = limits;
    this.granted = grant(creation, limits);
    this.#window = new RequestWindow(creation.rid, this.granted.requests);
    this.#quietSince = now;
    // A client that polls is answered at once, but for the features it needs to go on at all.
    const patience = Math.min(this.granted.wait, FEATURES_PATIENCE);
    this.#window.hold({ request, rid: creation.rid, deadline: now + patience });
    this.#act({
      type: "open-stream",
      opening: {
        to: init.to,
        version: creation.xmppVersion,
        ...(creation.from === undefined ? {} : { from: creation.from }),
        ...(creation.lang === undefined ? {} : { lang: creation.lang }),
      },
    });
    this.#forward(creation);
    this.#answerDue(now);
  }

  // ---- inputs

  /** A request of this session arrived. */
  request(now: number, request: RequestId, body: SessionRequest): void {
    if (this.#over) {
      return this.#respond(request, terminalBody("item-not-found", "the session has ended"));
    }
    const place = this.#window.place(body.rid);
    switch (place.type) {
      case "next":
        this.#process(now, request, body);
        for (let next; !this.#over && (next = this.#window.takeNext());) {
          this.#process(now, next.request, next.body);
        }
        break;
      case "early":
        // §14.2: neither processed nor answered until the requests before it have arrived. The
        // gap has the inactivity period, from its first request on, to close.
        if (!this.#window.anyLive && !this.#window.anyWaiting) this.#quietSince = now;
        this.#replace(this.#window.wait(request, body));
        break;
      case "held":
        // §14.3: the client repeats what it believes lost, so the new connection takes the old
        // one's place. The old one gets an empty body: clients that read the recoverable error
        // which the XEP has for it repeat everything, and so never come to rest.
        this.#replace(this.#window.rehold(body.rid, request, this.#waitDeadline(now)));
        this.#flush(now);
        break;
      case "kept":
        // §14.3: "it SHOULD repeat the response", and not process the payloads again.
        this.#respond(request, place.response);
        if (!this.#window.anyLive) this.#quietSince = now;
        break;
      case "outside":
        // §14.2, §14.3: too far ahead, or so old that its answer is gone. Both have one name.
        this.#fail(now, "item-not-found", `request ${body.rid} is outside the window`, request);
        break;
      default:
        place satisfies never;
    }
    this.#answerDue(now);
  }

  /** The client broke a rule that ends its session; `request` is the one that did. */
  refuse(now: number, request: RequestId, condition: TerminalCondition, reason: string): void {
    if (this.#over) this.#respond(request, terminalBody(condition, reason));
    else this.#fail(now, condition, reason, request);
  }

  /** The HTTP peer left before its request was answered. */
  abandon(now: number, request: RequestId): void {
    const was = this.#window.anyLive;
    this.#window.abandon(request);
    if (was && !this.#window.anyLive) this.#quietSince = now;
  }

  /** The upstream stream is up, or up again after a restart. */
  streamOpened(_now: number, header: StreamHeader): void {
    this.#header ??= header;
  }

  /** Everything that one read brought, so that one response carries it. */
  deliver(now: number, payloads: readonly Payload[]): void {
    if (this.#over || payloads.length === 0) return;
    const arrived: Outgoing[] = [];
    for (const payload of payloads) {
      if (payload.name === "features" && payload.namespace === NS.STREAMS) {
        this.#featuresSeen = true;
      }
      arrived.push(outgoing(payload));
    }
    if (this.#queue.length === 0 && !this.#lacksFeatures && this.#receiver(now)) {
      return this.#answer(now, arrived);
    }
    for (const out of arrived) this.#enqueue(kept(out));
    this.#flush(now);
    this.#checkQueue(now);
  }

  /** The upstream stream is over; nothing comes down any more. */
  streamEnded(now: number, end: StreamEnd): void {
    if (this.#over || this.#final) return;
    this.#final = describeEnd(end);
    this.#flush(now);
  }

  /** The upstream does not take what the client sends, and enough of it waits. */
  congested(now: number): void {
    if (this.#over) return;
    this.#fail(now, "policy-violation", "the XMPP server does not read what the client sends");
  }

  /** To be called when `deadline` has come; harmless before. */
  handleTimeout(now: number): void {
    if (this.#over) return;
    this.#answerDue(now);
    if (this.#final && this.#lastCall !== undefined && now >= this.#lastCall) {
      return this.#end(this.#final.condition, this.#final.reason, { clean: true });
    }
    if (this.#window.anyLive || now < this.#quietSince + this.granted.inactivity) return;
    const seconds = Math.round(this.granted.inactivity / 1000);
    this.#fail(now, "item-not-found", `no request from the client for ${seconds} s`);
  }

  /**
   * The connection manager goes down: whoever listens is told at once, and a client between two
   * requests has a moment to ask.
   */
  shutdown(now: number): void {
    if (this.#over) return;
    this.#final ??= {
      condition: "system-shutdown",
      reason: "the connection manager is shutting down",
      payloads: [],
    };
    this.#lastCall = now + LAST_CALL;
    this.#flush(now);
  }

  // ---- outputs

  /** What the shell must do next; `undefined` when there is nothing. */
  poll(): BoshAction | undefined {
    const action = this.#actions[this.#nextAction];
    if (action === undefined) {
      this.#actions.length = this.#nextAction = 0;
      return undefined;
    }
    this.#nextAction++;
    return action;
  }

  /** When `handleTimeout` is due (milliseconds), if ever. */
  get deadline(): number | undefined {
    if (this.#over) return undefined;
    const next = this.#window.deadline ?? this.#quietSince + this.granted.inactivity;
    return Math.min(next, this.#lastCall ?? Infinity);
  }

  // ---- transitions

  /** A request whose predecessors have all been processed. */
  #process(now: number, request: RequestId | undefined, body: SessionRequest): void {
    this.#window.hold({ request, rid: body.rid, deadline: this.#waitDeadline(now) });
    if (this.#final) return this.#flush(now);
    switch (body.ask) {
      case "nothing":
        this.#forward(body);
        break;
      case "restart":
        // XEP-0206 §5. The new features belong into this request's answer, so those before it
        // are released first; payloads beside a restart are ignored.
        this.#releaseAllBut(now, 1);
        this.#act({ type: "restart-stream" });
        break;
      case "terminate":
        this.#forward(body);
        return this.#terminate(now);
      default:
        body.ask satisfies never;
    }
    this.#flush(now);
    // §8: "it SHOULD NOT have more than 'hold' requests" held: the oldest is answered.
    this.#releaseAllBut(now, this.granted.hold);
  }

  #forward(body: CreationRequest | SessionRequest): void {
    if (body.content.length > 0) this.#act({ type: "send", content: body.content });
    for (const failure of body.failures) this.#enqueue(failureToClient(failure));
  }

  /** §13: the oldest request gets the terminal body, all others an empty one. */
  #terminate(now: number): void {
    this.#receiver(now);
    this.#answerWith(now, terminalBody(undefined, undefined, this.#takeQueue()));
    this.#releaseAllBut(now, 0);
    this.#end(undefined, "the client ended the session", { clean: true });
  }

  /**
   * Gives what waits to whoever listens. Stanzas have an answer of their own before the final
   * one, because clients overlook what lies inside a terminal body.
   */
  #flush(now: number): void {
    if (this.#lacksFeatures) return;
    while (this.#queue.length > 0) {
      if (!this.#receiver(now)) return;
      this.#answer(now, this.#takeQueue());
    }
    const final = this.#final;
    if (!final || !this.#receiver(now)) return;
    // What the server said belongs to the oldest, the one that the client is sure to read.
    this.#answerWith(now, terminalBody(final.condition, final.reason, final.payloads));
    this.#answerOthers(now, terminalBody(final.condition, final.reason));
    this.#end(final.condition, final.reason, { clean: true });
  }

  /** The client's mistake, or its absence, ends the session. */
  #fail(now: number, condition: TerminalCondition, reason: string, offender?: RequestId): void {
    this.#answerOthers(now, terminalBody("other-request", "another request ended the session"));
    if (offender !== undefined) this.#respond(offender, terminalBody(condition, reason));
    this.#end(condition, reason, { clean: false });
  }

  #answerOthers(now: number, body: Uint8Array<ArrayBuffer>): void {
    while (this.#window.anyHeld) this.#answerWith(now, body);
    for (const request of this.#window.takeWaiting()) this.#respond(request, body);
  }

  #end(
    condition: TerminalCondition | undefined,
    reason: string,
    { clean }: { clean: boolean },
  ): void {
    this.#over = true;
    this.#queue = [];
    this.#act({ type: "close-stream", clean });
    this.#act({ type: "ended", condition, reason });
  }

  // ---- answers

  /**
   * Makes the oldest held request one whose client is still there, and says whether there is
   * one. Requests of clients that left count as answered when a later one of the session can
   * carry the data: their empty answer stays available for repetition.
   */
  #receiver(now: number): boolean {
    if (!this.#window.anyLive) return false;
    while (!this.#window.oldestIsLive) this.#release(now);
    return true;
  }

  /** Answers the oldest held request with what there is; nothing is entrusted to a client that left. */
  #release(now: number): void {
    this.#answer(now, this.#window.oldestIsLive ? this.#takeQueue() : []);
  }

  #answer(now: number, payloads: readonly Outgoing[]): void {
    const attributes = this.#creating ? this.#creationAttributes() : this.#owedAttributes();
    this.#creating = false;
    this.#answerWith(now, bodyOf(payloads, attributes));
  }

  /** Answers the oldest held request and keeps the answer for repetition. */
  #answerWith(now: number, body: Uint8Array<ArrayBuffer>): void {
    const request = this.#window.answer(body);
    if (request !== undefined) this.#respond(request, body);
    if (!this.#window.anyLive) this.#quietSince = now;
  }

  /** Answers all that have waited long enough, and in front of them whatever is older. */
  #answerDue(now: number): void {
    while (!this.#over && this.#window.isDue(now)) this.#release(now);
  }

  /** Answers the oldest until no more than `count` are held. */
  #releaseAllBut(now: number, count: number): void {
    while (this.#window.heldCount > count) this.#release(now);
  }

  /** Repeats go to the new connection; the old one is let go with nothing in its hands. */
  #replace(old: RequestId | undefined): void {
    if (old !== undefined) this.#respond(old, EMPTY_BODY);
  }

  /** A creation response without features would leave some clients waiting for ever. */
  get #lacksFeatures(): boolean {
    return this.#creating && !this.#featuresSeen && !this.#final;
  }

  #respond(request: RequestId, body: Uint8Array<ArrayBuffer>): void {
    this.#act({ type: "respond", request, body });
  }

  #waitDeadline(now: number): number {
    // §12: a session that polls is answered at once.
    const { wait, hold } = this.granted;
    return hold === 0 ? now : now + Math.max(0, wait - WAIT_MARGIN);
  }

  /** XEP-0124 §7.2 and XEP-0206 §4; they appear in the creation response only. */
  #creationAttributes(): string {
    const { wait, hold, requests, inactivity, polling, ver } = this.granted;
    this.#owed = "stream-attributes";
    return attribute("sid", this.#sid) + attribute("wait", wait / 1000) +
      attribute("requests", requests) + attribute("hold", hold) + attribute("ver", ver) +
      attribute("polling", polling / 1000) + attribute("inactivity", inactivity / 1000) +
      ` xmlns:xmpp='${NS.XBOSH}' xmpp:restartlogic='true'` + this.#streamAttributes();
  }

  #owedAttributes(): string {
    if (this.#owed === "nothing" || !this.#featuresSeen) return "";
    return ` xmlns:xmpp='${NS.XBOSH}'` + this.#streamAttributes();
  }

  /** XEP-0206 §4: together with the features, once: in the creation response if it can be. */
  #streamAttributes(): string {
    if (!this.#featuresSeen) return "";
    this.#owed = "nothing";
    return attribute("from", this.#header?.from) + attribute("authid", this.#header?.id) +
      attribute("xmpp:version", this.#header?.version ?? "1.0");
  }

  // ---- the queue

  #enqueue(out: Outgoing): void {
    this.#queue.push(out);
    this.#queuedBytes += out.size;
  }

  /** As much of the queue as one answer carries; what remains goes with the next. */
  #takeQueue(): readonly Outgoing[] {
    let count = 0;
    let size = 0;
    while (count < this.#queue.length && size < RESPONSE_BYTES) size += this.#queue[count++]!.size;
    if (count === 0) return this.#queue;
    this.#queuedBytes -= size;
    if (!this.#flowing && this.#queuedBytes <= this.#limits.queuedBytes / 2) {
      this.#flowing = true;
      this.#act({ type: "flow", open: true });
    }
    return this.#queue.splice(0, count);
  }

  #checkQueue(now: number): void {
    if (this.#over) return;
    if (this.#queuedBytes > this.#limits.queuedBytes) {
      return this.#fail(now, "policy-violation", "too much is waiting for the client");
    }
    if (this.#flowing && this.#queuedBytes > this.#limits.queuedBytes / 2) {
      this.#flowing = false;
      this.#act({ type: "flow", open: false });
    }
  }

  #act(action: BoshAction): void {
    this.#actions.push(action);
  }
}

function describeEnd(end: StreamEnd): Final {
  switch (end.type) {
    case "closed":
      return { condition: undefined, reason: "the XMPP server closed the stream", payloads: [] };
    case "stream-error":
      return {
        condition: "remote-stream-error",
        reason: readStreamError(end.error).reason,
        payloads: [kept(outgoing(end.error))],
      };
    case "connection-failed":
      return { condition: "remote-connection-failed", reason: end.reason, payloads: [] };
    default:
      return end satisfies never;
  }
}

function failureToClient(failure: string): Outgoing {
  const bytes = new TextEncoder().encode(failure);
  const payload = {
    name: "failure",
    namespace: "",
    bytes,
    nameEnd: "<failure".length,
    declaresDefault: true,
    inherits: [],
  };
  return { payload, declarations: undefined, usesStream: false, size: bytes.length };
}
