import { Histogram } from "../meter.ts";

/** Milliseconds between two looks, and for how long it is looked after somebody has asked. */
const INTERVAL = 250;
const INTEREST = 300_000;

/**
 * How late the event loop is: by so much longer everything waits than it had to. A timer asks, and only
 * for some minutes after somebody wanted to know, so that nobody wakes an idle process for nothing.
 */
export class EventLoopLag {
  /** Seconds. */
  readonly histogram = new Histogram([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]);
  #until = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Somebody asks. */
  watch(): void {
    this.#until = performance.now() + INTEREST;
    if (this.#timer === undefined) this.#look();
  }

  #look(): void {
    const due = performance.now() + INTERVAL;
    this.#timer = setTimeout(() => {
      const now = performance.now();
      // Timers are good to a millisecond, and some come early.
      this.histogram.observe(Math.max(0, now - due - 1) / 1000);
      this.#timer = undefined;
      if (now < this.#until) this.#look();
    }, INTERVAL);
    Deno.unrefTimer(this.#timer);
  }
}
