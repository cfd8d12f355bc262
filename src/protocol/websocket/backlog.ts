/** Milliseconds in which a client must take something of what waits for it. */
const PATIENCE = 60_000;
/** How often it is looked whether it did (milliseconds), for no platform tells: at first, and at last. */
const SHORTEST = 10;
const LONGEST = 250;

/**
 * What waits for a client that reads slower than its upstream writes: decides when the upstream is
 * read no more, when it is again, and when the client is given up.
 */
export class Backlog {
  readonly #limit: number;
  /** What waited at the last look, and when less did last; `undefined` while the upstream is read. */
  #stopped: { readonly bytes: number; readonly since: number } | undefined;
  #deadline: number | undefined;

  /** `limit` is of bytes; at half of it the upstream is read again. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Looks at what waits now (bytes), after each delivery and at `deadline`; says what that changes. */
  look(now: number, bytes: number): "stop" | "resume" | "lost" | undefined {
    const stopped = this.#stopped;
    if (bytes <= (stopped ? this.#limit / 2 : this.#limit)) {
      this.#stopped = this.#deadline = undefined;
      return stopped && "resume";
    }
    const since = stopped && bytes >= stopped.bytes ? stopped.since : now;
    this.#stopped = { bytes, since };
    this.#deadline = now + Math.min(SHORTEST + now - since, LONGEST);
    if (stopped === undefined) return "stop";
    return now - since < PATIENCE ? undefined : "lost";
  }

  /** When to look again (milliseconds). */
  get deadline(): number | undefined {
    return this.#deadline;
  }
}
