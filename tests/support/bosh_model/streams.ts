import type { Payload } from "../../../src/protocol/xml/payload.ts";
import type { Entry } from "./window.ts";

/** Thrown when the session breaks its promise; begins with the number of the invariant. */
export class Broken extends Error {}

export function broken(invariant: number, what: string): never {
  throw new Broken(`invariant ${invariant}: ${what}`);
}

// ---- streams

/** A payload of the server's, and what the client must see of it. */
export interface Stanza {
  readonly payload: Payload;
  readonly wanted: Wanted;
}

export interface Wanted {
  readonly text: string;
  readonly id: string;
  /** Bytes of the text. */
  readonly size: number;
  /** A client that leaves of itself may miss it. */
  readonly matters: boolean;
  /** Its sender is told when it never reaches the client. */
  readonly bounces: boolean;
  readonly teaches: "features" | "stream-management" | undefined;
}

export interface ModelEnd {
  readonly condition: string | undefined;
  readonly reason: string;
  /** What the server said for it. */
  readonly error: Stanza | undefined;
}

export class ModelStream {
  readonly name: string;
  /** The request that opened it. */
  opener: Entry | undefined;
  /** Neither side has ended it. */
  isOpen = true;
  /** The shell was asked to open it, and may be asked for more. */
  isUp = false;
  flows = true;
  /** It takes what the client sends. */
  takes = true;
  readonly wanted: Wanted[] = [];
  /** How many of them the client has, or was reported not to have. */
  got = 0;
  waitingBytes = 0;
  featuresSeen = false;
  hasStreamManagement = false;
  end: ModelEnd | undefined;
  endTold = false;
  introductions = 0;

  constructor(name: string) {
    this.name = name;
  }

  want(wanted: Wanted): void {
    this.wanted.push(wanted);
    this.waitingBytes += wanted.size;
    this.featuresSeen ||= wanted.teaches === "features";
    this.hasStreamManagement ||= wanted.teaches === "stream-management";
  }

  /** Counts one payload, which must be the next. */
  take(text: string): Wanted {
    const next = this.wanted[this.got++];
    if (next?.text !== text) broken(4, `${this.name}: ${text} instead of ${next?.text}`);
    this.waitingBytes -= next.size;
    return next;
  }

  /** Counts what comes next, and nobody misses when the client ends the session. */
  skip(): void {
    for (let next; (next = this.wanted[this.got]) && !next.matters; this.got++) {
      this.waitingBytes -= next.size;
    }
  }

  /** The client has heard of it, and not of its end. */
  get isKnown(): boolean {
    return this.opener?.state === "answered" && !this.endTold;
  }

  get owes(): boolean {
    return this.got < this.wanted.length || (this.end !== undefined && !this.endTold);
  }
}
