import { NS } from "./xml/names.ts";
import type { Payload } from "./xml/payload.ts";

/** What a client may cost before its server knows it. */
export interface UnauthenticatedLimits {
  /** Bytes that it may send, all in all. */
  readonly unauthenticatedBytes: number;
  /** Milliseconds that it has. */
  readonly unauthenticatedTime: number;
}

/** The client has used up what it may cost. */
export interface Overdrawn {
  readonly limit: "limits.unauthenticated_bytes" | "limits.unauthenticated_time";
  /** A sentence for people. */
  readonly reason: string;
}

/**
 * A client until it has authenticated: anybody may open a session, so nobody may have one for nothing.
 * It is over with this when its server says so (RFC 6120 §6.4.6, XEP-0388), or sends what it sends to
 * nobody whom it does not know: messages and presence. (Clients that log in by XEP-0078 get no
 * `<success/>`.)
 */
export class Unauthenticated {
  readonly #limits: UnauthenticatedLimits;
  readonly #since: number;
  #bytes = 0;

  /** `now` is when the session began (milliseconds). */
  constructor(now: number, limits: UnauthenticatedLimits) {
    this.#limits = limits;
    this.#since = now;
  }

  /** The client sends so many bytes; says whether they are too many. */
  sends(bytes: number): Overdrawn | undefined {
    this.#bytes += bytes;
    return this.wouldSend(0);
  }

  /** Whether so many bytes more would be too many. */
  wouldSend(bytes: number): Overdrawn | undefined {
    const { unauthenticatedBytes } = this.#limits;
    if (this.#bytes + bytes <= unauthenticatedBytes) return undefined;
    const limit = "limits.unauthenticated_bytes";
    const reason = `more than ${unauthenticatedBytes} bytes before authentication (${limit})`;
    return { limit, reason };
  }

  /** Whether its time is over. */
  late(now: number): Overdrawn | undefined {
    if (now < this.deadline) return undefined;
    const limit = "limits.unauthenticated_time";
    const seconds = this.#limits.unauthenticatedTime / 1000;
    return { limit, reason: `the client has not authenticated within ${seconds} s (${limit})` };
  }

  /** When its time is over (milliseconds). */
  get deadline(): number {
    return this.#since + this.#limits.unauthenticatedTime;
  }
}

/** Whether a payload of the server's is one that only a client gets which has authenticated. */
export function showsAuthentication({ name, namespace }: Payload): boolean {
  if (name === "success") return namespace === NS.SASL || namespace === NS.SASL2;
  return (name === "message" || name === "presence") && namespace === NS.CLIENT;
}
