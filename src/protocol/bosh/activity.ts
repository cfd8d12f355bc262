import type { SessionRequest } from "./body.ts";
import type { Granted } from "./negotiation.ts";

/** How much sooner than allowed a poll may come (milliseconds): networks bunch requests up. */
const SLACK = 500;
/**
 * How often one rid may be repeated: so many times, and once more in each of these times
 * (milliseconds). Where something on the way closes long polls early, and nothing comes down that
 * would answer them, a client repeats one rid for hours.
 */
const MOST_REPEATS = 10;
const REPEAT_INTERVAL = 1_000;

/**
 * Watches for clients that ask too much (XEP-0124 §11, §12, §14.3). Requests that carry payloads,
 * pauses, restarts and ends never count as too much.
 */
export class Activity {
  readonly #granted: Granted;
  readonly #strict: boolean;
  /** When the newest request came, if it was an empty one. */
  #emptySince: number | undefined;
  #newest = -Infinity;
  /** The answer to the newest request carried payloads. */
  #gotSomething = false;
  #repeatedRid = 0;
  #repeats = 0;
  #repeatedSince = 0;

  /** `strict`: a client that replaces its held requests too quickly is too active, too (§11). */
  constructor(granted: Granted, strict: boolean) {
    this.#granted = granted;
    this.#strict = strict;
  }

  /** A new request; the sentence says why it is one too many. `held`: how many are unanswered, it included. */
  request(now: number, body: SessionRequest, held: number): string | undefined {
    const isEmpty = body.ask.type === "nothing" && body.content.length === 0;
    const { polling, requests, isPolling } = this.#granted;
    const tooSoon = now - this.#newest < polling - SLACK;
    const wasEmpty = this.#emptySince !== undefined;
    this.#newest = now;
    this.#emptySince = isEmpty ? now : undefined;
    const gotSomething = this.#gotSomething;
    this.#gotSomething = false;
    if (!isEmpty || !tooSoon) return undefined;
    if (isPolling) {
      // §12: "two consecutive new requests within a period shorter than 'polling'", both empty,
      // the first answered with nothing.
      return wasEmpty && !gotSomething ? "it polls more often than 'polling' allows" : undefined;
    }
    // §11: 'requests' unanswered ones, the last of them empty, sooner than 'polling'.
    return this.#strict && held >= requests
      ? "its requests follow each other too quickly"
      : undefined;
  }

  /** A repeated request; the sentence says why it is one too many. */
  repeat(now: number, rid: number): string | undefined {
    if (this.#repeatedRid !== rid) {
      this.#repeats = 0;
      this.#repeatedSince = now;
    }
    this.#repeatedRid = rid;
    const most = MOST_REPEATS + (now - this.#repeatedSince) / REPEAT_INTERVAL;
    return ++this.#repeats > most ? "it repeats one request without a rest" : undefined;
  }

  /** The newest request was answered with payloads. */
  delivered(): void {
    this.#gotSomething = true;
  }

  /** When the newest request came (milliseconds); -Infinity: none has come but for the first. */
  get newest(): number {
    return this.#newest;
  }
}
