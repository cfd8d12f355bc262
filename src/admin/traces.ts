import type { Appointment, Clock, Sleeper } from "../clock.ts";
import type { EventSink } from "../events.ts";
import { DECLARED, shown } from "../protocol/stream/redaction.ts";
import type { Declaration, Payload } from "../protocol/xml/payload.ts";
import type { BodySource, BodyWriter } from "../server/exchange.ts";
import type { Actor, Registry } from "../server/registry.ts";
import type { SessionTap } from "../server/session_description.ts";
import { Problem } from "./problem.ts";
import type { Times } from "./times.ts";

/** Traces that are read at a time. */
const MOST = 10;
/** Milliseconds of silence after which a comment shows that the way is open. */
const KEEP_ALIVE = 15_000;
/** Bytes that may wait for a reader, before stanzas are left out. */
const MOST_WAITING = 262_144;

interface Parts {
  readonly clock: Clock;
  readonly times: Times;
  readonly registry: Registry;
  readonly emit: EventSink;
}

/** All traces that are being read. */
export class Traces {
  readonly #parts: Parts;
  readonly #open = new Set<Trace>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A trace of a session as server-sent events; throws a {@link Problem} when there are too many. */
  begin(actor: Actor): BodySource {
    if (this.#open.size >= MOST) {
      throw new Problem(429, `at most ${MOST} traces are read at a time; close one of them`);
    }
    return new Trace(actor, this.#open, this.#parts);
  }

  /** How many are of this session. */
  of(actor: Actor): number {
    let count = 0;
    for (const trace of this.#open) if (trace.actor === actor) count++;
    return count;
  }
}

/**
 * One reader of what goes through one session. Several of one session stand in a row, each of which
 * tells the next one: a session knows of one of them at the most.
 */
class Trace implements BodySource, SessionTap, Sleeper {
  readonly actor: Actor;
  readonly #parts: Parts;
  /** It is one of these from `start` on: what nobody reads is none. */
  readonly #open: Set<Trace>;
  #next: SessionTap | undefined;
  #body: BodyWriter | undefined;
  #missed = 0;
  #appointment: Appointment | undefined;

  constructor(actor: Actor, open: Set<Trace>, parts: Parts) {
    this.actor = actor;
    this.#open = open;
    this.#parts = parts;
  }

  // ---- from the reader's connection

  start(body: BodyWriter): void {
    this.#body = body;
    const { registry } = this.#parts;
    if (registry.named(this.actor.name) !== this.actor) {
      this.#event("ended", { condition: null, reason: "the session has ended" });
      return body.end();
    }
    this.#open.add(this);
    this.#next = this.actor.tap;
    this.actor.tap = this;
    this.#write(": what goes through the session from here on\n\n");
    this.#sleep();
  }

  stopped(): void {
    this.#appointment?.cancel();
    this.#body = undefined;
    if (this.actor.tap === this) this.actor.tap = this.#next;
    else {
      for (let tap = this.actor.tap; tap instanceof Trace; tap = tap.#next) {
        if (tap.#next === this) tap.#next = this.#next;
      }
    }
    this.#open.delete(this);
  }

  /** For the clock. */
  wake(): void {
    if (!this.#tellMissed()) this.#write(": \n\n");
    this.#sleep();
  }

  // ---- from the session

  sent(content: Uint8Array): void {
    this.#tell("up", content, DECLARED);
    this.#next?.sent(content);
  }

  delivered(payloads: readonly Payload[]): void {
    for (const { bytes, inherits } of payloads) this.#tell("down", bytes, inherits);
    this.#next?.delivered(payloads);
  }

  ended(condition: string | undefined, reason: string): void {
    const body = this.#body;
    const next = this.#next;
    this.#tellMissed();
    this.#event("ended", { condition: condition ?? null, reason });
    this.stopped();
    body?.end();
    next?.ended(condition, reason);
  }

  #tell(direction: "up" | "down", content: Uint8Array, inherited: readonly Declaration[]): void {
    try {
      for (const { bytes, xml } of shown(content, inherited)) {
        if (this.#isSlow) this.#missed++;
        else {
          this.#tellMissed();
          const at = this.#parts.times.iso(this.#parts.times.now());
          this.#event("stanza", { at, direction, bytes, xml });
        }
      }
    } catch (error) {
      // Whatever is wrong with a trace is no affair of the session's.
      this.#parts.emit({ type: "fault", session: undefined, error });
    }
  }

  get #isSlow(): boolean {
    return (this.#body?.queuedBytes ?? 0) > MOST_WAITING;
  }

  /** Whether something was missed, and is told now. */
  #tellMissed(): boolean {
    if (this.#missed === 0 || this.#isSlow) return false;
    this.#event("missed", { count: this.#missed });
    this.#missed = 0;
    return true;
  }

  #event(name: string, data: unknown): void {
    this.#write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #write(text: string): void {
    this.#body?.write(encoder.encode(text));
  }

  #sleep(): void {
    this.#appointment = this.#parts.clock.after(KEEP_ALIVE, this);
  }
}

const encoder = new TextEncoder();
