import type { Attributes } from "./attributes.ts";
import type { XmlError } from "./errors.ts";
import { Input } from "./input.ts";
import type { XmlLimits } from "./limits.ts";
import type { Declaration, Payload } from "./payload.ts";
import { NONE } from "./start_tag.ts";
import { Scanner } from "./scanner.ts";
import { STEP } from "./step.ts";

export type { XmlLimits } from "./limits.ts";

/** The root's start tag, complete. */
export interface XmlHeader {
  readonly type: "header";
  readonly name: string;
  readonly namespace: string;
  readonly prefix: string;
  readonly attributes: Attributes;
  /** What it declares, the default namespace (prefix `""`) among it. */
  readonly declarations: readonly Declaration[];
  /** Byte offset of its `<` in the input: everything fed since construction or `reset`. */
  readonly start: number;
  /** Byte offset just after its `>`. */
  readonly end: number;
}

/**
 * What the tokenizer finds, in document order. `start` and `end` are byte offsets in
 * the input, counted from construction or `reset` on, through all documents.
 */
export type XmlItem =
  | XmlHeader
  /** A child of the root, complete. */
  | {
    readonly type: "payload";
    readonly payload: Payload;
    readonly start: number;
    readonly end: number;
  }
  /** The root's end tag, complete, from `start` to `end`; for an empty-element root both are its end. */
  | { readonly type: "end"; readonly start: number; readonly end: number }
  /** The document is refused; nothing comes after this. */
  | { readonly type: "error"; readonly error: XmlError };

/**
 * Cuts a stream or a `<body/>` into its root's start tag, its payloads and its end,
 * and refuses everything that is not well-formed, not namespace-well-formed (XML 1.0
 * fifth edition, Namespaces in XML 1.0) or not allowed in XMPP (RFC 6120 §11.1).
 *
 * Bytes come in chunks cut anywhere; what comes out, errors and their offsets
 * included, does not depend on the cuts. Feed a chunk, then call `next` until
 * `undefined`. Nothing throws.
 */
export class XmlTokenizer {
  readonly #input: Input;
  readonly #scanner: Scanner;
  #rootName = "";
  #rootNamespace = "";
  /** What payloads without prefix and `xmlns` are in. */
  #defaultNamespace = "";
  /** The open payload, as its start tag told. */
  #name = "";
  #namespace = "";
  #nameEnd = 0;
  #declaresDefault = false;
  /** An empty root's end, which follows its header. */
  #emptyRootEnd: XmlItem | undefined;
  #refused = false;

  /** `assumed` is what prefixes mean that no element declares; without it they are refused. */
  constructor(limits: XmlLimits, assumed: readonly Declaration[] = []) {
    this.#input = new Input(limits.payloadBytes);
    this.#scanner = new Scanner(limits, this.#input, assumed);
  }

  /**
   * Gives it the next bytes, borrowed until `next` has come to `undefined`; only then may
   * it be fed again. Payloads that `next` brings are views, good until then.
   */
  feed(chunk: Uint8Array): void {
    if (!this.#refused) this.#input.feed(chunk);
  }

  /**
   * A new document may begin where a payload could: an XML declaration, or a start tag
   * with the root's name in the namespace that it declares itself, replaces the open
   * document, of which no end is told. Holds until it has happened once.
   */
  expectRestart(): void {
    this.#scanner.restartExpected = true;
  }

  /** Forgets everything, as if new: for the stream after TLS. */
  reset(): void {
    this.#input.reset();
    this.#scanner.reset();
    this.#emptyRootEnd = undefined;
    this.#refused = false;
  }

  /** The next item, or `undefined` when more bytes are needed. Never throws. */
  next(): XmlItem | undefined {
    const end = this.#emptyRootEnd;
    if (end !== undefined) {
      this.#emptyRootEnd = undefined;
      return end;
    }
    if (this.#refused) return undefined;
    for (;;) {
      const step = this.#scanner.scan();
      if (step === STEP.NEEDS_BYTES) return undefined;
      const item = step === STEP.START_TAG
        ? this.#startTag()
        : step === STEP.END_TAG
        ? this.#endTag()
        : this.#refusal();
      if (item !== undefined) return item;
    }
  }

  /** A tag or a payload has begun that is not complete yet. */
  get isMidway(): boolean {
    return this.#input.item >= 0;
  }

  /** Bytes of the last chunk that `next` has not consumed: all that lie after the last item's `>`. */
  get unread(): number {
    return this.#input.unread;
  }

  /** An outer start tag: an item when it is the root's or an empty payload's. */
  #startTag(): XmlItem | undefined {
    const scanner = this.#scanner;
    if (scanner.depth === 1 && scanner.restartExpected && this.#beginsDocument()) scanner.forget();
    if (!scanner.enter()) return this.#refusal();
    if (scanner.depth === 1) return this.#header();
    const { bytes, item } = this.#input;
    const { tag } = scanner.bench;
    this.#name = tag.localName(bytes, item);
    this.#namespace = this.#payloadNamespace();
    this.#nameEnd = tag.elementEnd;
    this.#declaresDefault = tag.defaultAt !== NONE;
    if (!scanner.empty) return undefined;
    scanner.leave();
    return this.#endTag();
  }

  #header(): XmlHeader {
    const input = this.#input;
    const { bytes, item } = input;
    const { bench: { tag }, scopes, empty } = this.#scanner;
    const start = input.offset(item);
    const end = input.offset(input.pos);
    const { attributes, declarations } = tag.contents(scopes, bytes, item);
    const prefix = tag.prefix(bytes, item);
    this.#rootName = tag.localName(bytes, item);
    this.#defaultNamespace = defaultOf(declarations);
    this.#rootNamespace = prefix === "" ? this.#defaultNamespace : scopes.resolve(prefix, 1)!;
    const header: XmlHeader = {
      type: "header",
      name: this.#rootName,
      namespace: this.#rootNamespace,
      prefix,
      attributes,
      declarations,
      start,
      end,
    };
    input.drop();
    if (empty) {
      this.#scanner.leave();
      this.#emptyRootEnd = { type: "end", start: end, end };
    }
    return header;
  }

  /** An outer element has ended: a payload, or the root. */
  #endTag(): XmlItem {
    const input = this.#input;
    const start = input.offset(input.item);
    const end = input.offset(input.pos);
    if (this.#scanner.depth === 0) {
      input.drop();
      return { type: "end", start, end };
    }
    const payload = {
      name: this.#name,
      namespace: this.#namespace,
      bytes: input.close(),
      nameEnd: this.#nameEnd,
      declaresDefault: this.#declaresDefault,
      inherits: this.#scanner.scopes.takeInherited(),
    };
    return { type: "payload", payload, start, end };
  }

  /** The namespace of the payload whose start tag was just entered. */
  #payloadNamespace(): string {
    const { bytes, item } = this.#input;
    const { bench: { tag }, scopes } = this.#scanner;
    const prefix = tag.prefix(bytes, item);
    if (prefix !== "") return scopes.resolve(prefix, 2)!;
    return tag.defaultAt === NONE ? this.#defaultNamespace : tag.ownNamespace(bytes, item)!;
  }

  /** Is it the root's expanded name, by the tag's own declarations? */
  #beginsDocument(): boolean {
    const { bytes, item } = this.#input;
    const { tag } = this.#scanner.bench;
    return tag.localName(bytes, item) === this.#rootName &&
      tag.ownNamespace(bytes, item) === this.#rootNamespace;
  }

  #refusal(): XmlItem {
    this.#refused = true;
    return { type: "error", error: this.#scanner.error! };
  }
}

/** The default namespace that one tag declares; `""` without any. */
export function defaultOf(declarations: readonly Declaration[]): string {
  for (const { prefix, namespace } of declarations) if (prefix === "") return namespace;
  return "";
}
