import type { Clock } from "../clock.ts";
import type { EventSink } from "../events.ts";
import { addressGroup } from "../server/connection_count.ts";

/** Wrong passwords that an address may try before it has to wait; an IPv6 /64 counts as one. */
const MOST_FAILURES = 10;
/** Milliseconds until one of them is forgotten. */
const FORGOTTEN = 10_000;
/** Addresses whose failures are remembered; those go first that failed longest ago. */
const MOST_ADDRESSES = 1_000;
/** Milliseconds by which a refusal comes later for each failure before it, and at the most. */
const DELAY = 250;
const LONGEST_DELAY = 2_000;
/** Refusals that are delayed at a time; what is beyond them is refused at once. */
const MOST_DELAYED = 50;
/** How often it is told that logins fail (milliseconds): a stranger decides how often they do. */
const REPORT = 10_000;

interface Failures {
  count: number;
  /** When the count was right; it falls by one in each of `FORGOTTEN`. */
  at: number;
}

/** Who has tried wrong passwords, so that nobody can try many. */
export class Logins {
  readonly #clock: Clock;
  readonly #emit: EventSink;
  readonly #failures = new Map<string, Failures>();
  #delayed = 0;
  #untold = 0;
  #nextReport = -Infinity;

  constructor(clock: Clock, emit: EventSink) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** Seconds that this address has to wait before its password is looked at; 0: none. */
  wait(address: string): number {
    // So many are too many until there is room for one more.
    const tooMany = this.#count(address) - (MOST_FAILURES - 1);
    return tooMany > 0 ? Math.ceil((tooMany * FORGOTTEN) / 1000) : 0;
  }

  /** A password was wrong; `refuse` is called when it is time to say so. */
  failed(address: string, refuse: () => void): void {
    const before = this.#count(address);
    const group = addressGroup(address);
    this.#failures.delete(group);
    this.#failures.set(group, { count: before + 1, at: this.#clock.now() });
    if (this.#failures.size > MOST_ADDRESSES) {
      this.#failures.delete(this.#failures.keys().next().value!);
    }
    this.#tell(address);
    if (this.#delayed >= MOST_DELAYED) return refuse();
    this.#delayed++;
    const wake = () => {
      this.#delayed--;
      refuse();
    };
    this.#clock.after(Math.min(LONGEST_DELAY, DELAY * (1 + Math.floor(before))), { wake });
  }

  /** A password was right. */
  succeeded(address: string): void {
    if (this.#failures.size > 0) this.#failures.delete(addressGroup(address));
  }

  #count(address: string): number {
    const failures = this.#failures.get(addressGroup(address));
    if (failures === undefined) return 0;
    return Math.max(0, failures.count - (this.#clock.now() - failures.at) / FORGOTTEN);
  }

  #tell(address: string): void {
    this.#untold++;
    const now = this.#clock.now();
    if (now < this.#nextReport) return;
    this.#emit({ type: "login-failed", address, count: this.#untold });
    this.#untold = 0;
    this.#nextReport = now + REPORT;
  }
}
