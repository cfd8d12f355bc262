import type { BoshActor } from "./bosh_actor.ts";

/** Anything that has a session to end when the connection manager goes down. */
export interface Actor {
  shutdown(): void;
}

/** All sessions there are. */
export class Registry {
  readonly #limit: number;
  readonly #actors = new Set<Actor>();
  readonly #bySid = new Map<string, BoshActor>();
  #closed = false;
  #whenEmpty: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Why no session may be opened now; the condition is the same for both transports. */
  get refusal():
    | { condition: "internal-server-error" | "system-shutdown"; reason: string }
    | undefined {
    if (this.#closed) {
      return { condition: "system-shutdown", reason: "the connection manager is shutting down" };
    }
    if (this.#actors.size < this.#limit) return undefined;
    return {
      condition: "internal-server-error",
      reason: `there are ${this.#limit} sessions, and no more are allowed (limits.sessions)`,
    };
  }

  get size(): number {
    return this.#actors.size;
  }

  get(sid: string): BoshActor | undefined {
    return this.#bySid.get(sid);
  }

  add(actor: Actor): void {
    this.#actors.add(actor);
  }

  name(sid: string, actor: BoshActor): void {
    this.#bySid.set(sid, actor);
  }

  remove(actor: Actor, sid?: string): void {
    if (sid !== undefined) this.#bySid.delete(sid);
    this.#actors.delete(actor);
    if (this.#actors.size === 0) this.#whenEmpty?.();
  }

  /** Opens nothing more, and tells every session that the end has come; settles when all are gone. */
  async shutdown(): Promise<void> {
    this.#closed = true;
    for (const actor of [...this.#actors]) actor.shutdown();
    if (this.#actors.size > 0) await new Promise<void>((done) => this.#whenEmpty = done);
  }
}
