import { credentialsOf } from "./accounts.ts";
import { bareJid } from "./jid.ts";
import { isPassword, readClientFirst, ScramExchange } from "./scram.ts";

/** What comes of one message of the client (RFC 6120 §6.4). */
export type SaslStep =
  | { readonly type: "challenge"; readonly data: string }
  /** `local` is the local part of who has logged in. */
  | { readonly type: "success"; readonly local: string; readonly data: string | undefined }
  | { readonly type: "failure"; readonly condition: SaslCondition };

/** RFC 6120 §6.5, as far as this server has a use for them. */
export type SaslCondition =
  | "aborted"
  | "incorrect-encoding"
  | "invalid-authzid"
  | "invalid-mechanism"
  | "malformed-request"
  | "not-authorized";

/** Takes the client's messages one by one, decoded. */
export type SaslExchange = (message: string) => SaslStep;

/** What the server offers, best first. */
export const MECHANISMS = ["SCRAM-SHA-1", "PLAIN", "ANONYMOUS"] as const;

/** Begins an exchange; `undefined` when the mechanism is not offered. */
export function startExchange(mechanism: string): SaslExchange | undefined {
  switch (mechanism) {
    case "SCRAM-SHA-1":
      return scram();
    case "PLAIN":
      return plain;
    case "ANONYMOUS":
      return anonymous;
    default:
      return undefined;
  }
}

function scram(): SaslExchange {
  let exchange: { readonly local: string; readonly scram: ScramExchange } | undefined;
  return (message) => {
    if (exchange === undefined) {
      const first = readClientFirst(message);
      if (first === undefined) return failure("malformed-request");
      const credentials = credentialsOf(first.username);
      if (credentials === undefined) return failure("not-authorized");
      if (!isOwn(first.authzid, first.username)) return failure("invalid-authzid");
      exchange = { local: first.username, scram: new ScramExchange(first, credentials) };
      return { type: "challenge", data: exchange.scram.serverFirst };
    }
    const data = exchange.scram.finish(message);
    if (data === undefined) return failure("not-authorized");
    return { type: "success", local: exchange.local, data };
  };
}

/** RFC 4616 §2: `[authzid] NUL authcid NUL passwd`. */
function plain(message: string): SaslStep {
  const [authzid = "", local = "", password, ...more] = message.split("\0");
  if (password === undefined || more.length > 0) return failure("malformed-request");
  const credentials = credentialsOf(local);
  if (credentials === undefined || !isPassword(password, credentials)) {
    return failure("not-authorized");
  }
  if (!isOwn(authzid, local)) return failure("invalid-authzid");
  return { type: "success", local, data: undefined };
}

/** RFC 4505: whatever the client sends is trace information, and it gets a name of its own (XEP-0175). */
function anonymous(): SaslStep {
  return { type: "success", local: `guest-${crypto.randomUUID()}`, data: undefined };
}

function isOwn(authzid: string, local: string): boolean {
  return authzid === "" || authzid === bareJid(local);
}

function failure(condition: SaslCondition): SaslStep {
  return { type: "failure", condition };
}
