import { type ScramCredentials, scramCredentials } from "./scram.ts";

/** Somebody who can log in. */
interface Account {
  readonly credentials: ScramCredentials;
  /** Local parts of those in the roster, all with subscription `both`. */
  readonly contacts: readonly string[];
}

/** The accounts of the demo: each one's password is its name. */
const ACCOUNTS: ReadonlyMap<string, Account> = new Map([
  ["alice", { credentials: scramCredentials("alice"), contacts: ["bob"] }],
  ["bob", { credentials: scramCredentials("bob"), contacts: ["alice"] }],
]);

/** What proves that somebody is the account of that local part; `undefined`: there is none. */
export function credentialsOf(local: string): ScramCredentials | undefined {
  return ACCOUNTS.get(local)?.credentials;
}

/** Local parts of the account's contacts; an anonymous guest has none. */
export function contactsOf(local: string): readonly string[] {
  return ACCOUNTS.get(local)?.contacts ?? [];
}
