import { type ClientPayload, judgeClientPayload } from "../stream/client_payload.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { defaultOf, type XmlHeader } from "../xml/tokenizer.ts";
import { standalone } from "../xml/writer.ts";

export const NO_CONTENT = new Uint8Array(0);
export const NO_FAILURES: readonly string[] = [];
/**
 * Bytes that rewriting may come to. A long declaration and many payloads that use it, each a few
 * bytes, would otherwise make much of little.
 */
const MOST_REWRITTEN = 1_048_576;

/** What becomes of a payload that leaves its wrapper. */
export type Leaving =
  /** `rewritten` is missing when it can go as it came. */
  | { readonly type: "forward"; readonly rewritten: Uint8Array | undefined }
  | Exclude<ClientPayload, { type: "forward" }>;

const UNTOUCHED: Leaving = { type: "forward", rewritten: undefined };

/**
 * How payloads leave one wrapper. The upstream's default namespace is theirs already: a stanza that
 * inherited the wrapper's becomes `jabber:client` on the way, all the way down (XEP-0206 §2). Only
 * what used a declaration of the wrapper's is rewritten to take it along.
 */
export class WrapperScope {
  readonly #inheritedDefault: string | undefined;
  #rewrittenBytes = 0;

  constructor(wrapper: XmlHeader) {
    const inherited = defaultOf(wrapper.declarations);
    const harmless = inherited === "" || inherited === NS.HTTPBIND || inherited === NS.CLIENT;
    this.#inheritedDefault = harmless ? undefined : inherited;
  }

  leave(payload: Payload): Leaving {
    const verdict = judgeClientPayload(payload);
    if (verdict.type !== "forward") return verdict;
    const isAlone = payload.inherits.length === 0 &&
      (this.#inheritedDefault === undefined || payload.declaresDefault);
    if (isAlone) return UNTOUCHED;
    const rewritten = standalone(payload, this.#inheritedDefault);
    this.#rewrittenBytes += rewritten.length;
    return this.#rewrittenBytes <= MOST_REWRITTEN ? { type: "forward", rewritten } : {
      type: "refuse",
      reason: "the payloads repeat too much of what the wrapper declares",
    };
  }
}

/**
 * Gathers what one request forwards. Payloads that lie side by side in it go up as one view of its
 * bytes.
 */
export class ContentGatherer {
  failures: readonly string[] = NO_FAILURES;
  /** Payloads that are forwarded. */
  count = 0;
  readonly #scope: WrapperScope;
  /** The run of untouched payloads at the end; `pieces` holds what came before it. */
  #runStart = 0;
  #runEnd = 0;
  /** What that run is when it is but one payload. */
  #alone: Uint8Array | undefined;
  #pieces: { start: number; end: number; rewritten?: Uint8Array }[] | undefined;

  constructor(wrapper: XmlHeader) {
    this.#scope = new WrapperScope(wrapper);
  }

  /** Returns the reason when the payload makes the whole request unacceptable. */
  add(payload: Payload, start: number, end: number): string | undefined {
    const leaving = this.#scope.leave(payload);
    if (leaving.type === "refuse") return leaving.reason;
    if (leaving.type === "answer") {
      this.failures = [...this.failures, leaving.failure];
      return undefined;
    }
    this.count++;
    if (leaving.rewritten !== undefined) {
      this.#cut();
      this.#pieces!.push({ start, end, rewritten: leaving.rewritten });
    } else if (this.#runEnd === start) {
      this.#runEnd = end;
      this.#alone = undefined;
    } else {
      if (this.#runEnd > this.#runStart) this.#cut();
      this.#runStart = start;
      this.#runEnd = end;
      this.#alone = payload.bytes;
    }
    return undefined;
  }

  content(bytes: Uint8Array): Uint8Array {
    if (this.#pieces === undefined) {
      return this.#runEnd === this.#runStart
        ? NO_CONTENT
        // The tokenizer had the whole request in one piece, so what it gave is a view of that.
        : this.#alone ?? bytes.subarray(this.#runStart, this.#runEnd);
    }
    this.#cut();
    const views = this.#pieces.map((p) => p.rewritten ?? bytes.subarray(p.start, p.end));
    const joined = new Uint8Array(views.reduce((sum, view) => sum + view.length, 0));
    let at = 0;
    for (const view of views) {
      joined.set(view, at);
      at += view.length;
    }
    return joined;
  }

  #cut(): void {
    this.#pieces ??= [];
    if (this.#runEnd > this.#runStart) {
      this.#pieces.push({ start: this.#runStart, end: this.#runEnd });
    }
    this.#runStart = this.#runEnd = 0;
  }
}
