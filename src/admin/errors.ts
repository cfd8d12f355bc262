import type { InferOutput } from "valibot";
import type { EventSink, ManagerEvent } from "../events.ts";
import { eventLogger, Log } from "../log.ts";
import type { Errors as Answer } from "./schemas.ts";
import type { Times } from "./times.ts";

export type Errors = InferOutput<typeof Answer>;

const MINUTE = 60_000;
/** Minutes that are remembered. */
const MOST_MINUTES = 60;
const MOST_RECENT = 100;
/** Characters of one line. */
const LONGEST = 1_000;
/** Conditions that are told apart in a minute: an XMPP server chooses what its stream errors are called. */
const MOST_NAMES = 100;

type Kind = "ended" | "limits" | "upstream";

interface Minute extends Readonly<Record<Kind, Map<string, number>>> {
  /** Its number since the clock began. */
  readonly minute: number;
}

/** What went wrong lately: counted by the minute, and the last of it word by word. */
export class ErrorTable {
  readonly #times: Times;
  /** Oldest first; those in which nothing went wrong are missing. */
  #minutes: Minute[] = [];
  readonly #recent: { readonly at: string; readonly text: string }[] = [];
  /** As the log has it: what may stand there may stand here. */
  readonly #write: EventSink;
  #line = "";

  constructor(times: Times) {
    this.#times = times;
    this.#write = eventLogger(
      new Log({ level: "debug", format: "text", now: () => 0, write: (line) => this.#line = line }),
    );
  }

  readonly watch: EventSink = (event: ManagerEvent): void => {
    switch (event.type) {
      case "session-ended":
        if (event.condition === undefined) return;
        this.#count("ended", event.condition);
        return this.#remember(event);
      case "limit-reached":
        this.#count("limits", event.limit, event.count);
        return this.#remember(event);
      case "upstream-failed":
        this.#count("upstream", event.phase);
        return this.#remember(event);
      case "undelivered":
      case "unsent":
      case "login-failed":
      case "fault":
        return this.#remember(event);
    }
  };

  /** Of the last so many minutes. */
  list(minutes: number): Errors {
    const first = this.#minute() - minutes + 1;
    const lately = this.#minutes.filter(({ minute }) => minute >= first);
    const sum = (kind: Kind) => {
      const sums = new Map<string, number>();
      for (const minute of lately) {
        for (const [name, count] of minute[kind]) sums.set(name, (sums.get(name) ?? 0) + count);
      }
      return Object.fromEntries([...sums].sort(([, a], [, b]) => b - a));
    };
    return {
      ended: sum("ended"),
      limits: sum("limits"),
      upstream: sum("upstream"),
      recent: this.#recent.toReversed(),
    };
  }

  #minute(): number {
    return Math.floor(this.#times.now() / MINUTE);
  }

  #count(kind: Kind, name: string, times = 1): void {
    const minute = this.#minute();
    let current = this.#minutes.at(-1);
    if (current?.minute !== minute) {
      current = { minute, ended: new Map(), limits: new Map(), upstream: new Map() };
      this.#minutes = this.#minutes.filter((one) => one.minute > minute - MOST_MINUTES);
      this.#minutes.push(current);
    }
    const counts = current[kind];
    const known = counts.has(name) || counts.size < MOST_NAMES ? name : "others";
    counts.set(known, (counts.get(known) ?? 0) + times);
  }

  #remember(event: ManagerEvent): void {
    this.#write(event);
    // The time and the level stand in front of what happened.
    const text = this.#line.trimEnd().replace(/^\S+ \S+ /, "").slice(0, LONGEST);
    this.#recent.push({ at: this.#times.iso(this.#times.now()), text });
    if (this.#recent.length > MOST_RECENT) this.#recent.shift();
  }
}
