/** One attribute as it stood in a start tag; `xmlns` declarations are not among them. */
export interface Attribute {
  /** Local name. */
  readonly name: string;
  /** Namespace of a prefixed attribute; `""` without a prefix. */
  readonly namespace: string;
  /** The prefix as it was written; `""` without one. */
  readonly prefix: string;
  /** Value with references resolved and white space normalised (XML 1.0 §3.3.3). */
  readonly value: string;
}

/** The attributes of one start tag, in document order. */
export class Attributes {
  readonly list: readonly Attribute[];

  constructor(list: readonly Attribute[]) {
    this.list = list;
  }

  /** The value of the attribute with this local name and namespace, or `undefined`. */
  get(name: string, namespace = ""): string | undefined {
    for (const attribute of this.list) {
      if (attribute.name === name && attribute.namespace === namespace) return attribute.value;
    }
    return undefined;
  }
}
