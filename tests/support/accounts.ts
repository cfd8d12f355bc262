import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

/** Who has an account in `example.test`, and with which password. They see each other's presence. */
export const ACCOUNTS: Readonly<Record<string, string>> = {
  romeo: "wherefore-art-thou",
  juliet: "a-rose-by-any-other-name",
};

/** What a server keeps of a password for SCRAM-SHA-1, in place of it (RFC 5802 §3). */
export interface ScramKeys {
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export function scramKeys(password: string): ScramKeys {
  const salt = "sodium chloride";
  const iterations = 4096;
  const salted = pbkdf2Sync(password, salt, iterations, 20, "sha1");
  const hmac = (text: string): Buffer => createHmac("sha1", salted).update(text).digest();
  const storedKey = createHash("sha1").update(hmac("Client Key")).digest();
  return { salt, iterations, storedKey, serverKey: hmac("Server Key") };
}
