/**
 * Why XML was refused. RFC 6120 gives most of them a stream error of that name:
 *
 * - `not-well-formed`: XML 1.0 or Namespaces in XML is violated (§4.9.3.13)
 * - `restricted-xml`: a comment, processing instruction, DTD or custom entity (§11.1, §4.9.3.18)
 * - `bad-encoding`: not UTF-8 (§11.6, §4.9.3.22 `unsupported-encoding`)
 * - `limit`: larger, deeper or with more attributes than is allowed (`policy-violation`, §4.9.3.14)
 */
export type XmlErrorKind = "not-well-formed" | "restricted-xml" | "bad-encoding" | "limit";

/** What is said of XML that goes beyond a limit. */
export const BEYOND = {
  payloadBytes: "an element or tag is larger than the limit",
  depth: "elements are nested deeper than the limit",
  attributes: "an element has more attributes than the limit allows",
} as const;

/** That, with the key of the limit on clients where there is one. */
export function clientLimit(message: string): string {
  if (message === BEYOND.payloadBytes) return `${message} (limits.client_stanza)`;
  return message === BEYOND.depth ? `${message} (limits.depth)` : message;
}

/** What is wrong with the XML, and where. */
export interface XmlError {
  readonly kind: XmlErrorKind;
  /** A short sentence for people, without any of the document's content. */
  readonly message: string;
  /** Byte offset in the input: everything fed since construction or `reset`. */
  readonly offset: number;
}
