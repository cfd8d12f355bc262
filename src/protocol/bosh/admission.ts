import type { SessionInit, StreamChoice } from "./actions.ts";
import { Activity } from "./activity.ts";
import type { SessionRequest } from "./body.ts";
import { showsAuthentication, Unauthenticated } from "../unauthenticated.ts";
import type { Payload } from "../xml/payload.ts";
import { KeySequence } from "./keys.ts";
import type { BoshLimits, Granted } from "./negotiation.ts";
import { type Objection, tooMuch } from "./objections.ts";
import type { Streams } from "./streams.ts";
import type { Place } from "./window.ts";

/** Judges requests when their turn has come: in rid order, each once. */
export class Admission {
  readonly #limits: BoshLimits;
  readonly #chooseStream: SessionInit["chooseStream"];
  readonly #repeated: SessionInit["repeated"];
  readonly #keys: KeySequence;
  readonly #activity: Activity;
  #writesToAlways: boolean;
  /** `undefined`: the client has authenticated. */
  #unauthenticated: Unauthenticated | undefined;

  constructor(
    now: number,
    { creation, limits, sha1, chooseStream, repeated, writesToAlways }: SessionInit,
    granted: Granted,
  ) {
    this.#limits = limits;
    this.#chooseStream = chooseStream;
    this.#repeated = repeated;
    this.#writesToAlways = writesToAlways;
    this.#keys = new KeySequence(sha1);
    this.#keys.accepts(creation.key, creation.newkey);
    this.#activity = new Activity(granted, limits.strict);
    this.#unauthenticated = new Unauthenticated(now, limits);
    this.#unauthenticated.sends(creation.size);
  }

  /** `held`: how many requests are unanswered already, and need not be. */
  request(
    now: number,
    body: SessionRequest,
    { held, streams }: { readonly held: number; readonly streams: Streams },
  ): Objection | undefined {
    // XEP-0124 §15.4: a request whose key is wrong "MUST NOT" be processed, and is named like an
    // unknown one.
    if (!this.#keys.accepts(body.key, body.newkey)) {
      return { condition: "item-not-found", reason: "the key of the request is not the next one" };
    }
    const isEmpty = body.ask.type === "nothing" && body.content.length === 0;
    if (body.stream !== undefined && !isEmpty && !streams.get(body.stream)) {
      return { condition: "item-not-found", reason: "the session has no such stream" };
    }
    const { maxPause } = this.#limits;
    if (body.ask.type === "pause" && body.ask.duration * 1000 > maxPause) {
      const reason = maxPause === 0
        ? "sessions cannot be paused here"
        : `a pause may last at most ${maxPause / 1000} s`;
      return { condition: "policy-violation", reason };
    }
    if (body.ask.type === "open-stream" && streams.count >= MOST_STREAMS) {
      return { condition: "policy-violation", reason: "it opens one stream after the other" };
    }
    const overdrawn = this.#unauthenticated?.sends(body.size);
    if (overdrawn) return { condition: "policy-violation", ...overdrawn };
    return violation(this.#activity.request(now, body, held + 1));
  }

  /**
   * The further stream that a request opens, or is refused (§16.2); `undefined`: it asks for none.
   * Some clients write `to` on every request, and mean nothing by it.
   */
  anotherStream(body: SessionRequest, streams: Streams): StreamChoice | undefined {
    this.#writesToAlways ||= body.namesDomain && body.content.length > 0;
    const { maxStreams } = this.#limits;
    if (body.ask.type !== "open-stream" || maxStreams === 1 || this.#writesToAlways) {
      return undefined;
    }
    if (streams.open.length < maxStreams) return this.#chooseStream(body.ask.opening);
    const reason = `a session may have at most ${maxStreams} streams`;
    return { type: "refused", condition: "policy-violation", reason };
  }

  /**
   * A request whose turn it is not, or not any more. `waitingBytes`: what those come to that wait
   * for their turn.
   */
  arrival(
    now: number,
    place: Place["type"],
    { rid, size }: SessionRequest,
    waitingBytes: number,
  ): Objection | undefined {
    if (place === "held" || place === "kept" || place === "waiting") {
      this.#repeated?.();
      return violation(this.#activity.repeat(now, rid));
    }
    if (place !== "early") return undefined;
    const overdrawn = this.#unauthenticated?.wouldSend(waitingBytes + size);
    if (overdrawn) return { condition: "policy-violation", ...overdrawn };
    return waitingBytes + size > this.#limits.queuedBytes
      ? tooMuch("too much is waiting for a request that is missing")
      : undefined;
  }

  /** The newest request was answered with payloads. */
  delivered(): void {
    this.#activity.delivered();
  }

  /** Learns from what a server says. */
  observe(payload: Payload): void {
    if (this.#unauthenticated && showsAuthentication(payload)) this.#unauthenticated = undefined;
  }

  /** The client has had time enough to authenticate. */
  late(now: number): Objection | undefined {
    const overdrawn = this.#unauthenticated?.late(now);
    return overdrawn && { condition: "policy-violation", ...overdrawn };
  }

  get isAuthenticated(): boolean {
    return this.#unauthenticated === undefined;
  }

  /** When the newest request came, as {@link Activity} has it. */
  get newest(): number {
    return this.#activity.newest;
  }

  /** When it has (milliseconds). */
  get deadline(): number {
    return this.#unauthenticated?.deadline ?? Infinity;
  }
}

/** Streams that one session may ever have had: their names are remembered. */
const MOST_STREAMS = 256;

function violation(reason: string | undefined): Objection | undefined {
  return reason === undefined ? undefined : { condition: "policy-violation", reason };
}
