import type { LimitMet } from "./actions.ts";
import type { TerminalCondition } from "./conditions.ts";

/** Why a session has to end. */
export interface Objection {
  readonly condition: TerminalCondition;
  /** A sentence for people. */
  readonly reason: string;
  /** The limit that was met, if it is one. */
  readonly limit?: LimitMet | undefined;
}

/** How a session ends: by an objection, or in good order. */
export type End = Pick<Objection, "reason" | "limit"> & {
  readonly condition: TerminalCondition | undefined;
};

/** The connection manager goes down. */
export const GOING_DOWN: Objection = {
  condition: "system-shutdown",
  reason: "the connection manager is shutting down",
};

/** More is waiting than may be. */
export function tooMuch(reason: string): Objection {
  const limit = "limits.queued_bytes";
  return { condition: "policy-violation", reason: `${reason} (${limit})`, limit };
}

export const TOO_MUCH_UP = tooMuch("the XMPP server does not read what the client sends");
export const TOO_MUCH_DOWN = tooMuch("too much is waiting for the client");

/** XEP-0124 §14.2, §14.3: a rid too far ahead, or so old that its answer is gone. Both have one name. */
export function outsideWindow(rid: number): Objection {
  return { condition: "item-not-found", reason: `request ${rid} is outside the window` };
}
