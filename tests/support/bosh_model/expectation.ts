import type { SessionRequest, StreamRequest } from "../../../src/protocol/bosh/body.ts";
import type { RequestId } from "../../../src/protocol/bosh/window.ts";
import { idOf } from "./answer.ts";
import type { ModelState, Turn } from "./state.ts";
import type { ModelStream } from "./streams.ts";
import { type Entry, join } from "./window.ts";

const CLIENT_END = {
  condition: undefined,
  reason: "the client ended the stream",
  error: undefined,
};
const ACTIVITY_REASONS = /^it polls more often|^its requests follow/;

type Asking = Pick<Entry, "requests" | "joined">;

/** What a request must bring about, written into the turn and the state. */
export class Expectation {
  readonly #state: ModelState;

  constructor(state: ModelState) {
    this.#state = state;
  }

  /** Where the request falls in the window, and what is to come of it. */
  arrive(turn: Turn, request: RequestId, body: SessionRequest): void {
    const { window } = this.#state;
    const { rid } = body;
    if (rid === window.last + 1) {
      this.#process(turn, { requests: new Set([request]), joined: Infinity }, body);
      for (let next; (next = window.next) && !this.#isEnding(turn, next);) {
        window.takeNext(next);
        if (this.#delivers(turn, next.rid)) this.#state.activity.delivered();
        this.#process(turn, next, next.body!);
      }
      return;
    }
    if (rid > window.last && rid <= window.last + window.requests) {
      if (window.get(rid)?.state === "waiting" && this.#isTooOften(turn, request, rid)) return;
      if (!window.anyLive && !window.anyWaiting) this.#state.quietSince = turn.now;
      this.#state.open.set(request, window.wait(turn.now, request, body));
      return;
    }
    const entry = window.get(rid);
    const answered = entry?.state === "answered";
    const mayBeOutside = answered && !window.isKept(entry);
    if (
      !entry || rid > window.last || (answered && window.isGone(entry)) ||
      (mayBeOutside && turn.ended?.condition === "item-not-found")
    ) {
      turn.fail = { condition: "item-not-found", offenders: new Set([request]) };
      return;
    }
    if (this.#isTooOften(turn, request, rid)) return;
    this.#state.open.set(request, entry);
    if (answered) {
      turn.repeated = entry;
      return;
    }
    if (entry.isDoubtful) turn.doubtful = entry;
    entry.isDoubtful = false;
    join(turn.now, entry, request);
    // The upstream may have drained while no client was there.
    this.release(turn, true);
    [entry.earliest, entry.latest] = this.#wait(turn.now, entry.opens !== undefined);
  }

  /** Counts a repetition. */
  #isTooOften(turn: Turn, request: RequestId, rid: number): boolean {
    if (this.#state.repeats.rid !== rid) this.#state.repeats = { rid, times: 0, since: turn.now };
    const { repeats } = this.#state;
    if (++repeats.times <= 10 + (turn.now - repeats.since) / 1000) return false;
    turn.fail = { condition: "policy-violation", offenders: new Set([request]) };
    return true;
  }

  /** An upstream takes what is sent again, or is over: those go that were held for it. */
  release(turn: Turn, anyLive = turn.before.anyLive): void {
    if (!anyLive) return;
    const most = Math.max(1, this.#state.mostHeld);
    turn.letsGo ||= turn.before.held > most;
    turn.released = most;
  }

  /** Whether what was there before a request's turn was given to one since the turn before. */
  #delivers(turn: Turn, rid: number): boolean {
    const given = turn.answers.filter(({ request, answer }) => {
      const entry = this.#state.open.get(request);
      const [first] = answer.payloads;
      return entry && entry.rid < rid && first !== undefined && answer.type === undefined &&
        this.#state.streamOf.has(idOf(first));
    }).length;
    const before = turn.givenBefore;
    turn.givenBefore = given;
    return given > before;
  }

  /** In a row of requests that had to wait, whether one before this was the session's last. */
  #isEnding({ fail, terminated, firstTold }: Turn, { rid }: Entry): boolean {
    if (fail !== undefined || terminated !== undefined) return true;
    const told = firstTold === undefined ? undefined : this.#state.open.get(firstTold);
    return told !== undefined && told.rid < rid;
  }

  #process(turn: Turn, asking: Asking, body: SessionRequest): void {
    const { requests } = asking;
    const condition = this.#objection(turn, requests, body);
    if (condition !== undefined) {
      turn.fail = { condition, offenders: requests };
      return;
    }
    const { ask, content } = body;
    turn.processed++;
    if (body.ack !== undefined) turn.acks.push(body.ack);
    this.#state.pause = undefined;
    this.#state.writesToAlways ||= body.namesDomain && content.length > 0;
    const opensAnother = ask.type === "open-stream" && !this.#state.writesToAlways &&
      this.#state.init.limits.maxStreams > 1;
    const another = opensAnother ? this.#openAnother(turn, ask.opening) : undefined;
    this.hold(turn, body.rid, asking, another);
    turn.letsGo ||= this.#state.granted.isPolling || ask.type === "restart" ||
      ask.type === "pause" || another !== undefined ||
      turn.before.held + turn.processed > this.#state.mostHeld;
    const addressed = this.#state.streams.filter(({ isOpen, name }) =>
      isOpen && (body.stream === undefined || body.stream === name)
    );
    if (ask.type === "restart") {
      for (const { name: stream } of addressed) {
        turn.upstream.push({ type: "restart-stream", stream, attributes: ask.attributes });
      }
      return;
    }
    for (const { name: stream } of addressed) {
      if (content.length > 0) turn.upstream.push({ type: "send", stream, content });
    }
    const [first] = addressed;
    for (const text of first === undefined ? [] : body.failures) {
      const common = { size: text.length, matters: false, bounces: false, teaches: undefined };
      this.#state.want(first!, { text, id: idOf(text), ...common });
    }
    if (ask.type === "pause") {
      this.#state.pause = ask.duration * 1000;
      turn.pausedAt = body.rid;
    } else if (ask.type === "terminate") {
      if (this.#state.openStreams.length === addressed.length) {
        turn.terminated = { listening: requests.size > 0 };
        return;
      }
      for (const stream of addressed) {
        stream.isOpen = false;
        stream.end = CLIENT_END;
        turn.upstream.push({ type: "close-stream", stream: stream.name, clean: true });
      }
      // It may have been the one that others were held for.
      turn.letsGo ||= turn.before.held + turn.processed > this.#state.mostHeld;
    }
  }

  /** The condition with which the session must end for this request. */
  #objection(turn: Turn, ids: Set<RequestId>, body: SessionRequest): string | undefined {
    if (!this.#state.keys.accepts(body.key, body.newkey)) return "item-not-found";
    const { ask, stream } = body;
    const isEmpty = ask.type === "nothing" && body.content.length === 0;
    if (stream !== undefined && !isEmpty && !this.#state.stream(stream)) return "item-not-found";
    if (ask.type === "pause" && ask.duration * 1000 > this.#state.init.limits.maxPause) {
      return "policy-violation";
    }
    const { window } = this.#state;
    // More are held by the session's own doing.
    const { hold } = this.#state.granted;
    const held = {
      least: turn.processed > 0 ? 0 : Math.min(window.live.length, hold),
      most: Math.min(window.heldCount, hold),
    };
    const verdict = this.#state.activity.request(turn.now, isEmpty, held);
    if (verdict === "too-much") return "policy-violation";
    if (verdict === "fine" || turn.ended === undefined) return undefined;
    // What cannot be told from outside, the session's choice tells.
    if (!ACTIVITY_REASONS.test(turn.ended.reason)) return undefined;
    const isThis = ids.size === 0 ? turn.told.length === 0 : turn.told.some((id) => ids.has(id));
    return isThis ? "policy-violation" : undefined;
  }

  #openAnother(turn: Turn, request: StreamRequest): ModelStream {
    const { limits, chooseStream } = this.#state.init;
    const isFull = this.#state.openStreams.length >= limits.maxStreams;
    const stream = this.#state.addStream();
    const choice = chooseStream(request);
    if (choice.type === "open" && !isFull) {
      const { opening } = choice;
      turn.upstream.push({ type: "open-stream", stream: stream.name, opening });
      return stream;
    }
    stream.isOpen = false;
    const reason = `a session may have at most ${limits.maxStreams} streams`;
    stream.end = isFull || choice.type === "open"
      ? { condition: "policy-violation", reason, error: undefined }
      : { condition: choice.condition, reason: choice.reason, error: undefined };
    return stream;
  }

  hold(turn: Turn, rid: number, { requests, joined }: Asking, opens?: ModelStream): void {
    const [earliest, latest] = this.#wait(turn.now, opens !== undefined);
    const entry = this.#state.window.hold({
      rid,
      requests,
      joined,
      earliest,
      latest,
      opens: opens?.name,
    });
    for (const request of requests) this.#state.open.set(request, entry);
    if (opens) opens.opener = entry;
  }

  /**
   * Between when and when a request is answered that nothing answers before (XEP-0124 §7.1). One
   * that opens a stream waits for its features no longer than ten seconds.
   */
  #wait(now: number, opens: boolean): [earliest: number, latest: number] {
    const { wait, isPolling } = this.#state.granted;
    if (isPolling && !opens) return [now, now];
    const longest = opens ? Math.min(wait, 10_000) : wait;
    return [now + Math.max(0, longest - 500), now + longest];
  }
}
