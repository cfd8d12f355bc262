import { createHash } from "node:crypto";
import type { ClientKind, Credentials } from "./client.ts";
import { type ScriptedClient, scriptedClient } from "./scripted_client.ts";
import type { Manner } from "./scripted_line.ts";

/** A client of ours that goes about it as JSJaC does, which no registry has. */
export const jsjacLike: readonly ClientKind[] = [
  {
    name: "our own, like JSJaC over BOSH, with key sequences",
    transport: "bosh",
    version: () => Promise.resolve("ours"),
    logIn: logInLikeJsjac,
  },
];

export function logInLikeJsjac(url: string, credentials: Credentials): Promise<ScriptedClient> {
  return scriptedClient(url, new JsjacManner(), credentials);
}

/** Keys in one sequence. */
const KEYS = 16;

/**
 * Every request has a key; the last but one of a sequence brings the next sequence, and the seed
 * itself is never told. What was not answered is repeated as it was, key and all.
 */
class JsjacManner implements Manner {
  readonly creation = "content='text/xml; charset=utf-8' hold='1' wait='300' secure='false' " +
    "ver='1.10' xmpp:version='1.0'";
  readonly restart = "xmpp:restart='true'";
  readonly idle = 100;
  readonly repeats = "at once";
  #keys: string[] = [];

  attributes(): string {
    const key = this.#keys.pop();
    if (key === undefined) return `newkey='${this.#renew()}'`;
    return this.#keys.length > 1 ? `key='${key}'` : `key='${key}' newkey='${this.#renew()}'`;
  }

  #renew(): string {
    this.#keys = [String(Math.random())];
    while (this.#keys.length < KEYS) this.#keys.push(sha1(this.#keys.at(-1)!));
    return this.#keys.pop()!;
  }
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
