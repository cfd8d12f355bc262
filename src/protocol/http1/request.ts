import { Fields } from "./fields.ts";
import type { Framing } from "./framing.ts";
import type { Target } from "./target.ts";

/** A place in the order of answers: that of a request, or of a refusal where one should be. */
export interface Turn {
  /** `""` when it could not be read. */
  readonly method: string;
  readonly minorVersion: 0 | 1;
  /** The connection may be used again after the answer. */
  readonly persistent: boolean;
  /** The protocols that the client would rather speak from here on (RFC 9110 §7.8). */
  readonly upgrade: string | undefined;
}

/** The head of a request. */
export class Request implements Turn {
  readonly method: string;
  /** Path of the request target, as it was sent (not decoded). */
  readonly path: string;
  /** What followed the `?`, without it; `""` when there was none. */
  readonly query: string;
  /** Of HTTP/1.0 or HTTP/1.1. */
  readonly minorVersion: 0 | 1;
  readonly persistent: boolean;
  readonly upgrade: string | undefined;
  /** Bytes of the body; `undefined` when it comes in chunks, 0 when there is none. */
  readonly length: number | undefined;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  readonly #authority: string | undefined;
  #fields: Fields;

  constructor(
    method: string,
    minorVersion: 0 | 1,
    parts: { readonly target: Target; readonly framing: Framing; readonly fields: Fields },
  ) {
    const { target, framing, fields } = parts;
    this.method = method;
    this.minorVersion = minorVersion;
    this.path = target.path;
    this.query = target.query;
    this.#authority = target.authority;
    this.persistent = framing.persistent;
    this.upgrade = framing.upgrade;
    this.length = framing.length;
    this.expectsContinue = framing.expectsContinue;
    this.#fields = fields;
  }

  /** A header field's value, several of one name joined by `, `; `name` in lower case. */
  header(name: string): string | undefined {
    // RFC 9112 §3.2.2: "When an origin server receives a request with an absolute-form of
    // request-target, the origin server MUST ignore the received Host header field (if any) and
    // instead use the host information of the request-target."
    if (this.#authority !== undefined && name === "host") return this.#authority;
    return this.#fields.get(name);
  }

  /** Lets go of the header fields, which are most of what a request holds. */
  forgetFields(): void {
    this.#fields = NO_FIELDS;
  }

  /** Header fields, those of one name each counted. */
  get fieldCount(): number {
    return this.#fields.count;
  }
}

const NO_FIELDS = new Fields(new Uint8Array(0), []);
