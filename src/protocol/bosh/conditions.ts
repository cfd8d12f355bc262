import { clientLimit, type XmlError } from "../xml/errors.ts";

/** The terminal binding conditions of XEP-0124 §17.2, by their exact names. */
export type TerminalCondition =
  | "bad-request"
  | "host-gone"
  | "host-unknown"
  | "improper-addressing"
  | "internal-server-error"
  | "item-not-found"
  | "other-request"
  | "policy-violation"
  | "remote-connection-failed"
  | "remote-stream-error"
  | "see-other-uri"
  | "system-shutdown"
  | "undefined-condition";

/**
 * The HTTP status of an answer to a client from before binding conditions, which sends no `ver`
 * (XEP-0124 §17.1, §17.2): it knows HTTP's own errors only.
 */
export function httpStatus(condition: TerminalCondition | undefined): number {
  switch (condition) {
    case "bad-request":
      return 400;
    case "policy-violation":
      return 403;
    case "item-not-found":
      return 404;
    default:
      return 200;
  }
}

/** What XML that was refused is answered with: too much of it is another matter than bad XML. */
export function xmlObjection(
  { kind, message }: XmlError,
): { readonly condition: TerminalCondition; readonly reason: string } {
  return kind === "limit"
    ? { condition: "policy-violation", reason: clientLimit(message) }
    : { condition: "bad-request", reason: message };
}
