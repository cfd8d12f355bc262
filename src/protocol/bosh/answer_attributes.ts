import { attribute } from "../xml/writer.ts";
import type { SessionBasis } from "./actions.ts";
import type { SessionRequest } from "./body.ts";
import type { Granted } from "./negotiation.ts";
import { creationAttributes } from "./response.ts";
import type { Streams } from "./streams.ts";
import type { RequestWindow } from "./window.ts";

/** What the wrapper of a session's next answer says. */
export class AnswerAttributes {
  readonly #init: SessionBasis;
  readonly #granted: Granted;
  readonly #window: RequestWindow;
  readonly #streams: Streams;

  constructor(
    init: SessionBasis,
    parts: {
      readonly granted: Granted;
      readonly window: RequestWindow;
      readonly streams: Streams;
    },
  ) {
    this.#init = init;
    this.#granted = parts.granted;
    this.#window = parts.window;
    this.#streams = parts.streams;
  }

  /** For the answer to the oldest held request; `carries` is the stream whose payloads are in it. */
  next(carries: string | undefined): string {
    const { oldestOpens, oldestRid } = this.#window;
    const name = oldestOpens ?? carries;
    const stream = name === undefined ? undefined : this.#streams.get(name);
    const isCreation = oldestRid === this.#init.creationRid;
    let attributes = isCreation ? creationAttributes(this.#init.sid, this.#granted) : "";
    attributes += this.#acknowledgement(isCreation);
    // XEP-0124 §16.4: with several streams, every body that is not empty says which one it is of;
    // also when only one is left, because what came of the others may still be on its way.
    const named = oldestOpens !== undefined || this.#streams.count > 1;
    if (stream && named && this.#init.limits.maxStreams > 1) {
      attributes += attribute("stream", stream.name);
    }
    return stream ? attributes + stream.introduction({ xmppDeclared: isCreation }) : attributes;
  }

  /**
   * §9.2: which response a client lacks whose acknowledgement stays behind; `undefined` when it is
   * not to be told, or has all that were sent.
   */
  report(now: number, { ack }: SessionRequest): string | undefined {
    if (!this.#init.limits.report || !this.#granted.acks || ack === undefined) return undefined;
    const missing = this.#window.firstUnacknowledged(ack);
    if (missing === undefined) return undefined;
    // The schema's type is an unsignedShort.
    const time = Math.min(65_535, Math.round(now - missing.sent));
    return attribute("report", missing.rid) + attribute("time", time);
  }

  /** §9.1: the highest rid without a gap before it, where it is not the answered one's own. */
  #acknowledgement(isCreation: boolean): string {
    if (!this.#granted.acks) return "";
    const { last, oldestRid } = this.#window;
    return isCreation || last !== oldestRid ? attribute("ack", last) : "";
  }
}
