import type { Clock } from "../clock.ts";
import type { EventSink, LimitName } from "../events.ts";

/** How often it is told that a limit bites (milliseconds): a stranger decides how often it does. */
const REPORT = 10_000;

/** Counts how often each limit was met, and tells it once in a while. */
export class LimitReports {
  readonly #clock: Clock;
  readonly #emit: EventSink;
  readonly #counts = new Map<LimitName, Count>();

  constructor(clock: Clock, emit: EventSink) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** A limit has bitten; `address` is whom, `""` or nothing when nobody knows. */
  met(limit: LimitName, address = ""): void {
    let count = this.#counts.get(limit);
    if (count === undefined) this.#counts.set(limit, count = { all: 0, told: 0, next: -Infinity });
    count.all++;
    const now = this.#clock.now();
    if (now < count.next) return;
    this.#emit({ type: "limit-reached", limit, address, count: count.all - count.told });
    count.told = count.all;
    count.next = now + REPORT;
  }

  /** How often each has bitten since the beginning. */
  get totals(): ReadonlyMap<LimitName, number> {
    return new Map([...this.#counts].map(([limit, { all }]) => [limit, all]));
  }
}

interface Count {
  all: number;
  /** How much of it has been told. */
  told: number;
  /** When it may be told again. */
  next: number;
}
