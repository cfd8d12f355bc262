/** What a document may cost. */
export interface XmlLimits {
  /** Bytes of one payload, or of the root's start tag. */
  readonly payloadBytes: number;
  /** Elements open at once, the root among them. */
  readonly depth: number;
  /** Attributes and declarations of one element. */
  readonly attributes: number;
}
