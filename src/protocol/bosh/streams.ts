import type { StreamEnd, StreamHeader } from "../stream/c2s.ts";
import { readStreamError } from "../stream/received_error.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { attribute } from "../xml/writer.ts";
import type { Final } from "./downlink.ts";
import { kept, outgoing } from "./response.ts";

/** One upstream stream of a session (XEP-0124 §16). */
export class SessionStream {
  readonly name: string;
  header: StreamHeader | undefined;
  featuresSeen = false;
  /** The upstream has not ended it, and nobody closed it. */
  isOpen = true;
  /** The upstream takes what the client sends. */
  takes = true;
  /** The server takes care of what its client did not acknowledge (XEP-0198). */
  hasStreamManagement = false;
  /** `from`, `authid` and the version have been told. */
  #introduced = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Learns from what the server says. */
  observe({ name, namespace }: Payload): void {
    if (name === "features" && namespace === NS.STREAMS) this.featuresSeen = true;
    if ((name === "enabled" || name === "resumed") && namespace === NS.SM) {
      this.hasStreamManagement = true;
    }
  }

  /**
   * XEP-0206 §4: the version, and what else the stream header said, together with the first
   * features and once.
   */
  introduction({ xmppDeclared }: { xmppDeclared: boolean }): string {
    if (this.#introduced || !this.featuresSeen) return "";
    this.#introduced = true;
    return attribute("from", this.header?.from) + attribute("authid", this.header?.id) +
      (xmppDeclared ? "" : attribute("xmlns:xmpp", NS.XBOSH)) +
      attribute("xmpp:version", this.header?.version ?? "1.0");
  }
}

/** The streams of one session, by name. */
export class Streams {
  /** Nearly always one. */
  #all: readonly SessionStream[] = [];

  add(name: string): SessionStream {
    const stream = new SessionStream(name);
    this.#all = this.#all.concat(stream);
    return stream;
  }

  get(name: string): SessionStream | undefined {
    return this.#all.find((stream) => stream.name === name);
  }

  /** Those that a request means: one, or all (§16.4); none when the one meant is over. */
  addressed(name: string | undefined): readonly SessionStream[] {
    return name === undefined ? this.open : this.open.filter((stream) => stream.name === name);
  }

  get open(): readonly SessionStream[] {
    if (this.#all.every((stream) => stream.isOpen)) return this.#all;
    return this.#all.filter((stream) => stream.isOpen);
  }

  /** Some upstream does not take what the client sends. */
  get areBackedUp(): boolean {
    return this.#all.some((stream) => stream.isOpen && !stream.takes);
  }

  /** How many there ever were. */
  get count(): number {
    return this.#all.length;
  }
}

/** What a client is told when it ended one stream of several. */
export const CLIENT_ENDED: Final = {
  condition: undefined,
  reason: "the client ended the stream",
  payloads: [],
};

/** What a client is told when its stream ended. */
export function finalOf(end: StreamEnd): Final {
  switch (end.type) {
    case "closed":
      return { condition: undefined, reason: "the XMPP server closed the stream", payloads: [] };
    case "stream-error":
      return {
        condition: "remote-stream-error",
        reason: readStreamError(end.error).reason,
        payloads: [kept(outgoing(end.error))],
      };
    case "connection-failed":
      return { condition: "remote-connection-failed", reason: end.reason, payloads: [] };
    default:
      return end satisfies never;
  }
}
