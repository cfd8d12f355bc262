import type { SessionRequest } from "../../../src/protocol/bosh/body.ts";
import type { RequestId } from "../../../src/protocol/bosh/window.ts";
import { broken } from "./streams.ts";

/** One rid. */
export interface Entry {
  readonly rid: number;
  /** `waiting`: behind a gap. `held`: processed, and perhaps not answered. */
  state: "waiting" | "held" | "answered";
  /** The connections that wait for the answer; none when their client has left. */
  readonly requests: Set<RequestId>;
  /** When the newest of several came: half a second later the others are let go with nothing. */
  joined: number;
  /** Its client left while it was held: whether it was answered then nobody can see. */
  isDoubtful: boolean;
  readonly body: SessionRequest | undefined;
  /** When it is answered at the earliest and at the latest, if nothing else is a reason. */
  earliest: number;
  latest: number;
  opens: string | undefined;
  /** What the client was answered the first time. */
  response: Uint8Array | undefined;
}

/** A rid came by one more connection. */
export function join(now: number, entry: Entry, request: RequestId): void {
  if (entry.requests.size > 0) entry.joined = now;
  entry.requests.add(request);
}

/** When all connections of a rid but the newest are let go. */
export function letsGoAt({ requests, joined }: Entry): number {
  return requests.size > 1 ? joined + 500 : Infinity;
}

/** Requests by their ids, as far as one can tell from outside. */
export class ModelWindow {
  readonly requests: number;
  last: number;
  readonly #mostBytes: number;
  readonly #entries = new Map<number, Entry>();
  /** Processed entries that are not certainly answered, oldest first. */
  #held: Entry[] = [];
  #waiting = 0;
  /** Highest rid that is certainly answered. */
  #answered: number;
  /** Answers from this rid on must be kept. */
  #keptFrom: number;
  #acknowledged = 0;
  #mayAcknowledge = false;
  #acknowledges = false;

  constructor(rid: number, requests: number, mostBytes: number) {
    this.requests = requests;
    this.last = rid - 1;
    this.#mostBytes = mostBytes;
    this.#answered = rid - 1;
    this.#keptFrom = rid;
  }

  get(rid: number): Entry | undefined {
    return this.#entries.get(rid);
  }

  hold(of: Pick<Entry, "rid" | "requests" | "joined" | "earliest" | "latest" | "opens">): Entry {
    const entry: Entry = {
      ...of,
      state: "held",
      body: undefined,
      isDoubtful: of.requests.size === 0,
      response: undefined,
    };
    this.#entries.set(of.rid, entry);
    this.#held.push(entry);
    this.last = of.rid;
    return entry;
  }

  wait(now: number, request: RequestId, body: SessionRequest): Entry {
    const waiting = this.#entries.get(body.rid);
    if (waiting !== undefined) {
      join(now, waiting, request);
      return waiting;
    }
    const entry: Entry = {
      rid: body.rid,
      state: "waiting",
      requests: new Set([request]),
      joined: Infinity,
      body,
      isDoubtful: false,
      earliest: Infinity,
      latest: Infinity,
      opens: undefined,
      response: undefined,
    };
    this.#entries.set(body.rid, entry);
    this.#waiting++;
    return entry;
  }

  get next(): Entry | undefined {
    const next = this.#entries.get(this.last + 1);
    return next?.state === "waiting" ? next : undefined;
  }

  takeNext(next: Entry): void {
    this.#entries.delete(next.rid);
    this.#waiting--;
  }

  leave(entry: Entry, request: RequestId): void {
    entry.requests.delete(request);
    entry.isDoubtful = entry.state === "held" && entry.requests.size === 0;
  }

  /** The rid got its first answer, so whatever is older has one too. */
  answered(entry: Entry): void {
    for (let oldest; (oldest = this.#held[0]) && oldest.rid <= entry.rid;) {
      if (oldest !== entry && oldest.requests.size > 0) {
        broken(2, `rid ${entry.rid} is answered before ${oldest.rid}`);
      }
      this.#letGo();
    }
  }

  /** All up to this rid have been answered, whether or not their clients were there to see. */
  letGoUpTo(rid: number): void {
    for (let oldest; (oldest = this.#held[0]) && oldest.rid <= rid;) {
      if (oldest.requests.size > 0) broken(8, `rid ${oldest.rid} is held after a pause`);
      this.#letGo();
    }
  }

  /** Of what is held, no more than `hold` are; the oldest go first. */
  letGoAllBut(hold: number): void {
    while (this.#held.length > hold && this.#held[0]!.requests.size === 0) this.#letGo();
  }

  #letGo(): void {
    const oldest = this.#held.shift()!;
    oldest.state = "answered";
    this.#answered = oldest.rid;
  }

  /** The client acknowledged the answers up to `rid`; `certain`: that one had been given. */
  acknowledge(rid: number, certain: boolean): void {
    if (rid > this.#mayBeAnswered) return;
    this.#mayAcknowledge = true;
    if (certain) {
      this.#acknowledges = true;
      this.#acknowledged = Math.max(this.#acknowledged, rid);
    }
    this.#keptFrom = Math.max(this.#keptFrom, rid + 1);
  }

  /** After an input: what need not be kept any more. */
  forget(): void {
    if (this.#acknowledges && this.#fitsLimits()) return;
    this.#keptFrom = Math.max(this.#keptFrom, this.#mayBeAnswered - this.requests + 1);
  }

  #fitsLimits(): boolean {
    const most = this.#mayBeAnswered;
    let bytes = 0;
    for (let rid = this.#keptFrom; rid <= most; rid++) {
      // What nobody saw has no payloads.
      bytes += this.#entries.get(rid)?.response?.length ?? 1000;
    }
    return most - this.#keptFrom < 63 && bytes <= this.#mostBytes;
  }

  /** An answer that must be given again. */
  isKept({ rid }: Entry): boolean {
    return rid >= this.#keptFrom;
  }

  /** An answer that must have been forgotten: else there is no bound. */
  isGone({ rid }: Entry): boolean {
    return rid <= this.#acknowledged ||
      (!this.#mayAcknowledge && rid <= this.#answered - this.requests);
  }

  /** Highest rid that may be answered. */
  get #mayBeAnswered(): number {
    const live = this.#held.find((entry) => entry.requests.size > 0);
    return live === undefined ? this.last : live.rid - 1;
  }

  get certainlyAnswered(): number {
    return this.#answered;
  }

  get live(): Entry[] {
    return this.#held.filter((entry) => entry.requests.size > 0);
  }

  get anyLive(): boolean {
    return this.#held.some((entry) => entry.requests.size > 0);
  }

  get heldCount(): number {
    return this.#held.length;
  }

  get anyWaiting(): boolean {
    return this.#waiting > 0;
  }
}
