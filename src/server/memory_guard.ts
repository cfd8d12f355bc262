/**
 * The last line: while this process has more memory than it is to have, no new session is opened and
 * no big body read. Without that it would be killed, and with it every session that there is.
 */
import type { Clock } from "../clock.ts";

export interface MemoryGuard {
  /** There is no memory for anybody new. */
  readonly isTight: boolean;
}

/** What a process has, and may have, of its own memory and of V8's heap (bytes). */
export interface MemoryUse {
  readonly resident: number;
  readonly heap: number;
  /** V8 ends the process when the heap would be larger. */
  readonly heapLimit: number;
}

export interface MemoryCeilingOptions {
  /** Bytes that may be resident, by those that are now; Infinity: the machine's. */
  readonly ceiling: (resident: number) => number;
  readonly clock: Clock;
  readonly measure: () => MemoryUse;
}

/** How long a measurement counts (milliseconds), and for how many questions. */
const FRESH = 250;
const MOST_QUESTIONS = 50;
/** What of V8's heap may be used. */
const HEAP_SHARE = 0.85;
/** When it is tight, so much of what it may have must be free again. */
const RELIEF = 0.05;

/** Measures when it is asked, and not too often. */
export class MemoryCeiling implements MemoryGuard {
  readonly #options: MemoryCeilingOptions;
  #isTight = false;
  #measuredAt = -Infinity;
  #questions = 0;

  constructor(options: MemoryCeilingOptions) {
    this.#options = options;
  }

  get isTight(): boolean {
    const { ceiling, clock, measure } = this.#options;
    const now = clock.now();
    if (now - this.#measuredAt < FRESH && ++this.#questions < MOST_QUESTIONS) return this.#isTight;
    this.#measuredAt = now;
    this.#questions = 0;
    const { resident, heap, heapLimit } = measure();
    const share = this.#isTight ? 1 - RELIEF : 1;
    this.#isTight = resident > ceiling(resident) * share || heap > heapLimit * HEAP_SHARE * share;
    return this.#isTight;
  }
}
