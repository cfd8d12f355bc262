/**
 * The initiating side of a client's stream (RFC 6120 §4), as a pure machine.
 *
 * **How to drive it.** Tell it what happens ({@link C2sStream.connected},
 * `receive`, `secured`, `send` …), each time with the present moment; then take
 * actions from `poll()` until there are none and do them in order; then arrange
 * for `handleTimeout` to be called at `deadline`. Payloads in an action are views
 * of the chunk that was received: perform the actions before the next `receive`.
 *
 * **What it goes through.** `idle` → `negotiating` (our header is written, theirs
 * and the features are awaited) → where STARTTLS is used: `proceed` (asked for
 * it) → `securing` (the shell is in the TLS handshake) → `negotiating` afresh →
 * `open` → `closing` (our closing tag is written, theirs is awaited) → `ended`.
 * Any state but `closing` may also go to `ended` at once.
 *
 * **What nobody sees.** Until TLS is negotiated nothing of the client is written
 * and nothing of the server is shown: what the server said in the clear is
 * forgotten (RFC 6120 §5.4.3.3). So a connection that fails before `opened` has
 * left no trace with the client, and another target may be tried instead.
 *
 * **Restarts.** After SASL a new header begins a new document on the same
 * connection. When the server's new header comes is not ours to say: the client
 * may send its header before or after it has seen `<success/>`, and with SASL2
 * there is none at all. So writing ours and reading `<success/>` each merely
 * permit a new document; it begins where the server begins it, and payloads
 * before and after it are delivered alike.
 */

import { ActionQueue } from "../action_queue.ts";
import type { StreamAttributes } from "./stream_attributes.ts";
import { type HiddenSasl, readFeatures } from "./features.ts";
import { judgeLogins } from "./login.ts";
import { checkHeader, headerBytes, readHeader } from "./header.ts";
import { NS } from "../xml/names.ts";
import type { XmlErrorKind } from "../xml/errors.ts";
import type { Payload } from "../xml/payload.ts";
import { type XmlHeader, type XmlLimits, XmlTokenizer } from "../xml/tokenizer.ts";

/** What a client asks a stream for (RFC 6120 §4.7). */
export interface StreamOpening {
  /** The XMPP domain. */
  readonly to: string;
  /** The client's claimed bare JID; written only once the stream is encrypted (RFC 6120 §4.7.1). */
  readonly from?: string;
  readonly lang?: string;
  /** XMPP version, usually `1.0`. */
  readonly version: string;
  /** More attributes for the header, as the client wants them. */
  readonly attributes?: StreamAttributes;
}

/** What the server said of itself in its stream header (RFC 6120 §4.7). */
export interface StreamHeader {
  readonly id: string | undefined;
  readonly from: string | undefined;
  readonly lang: string | undefined;
  readonly version: string | undefined;
}

/** How an upstream stream ended. */
export type StreamEnd =
  /** The server closed the stream in good order. */
  | { readonly type: "closed" }
  /** The server sent `<stream:error/>`; the payload's bytes are the receiver's to keep. */
  | { readonly type: "stream-error"; readonly error: Payload }
  /** It could not be reached, was not acceptable, or was lost. `reason` is a sentence for people. */
  | { readonly type: "connection-failed"; readonly reason: string };

export interface C2sOptions {
  readonly opening: StreamOpening;
  /** What to do about STARTTLS; without meaning on a direct TLS connection. */
  readonly tls: "required" | "optional" | "never";
  /** The connection has been TLS from its first byte (XEP-0368). */
  readonly direct: boolean;
  /** Of what the server sends. */
  readonly limits: XmlLimits;
  /** Milliseconds that the server has for its header and features; afresh after TLS. */
  readonly timeout: number;
  /** Once authenticated, the stream is never silent for longer (milliseconds); 0: it may be. */
  readonly keepalive: number;
  /** What the client is not shown; missing: everything is. */
  readonly hidden?: HiddenSasl | undefined;
}

/** What the shell is to do. */
export type C2sAction =
  /** `isClients`: it is what the client sent; else it is of our own making. */
  | { readonly type: "write"; readonly bytes: Uint8Array; readonly isClients: boolean }
  /** Write what is outstanding, do the TLS handshake, call `secured`. Nothing else is written meanwhile. */
  | { readonly type: "start-tls" }
  /** The stream is up: after TLS is negotiated and features are there, and again after each restart. */
  | { readonly type: "opened"; readonly header: StreamHeader }
  /** Everything one read brought. The bytes are borrowed until the next `receive`. */
  | { readonly type: "deliver"; readonly payloads: readonly Payload[] }
  /** Write what is outstanding, then close the transport. */
  | { readonly type: "disconnect" }
  /** Comes once and comes last. */
  | { readonly type: "ended"; readonly end: StreamEnd };

/** Milliseconds that the server has to answer our closing tag (RFC 6120 §4.4). */
export const CLOSE_TIMEOUT = 2_000;

type State = "idle" | "negotiating" | "proceed" | "securing" | "open" | "closing" | "ended";

/** What the client did before the stream was up, in order. */
type Waiting = Uint8Array | Restart;

/** What the client wants of the header of its next stream on the same connection. */
export interface Restart {
  /** They take the place of the opening's; `undefined`: those stay. */
  readonly attributes?: StreamAttributes | undefined;
}

export class C2sStream {
  // What lives as long as the client is kept field by field: an object of options would be as much again.
  readonly #tls: C2sOptions["tls"];
  readonly #timeout: number;
  readonly #keepalive: number;
  readonly #hidden: HiddenSasl | undefined;
  readonly #tokenizer: XmlTokenizer;
  #state: State = "idle";
  #opening: StreamOpening;
  #encrypted: boolean;
  /** The server's header, from when it came until the stream is up. */
  #header: StreamHeader | undefined;
  #deadline: number | undefined;
  /** SASL has succeeded; but for SASL2, what comes next is a new stream. */
  #authenticated = false;
  /** Something was written since the last look (RFC 6120 §4.6.1). */
  #wrote = false;
  #waiting: Waiting[] = [];
  /** Payloads of the present read that are not yet part of an action. */
  #payloads: Payload[] = [];
  readonly #actions = new ActionQueue<C2sAction>();

  constructor(options: C2sOptions) {
    this.#tls = options.tls;
    this.#timeout = options.timeout;
    this.#keepalive = options.keepalive;
    this.#hidden = options.hidden;
    this.#opening = options.opening;
    this.#encrypted = options.direct;
    this.#tokenizer = new XmlTokenizer(options.limits);
  }

  /** The transport is up; direct TLS has been negotiated. */
  connected(now: number): void {
    if (this.#state === "idle") this.#negotiate(now);
  }

  /** Bytes of the server, borrowed until the next call. */
  receive(now: number, chunk: Uint8Array): void {
    if (!this.#listens()) return;
    this.#tokenizer.feed(chunk);
    while (this.#listens()) {
      const item = this.#tokenizer.next();
      if (item === undefined) break;
      switch (item.type) {
        case "header":
          this.#serverHeader(now, item);
          break;
        case "payload":
          this.#payload(now, item.payload);
          break;
        case "end":
          this.#serverClosed();
          break;
        case "error":
          this.#fail(
            `the server's XML was refused: ${item.error.message}`,
            CONDITION[item.error.kind],
          );
          break;
        default:
          item satisfies never;
      }
    }
    this.#flush();
  }

  /** The TLS handshake is over and the server's certificate is the right one. */
  secured(now: number): void {
    if (this.#state !== "securing") return;
    // RFC 6120 §5.4.3.3: what was learned before TLS is forgotten, and a new header
    // goes out without a closing tag for the old stream.
    this.#tokenizer.reset();
    this.#header = undefined;
    this.#encrypted = true;
    this.#negotiate(now);
  }

  /** Payloads of the client; they wait until the stream is up. The bytes must not change afterwards. */
  send(content: Uint8Array): void {
    if (this.#state === "open") this.#forward(content);
    else if (this.#isBeforeOpen()) this.#waiting.push(content);
  }

  /** The client wants a new stream on this connection (RFC 6120 §6.4.6). */
  restart(restart: Restart = {}): void {
    if (this.#state === "open") this.#restart(restart);
    else if (this.#isBeforeOpen()) this.#waiting.push(restart);
  }

  /** Ends the stream in good order; before it is up there is no order to keep. */
  close(now: number): void {
    switch (this.#state) {
      case "open":
        this.#write(CLOSING_TAG);
        this.#state = "closing";
        this.#deadline = now + CLOSE_TIMEOUT;
        break;
      case "negotiating":
        this.#write(CLOSING_TAG);
        this.#end({ type: "closed" });
        break;
      case "idle":
      case "proceed":
      case "securing":
        this.#end({ type: "closed" });
        break;
      case "closing":
      case "ended":
        break;
      default:
        this.#state satisfies never;
    }
  }

  /** The transport is gone: the peer closed it, it broke, or TLS could not be negotiated. */
  disconnected(reason = "the server closed the connection without closing the stream"): void {
    if (this.#state === "ended") return;
    this.#end(
      this.#state === "closing" ? { type: "closed" } : { type: "connection-failed", reason },
    );
  }

  handleTimeout(now: number): void {
    if (this.#deadline === undefined || now < this.#deadline) return;
    if (this.#state === "closing") return this.#end({ type: "closed" });
    if (this.#state === "open") return this.#keepAlive(now);
    const missing = this.#state === "proceed"
      ? "no answer to STARTTLS"
      : this.#header === undefined
      ? "no stream header"
      : "no stream features";
    this.#fail(`${missing} from the server within ${this.#timeout / 1000} s`);
  }

  poll(): C2sAction | undefined {
    return this.#actions.poll();
  }

  /** When `handleTimeout` wants to be called. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** Whether TLS protects it. */
  get encrypted(): boolean {
    return this.#encrypted;
  }

  #negotiate(now: number): void {
    this.#state = "negotiating";
    this.#deadline = now + this.#timeout;
    this.#writeHeader();
  }

  #serverHeader(now: number, header: XmlHeader): void {
    const problem = checkHeader(header);
    if (problem !== undefined) return this.#fail(problem.reason, problem.condition);
    this.#header = readHeader(header);
    // Before the stream is up it is shown together with the features.
    if (this.#state !== "negotiating") this.#opened(this.#header);
    if (this.#authenticated) this.#loggedIn(now);
  }

  #payload(now: number, payload: Payload): void {
    if (is(payload, NS.STREAMS, "error")) {
      if (this.#state !== "closing") this.#write(CLOSING_TAG);
      return this.#end({ type: "stream-error", error: keep(payload) });
    }
    switch (this.#state) {
      case "negotiating":
        if (is(payload, NS.STREAMS, "features")) return this.#firstFeatures(now, payload);
        return this.#fail("the server sent something else before its stream features");
      case "proceed":
        return this.#answerToStartTls(payload);
      case "open":
      case "closing":
        // RFC 6120 §6.4.6: after <success/> comes a new stream.
        if (is(payload, NS.SASL, "success")) {
          this.#authenticated = true;
          this.#tokenizer.expectRestart();
        }
        if (is(payload, NS.SASL2, "success")) {
          this.#authenticated = true;
          this.#loggedIn(now);
        }
        this.#payloads.push(
          is(payload, NS.STREAMS, "features") ? readFeatures(payload, this.#hidden).shown : payload,
        );
        return;
      case "idle":
      case "securing":
      case "ended":
        return;
      default:
        this.#state satisfies never;
    }
  }

  #firstFeatures(now: number, payload: Payload): void {
    const { startTls, shown } = readFeatures(payload, this.#hidden);
    if (!this.#encrypted) {
      if (startTls && this.#tls !== "never") {
        this.#state = "proceed";
        this.#deadline = now + this.#timeout;
        return this.#write(START_TLS);
      }
      if (this.#tls === "required") {
        return this.#fail(
          `the server offers no STARTTLS; to connect without encryption, write tls = "optional" ` +
            `or tls = "never" for the domain ${this.#opening.to}`,
        );
      }
    }
    this.#state = "open";
    this.#deadline = undefined;
    if (this.#header !== undefined) this.#opened(this.#header);
    this.#payloads.push(shown);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const item of waiting) {
      if (item instanceof Uint8Array) this.#forward(item);
      else this.#restart(item);
    }
  }

  /**
   * §6.3.4, §11.7: until then white space between elements is forbidden. With SASL that is when the
   * new stream is there, for nothing may stand before the header that begins it.
   */
  #loggedIn(now: number): void {
    if (this.#keepalive > 0 && this.#state === "open") this.#deadline = now + this.#keepalive / 2;
  }

  /** Looks twice in the time, so that a write needs no clock. */
  #keepAlive(now: number): void {
    if (!this.#wrote) this.#write(BLANK);
    this.#wrote = false;
    this.#deadline = now + this.#keepalive / 2;
  }

  #answerToStartTls(payload: Payload): void {
    if (!is(payload, NS.TLS, "proceed")) {
      return this.#fail(
        is(payload, NS.TLS, "failure")
          ? "the server offered STARTTLS and then refused it"
          : "the server answered STARTTLS with something else",
      );
    }
    // Whatever follows in the clear was not protected by TLS and may be anybody's
    // (RFC 6120 §5.4.3.3; command injection).
    if (this.#tokenizer.unread > 0) {
      return this.#fail("the server sent more in the clear after it agreed to TLS");
    }
    this.#state = "securing";
    this.#deadline = undefined;
    this.#actions.push({ type: "start-tls" });
  }

  #serverClosed(): void {
    if (this.#state === "negotiating" || this.#state === "proceed") {
      return this.#fail("the server closed the stream before it was up");
    }
    // RFC 6120 §4.4: a stream is closed from both sides.
    if (this.#state === "open") this.#write(CLOSING_TAG);
    this.#end({ type: "closed" });
  }

  /** Gives the connection up, with a stream error to the server where it has earned one. */
  #fail(reason: string, condition?: string): void {
    // Our stream is closed already, and what the client is owed is no more than the rest.
    if (this.#state === "closing") return this.#end({ type: "closed" });
    if (condition !== undefined) this.#write(streamError(condition));
    // A server that was asked for TLS may be waiting for a handshake and for nothing else.
    if (this.#state !== "proceed") this.#write(CLOSING_TAG);
    this.#end({ type: "connection-failed", reason });
  }

  #end(end: StreamEnd): void {
    this.#flush();
    this.#state = "ended";
    this.#deadline = undefined;
    this.#waiting = [];
    this.#actions.push({ type: "disconnect" });
    this.#actions.push({ type: "ended", end });
  }

  #opened(header: StreamHeader): void {
    this.#flush();
    this.#actions.push({ type: "opened", header });
  }

  #flush(): void {
    if (this.#payloads.length === 0) return;
    this.#actions.push({ type: "deliver", payloads: this.#payloads });
    this.#payloads = [];
  }

  #forward(content: Uint8Array): void {
    const hidden = this.#hidden;
    if (hidden === undefined || this.#authenticated) return this.#write(content, true);
    const { content: allowed, failures } = judgeLogins(content, hidden);
    if (allowed.length > 0) this.#write(allowed, true);
    this.#payloads.push(...failures);
    this.#flush();
  }

  #restart({ attributes }: Restart): void {
    if (attributes) this.#opening = { ...this.#opening, attributes };
    this.#tokenizer.expectRestart();
    this.#writeHeader();
  }

  #writeHeader(): void {
    this.#write(headerBytes(this.#opening, this.#encrypted));
  }

  #write(bytes: Uint8Array, isClients = false): void {
    this.#flush();
    this.#wrote = true;
    this.#actions.push({ type: "write", bytes, isClients });
  }

  #listens(): boolean {
    return this.#state !== "idle" && this.#state !== "securing" && this.#state !== "ended";
  }

  #isBeforeOpen(): boolean {
    return this.#state !== "open" && this.#state !== "closing" && this.#state !== "ended";
  }
}

const encoder = new TextEncoder();
const BLANK = encoder.encode(" ");
const CLOSING_TAG = encoder.encode("</stream:stream>");
const START_TLS = encoder.encode(`<starttls xmlns='${NS.TLS}'/>`);

/** The stream error for XML that RFC 6120 §11 does not allow. */
const CONDITION: Readonly<Record<XmlErrorKind, string>> = {
  "not-well-formed": "not-well-formed",
  "restricted-xml": "restricted-xml",
  "bad-encoding": "unsupported-encoding",
  "limit": "policy-violation",
};

function streamError(condition: string): Uint8Array {
  return encoder.encode(
    `<stream:error><${condition} xmlns='${NS.STREAM_ERRORS}'/></stream:error>`,
  );
}

function is(payload: Payload, namespace: string, name: string): boolean {
  return payload.name === name && payload.namespace === namespace;
}

function keep(payload: Payload): Payload {
  return { ...payload, bytes: payload.bytes.slice() };
}
