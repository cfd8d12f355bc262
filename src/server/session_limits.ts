/**
 * Who may open a session: how many there are, in all and from each address, how quickly one address
 * opens them, and whether there is memory for another. Whoever has one IPv6 address nearly always has
 * the /64 around it, so that counts as one (see `addressGroup`). A trusted proxy that names no client
 * stands for many, and has only the limits that all have together.
 */
import type { Clock } from "../clock.ts";
import type { LimitsConfig } from "../config/config.ts";
import type { LimitName } from "../events.ts";
import { addressGroup } from "./connection_count.ts";
import type { MemoryGuard } from "./memory_guard.ts";

/** Why there is no session for a client now. */
export interface SessionRefusal {
  /** The same for both transports. */
  readonly condition: "internal-server-error" | "policy-violation" | "system-shutdown";
  /** A sentence for people, which names the limit. */
  readonly reason: string;
  /** `undefined`: it is no limit that forbids it. */
  readonly limit: LimitName | undefined;
  /** Of the answer to a WebSocket's handshake. */
  readonly status: 429 | 503;
}

export interface SessionLimitsOptions {
  /** Those in force. */
  readonly limits: () => LimitsConfig;
  readonly clock: Clock;
  readonly memory: MemoryGuard;
  /** Whether an address stands for many clients. */
  readonly isExempt: (address: string) => boolean;
}

/** Addresses whose pace is known, at the most: an attacker may have a great many. */
const MOST_PACES = 100_000;
const MINUTE = 60_000;

/** How many sessions an address may open at once, and when that was. */
interface Pace {
  left: number;
  at: number;
}

export class SessionLimits {
  readonly #options: SessionLimitsOptions;
  readonly #byGroup = new Map<string, number>();
  /** The one that opened a session last comes last. */
  readonly #paces = new Map<string, Pace>();

  constructor(options: SessionLimitsOptions) {
    this.#options = options;
  }

  /** Why no session may be opened from this address; `all` is how many there are. */
  refusal(address: string, all: number): SessionRefusal | undefined {
    const { memory, isExempt } = this.#options;
    const limits = this.#options.limits();
    if (all >= limits.sessions) {
      const reason = `there are ${limits.sessions} sessions, and no more are allowed`;
      return refused("limits.sessions", reason, "internal-server-error");
    }
    if (memory.isTight) {
      const reason = "there is no memory left for another session";
      return refused("limits.memory", reason, "internal-server-error");
    }
    if (isExempt(address)) return undefined;
    const group = addressGroup(address);
    const { sessionsPerAddress, newSessionsPerMinute } = limits;
    if ((this.#byGroup.get(group) ?? 0) >= sessionsPerAddress) {
      const reason = `there are ${sessionsPerAddress} sessions from this address already`;
      return refused("limits.sessions_per_address", reason, "policy-violation");
    }
    if (!this.#hasTime(group)) {
      const reason = `this address opens more than ${newSessionsPerMinute} sessions in a minute`;
      return refused("limits.new_sessions_per_minute", reason, "policy-violation");
    }
    return undefined;
  }

  /** A session was opened from this address. */
  opened(address: string): void {
    // Who is exempt is counted too: that may change while the session lives.
    const group = addressGroup(address);
    this.#byGroup.set(group, (this.#byGroup.get(group) ?? 0) + 1);
    const pace = this.#pace(group);
    pace.left = Math.max(0, pace.left - 1);
    this.#paces.delete(group);
    this.#paces.set(group, pace);
    this.#forgetOld();
  }

  /** A session from this address has ended. */
  ended(address: string): void {
    const group = addressGroup(address);
    const count = this.#byGroup.get(group) ?? 0;
    if (count > 1) this.#byGroup.set(group, count - 1);
    else this.#byGroup.delete(group);
  }

  #hasTime(group: string): boolean {
    return this.#pace(group).left >= 1;
  }

  /** A minute's worth of sessions, and what has been used of it coming back little by little. */
  #pace(group: string): Pace {
    const { clock } = this.#options;
    const { newSessionsPerMinute } = this.#options.limits();
    const now = clock.now();
    const known = this.#paces.get(group);
    if (known === undefined) return { left: newSessionsPerMinute, at: now };
    const back = (now - known.at) * newSessionsPerMinute / MINUTE;
    // A new object: the time of the one that is kept says where it stands in their order.
    return { left: Math.min(newSessionsPerMinute, known.left + back), at: now };
  }

  /** Who has opened nothing for a minute may open as many as anybody. */
  #forgetOld(): void {
    const now = this.#options.clock.now();
    for (const [group, { at }] of this.#paces) {
      if (now - at < MINUTE && this.#paces.size <= MOST_PACES) break;
      this.#paces.delete(group);
    }
  }
}

function refused(
  limit: LimitName,
  reason: string,
  condition: SessionRefusal["condition"],
): SessionRefusal {
  const status = condition === "policy-violation" ? 429 : 503;
  return { condition, reason: `${reason} (${limit})`, limit, status };
}
