import type { SessionRequest } from "./body.ts";

/** The shell's number for a request. It is not the rid: one rid may arrive twice. */
export type RequestId = number;

/** A processed request that has not been answered. */
export interface Held {
  /** `undefined` once its client has left. */
  request: RequestId | undefined;
  readonly rid: number;
  /** When it must be answered (milliseconds). */
  deadline: number;
}

/** A request that arrived before one of its predecessors. */
interface Waiting {
  /** `undefined` once its client has left; its payloads count all the same. */
  request: RequestId | undefined;
  readonly body: SessionRequest;
}

/** Where a rid stands in the window. */
export type Place =
  | { readonly type: "next" }
  | { readonly type: "early" }
  | { readonly type: "held" }
  | { readonly type: "kept"; readonly response: Uint8Array<ArrayBuffer> }
  | { readonly type: "outside" };

/**
 * The requests of one session by their ids (XEP-0124 §14): which are held, which wait behind a
 * gap, and the answers kept for repetition. It knows order; what an answer says is not its affair.
 */
export class RequestWindow {
  readonly #requests: number;
  /** Highest rid whose predecessors have all arrived. */
  #last: number;
  readonly #held: Held[] = [];
  readonly #waiting = new Map<number, Waiting>();
  readonly #kept: { rid: number; response: Uint8Array<ArrayBuffer> }[] = [];

  /** `rid` is the creation request's, `requests` how far ahead of the last processed one a rid may be. */
  constructor(rid: number, requests: number) {
    this.#last = rid;
    this.#requests = requests;
  }

  place(rid: number): Place {
    if (rid === this.#last + 1) return { type: "next" };
    if (rid > this.#last) {
      return rid <= this.#last + this.#requests ? { type: "early" } : { type: "outside" };
    }
    if (this.#held.some((held) => held.rid === rid)) return { type: "held" };
    const kept = this.#kept.find((entry) => entry.rid === rid);
    return kept ? { type: "kept", response: kept.response } : { type: "outside" };
  }

  hold(held: Held): void {
    this.#last = held.rid;
    this.#held.push(held);
  }

  /** Gives a held rid to a new connection; returns the old one, if it is still there. */
  rehold(rid: number, request: RequestId, deadline: number): RequestId | undefined {
    const held = this.#held.find((entry) => entry.rid === rid)!;
    const old = held.request;
    held.request = request;
    held.deadline = deadline;
    return old;
  }

  /** Keeps an early request; returns the connection it replaces. The first body of a rid counts. */
  wait(request: RequestId, body: SessionRequest): RequestId | undefined {
    const waiting = this.#waiting.get(body.rid);
    if (waiting === undefined) {
      this.#waiting.set(body.rid, { request, body });
      return undefined;
    }
    const old = waiting.request;
    waiting.request = request;
    return old;
  }

  /** The waiting request whose turn it is. */
  takeNext(): Waiting | undefined {
    const next = this.#waiting.get(this.#last + 1);
    if (next !== undefined) this.#waiting.delete(next.body.rid);
    return next;
  }

  /** The requests behind the gap, oldest rid first, forgotten with this call. */
  takeWaiting(): RequestId[] {
    const waiting = [...this.#waiting.values()].sort((a, b) => a.body.rid - b.body.rid);
    this.#waiting.clear();
    return waiting.map((entry) => entry.request).filter((request) => request !== undefined);
  }

  abandon(request: RequestId): void {
    for (const held of this.#held) if (held.request === request) held.request = undefined;
    for (const waiting of this.#waiting.values()) {
      if (waiting.request === request) waiting.request = undefined;
    }
  }

  /**
   * Counts the oldest held request as answered with `response`, and keeps that for repetition;
   * returns the connection to write it to. §14.3: as many answers are kept as the window is wide.
   */
  answer(response: Uint8Array<ArrayBuffer>): RequestId | undefined {
    const { rid, request } = this.#held.shift()!;
    this.#kept.push({ rid, response });
    if (this.#kept.length > this.#requests) this.#kept.shift();
    return request;
  }

  /** Whether some client has waited long enough for its answer. */
  isDue(now: number): boolean {
    return this.#held.some((held) => held.request !== undefined && held.deadline <= now);
  }

  /** When the first answer is due to a client that is still there. */
  get deadline(): number | undefined {
    let first: number | undefined;
    for (const { request, deadline } of this.#held) {
      if (request !== undefined && (first === undefined || deadline < first)) first = deadline;
    }
    return first;
  }

  get heldCount(): number {
    return this.#held.length;
  }

  get anyHeld(): boolean {
    return this.#held.length > 0;
  }

  /** Some held request's client is still there. */
  get anyLive(): boolean {
    return this.#held.some((held) => held.request !== undefined);
  }

  get oldestIsLive(): boolean {
    return this.#held[0]?.request !== undefined;
  }

  get anyWaiting(): boolean {
    return this.#waiting.size > 0;
  }
}
