import type { Appointment, Clock, Sleeper } from "../../src/clock.ts";

/** A clock whose hands the test moves. */
export class TestClock implements Clock {
  #now = 0;
  readonly #timers = new Map<symbol, { at: number; sleeper: Sleeper }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, sleeper: Sleeper): Appointment {
    const timer = Symbol();
    this.#timers.set(timer, { at: this.#now + ms, sleeper });
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Lets `ms` milliseconds pass; timers ring in order, each at its own time. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= until);
      const [next] = due.sort(([, a], [, b]) => a.at - b.at);
      if (next === undefined) break;
      this.#timers.delete(next[0]);
      this.#now = Math.max(this.#now, next[1].at);
      next[1].sleeper.wake();
    }
    this.#now = until;
  }

  /** Timers that have not rung. */
  get timers(): number {
    return this.#timers.size;
  }
}
