import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from "node:crypto";

/** What a server keeps instead of a password (RFC 5802 §3). */
export interface ScramCredentials {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** The first message of a client, taken apart (RFC 5802 §7 `client-first-message`). */
export interface ClientFirst {
  readonly username: string;
  /** Whom the client wants to act as; `""` when it does not say. */
  readonly authzid: string;
  readonly nonce: string;
  readonly gs2Header: string;
  readonly bare: string;
}

/** Derives what is kept for a password, with SHA-1 and a salt of its own. */
export function scramCredentials(password: string): ScramCredentials {
  const salt = randomBytes(16);
  // RFC 5802 §5.1: "a hash iteration-count of at least 4096 SHOULD be used".
  const iterations = 4096;
  const salted = pbkdf2Sync(password, salt, iterations, 20, "sha1");
  return {
    salt,
    iterations,
    storedKey: sha1(hmac(salted, "Client Key")),
    serverKey: hmac(salted, "Server Key"),
  };
}

/** Whether this is the password that the credentials were derived from. */
export function isPassword(
  password: string,
  { salt, iterations, storedKey }: ScramCredentials,
): boolean {
  const salted = pbkdf2Sync(password, salt, iterations, 20, "sha1");
  return timingSafeEqual(sha1(hmac(salted, "Client Key")), storedKey);
}

/** Reads the client's first message; `undefined` when it is malformed or wants channel binding. */
export function readClientFirst(message: string): ClientFirst | undefined {
  const parts = CLIENT_FIRST.exec(message);
  if (parts === null) return undefined;
  const [, gs2Header = "", authzid = "", bare = "", username = "", nonce = ""] = parts;
  return { username: saslName(username), authzid: saslName(authzid), nonce, gs2Header, bare };
}

/** The server's side of one SCRAM-SHA-1 exchange, from the challenge on (RFC 5802 §5). */
export class ScramExchange {
  /** The challenge to send. */
  readonly serverFirst: string;
  readonly #credentials: ScramCredentials;
  readonly #client: ClientFirst;
  readonly #nonce: string;

  constructor(client: ClientFirst, credentials: ScramCredentials) {
    this.#client = client;
    this.#credentials = credentials;
    this.#nonce = client.nonce + randomBytes(18).toString("base64");
    const salt = Buffer.from(credentials.salt).toString("base64");
    this.serverFirst = `r=${this.#nonce},s=${salt},i=${credentials.iterations}`;
  }

  /** The server's last message when the client has proved that it knows the password. */
  finish(clientFinal: string): string | undefined {
    const parts = CLIENT_FINAL.exec(clientFinal);
    if (parts === null) return undefined;
    const [, withoutProof = "", binding = "", nonce = "", proof = ""] = parts;
    // RFC 5802 §5.1: `c` repeats the GS2 header, and the server MUST verify that the nonce is its own.
    if (Buffer.from(binding, "base64").toString() !== this.#client.gs2Header) return undefined;
    if (nonce !== this.#nonce) return undefined;

    const authMessage = `${this.#client.bare},${this.serverFirst},${withoutProof}`;
    const { storedKey, serverKey } = this.#credentials;
    const signature = hmac(storedKey, authMessage);
    const proved = Buffer.from(proof, "base64");
    if (proved.length !== signature.length) return undefined;
    const clientKey = signature.map((byte, i) => byte ^ (proved[i] ?? 0));
    if (!timingSafeEqual(sha1(clientKey), storedKey)) return undefined;
    return `v=${hmac(serverKey, authMessage).toString("base64")}`;
  }
}

// RFC 5802 §7. "n" and "y" are the clients without channel binding; an extension
// after the nonce is allowed, a mandatory one ("m=") is not.
const CLIENT_FIRST = /^([ny],(?:a=([^,]+))?,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[^m].*)?)$/s;
const CLIENT_FINAL = /^(c=([A-Za-z0-9+/=]+),r=([^,]+)(?:,.*)?),p=([A-Za-z0-9+/=]+)$/s;

/** RFC 5802 §5.1: "=2C" and "=3D" stand for a comma and an equals sign. */
function saslName(written: string): string {
  return written.replaceAll("=2C", ",").replaceAll("=3D", "=");
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha1", key).update(text).digest();
}

function sha1(bytes: Uint8Array): Buffer {
  return createHash("sha1").update(bytes).digest();
}
