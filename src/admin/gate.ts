/** Who gets in to the operator's side, and what a page of another site cannot have an operator's browser do. */
import type { AdminConfig, Config } from "../config/config.ts";
import { nodeCrypto } from "../config/node_crypto.ts";
import type { TrustedProxies } from "../server/client_address.ts";
import type { Answer, Exchange } from "../server/exchange.ts";
import type { Logins } from "./logins.ts";
import { Problem, PROBLEM_JSON } from "./problem.ts";

/** Methods that change nothing. */
const SAFE = new Set(["GET", "HEAD"]);

export interface GateParts {
  readonly config: Pick<Config, "admin" | "http">;
  readonly proxies: TrustedProxies;
  readonly logins: Logins;
}

export class Gate {
  /** What every answer carries: no other origin may read it, show it in a frame, or keep it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly #proxies: TrustedProxies;
  readonly #logins: Logins;
  readonly #secrets: Secrets;

  constructor({ config, proxies, logins }: GateParts) {
    this.#proxies = proxies;
    this.#logins = logins;
    this.#secrets = new Secrets(config.admin);
    const own = Object.entries(config.http.headers)
      .map(([name, value]) => [name.toLowerCase(), value] as const)
      // Leave for other origins is meant for clients of XMPP.
      .filter(([name]) => !name.startsWith("access-control-"));
    this.headers = {
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      ...Object.fromEntries(own),
    };
  }

  /** The operator's address. */
  addressOf(exchange: Exchange): string {
    return this.#proxies.client(exchange).address;
  }

  /**
   * Says why a request is not served, or has it answered later; `undefined` and `true` are for one that
   * may go on.
   */
  admits(exchange: Exchange): true | Answer | undefined {
    const foreign = this.#foreign(exchange);
    if (foreign !== undefined) return this.problem(foreign);
    const address = this.addressOf(exchange);
    const wait = this.#logins.wait(address);
    if (wait > 0) {
      const text = "too many wrong passwords from this address; wait a little and try again";
      return this.problem(new Problem(429, text), { "retry-after": String(wait) });
    }
    const authorization = exchange.header("authorization");
    if (authorization === undefined) {
      return this.#challenge("log in with a name and password, or a token");
    }
    if (this.#secrets.match(authorization)) {
      this.#logins.succeeded(address);
      return true;
    }
    this.#logins.failed(address, () => {
      exchange.respond(
        this.#challenge("that is no name and password, and no token, of an operator"),
      );
    });
    return undefined;
  }

  problem({ status, body }: Problem, more: Readonly<Record<string, string>> = {}): Answer {
    const headers = { ...this.headers, "content-type": PROBLEM_JSON, ...more };
    return { status, headers, body: JSON.stringify(body) };
  }

  #challenge(detail: string): Answer {
    return this.problem(new Problem(401, detail), { "www-authenticate": this.#secrets.challenge });
  }

  /**
   * Browsers send a password that they know along with whatever a page of another site asks for. A form
   * cannot send JSON, and who can is asked where it comes from.
   */
  #foreign(exchange: Exchange): Problem | undefined {
    const { method } = exchange;
    const site = exchange.header("sec-fetch-site");
    const isOwn = site === undefined || site === "same-origin" || site === "none";
    if (SAFE.has(method)) {
      // A link is followed; what would be a part of a foreign page is not served to it.
      return isOwn || exchange.header("sec-fetch-mode") === "navigate" ? undefined : FOREIGN;
    }
    // A browser that vouches for the page is believed where a proxy has hidden the host that it asked for.
    if (!isOwn || (site !== "same-origin" && !this.#isOwnOrigin(exchange))) return FOREIGN;
    const type = exchange.header("content-type") ?? "";
    return /^application\/json[ \t]*(?:;|$)/i.test(type) ? undefined : NOT_JSON;
  }

  #isOwnOrigin(exchange: Exchange): boolean {
    const origin = exchange.header("origin");
    if (origin === undefined) return true;
    const { scheme, host } = this.#proxies.target(exchange);
    if (host === undefined || !URL.canParse(origin)) return false;
    // Without TLS here and without a proxy that says so, the scheme is not known.
    const schemes = scheme === undefined ? ["http", "https"] : [scheme];
    return schemes.some((scheme) =>
      URL.canParse(`${scheme}://${host}`) &&
      new URL(`${scheme}://${host}`).origin === new URL(origin).origin
    );
  }
}

const FOREIGN = new Problem(
  403,
  "pages of other sites may not do this; open the admin page itself, or use a program that is no browser",
);
const NOT_JSON = new Problem(
  415,
  "what changes something is sent as JSON; send the header Content-Type: application/json",
);

/** The password and the token, compared as digests: these have one length, whatever was sent. */
class Secrets {
  readonly challenge: string;
  readonly #basic: string | undefined;
  readonly #token: string | undefined;

  constructor({ username, password, token }: AdminConfig) {
    this.#basic = password === undefined ? undefined : `${username}:${password}`;
    this.#token = token;
    this.challenge = [
      // RFC 7617 §2.1. A browser asks for a password by the first challenge that it knows.
      ...(password === undefined ? [] : ['Basic realm="Causeway", charset="UTF-8"']),
      ...(token === undefined ? [] : ['Bearer realm="Causeway"']),
    ].join(", ");
  }

  match(authorization: string): boolean {
    const [, scheme = "", credentials = ""] =
      /^([A-Za-z]{1,20}) +(\S{1,8192})$/.exec(authorization) ?? [];
    switch (scheme.toLowerCase()) {
      case "basic":
        return equal(decoded(credentials), this.#basic);
      case "bearer":
        return equal(credentials, this.#token);
      default:
        return false;
    }
  }
}

function decoded(base64: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    return new Uint8Array();
  }
}

/** In a time that does not depend on what is equal. */
function equal(given: string | Uint8Array, wanted: string | undefined): boolean {
  if (wanted === undefined) return false;
  const { createHash, timingSafeEqual } = nodeCrypto();
  const digest = (secret: string | Uint8Array) => createHash("sha256").update(secret).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
