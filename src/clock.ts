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

/** Somebody to wake, and when (milliseconds of the clock). */
interface Appointment {
  readonly at: number;
  readonly wake: () => void;
  /** Where it is in the heap; -1: no longer. */
  index: number;
}

/**
 * The clock of the machine. Whoever wants to be woken is put into one heap, the first of them on
 * top, and only that one has a timer of the platform's: ten thousand of those would be megabytes.
 */
class SystemClock implements Clock {
  readonly #heap: Appointment[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires. */
  #firesAt = Infinity;
  readonly #fire = (): void => {
    this.#timer = undefined;
    this.#firesAt = Infinity;
    try {
      const now = this.now();
      for (let first; (first = this.#heap[0]) !== undefined && first.at <= now;) {
        this.#remove(first);
        first.wake();
      }
    } finally {
      this.#arm();
    }
  };

  now(): number {
    // Whole milliseconds: a fraction would be an object of its own wherever a time is kept.
    return Math.floor(performance.now());
  }

  after(ms: number, wake: () => void): Cancel {
    // The present millisecond has begun already.
    const appointment = { at: this.now() + Math.ceil(ms) + 1, wake, index: this.#heap.length };
    this.#heap.push(appointment);
    this.#rise(appointment);
    this.#arm();
    return () => {
      if (appointment.index < 0) return;
      this.#remove(appointment);
      if (this.#heap.length === 0) this.#arm();
    };
  }

  /** A timer that fires too early is left to: most appointments are moved or cancelled in time. */
  #arm(): void {
    const at = this.#heap[0]?.at ?? Infinity;
    if (at === Infinity || at < this.#firesAt) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#firesAt = at;
      if (at !== Infinity) this.#timer = setTimeout(this.#fire, Math.max(0, at - this.now()));
    }
  }

  #remove(appointment: Appointment): void {
    const { index } = appointment;
    const last = this.#heap.pop()!;
    appointment.index = -1;
    if (last === appointment) return;
    last.index = index;
    this.#heap[index] = last;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(appointment: Appointment): void {
    while (appointment.index > 0) {
      const parent = this.#heap[(appointment.index - 1) >> 1]!;
      if (parent.at <= appointment.at) return;
      this.#swap(parent, appointment);
    }
  }

  #sink(appointment: Appointment): void {
    for (;;) {
      const left = this.#heap[2 * appointment.index + 1];
      const right = this.#heap[2 * appointment.index + 2];
      const child = right !== undefined && right.at < left!.at ? right : left;
      if (child === undefined || child.at >= appointment.at) return;
      this.#swap(appointment, child);
    }
  }

  /** `lower` takes the place of `upper`, its parent. */
  #swap(upper: Appointment, lower: Appointment): void {
    const { index } = upper;
    upper.index = lower.index;
    lower.index = index;
    this.#heap[upper.index] = upper;
    this.#heap[index] = lower;
  }
}

/** The clock of the machine. */
export const systemClock: Clock = new SystemClock();

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
