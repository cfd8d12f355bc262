import { ownRequest, type SessionRequest } from "./body.ts";

/** The shell's number for a request. It is not the rid: one rid may arrive twice. */
export type RequestId = number;

/**
 * Who waits for the answer to one rid. A client that repeats it has given the older connection up; but
 * the copy that comes second may be the one that was given up, for networks deliver late. So all
 * connections wait, until it shows by the loss of one, or for a moment: then the older ones are let go.
 */
export interface Asking {
  /** The newest of the connections that it came by and that are still there. */
  request: RequestId | undefined;
  /** The others; nearly always there are none. */
  others?: readonly RequestId[] | undefined;
  /** When those are let go (milliseconds). */
  patience?: number | undefined;
}

/** How long a connection waits beside a newer one for the same rid (milliseconds). */
const PATIENCE = 500;

/** A processed request that has not been answered. */
export interface Held extends Asking {
  readonly rid: number;
  /** When it must be answered (milliseconds). */
  deadline: number;
  /** The stream that it opens, whose features its answer should carry. */
  readonly opens: string | undefined;
}

/** An answer that may be asked for again. */
interface Kept {
  readonly rid: number;
  readonly response: Uint8Array<ArrayBuffer>;
  /** When it was given (milliseconds). */
  readonly sent: number;
}

/** A request that arrived before one of its predecessors. If its client leaves, its payloads count all the same. */
export interface Waiting extends Asking {
  readonly body: SessionRequest;
}

/** Where a rid stands in the window. */
export type Place =
  | { readonly type: "next" }
  | { readonly type: "early" }
  /** Early, and there already. */
  | { readonly type: "waiting" }
  /** `opens`: the stream that it opens. */
  | { readonly type: "held"; readonly opens: string | undefined }
  | { readonly type: "kept"; readonly response: Uint8Array<ArrayBuffer> }
  | { readonly type: "outside" };

/**
 * The requests of one session by their ids (XEP-0124 §14): which are held, which wait behind a
 * gap, and the answers kept for repetition. It knows order; what an answer says is not its affair.
 */
export class RequestWindow {
  readonly #requests: number;
  readonly #mostKeptBytes: number;
  /** Highest rid whose predecessors have all arrived. */
  #last: number;
  // Arrays that are made anew rather than grown: the room that growing leaves would be most of them.
  #held: readonly Held[] = NONE;
  #kept: Kept[] = [];
  /** `undefined`: there is no gap. */
  #waiting: Map<number, Waiting> | undefined;
  #waitingBytes = 0;
  #keptBytes = 0;
  /** The client says which answers it has, so that the others are kept beyond the usual number. */
  #acknowledges = false;

  /**
   * `rid` is the creation request's, `requests` how far ahead of the last processed one a rid may
   * be; of answers that were never acknowledged no more than `mostKeptBytes` are kept.
   */
  constructor(rid: number, requests: number, mostKeptBytes: number) {
    this.#last = rid;
    this.#requests = requests;
    this.#mostKeptBytes = mostKeptBytes;
  }

  place(rid: number): Place {
    if (rid === this.#last + 1) return NEXT;
    if (rid > this.#last + this.#requests) return OUTSIDE;
    if (rid > this.#last) return { type: this.#waiting?.has(rid) ? "waiting" : "early" };
    const held = this.#held.find((entry) => entry.rid === rid);
    if (held) return { type: "held", opens: held.opens };
    const kept = this.#kept.find((entry) => entry.rid === rid);
    return kept ? { type: "kept", response: kept.response } : OUTSIDE;
  }

  hold(held: Held): void {
    this.#last = held.rid;
    this.#held = this.#held.length === 0 ? [held] : this.#held.concat(held);
  }

  /** A held rid came by a new connection. */
  rehold(now: number, request: RequestId, rid: number, deadline: number): void {
    const held = this.#held.find((entry) => entry.rid === rid)!;
    join(now, held, request);
    held.deadline = deadline;
  }

  /** The connections that a newer one has taken the place of, forgotten with this call. */
  takeReplaced(now: number): readonly RequestId[] {
    let replaced = NOBODY;
    for (const held of this.#held) {
      if (held.others === undefined || now < (held.patience ?? Infinity)) continue;
      replaced = [...replaced, ...held.others];
      held.others = held.patience = undefined;
    }
    return replaced;
  }

  /** Keeps an early request. The first body of a rid counts. */
  wait(now: number, request: RequestId, body: SessionRequest): void {
    const waiting = this.#waiting?.get(body.rid);
    if (waiting !== undefined) return join(now, waiting, request);
    this.#waiting ??= new Map();
    this.#waiting.set(body.rid, { request, body: ownRequest(body) });
    this.#waitingBytes += body.size;
  }

  /** The waiting request whose turn it is. */
  takeNext(): Waiting | undefined {
    const next = this.#waiting?.get(this.#last + 1);
    if (next === undefined) return undefined;
    this.#waiting!.delete(next.body.rid);
    this.#waitingBytes -= next.body.size;
    if (this.#waiting!.size === 0) this.#waiting = undefined;
    return next;
  }

  /** The requests behind the gap, oldest rid first, forgotten with this call. */
  takeWaiting(): RequestId[] {
    if (this.#waiting === undefined) return [];
    const waiting = [...this.#waiting.values()].sort((a, b) => a.body.rid - b.body.rid);
    this.#waiting = undefined;
    return waiting.flatMap(({ request, others = [] }) =>
      request === undefined ? others : [...others, request]
    );
  }

  abandon(request: RequestId): void {
    for (const held of this.#held) leave(held, request);
    for (const waiting of this.#waiting?.values() ?? []) leave(waiting, request);
  }

  /**
   * Counts the oldest held request as answered with `response`, and keeps that for repetition;
   * returns who is to be given it. XEP-0124 §14.3: as many answers are kept as the window
   * is wide; of a client that acknowledges, all that it has not got.
   */
  answer(now: number, response: Uint8Array<ArrayBuffer>): Readonly<Asking> {
    const asking = this.#held[0]!;
    const { rid } = asking;
    this.#held = this.#held.length === 1 ? NONE : this.#held.slice(1);
    this.#keptBytes += response.length;
    let hasRoom = false;
    while (
      this.#kept.length >= this.#requests &&
      (!this.#acknowledges || this.#kept.length >= MOST_KEPT ||
        this.#keptBytes > this.#mostKeptBytes)
    ) {
      this.#forgetOldest();
      hasRoom = true;
    }
    const kept = { rid, response, sent: now };
    if (hasRoom) this.#kept.push(kept);
    else this.#kept = this.#kept.concat(kept);
    return asking;
  }

  /**
   * The client has all answers up to this rid (§9.2); one that was never given is not believed.
   * Returns whether that was news.
   */
  acknowledge(rid: number | undefined): boolean {
    const newest = this.#kept.at(-1);
    if (newest === undefined || rid === undefined || rid > newest.rid) return false;
    this.#acknowledges = true;
    const isNews = this.#kept[0]!.rid <= rid;
    while (this.#kept.length > 0 && this.#kept[0]!.rid <= rid) this.#forgetOldest();
    return isNews;
  }

  /** The first answer that the client lacks, when it says that it has those up to `rid`. */
  firstUnacknowledged(rid: number): { readonly rid: number; readonly sent: number } | undefined {
    return this.#kept.find((kept) => kept.rid === rid + 1);
  }

  #forgetOldest(): void {
    this.#keptBytes -= this.#kept[0]!.response.length;
    this.#kept.shift();
  }

  /** Whether some client has waited long enough for its answer. */
  isDue(now: number): boolean {
    return this.#held.some((held) => held.request !== undefined && held.deadline <= now);
  }

  /** When the first answer is due to a client that is still there. */
  get deadline(): number | undefined {
    let first: number | undefined;
    for (const { request, deadline, others, patience } of this.#held) {
      const due = others !== undefined && patience! < deadline ? patience! : deadline;
      if (request !== undefined && (first === undefined || due < first)) first = due;
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
    return this.#waiting !== undefined;
  }

  /** Bytes of the requests behind the gap. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** The stream that the oldest held request opens. */
  get oldestOpens(): string | undefined {
    return this.#held[0]?.opens;
  }

  get oldestRid(): number | undefined {
    return this.#held[0]?.rid;
  }

  /** Highest rid whose predecessors have all arrived. */
  get last(): number {
    return this.#last;
  }
}

const NEXT: Place = { type: "next" };
const OUTSIDE: Place = { type: "outside" };
const NONE: readonly Held[] = [];
const NOBODY: readonly RequestId[] = [];

function join(now: number, asking: Asking, request: RequestId): void {
  if (asking.request !== undefined) {
    asking.others = [...asking.others ?? [], asking.request];
    asking.patience = now + PATIENCE;
  }
  asking.request = request;
}

function leave(asking: Asking, request: RequestId): void {
  const { others } = asking;
  if (asking.request === request) {
    asking.request = others?.at(-1);
    asking.others = orNobody(others?.slice(0, -1));
  } else if (others !== undefined) {
    asking.others = orNobody(others.filter((other) => other !== request));
  }
}

function orNobody(others: readonly RequestId[] | undefined): readonly RequestId[] | undefined {
  return others === undefined || others.length === 0 ? undefined : others;
}

/** Answers kept for a client that acknowledges, at the most. */
const MOST_KEPT = 64;
