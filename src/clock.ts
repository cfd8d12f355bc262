/**
 * Time, handed in rather than looked up, so that a test can hold the hands of
 * the clock. Everything is in milliseconds of a monotonic clock.
 */

/** Whom a clock wakes. An object, and no function: a function of its own for every deadline would be 200 bytes. */
export interface Sleeper {
  wake(): void;
}

/** What {@link Clock.after} arranged. */
export interface Appointment {
  /** Calling it late or twice is harmless. */
  cancel(): void;
}

/** A monotonic clock that can also wake its owner. */
export interface Clock {
  /** Milliseconds since an arbitrary moment; never goes back. */
  now(): number;
  /** Likewise with fractions, for what is measured; missing: there are none. */
  precise?(): number;
  /** Wakes the sleeper once, `ms` milliseconds from now. */
  after(ms: number, sleeper: Sleeper): Appointment;
}

/**
 * Who sleeps for so long is woken up to so much later (milliseconds), together with others: thousands of
 * long polls would each have the process woken for them alone, and that costs more than all else of idling.
 */
const LONG = 1_000;
const COMPANY = 64;

/**
 * The clock of the machine. Whoever wants to be woken is put into one heap, the first of them on
 * top, and only that one has a timer of the platform's: ten thousand of those would be megabytes.
 */
class SystemClock implements Clock {
  readonly #heap: Entry[] = [];
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
        first.sleeper.wake();
      }
    } finally {
      this.#arm();
    }
  };

  now(): number {
    // Whole milliseconds: a fraction would be an object of its own wherever a time is kept.
    return Math.floor(performance.now());
  }

  precise(): number {
    return performance.now();
  }

  after(ms: number, sleeper: Sleeper): Appointment {
    // The present millisecond has begun already.
    let at = this.now() + Math.ceil(ms) + 1;
    if (ms >= LONG) at = Math.ceil(at / COMPANY) * COMPANY;
    const entry = new Entry(this, at, sleeper, this.#heap.length);
    this.#heap.push(entry);
    this.#rise(entry);
    this.#arm();
    return entry;
  }

  cancel(entry: Entry): void {
    if (entry.index < 0) return;
    this.#remove(entry);
    if (this.#heap.length === 0) this.#arm();
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

  #remove(entry: Entry): void {
    const { index } = entry;
    const last = this.#heap.pop()!;
    entry.index = -1;
    if (last === entry) return;
    last.index = index;
    this.#heap[index] = last;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry): void {
    while (entry.index > 0) {
      const parent = this.#heap[(entry.index - 1) >> 1]!;
      if (parent.at <= entry.at) return;
      this.#swap(parent, entry);
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const left = this.#heap[2 * entry.index + 1];
      const right = this.#heap[2 * entry.index + 2];
      const child = right !== undefined && right.at < left!.at ? right : left;
      if (child === undefined || child.at >= entry.at) return;
      this.#swap(entry, child);
    }
  }

  /** `lower` takes the place of `upper`, its parent. */
  #swap(upper: Entry, lower: Entry): void {
    const { index } = upper;
    upper.index = lower.index;
    lower.index = index;
    this.#heap[upper.index] = upper;
    this.#heap[index] = lower;
  }
}

/** Somebody to wake, and when (milliseconds of the clock). */
class Entry implements Appointment {
  readonly #clock: SystemClock;
  readonly at: number;
  readonly sleeper: Sleeper;
  /** Where it is in the heap; -1: no longer. */
  index: number;

  constructor(clock: SystemClock, at: number, sleeper: Sleeper, index: number) {
    this.#clock = clock;
    this.at = at;
    this.sleeper = sleeper;
    this.index = index;
  }

  cancel(): void {
    this.#clock.cancel(this);
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
export class Alarm implements Sleeper {
  readonly #clock: Clock;
  readonly #owner: Sleeper;
  #deadline: number | undefined;
  #firesAt = Infinity;
  #appointment: Appointment | undefined;

  /** The owner is woken when the deadline has come; it is then unset until {@link set} again. */
  constructor(clock: Clock, owner: Sleeper) {
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Moves the deadline, or takes it away. */
  set(deadline: number | undefined): void {
    this.#deadline = deadline;
    if (deadline === undefined || deadline >= this.#firesAt) return;
    this.#appointment?.cancel();
    this.#arm(deadline);
  }

  /** Takes the deadline and the timer away for good. */
  stop(): void {
    this.#deadline = undefined;
    this.#appointment?.cancel();
    this.#appointment = undefined;
    this.#firesAt = Infinity;
  }

  #arm(deadline: number): void {
    this.#firesAt = deadline;
    this.#appointment = this.#clock.after(Math.max(0, deadline - this.#clock.now()), this);
  }

  /** For the clock. */
  wake(): void {
    this.#appointment = undefined;
    this.#firesAt = Infinity;
    const deadline = this.#deadline;
    if (deadline === undefined) return;
    // Timers may fire a fraction of a millisecond early.
    if (this.#clock.now() < deadline) return this.#arm(deadline);
    this.#deadline = undefined;
    this.#owner.wake();
  }
}
