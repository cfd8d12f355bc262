import type { Clock } from "../clock.ts";
import type { ServiceState } from "../controls.ts";
import type { TerminalCondition } from "../protocol/bosh/conditions.ts";
import type { BoshActor } from "./bosh_actor.ts";
import type { ClientInfo } from "../upstream/connector.ts";
import type { SessionDescription, SessionTap } from "./session_description.ts";
import type { SessionLimits, SessionRefusal } from "./session_limits.ts";

/** Anything that has a session. */
export interface Actor {
  /** The session in logs and events. */
  readonly name: string;
  readonly transport: ClientInfo["transport"];
  /** Who watches what goes through it; nearly always nobody does. */
  tap: SessionTap | undefined;
  /** The connection manager goes down. */
  shutdown(): void;
  /** An operator ends it with `policy-violation`; its client is told the reason. */
  end(reason: string): void;
  describe(): SessionDescription;
}

/** Why a BOSH session is no more. */
export interface Epitaph {
  /** Missing when it ended in good order. */
  readonly condition: TerminalCondition | undefined;
  /** A sentence for people. */
  readonly reason: string;
  /** Its client knows HTTP's own errors only (XEP-0124 §17.1). */
  readonly isLegacy: boolean;
  /** Its requests came by GET in the manner of XEP-0252. */
  readonly isScript: boolean;
  /** The media type that its client asked for. */
  readonly contentType: string | undefined;
}

/** How long it is remembered why a session ended (milliseconds), and of how many sessions. */
const MEMORY = 300_000;
const MOST_REMEMBERED = 10_000;
/** Sessions that are told of a shutdown before anything else has its turn. */
const TOLD_AT_ONCE = 100;

const SHUTTING_DOWN: SessionRefusal = {
  condition: "system-shutdown",
  reason: "the connection manager is shutting down",
  limit: undefined,
  status: 503,
};
const DRAINING: SessionRefusal = {
  ...SHUTTING_DOWN,
  reason: "this connection manager opens no new sessions at the moment",
};

/** All sessions there are, and why those ended that were. */
export class Registry {
  readonly #limits: SessionLimits;
  readonly #clock: Clock;
  /** With the address that each is of. */
  readonly #actors = new Map<Actor, string>();
  readonly #bySid = new Map<string, BoshActor>();
  /** Oldest first. */
  readonly #epitaphs = new Map<string, { readonly epitaph: Epitaph; readonly until: number }>();
  #state: ServiceState = "serving";
  #whenEmpty: (() => void) | undefined;

  constructor(limits: SessionLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Why no session may be opened from this address now. */
  refusal(address: string): SessionRefusal | undefined {
    switch (this.#state) {
      case "serving":
        return this.#limits.refusal(address, this.#actors.size);
      case "draining":
        return DRAINING;
      case "stopping":
        return SHUTTING_DOWN;
      default:
        throw this.#state satisfies never;
    }
  }

  get state(): ServiceState {
    return this.#state;
  }

  /** Opens nothing more; those that are there go on. */
  drain(): void {
    if (this.#state === "serving") this.#state = "draining";
  }

  /** Takes {@link drain} back. */
  undrain(): void {
    if (this.#state === "draining") this.#state = "serving";
  }

  get size(): number {
    return this.#actors.size;
  }

  /** All of them, oldest first; it may be gone through while sessions come and go. */
  get actors(): Iterable<Actor> {
    return this.#actors.keys();
  }

  /** The session of this short name; looks at one after the other, for nobody but operators asks. */
  named(name: string): Actor | undefined {
    for (const actor of this.#actors.keys()) if (actor.name === name) return actor;
    return undefined;
  }

  get(sid: string): BoshActor | undefined {
    return this.#bySid.get(sid);
  }

  add(actor: Actor, address: string): void {
    this.#actors.set(actor, address);
    this.#limits.opened(address);
  }

  name(sid: string, actor: BoshActor): void {
    this.#bySid.set(sid, actor);
  }

  remove(actor: Actor): void {
    const address = this.#actors.get(actor);
    if (address === undefined) return;
    this.#actors.delete(actor);
    this.#limits.ended(address);
    if (this.#actors.size === 0) this.#whenEmpty?.();
  }

  /** Removes a BOSH session and remembers why: its client may not have got the last answer. */
  bury(actor: BoshActor, sid: string, epitaph: Epitaph): void {
    const now = this.#clock.now();
    this.#bySid.delete(sid);
    this.#epitaphs.set(sid, { epitaph, until: now + MEMORY });
    for (const [oldest, { until }] of this.#epitaphs) {
      if (until > now && this.#epitaphs.size <= MOST_REMEMBERED) break;
      this.#epitaphs.delete(oldest);
    }
    this.remove(actor);
  }

  /** Why the session of this sid ended; `undefined` when it is not known, or never was. */
  epitaph(sid: string): Epitaph | undefined {
    const entry = this.#epitaphs.get(sid);
    return entry !== undefined && entry.until > this.#clock.now() ? entry.epitaph : undefined;
  }

  /** Opens nothing more, and tells every session that the end has come; settles when all are gone. */
  async shutdown(): Promise<void> {
    this.#state = "stopping";
    let told = 0;
    for (const actor of [...this.#actors.keys()]) {
      // To end one costs memory for a moment, and there may be little.
      if (++told % TOLD_AT_ONCE === 0) await new Promise((go) => setTimeout(go));
      actor.shutdown();
    }
    if (this.#actors.size > 0) await new Promise<void>((done) => this.#whenEmpty = done);
  }
}
