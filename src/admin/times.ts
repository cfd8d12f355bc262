import type { Clock } from "../clock.ts";

/** Turns the times of the manager's clock into those of calendars. */
export class Times {
  readonly #clock: Clock;
  /** What the calendar's clock is ahead (milliseconds). */
  readonly #offset: number;

  constructor(clock: Clock, wall: () => number = Date.now) {
    this.#clock = clock;
    this.#offset = wall() - clock.now();
  }

  /** Milliseconds of the clock. */
  now(): number {
    return this.#clock.now();
  }

  /** A time of the clock, as ISO 8601 has it. */
  iso(at: number): string {
    return new Date(at + this.#offset).toISOString();
  }

  /** Seconds since a time of the clock. */
  since(at: number): number {
    return Math.max(0, this.now() - at) / 1000;
  }
}
