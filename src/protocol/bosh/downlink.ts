import type { Outgoing } from "./response.ts";
import { NS } from "../xml/names.ts";
import type { TerminalCondition } from "./conditions.ts";

/** Why a stream, or the session with its last stream, is over. */
export interface Final {
  readonly condition: TerminalCondition | undefined;
  /** A sentence for people. */
  readonly reason: string;
  /** What the terminal body carries: the server's own error. */
  readonly payloads: readonly Outgoing[];
}

type Entry =
  | { readonly type: "payload"; readonly stream: string; readonly out: Outgoing }
  /** The stream is over; nothing of it comes behind this. */
  | { readonly type: "final"; readonly stream: string; readonly final: Final };

/** Payloads of one stream, for one answer. */
export interface PayloadBatch {
  readonly type: "payloads";
  readonly stream: string;
  readonly payloads: readonly Outgoing[];
}

/** What the next answer can carry: payloads of one stream, or the end of one. */
export type Batch =
  | PayloadBatch
  | { readonly type: "final"; readonly stream: string; readonly final: Final };

/** What is queued goes out in answers of about this size, so that what is kept for repetition stays small. */
const RESPONSE_BYTES = 262_144;

/** What came down while nobody was listening, in order; all payloads are kept copies. */
export class Downlink {
  #entries: Entry[] = [];
  #bytes = 0;

  push(stream: string, out: Outgoing): void {
    this.#entries.push({ type: "payload", stream, out });
    this.#bytes += out.size;
  }

  end(stream: string, final: Final): void {
    this.#entries.push({ type: "final", stream, final });
  }

  /**
   * What the next answer carries; of `stream` only, if one is given. XEP-0124 §16.4: a body is of
   * one stream.
   */
  take(stream?: string): Batch | undefined {
    const at = this.#find(stream);
    const first = this.#entries[at];
    if (first?.type !== "final") return this.takePayloads(stream);
    this.#entries.splice(at, 1);
    return first;
  }

  /** Likewise, but nothing when the end of a stream comes first. */
  takePayloads(stream?: string): PayloadBatch | undefined {
    const start = this.#find(stream);
    const payloads: Outgoing[] = [];
    let of: string | undefined;
    let size = 0;
    for (let at = start; at < this.#entries.length && size < RESPONSE_BYTES; at++) {
      const entry = this.#entries[at]!;
      of ??= entry.stream;
      if (entry.type !== "payload" || entry.stream !== of) break;
      payloads.push(entry.out);
      size += entry.out.size;
    }
    if (of === undefined || payloads.length === 0) return undefined;
    this.#entries.splice(start, payloads.length);
    this.#bytes -= size;
    return { type: "payloads", stream: of, payloads };
  }

  /** Forgets what a client that has left does not miss: presence, acknowledgements, all but messages and iqs. */
  keepMissed(): void {
    this.#entries = this.#entries.filter((entry) => {
      if (entry.type === "final") return true;
      const { name, namespace } = entry.out.payload;
      return namespace === NS.CLIENT && (name === "message" || name === "iq");
    });
  }

  /** All payloads, forgotten with this call: nobody will ask for them any more. */
  takeUndelivered(): { readonly stream: string; readonly out: Outgoing }[] {
    const left = this.#entries.filter((entry) => entry.type === "payload");
    this.#entries = [];
    this.#bytes = 0;
    return left;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Where the first entry is; behind the last when there is none. */
  #find(stream: string | undefined): number {
    if (stream === undefined) return 0;
    const at = this.#entries.findIndex((entry) => entry.stream === stream);
    return at < 0 ? this.#entries.length : at;
  }
}
