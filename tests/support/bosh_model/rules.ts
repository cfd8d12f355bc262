import type { Granted } from "../../../src/protocol/bosh/negotiation.ts";

/** XEP-0124 §15.4. */
export class ModelKeys {
  #expected: string | undefined;

  accepts(key: string | undefined, newkey: string | undefined): boolean {
    const expected = this.#expected;
    this.#expected = newkey ?? (expected === undefined ? undefined : key);
    if (expected === undefined) return true;
    return key !== undefined && toyDigest(key) === expected.toLowerCase();
  }
}

/** XEP-0124 §11 and §12, with what is known from outside. */
export class ModelActivity {
  readonly #granted: Granted;
  readonly #strict: boolean;
  #newest = -Infinity;
  #wasEmpty = false;
  /** Whether the newest request was answered with payloads; `undefined`: perhaps. */
  #gotSomething: boolean | undefined = false;

  constructor(granted: Granted, strict: boolean) {
    this.#granted = granted;
    this.#strict = strict;
  }

  request(
    now: number,
    isEmpty: boolean,
    held: { readonly least: number; readonly most: number },
  ): "fine" | "perhaps" | "too-much" {
    const { polling, requests, isPolling } = this.#granted;
    const tooSoon = now - this.#newest < polling - 500;
    const wasEmpty = this.#wasEmpty;
    const gotSomething = this.#gotSomething;
    this.#newest = now;
    this.#wasEmpty = isEmpty;
    this.#gotSomething = false;
    if (!isEmpty || !tooSoon) return "fine";
    if (isPolling) {
      if (!wasEmpty || gotSomething) return "fine";
      return gotSomething === undefined ? "perhaps" : "too-much";
    }
    if (!this.#strict || held.most + 1 < requests) return "fine";
    return held.least + 1 < requests ? "perhaps" : "too-much";
  }

  /** `loaded` answers with payloads were given in an input that processed so many requests. */
  answered(loaded: number, processed: number): void {
    if (loaded > 0) this.#gotSomething = processed > 1 ? undefined : true;
  }

  /** An answer with payloads was given before the next request's turn. */
  delivered(): void {
    this.#gotSomething = true;
  }
}

/** Stands for SHA-1: eight hexadecimal digits. */
export function toyDigest(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, "0");
}
