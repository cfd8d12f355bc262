import { joined } from "../stream/bytes.ts";
import type { XmlTokenizer } from "../xml/tokenizer.ts";
import type { Objection } from "./objections.ts";
import { xmlObjection } from "./conditions.ts";
import { WrapperScope } from "./content.ts";

/** One request's piece of the octet stream that a client sends by script syntax. */
export interface Octets {
  /** The wrapper's start tag and whatever came before it. */
  readonly startTag: Uint8Array;
  /** What lies between the wrapper's tags. */
  readonly content: Uint8Array;
}

/** What a request forwards, and what it is answered of it. */
export interface Payloads {
  /** The payloads, side by side; a view of the request where nothing had to be rewritten. */
  readonly content: Uint8Array;
  /** How many payloads that is. */
  readonly count: number;
  /** Failures to hand back for payloads that are not the client's business. */
  readonly failures: readonly string[];
}

/** The payloads that a piece completed, or why the session cannot go on. */
export type Assembled =
  | { readonly type: "payloads" } & Payloads
  | { readonly type: "refused" } & Objection;

/** The payloads of a request whose turn has come. */
export function payloadsOf(
  { octets, content, count, failures }: Payloads & { readonly octets: Octets | undefined },
  assembler: ContentAssembler | undefined,
): Assembled {
  return assembler && octets
    ? assembler.add(octets)
    : { type: "payloads", content, count, failures };
}

const NOTHING: Assembled = {
  type: "payloads",
  content: new Uint8Array(0),
  count: 0,
  failures: [],
};

/**
 * Puts payloads together that are spread over several requests. XEP-0252 §2.2: the connection
 * manager "MUST treat the string of characters between the opening and closing <body> tags of each
 * request as part of an octet stream", because addresses have a length that browsers limit.
 *
 * A payload lives in the wrapper that it began in: declarations of that one are those that it may
 * use. No more than one unfinished payload is held, up to the tokenizer's limit for one.
 */
export class ContentAssembler {
  readonly #tokenizer: XmlTokenizer;
  #scope: WrapperScope | undefined;

  /** The tokenizer is the assembler's own from now on. */
  constructor(tokenizer: XmlTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Takes the pieces in rid order, each once; after a refusal no more. */
  add({ startTag, content }: Octets): Assembled {
    if (content.length === 0) return NOTHING;
    const tokenizer = this.#tokenizer;
    let isOlder = tokenizer.isMidway;
    if (!isOlder) this.#begin(startTag);
    tokenizer.feed(content);
    const parts: Uint8Array[] = [];
    const failures: string[] = [];
    for (let item; (item = tokenizer.next()) !== undefined;) {
      if (item.type === "error") return { type: "refused", ...xmlObjection(item.error) };
      if (item.type !== "payload") return refused("a request's content ends its own wrapper");
      const leaving = this.#scope!.leave(item.payload);
      if (leaving.type === "refuse") return refused(leaving.reason);
      if (leaving.type === "answer") failures.push(leaving.failure);
      else parts.push(leaving.rewritten ?? item.payload.bytes.slice());
      if (isOlder) {
        isOlder = false;
        const rest = content.subarray(content.length - tokenizer.unread);
        this.#begin(startTag);
        tokenizer.feed(rest);
      }
    }
    return { type: "payloads", content: joined(parts), count: parts.length, failures };
  }

  /** The payloads from here on are this wrapper's. */
  #begin(startTag: Uint8Array): void {
    const tokenizer = this.#tokenizer;
    tokenizer.reset();
    tokenizer.feed(startTag);
    for (let item; (item = tokenizer.next());) {
      if (item.type === "header") this.#scope = new WrapperScope(item);
    }
  }
}

function refused(reason: string): Assembled & { type: "refused" } {
  return { type: "refused", condition: "bad-request", reason };
}
