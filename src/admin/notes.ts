import type { EventSink, ManagerEvent } from "../events.ts";
import type { Registry } from "../server/registry.ts";

/** What only events tell of a session. */
export interface Note {
  readonly userAgent: string | undefined;
  /** `host:port` of the XMPP server that was reached last. */
  readonly target: string | undefined;
}

/** Characters of a user agent that are kept: a stranger chooses it. */
const LONGEST = 200;
/** Notes beyond the number of sessions, before it is looked for those whose session is no more. */
const SLACK = 1_000;
/** Texts that are kept once for all who have them: most sessions have the same few. */
const MOST_TEXTS = 1_000;

/** Keeps beside the sessions what they do not carry themselves; only where an operator may ask for it. */
export class Notes {
  readonly #registry: Registry;
  readonly #notes = new Map<string, Note>();
  readonly #texts = new Map<string, string>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  readonly watch: EventSink = (event: ManagerEvent): void => {
    switch (event.type) {
      case "session-created":
        if (event.userAgent === undefined) return;
        return this.#add(event.session, { userAgent: event.userAgent.slice(0, LONGEST) });
      case "upstream-connected":
        return this.#add(event.session, { target: event.target });
      case "session-ended":
        this.#notes.delete(event.session);
    }
  };

  get(session: string): Note | undefined {
    return this.#notes.get(session);
  }

  #add(session: string, { userAgent, target }: Partial<Note>): void {
    const note = this.#notes.get(session);
    this.#notes.set(session, {
      userAgent: userAgent === undefined ? note?.userAgent : this.#shared(userAgent),
      target: target === undefined ? note?.target : this.#shared(target),
    });
    // A connection may be reported after its session has ended.
    if (this.#notes.size > this.#registry.size + SLACK) this.#clean();
  }

  #shared(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= MOST_TEXTS) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }

  #clean(): void {
    const names = new Set<string>();
    for (const { name } of this.#registry.actors) names.add(name);
    for (const name of this.#notes.keys()) if (!names.has(name)) this.#notes.delete(name);
  }
}
