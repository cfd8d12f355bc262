import type { BoshResponse } from "../bosh_client.ts";
import type { ClientKind, Credentials } from "./client.ts";
import { type ScriptedClient, scriptedClient } from "./scripted_client.ts";
import type { Manner } from "./scripted_line.ts";

/** A client of ours that goes about it as jbosh does, on which Smack stands. */
export const jboshLike: readonly ClientKind[] = [
  {
    name: "our own, like jbosh (Smack) over BOSH, with acknowledgements",
    transport: "bosh",
    version: () => Promise.resolve("ours"),
    logIn: logInLikeJbosh,
  },
];

export function logInLikeJbosh(url: string, credentials: Credentials): Promise<ScriptedClient> {
  return scriptedClient(url, new JboshManner(), credentials);
}

/**
 * It acknowledges answers where one before was not read, and asks again for what the connection
 * manager reports to be missing. It says nothing for a while before it sends an empty request.
 */
class JboshManner implements Manner {
  readonly creation =
    "xml:lang='en' ver='1.8' wait='60' hold='1' ack='1' xmpp:version='1.0' accept='deflate, gzip'";
  readonly restart = "to='example.test' xmpp:restart='true' xml:lang='en'";
  readonly idle = 100;
  readonly repeats = "when told";
  /** Up to here all answers were read. */
  #read = -1;
  readonly #ahead = new Set<number>();

  attributes(rid: number): string {
    return this.#read === -1 || this.#read === rid - 1 ? "" : `ack='${this.#read}'`;
  }

  answered(rid: number, answer: BoshResponse): void {
    if (this.#read === -1) {
      for (const name of ["sid", "wait"]) {
        if (answer.get(name) === undefined) throw new Error(`jbosh throws without ${name}`);
      }
      this.#read = rid;
      return;
    }
    this.#ahead.add(rid);
    while (this.#ahead.delete(this.#read + 1)) this.#read++;
  }
}
