import type { Clock } from "../../clock.ts";
import { NetworkError } from "../failure.ts";

/** Something that was looked up, and the seconds for which it holds. */
export interface Found {
  readonly ttl: number;
}

/** How many lookups may be under way, and who is to hear that there would be more. */
export interface LookupBound {
  /** Those that may be, by now. */
  most(): number;
  met(): void;
}

/** "results cached by TTL (max 5 min)": milliseconds after which everything is looked up anew. */
const LONGEST = 300_000;

/** Milliseconds in which a lookup that failed is not tried again, so that a crowd does not ask as one. */
const AFTER_FAILURE = 5_000;

/** A stranger chooses the names where every domain is served. */
const MAX_ENTRIES = 1_000;

/**
 * Remembers what was looked up for as long as it holds, whether there was something or not, and lets
 * those who want the same thing at the same time share one lookup.
 */
export class LookupCache<T extends Found> {
  readonly #clock: Clock;
  /** Those least recently used come first. */
  readonly #entries = new Map<string, Entry<T>>();

  readonly #bound: LookupBound | undefined;
  #underWay = 0;

  constructor(clock: Clock, bound?: LookupBound) {
    this.#clock = clock;
    this.#bound = bound;
  }

  /**
   * What `look` finds or has found for the key; rejects with {@link NetworkError} when too many are under way. When the signal fires this caller alone has given up; a
   * lookup that nobody waits for any more is ended by the signal that it was given.
   */
  async get(
    key: string,
    signal: AbortSignal,
    look: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    let entry = this.#entries.get(key);
    if (entry === undefined || entry.until <= this.#clock.now()) {
      if (this.#underWay >= (this.#bound?.most() ?? Infinity)) {
        this.#bound?.met();
        throw new NetworkError("too many names are being looked up at the moment (limits.lookups)");
      }
      entry = this.#begin(key, look);
    } else this.#keep(key, entry);
    entry.waiting++;
    const givenUp = Promise.withResolvers<never>();
    const giveUp = () => givenUp.reject(signal.reason);
    signal.addEventListener("abort", giveUp);
    try {
      return await Promise.race([entry.result, givenUp.promise]);
    } finally {
      signal.removeEventListener("abort", giveUp);
      entry.waiting--;
      if (entry.waiting === 0 && entry.until === Infinity) {
        this.#forget(key, entry);
        entry.stop.abort(signal.reason);
      }
    }
  }

  #begin(key: string, look: (signal: AbortSignal) => Promise<T>): Entry<T> {
    const stop = new AbortController();
    this.#underWay++;
    const entry: Entry<T> = { result: look(stop.signal), until: Infinity, waiting: 0, stop };
    this.#keep(key, entry);
    entry.result.then(
      ({ ttl }) => this.#holds(key, entry, Math.min(ttl * 1000, LONGEST)),
      () => this.#holds(key, entry, AFTER_FAILURE),
    );
    return entry;
  }

  #holds(key: string, entry: Entry<T>, duration: number): void {
    this.#underWay--;
    entry.until = this.#clock.now() + duration;
    if (duration === 0) this.#forget(key, entry);
  }

  #keep(key: string, entry: Entry<T>): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size <= MAX_ENTRIES) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      break;
    }
  }

  #forget(key: string, entry: Entry<T>): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
  }
}

interface Entry<T> {
  readonly result: Promise<T>;
  /** By the clock; while the lookup is under way, for ever. */
  until: number;
  waiting: number;
  readonly stop: AbortController;
}
