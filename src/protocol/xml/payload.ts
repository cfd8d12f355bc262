/** One namespace declaration; the prefix is `""` for the default namespace. */
export interface Declaration {
  readonly prefix: string;
  readonly namespace: string;
}

/**
 * One complete first-level element of a stream or of a `<body/>`: a stanza or
 * anything beside it. XEP-0124 §8 calls these payloads.
 *
 * The bytes are a view of the buffer that the element was read into. They are
 * borrowed: good until the tokenizer is fed again. Copy what is kept.
 */
export interface Payload {
  /** Local name of the element. */
  readonly name: string;
  /** Its namespace; `""` when it is in none. */
  readonly namespace: string;
  /** From `<` to `>`. */
  readonly bytes: Uint8Array;
  /** Index in `bytes` just after the element's qualified name, where a declaration can be spliced in. */
  readonly nameEnd: number;
  /** The element itself has an `xmlns` attribute, so it inherits no default namespace. */
  readonly declaresDefault: boolean;
  /**
   * Prefixes that the element or anything inside it uses and that only the root's
   * start tag declares: declarations which it must take along when it leaves.
   */
  readonly inherits: readonly Declaration[];
}
