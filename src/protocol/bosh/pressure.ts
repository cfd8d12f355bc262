import type { Downlink } from "./downlink.ts";
import type { Granted } from "./negotiation.ts";
import type { Streams } from "./streams.ts";

/** Back-pressure both ways: when upstreams are read, and how many requests their client has waiting. */
export class Pressure {
  readonly #downlink: Downlink;
  readonly #streams: Streams;
  readonly #granted: Granted;
  /** Bytes that may wait for the client; beyond half of that the upstreams are not read. */
  readonly #limit: number;
  /** The upstreams are read. */
  flows = true;

  constructor(
    parts: { readonly downlink: Downlink; readonly streams: Streams; readonly granted: Granted },
    limit: number,
  ) {
    this.#downlink = parts.downlink;
    this.#streams = parts.streams;
    this.#granted = parts.granted;
    this.#limit = limit;
  }

  /** More waits for the client than may. */
  get overflows(): boolean {
    return this.#downlink.bytes > this.#limit;
  }

  /** Looks at what waits for the client; whether `flows` has changed. */
  look(): boolean {
    const before = this.flows;
    this.flows = this.#downlink.bytes <= this.#limit / 2;
    return this.flows !== before;
  }

  /**
   * How many requests may be held. XEP-0124 §8: "it SHOULD NOT have more than 'hold'", but for a
   * client whose upstream does not take what it sends: that one may not have more than 'requests'
   * under way (§11), so with as many it has to wait.
   */
  get mostHeld(): number {
    const { hold, requests } = this.#granted;
    return this.#streams.areBackedUp ? requests : hold;
  }
}
