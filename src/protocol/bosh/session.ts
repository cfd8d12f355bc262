/**
 * One BOSH session (XEP-0124, XEP-0206), with no sockets and no clock.
 *
 * Theory. A session is a window of request ids. `RequestWindow` knows the highest rid whose
 * predecessors have all arrived; requests up to it are *processed*: their payloads went upstream,
 * in rid order, each once. Of the processed ones, some are *held* (unanswered, oldest first) and
 * the newest answered ones are *kept* for repetition. Requests beyond the next wait *behind the
 * gap*: they are neither processed nor used to carry data. Answers leave in rid order, always
 * from the front of the held ones.
 *
 * What comes down is answered at once on the oldest held request whose client is still there;
 * with none it waits in the `Downlink`. A request that opens a stream, as the creation request
 * does, carries nothing but that stream's features, or what there is when its patience is over.
 *
 * The session ends *at once* when the client or its mistake ends it. When its last stream ends
 * while nobody is listening, the final answer waits in the downlink like everything else, until
 * the client asks or its inactivity period is over.
 *
 * Inputs take `now` (milliseconds) and change the state. After any input, take what there is to
 * do from `poll` until it is `undefined`, then arm one timer for `deadline`.
 */
import { ActionQueue } from "../action_queue.ts";
import type { StreamEnd, StreamHeader, StreamOpening } from "../stream/c2s.ts";
import type { Payload } from "../xml/payload.ts";
import type { BoshAction, SessionBasis, SessionInit, StreamChoice } from "./actions.ts";
import { AnswerAttributes } from "./answer_attributes.ts";
import { Admission } from "./admission.ts";
import type { SessionRequest } from "./body.ts";
import { returnsFor } from "./bounce.ts";
import { httpStatus, type TerminalCondition } from "./conditions.ts";
import { type Payloads, payloadsOf } from "./content_assembler.ts";
import { type BoshDescription, describe } from "./description.ts";
import { Downlink, type Final, type PayloadBatch } from "./downlink.ts";
import { Inactivity } from "./inactivity.ts";
import { answerDeadline, grant, type Granted } from "./negotiation.ts";
import type { End, Objection } from "./objections.ts";
import { GOING_DOWN, outsideWindow, TOO_MUCH_DOWN, TOO_MUCH_UP } from "./objections.ts";
import { Pressure } from "./pressure.ts";
import {
  bodyOf,
  EMPTY_BODY,
  kept,
  outgoing,
  outgoingText,
  refusalBody,
  terminalBody,
} from "./response.ts";
import { CLIENT_ENDED, finalOf, type SessionStream, Streams } from "./streams.ts";
import { type Asking, type RequestId, RequestWindow, type Waiting } from "./window.ts";

/** How long a client has to ask, when somebody else ends the session (milliseconds). */
const LAST_CALL = 2_000;
const TOO_LATE_BODY = refusalBody("item-not-found", "the session has ended");

export class BoshSession {
  readonly granted: Granted;
  readonly #init: SessionBasis;
  readonly #window: RequestWindow;
  readonly #streams = new Streams();
  readonly #downlink = new Downlink();
  readonly #admission: Admission;
  readonly #attributes: AnswerAttributes;
  readonly #inactivity: Inactivity;
  readonly #pressure: Pressure;
  readonly #actions = new ActionQueue<BoshAction>();

  #over = false;
  /** Somebody else ends it, and waits so long for the client to ask. */
  #lastCall: (Final & { readonly until: number }) | undefined;

  constructor(now: number, request: RequestId, init: SessionInit) {
    const { creation, opening, ...rest } = init;
    this.#init = { ...rest, creationRid: creation.rid, isLegacy: creation.ver === undefined };
    this.granted = grant(creation, rest.limits);
    const { queuedBytes } = rest.limits;
    this.#window = new RequestWindow(creation.rid, this.granted.requests, queuedBytes);
    this.#admission = new Admission(now, init, this.granted);
    const parts = { granted: this.granted, window: this.#window, streams: this.#streams };
    this.#attributes = new AnswerAttributes(this.#init, parts);
    this.#pressure = new Pressure({ ...parts, downlink: this.#downlink }, queuedBytes);
    this.#inactivity = new Inactivity(now, this.granted.inactivity);
    const stream = this.#openStream(opening);
    const deadline = answerDeadline(this.granted, now, stream.name);
    this.#window.hold({ request, rid: creation.rid, deadline, opens: stream.name });
    this.#forward(creation, [stream]);
    this.#answerDue(now);
  }

  // ---- inputs

  /** A request of this session arrived. */
  request(now: number, request: RequestId, body: SessionRequest): void {
    if (this.#over) return this.#refuseLate(request);
    const place = this.#window.place(body.rid);
    const objection = this.#admission.arrival(now, place.type, body, this.#window.waitingBytes);
    if (objection) return this.#fail(now, objection, { request });
    switch (place.type) {
      case "next":
        this.#process(now, { request, body });
        for (let next; !this.#over && (next = this.#window.takeNext());) {
          this.#process(now, next);
        }
        break;
      case "early":
      case "waiting":
        // §14.2: neither processed nor answered until the requests before it have arrived. The
        // gap has the inactivity period, from its first request on, to close.
        if (!this.#window.anyLive && !this.#window.anyWaiting) this.#inactivity.begin(now);
        this.#window.wait(now, request, body);
        break;
      case "held":
        // §14.3: the client repeats what it believes lost. Which copy is the newer one nobody can
        // know yet, for networks deliver late: see `Asking`.
        this.#window.rehold(now, request, body.rid, answerDeadline(this.granted, now, place.opens));
        // The upstream may have drained while no client was there.
        this.#releaseSurplus(now);
        break;
      case "kept":
        // §14.3: "it SHOULD repeat the response", and not process the payloads again.
        this.#respond(request, place.response);
        // It is a sign of life, but a pause is as long as it was asked for.
        if (!this.#window.anyLive && !this.#inactivity.isPaused) this.#inactivity.begin(now);
        break;
      case "outside":
        this.#fail(now, outsideWindow(body.rid), { request });
        break;
      default:
        place satisfies never;
    }
    this.#answerDue(now);
    this.#checkQueue(now);
  }

  /** The client broke a rule that ends its session; `request` is the one that did. */
  refuse(now: number, request: RequestId, condition: TerminalCondition, reason: string): void {
    if (this.#over) this.#refuseLate(request);
    else this.#fail(now, { condition, reason }, { request });
  }

  /** The HTTP peer left before its request was answered. */
  abandon(now: number, request: RequestId): void {
    const was = this.#window.anyLive;
    this.#window.abandon(request);
    if (was && !this.#window.anyLive) this.#inactivity.begin(now);
    this.#flush(now);
  }

  /** An upstream stream is up, or up again after a restart. */
  streamOpened(_now: number, name: string, header: StreamHeader): void {
    const stream = this.#streams.get(name);
    if (stream) stream.header ??= header;
  }

  /** Everything that one read brought, so that one response carries it. */
  deliver(now: number, name: string, payloads: readonly Payload[]): void {
    const stream = this.#streams.get(name);
    if (this.#over || !stream?.isOpen || payloads.length === 0) return;
    for (const payload of payloads) {
      stream.observe(payload);
      this.#admission.observe(payload);
    }
    const arrived = payloads.map(outgoing);
    if (this.#downlink.isEmpty && this.#canAnswer(now)) {
      const opens = this.#window.oldestOpens;
      if (opens === undefined || opens === name) {
        return this.#answer(now, { type: "payloads", stream: name, payloads: arrived });
      }
    }
    for (const out of arrived) this.#downlink.push(name, kept(out));
    this.#flush(now);
    this.#checkQueue(now);
  }

  /** An upstream stream is over; nothing of it comes down any more. */
  streamEnded(now: number, name: string, end: StreamEnd): void {
    const stream = this.#streams.get(name);
    if (this.#over || !stream?.isOpen) return;
    stream.isOpen = false;
    this.#downlink.end(name, finalOf(end));
    this.#releaseSurplus(now);
  }

  /**
   * Whether an upstream takes what the client sends. While it does not, requests are not answered
   * for being too many, and so a client that may have no more under way has to wait.
   */
  flow(now: number, name: string, open: boolean): void {
    const stream = this.#streams.get(name);
    if (this.#over || !stream) return;
    stream.takes = open;
    this.#releaseSurplus(now);
  }

  /** The upstream does not take what the client sends, and more of it waits than may. */
  congested(now: number): void {
    if (!this.#over) this.#giveUp(now, TOO_MUCH_UP);
  }

  /** To be called when `deadline` has come; harmless before. */
  handleTimeout(now: number): void {
    this.#answerDue(now);
    if (this.#over) return;
    if (this.#lastCall && now >= this.#lastCall.until) return this.#finish(now, this.#lastCall);
    const late = this.#admission.late(now);
    if (late) return this.#giveUp(now, late);
    if (this.#window.anyLive || now < this.#inactivity.until) return;
    this.#giveUp(now, { condition: "item-not-found", reason: this.#inactivity.reason });
  }

  /** Somebody else ends it: who listens is told at once, a client between two requests has a moment to ask. */
  shutdown(now: number, { condition, reason }: Objection = GOING_DOWN): void {
    if (this.#over) return;
    this.#lastCall = { condition, reason, payloads: [], until: now + LAST_CALL };
    this.#flush(now);
  }

  // ---- outputs

  /** What the shell must do next; `undefined` when there is nothing. */
  poll(): BoshAction | undefined {
    return this.#actions.poll();
  }

  describe(): BoshDescription {
    const [admission, inactivity, window] = [this.#admission, this.#inactivity, this.#window];
    const [downlink, streams, granted] = [this.#downlink, this.#streams, this.granted];
    return describe({ admission, downlink, inactivity, granted, streams, window });
  }

  /** When `handleTimeout` is due (milliseconds), if ever. */
  get deadline(): number | undefined {
    if (this.#over) return undefined;
    const due = this.#window.deadline ?? this.#inactivity.until;
    return Math.min(due, this.#lastCall?.until ?? Infinity, this.#admission.deadline);
  }

  // ---- requests

  /** A request whose predecessors have all been processed. */
  #process(now: number, waiting: Waiting): void {
    const { body, request, others, patience } = waiting;
    const objection = this.#admission.request(now, body, {
      // More are held by our doing alone.
      held: Math.min(this.#window.heldCount, this.granted.hold),
      streams: this.#streams,
    });
    if (objection) return this.#fail(now, objection, waiting);
    const payloads = payloadsOf(body, this.#init.assembler);
    if (payloads.type === "refused") return this.#fail(now, payloads, waiting);
    if (this.#window.acknowledge(body.ack)) this.#act({ type: "acknowledged", rid: body.ack! });
    this.#inactivity.endPause();
    const { ask } = body;
    const another = this.#admission.anotherStream(body, this.#streams);
    const opens = another && this.#openAnother(another).name;
    const deadline = answerDeadline(this.granted, now, opens);
    this.#window.hold({ request, others, patience, rid: body.rid, deadline, opens });
    // §16.3, XEP-0206 §5. The features of a new stream belong into this request's answer, so those
    // before it are released first.
    if (opens !== undefined || ask.type === "restart") this.#releaseAllBut(now, 1);
    const streams = this.#streams.addressed(body.stream);
    switch (ask.type) {
      case "nothing":
      case "open-stream":
        this.#forward(payloads, streams);
        break;
      case "restart":
        // XEP-0206 §5: payloads beside a restart are ignored.
        for (const { name } of streams) {
          this.#act({ type: "restart-stream", stream: name, attributes: ask.attributes });
        }
        break;
      case "pause":
        this.#forward(payloads, streams);
        // §10: everything is answered, without payloads, and the client is left alone for a while.
        while (this.#window.anyHeld) this.#answer(now, undefined);
        return this.#inactivity.pause(ask.duration);
      case "terminate":
        this.#forward(payloads, streams);
        if (this.#streams.open.length > streams.length) this.#closeStreams(streams);
        else return this.#terminate(now);
        break;
      default:
        ask satisfies never;
    }
    this.#flush(now);
    if (this.#over) return;
    const report = this.#attributes.report(now, body);
    if (report !== undefined && this.#canAnswer(now)) this.#answer(now, undefined, report);
    this.#releaseAllBut(now, this.#pressure.mostHeld);
    this.#flush(now);
  }

  #forward({ content, count, failures }: Payloads, streams: readonly SessionStream[]): void {
    if (content.length > 0) {
      for (const { name } of streams) this.#act({ type: "send", stream: name, content, count });
    }
    const [first] = streams;
    if (!first) return;
    for (const failure of failures) this.#downlink.push(first.name, outgoingText(failure));
  }

  // ---- streams

  #openStream(opening: StreamOpening): SessionStream {
    const stream = this.#streams.add(this.#init.nameStream());
    this.#act({ type: "open-stream", stream: stream.name, opening });
    if (!this.#pressure.flows) this.#act({ type: "flow", stream: stream.name, open: false });
    return stream;
  }

  /** §16.2. A stream that may not be opened gets its name all the same, and its end at once. */
  #openAnother(choice: StreamChoice): SessionStream {
    if (choice.type === "open") return this.#openStream(choice.opening);
    const stream = this.#streams.add(this.#init.nameStream());
    stream.isOpen = false;
    this.#downlink.end(stream.name, { ...choice, payloads: [] });
    return stream;
  }

  /** §16.6: the others go on. */
  #closeStreams(streams: readonly SessionStream[]): void {
    for (const stream of streams) {
      stream.isOpen = false;
      this.#act({ type: "close-stream", stream: stream.name, clean: true });
      this.#downlink.end(stream.name, CLIENT_ENDED);
    }
  }

  // ---- ends

  /** §13: the oldest request gets the terminal body, all others an empty one. */
  #terminate(now: number): void {
    while (!this.#window.oldestIsLive && this.#window.anyLive) this.#release(now);
    // Strophe drops what stands in a terminal body, and stanza throws: senders had better be told.
    this.#answerWith(now, terminalBody(undefined, undefined));
    this.#downlink.keepMissed();
    while (this.#window.anyHeld) this.#answer(now, undefined);
    for (const request of this.#window.takeWaiting()) this.#respond(request, EMPTY_BODY);
    this.#end({ condition: undefined, reason: "the client ended the session" }, { clean: true });
  }

  /** The last stream is over, or all are: whoever listens is told. */
  #finish(now: number, { condition, reason, payloads }: Final): void {
    if (this.#window.anyLive) {
      while (!this.#window.oldestIsLive) this.#release(now);
      // What the server said belongs to the oldest, the one that the client is sure to read.
      this.#answerWith(now, terminalBody(condition, reason, { payloads }), condition);
    }
    this.#answerOthers(now, condition, reason);
    this.#end({ condition, reason }, { clean: true });
  }

  /** The session ends, and no request is to blame. */
  #giveUp(now: number, objection: Objection): void {
    this.#answerOthers(now, objection.condition, objection.reason);
    this.#end(objection, { clean: false });
  }

  /** A request's mistake ends the session. */
  #fail(now: number, objection: Objection, offender: Asking): void {
    this.#answerOthers(now, "other-request", "another request ended the session");
    const { condition, reason } = objection;
    this.#respondToAll(offender, refusalBody(condition, reason), condition);
    this.#end(objection, { clean: false });
  }

  #answerOthers(now: number, condition: TerminalCondition | undefined, reason: string): void {
    const body = terminalBody(condition, reason);
    while (this.#window.anyHeld) this.#answerWith(now, body, condition);
    for (const request of this.#window.takeWaiting()) this.#respond(request, body, condition);
  }

  #end({ condition, reason, limit }: End, { clean }: { clean: boolean }): void {
    this.#over = true;
    const left = this.#downlink.takeUndelivered();
    if (left.length > 0) {
      this.#act({ type: "undelivered", payloads: left.map(({ out }) => out.payload) });
    }
    for (const stream of this.#streams.open) {
      const { name } = stream;
      const returned = returnsFor(stream, left);
      if (returned.length > 0) this.#act({ type: "send", stream: name, content: returned });
      // What is returned to its sender must reach the server before the connection goes.
      this.#act({ type: "close-stream", stream: name, clean: clean || returned.length > 0 });
    }
    this.#act({ type: "ended", condition, reason, limit });
  }

  #refuseLate(request: RequestId): void {
    this.#respond(request, TOO_LATE_BODY, "item-not-found");
  }

  // ---- answers

  /** Gives what waits to whoever listens. */
  #flush(now: number): void {
    while (!this.#over && !this.#downlink.isEmpty && this.#canAnswer(now)) {
      const batch = this.#downlink.take(this.#window.oldestOpens);
      if (batch === undefined) break;
      this.#checkFlow();
      if (batch.type === "payloads") this.#answer(now, batch);
      else if (this.#streams.open.length === 0 && this.#downlink.isEmpty) {
        this.#finish(now, batch.final);
      } else {
        // §16.5: a terminal body that names a stream ends only that one.
        const { condition, reason, payloads } = batch.final;
        this.#answerWith(now, terminalBody(condition, reason, { payloads, stream: batch.stream }));
      }
    }
    if (this.#over || !this.#lastCall || !this.#downlink.isEmpty) return;
    if (this.#canAnswer(now)) this.#finish(now, this.#lastCall);
  }

  /**
   * Makes the oldest held request one whose client is still there, and says whether it may be
   * answered: one that opens a stream waits for its features, because some clients never ask for
   * them again. Requests of clients that left count as answered when a later one can carry the
   * data: their answer stays available for repetition.
   */
  #canAnswer(now: number): boolean {
    if (!this.#window.anyLive) return false;
    while (!this.#window.oldestIsLive) this.#release(now);
    const opens = this.#window.oldestOpens;
    const stream = opens === undefined ? undefined : this.#streams.get(opens);
    return !stream || stream.featuresSeen || !stream.isOpen || this.#lastCall !== undefined;
  }

  /** Answers the oldest held request with payloads of one stream, or with none. */
  #answer(now: number, batch: PayloadBatch | undefined, more = ""): void {
    const attributes = this.#attributes.next(batch?.stream) + more;
    if (batch) this.#admission.delivered();
    this.#answerWith(now, bodyOf(batch?.payloads ?? [], attributes));
  }

  /** Answers the oldest held request with what there is; nothing is entrusted to a client that left. */
  #release(now: number): void {
    const { oldestIsLive, oldestOpens } = this.#window;
    this.#answer(now, oldestIsLive ? this.#downlink.takePayloads(oldestOpens) : undefined);
    this.#checkFlow();
  }

  /** Answers the oldest held request and keeps the answer for repetition. */
  #answerWith(now: number, body: Uint8Array<ArrayBuffer>, condition?: TerminalCondition): void {
    this.#respondToAll(this.#window.answer(now, body), body, condition);
    if (!this.#window.anyLive) this.#inactivity.begin(now);
  }

  /** Answers all that have waited long enough, and in front of them whatever is older. */
  #answerDue(now: number): void {
    for (const replaced of this.#window.takeReplaced(now)) this.#respond(replaced, EMPTY_BODY);
    while (!this.#over && this.#window.isDue(now)) this.#release(now);
    // It may have kept what waits from the requests behind it.
    this.#flush(now);
  }

  /** Answers the oldest until no more than `count` are held. */
  #releaseAllBut(now: number, count: number): void {
    while (this.#window.heldCount > count) this.#release(now);
  }

  /** Answers what only a backed-up upstream has kept; of one who polls, one may wait for features. */
  #releaseSurplus(now: number): void {
    if (this.#window.anyLive) this.#releaseAllBut(now, Math.max(1, this.#pressure.mostHeld));
    this.#flush(now);
  }

  #respondToAll(
    { request, others }: Asking,
    body: Uint8Array<ArrayBuffer>,
    condition?: TerminalCondition,
  ): void {
    if (others !== undefined) { for (const other of others) this.#respond(other, body, condition); }
    if (request !== undefined) this.#respond(request, body, condition);
  }

  #respond(request: RequestId, body: Uint8Array<ArrayBuffer>, condition?: TerminalCondition): void {
    // §17.1: clients without `ver` know only HTTP's own errors.
    const status = this.#init.isLegacy ? httpStatus(condition) : 200;
    this.#act({ type: "respond", request, status, body });
  }

  // ---- back-pressure

  #checkQueue(now: number): void {
    if (this.#over) return;
    if (this.#pressure.overflows) return this.#giveUp(now, TOO_MUCH_DOWN);
    this.#checkFlow();
  }

  #checkFlow(): void {
    if (!this.#pressure.look()) return;
    const open = this.#pressure.flows;
    for (const { name } of this.#streams.open) this.#act({ type: "flow", stream: name, open });
  }

  #act(action: BoshAction): void {
    this.#actions.push(action);
  }
}
