import type { InferOutput } from "valibot";
import type { EventSink, UpstreamPhase } from "../events.ts";
import type { Upstreams as Answer } from "./schemas.ts";
import type { Times } from "./times.ts";

export type Upstreams = InferOutput<typeof Answer>;

/** Domains that are remembered; those go first that nothing was heard of for longest. */
const MOST = 500;
/** Characters of a reason. */
const LONGEST = 500;

interface Health {
  target: string | null;
  lastConnected: number | undefined;
  lastFailed: number | undefined;
  failuresInARow: number;
  phase: UpstreamPhase | null;
  reason: string | null;
}

/** How the XMPP servers of each domain were reached lately. */
export class UpstreamTable {
  readonly #times: Times;
  /** Heard of longest ago first. */
  readonly #domains = new Map<string, Health>();

  constructor(times: Times) {
    this.#times = times;
  }

  readonly watch: EventSink = (event): void => {
    if (event.type === "upstream-connected") {
      const health = this.#of(event.domain);
      health.target = event.target;
      health.lastConnected = this.#times.now();
      health.failuresInARow = 0;
    } else if (event.type === "upstream-failed") {
      const health = this.#of(event.domain);
      health.target = event.target;
      health.lastFailed = this.#times.now();
      // Where another place is tried next, nothing is lost yet.
      if (!event.retrying) health.failuresInARow++;
      health.phase = event.phase;
      health.reason = event.reason.slice(0, LONGEST);
    }
  };

  /** `open`: sessions whose stream is up, by domain. */
  list(open: ReadonlyMap<string, number>): Upstreams {
    const time = (at: number | undefined) => at === undefined ? null : this.#times.iso(at);
    return {
      upstreams: [...this.#domains].reverse().map(([domain, health]) => ({
        domain,
        target: health.target,
        open: open.get(domain) ?? 0,
        health: health.failuresInARow > 0
          ? "failing"
          : health.lastConnected === undefined
          ? "unknown"
          : "ok",
        lastConnected: time(health.lastConnected),
        lastFailed: time(health.lastFailed),
        failuresInARow: health.failuresInARow,
        phase: health.phase,
        reason: health.reason,
      })),
    };
  }

  #of(domain: string): Health {
    const health = this.#domains.get(domain) ?? {
      target: null,
      lastConnected: undefined,
      lastFailed: undefined,
      failuresInARow: 0,
      phase: null,
      reason: null,
    };
    this.#domains.delete(domain);
    this.#domains.set(domain, health);
    if (this.#domains.size > MOST) this.#domains.delete(this.#domains.keys().next().value!);
    return health;
  }
}
