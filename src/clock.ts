/**
 * Time, handed in rather than looked up, so that a test can hold the hands of
 * the clock. Everything is in milliseconds of a monotonic clock.
 */

/** Cancels what {@link Clock.after} arranged; calling it late or twice is harmless. */
export type Cancel = () => void;

/** A monotonic clock that can also wake its owner. */
export interface Clock {
  /** Milliseconds since an arbitrary moment; never goes back. */
  now(): number;
  /** Calls `wake` once, `ms` milliseconds from now. */
  after(ms: number, wake: () => void): Cancel;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  // Whole milliseconds: a fraction would be an object of its own wherever a time is kept.
  now: () => Math.floor(performance.now()),
  after(ms, wake) {
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * One timer for one deadline.
 *
 * Deadlines of a session nearly always move later, so the timer is left to
 * fire early: it then looks at the deadline and sleeps again. Ten thousand
 * long polls so cost a handful of timers instead of ten thousand.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #due: () => void;
  #deadline: number | undefined;
  #firesAt = Infinity;
  #cancel: Cancel | undefined;

  /** `due` is called when the deadline has come; it is then unset until {@link set} again. */
  constructor(clock: Clock, due: () => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** Moves the deadline, or takes it away. */
  set(deadline: number | undefined): void {
    this.#deadline = deadline;
    if (deadline === undefined || deadline >= this.#firesAt) return;
    this.#cancel?.();
    this.#arm(deadline);
  }

  /** Takes the deadline and the timer away for good. */
  stop(): void {
    this.#deadline = undefined;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#firesAt = Infinity;
  }

  #arm(deadline: number): void {
    this.#firesAt = deadline;
    this.#cancel = this.#clock.after(Math.max(0, deadline - this.#clock.now()), () => this.#fire());
  }

  #fire(): void {
    this.#cancel = undefined;
    this.#firesAt = Infinity;
    const deadline = this.#deadline;
    if (deadline === undefined) return;
    // Timers may fire a fraction of a millisecond early.
    if (this.#clock.now() < deadline) return this.#arm(deadline);
    this.#deadline = undefined;
    this.#due();
  }
}
