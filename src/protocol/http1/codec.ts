import type { Room } from "../room.ts";
import { type Answer, writeAnswer } from "./answer.ts";
import { ChunkedBody } from "./chunks.ts";
import { STEP } from "./field_lines.ts";
import { HeadReader } from "./head_reader.ts";
import { Input } from "./input.ts";
import type { HttpLimits } from "./limits.ts";
import { type Refusal, REFUSALS } from "./refusals.ts";
import type { Request, Turn } from "./request.ts";

/** What a connection brings. */
export type HttpEvent =
  /**
   * The head of a request, to be answered. Unless its `length` is 0 a body follows, when
   * `readBody` has said how much of it there may be. Its header fields are views, good until the
   * chunk's bytes change.
   */
  | { readonly type: "request"; readonly request: Request }
  /** The whole body of the request before. A view, good until the chunk's bytes change. */
  | { readonly type: "body"; readonly request: Request; readonly bytes: Uint8Array }
  /**
   * Nothing more is read. `turn` is to be answered with the refusal's status; it is a request that
   * was handed out when the refusal is of its body.
   */
  | { readonly type: "refusal"; readonly turn: Turn; readonly refusal: Refusal };

/** What a connection waits for. */
export type Waiting =
  /** The first octet of a request. */
  | "request"
  /** The rest of a head. */
  | "head"
  /** The rest of a body. */
  | "body"
  /** Answers, or a word about a body: more octets would only be held. */
  | "answer"
  /** Nothing: HTTP is over here. */
  | "nothing";

/**
 * The server's side of one HTTP/1.1 connection: octets in, requests out; answers in, octets out.
 *
 * **Reading** goes from head to body to head. A head is read as soon as it is there; its body only
 * when `readBody` has said how long it may be, because who answers knows that, and may answer
 * without. A request may come while earlier ones have no answer yet (pipelining, RFC 9112 §9.3.2),
 * as many as `HttpLimits.requests`. Reading stops for good behind a request after which the
 * connection ends, at a refusal, and when an answer closes. It stands still behind a request that
 * asks for another protocol, until its answer has said which one is spoken from there on.
 *
 * **Answering** goes in the order of the requests. Answers may be given in any order: one that is
 * before its time is kept and goes out behind those before it. Every answer says whether the
 * connection ends with it. It does when the client wants it to, when the answer says so, when a
 * request was refused, and when a body has not been read: what is left of that would be taken for
 * a request.
 *
 * All transitions are in this file. To drive it:
 *
 * ```ts
 * codec.feed(chunk);
 * for (let event; (event = codec.next()) !== undefined;) {
 *   // A request or refusal: answer it now or later. Look for events again after each call of
 *   // `readBody` and `answer` as well.
 * }
 * // While `codec.waiting` is "answer" and `codec.unread` is as much as you want to hold: read no more.
 * const octets = codec.answer(request, answer, now); // Send them, if there are any.
 * if (codec.finished) {
 *   // End the connection, when they are sent.
 * } else if (codec.upgraded) {
 *   // From here on the connection is yours: begin with `codec.rest()`.
 * } else if (codec.source !== undefined) {
 *   // Send the body that it makes, and end the connection.
 * }
 * ```
 *
 * Whatever the octets, nothing here throws for them, and what is found does not depend on how
 * they were cut. `TypeError` is for mistakes of whoever answers.
 */
export class HttpCodec {
  readonly #limits: HttpLimits;
  readonly #input = new Input();
  /** What reads the head that has begun; between heads, all connections share one. */
  #head: HeadReader | undefined;
  #state: State = "head";
  /** The request that was read last, while `#state` says that there is more to it. */
  #request: Request | undefined;
  /** The most bytes that its body may have. */
  #maxBody = 0;
  /** Its body, while it is gathered by length: the array, and how much of it is there. */
  #body: Uint8Array = EMPTY;
  #bodyBytes = 0;
  /** Its body, while it comes in chunks. */
  #chunks: ChunkedBody | undefined;
  /** Its client waits for `100 Continue`, and earlier answers come first. */
  #owesContinue = false;
  /** Those without an answer that went out, in their order; made anew, for growing leaves room for many. */
  #turns: readonly Turn[] = NO_TURNS;
  /** Answers that came before their time. */
  #early: readonly WrittenAnswer[] = NO_ANSWERS;
  #finished = false;
  #upgraded = false;
  #source: object | undefined;

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  // Octets in, requests out

  /** Takes what came. The chunk is borrowed until `next` has no more to tell. */
  feed(chunk: Uint8Array): void {
    if (this.#state !== "done") this.#input.feed(chunk);
  }

  /** The next thing that the octets bring; `undefined` when there is none for now. */
  next(): HttpEvent | undefined {
    const event = this.#read();
    if (event === undefined) this.#input.keep();
    return event;
  }

  /**
   * Wants the body of this request, of `max` bytes at most; it comes as an event, or is refused by
   * one. What is returned must be sent now, so that the client sends it. Does nothing for
   * a request that has no body, or has been answered.
   */
  readBody(request: Request, max: number): Uint8Array | undefined {
    if (this.#state !== "offered" || this.#request !== request) return undefined;
    this.#state = "body";
    this.#maxBody = max;
    const { length } = request;
    if (length === undefined) this.#chunks = new ChunkedBody(this.#limits, max);
    // RFC 9110 §10.1.1: a server MAY omit it "if it has already received some or all of the
    // content"; one who will be refused had better not begin.
    if (!request.expectsContinue || this.unread > 0 || (length ?? 0) > max) return undefined;
    if (this.#turns[0] === request) return CONTINUE;
    this.#owesContinue = true;
    return undefined;
  }

  // Answers in, octets out

  /**
   * Answers a request or a refusal. `now` is the time, in the form that HTTP has for it
   * (RFC 9110 §5.6.7). Returns what may be sent by now: this answer and those that waited for it,
   * or nothing while earlier requests have none. Does nothing when the connection is over.
   *
   * `room` makes room for octets that are returned at once; those that have to wait get their own.
   *
   * Status 101 accepts the request's wish for another protocol; `headers` name it.
   */
  answer(
    turn: Turn,
    answer: Answer,
    now: string,
    room?: Room,
  ): Uint8Array<ArrayBuffer> | undefined {
    if (this.#isOver) return undefined;
    if (!this.#turns.includes(turn) || this.#early.some((early) => early.turn === turn)) {
      // What came behind an answer that closes has been given up, and its answer is not missed.
      if (this.#state === "done") return undefined;
      throw new TypeError("Cannot answer a request: it has been answered");
    }
    const upgrades = answer.status === 101;
    if (upgrades && turn.upgrade === undefined) {
      throw new TypeError("Cannot change the protocol: the client did not ask for it");
    }
    const unfinished = this.#request === turn && this.#state !== "choice";
    const { source } = answer;
    const closes = answer.closes === true || !turn.persistent || unfinished || source !== undefined;
    const isNext = this.#turns[0] === turn;
    const octets = writeAnswer(turn, answer, { now, closes }, isNext ? room : undefined);
    // RFC 9110 §9.3.2: an answer to HEAD has no body.
    const follows = turn.method === "HEAD" ? undefined : source;
    const written = { turn, octets, closes, upgrades, source: follows };
    if (closes && !upgrades) this.#stop();
    else if (this.#request === turn && !upgrades) this.#expectHead();
    if (!isNext) {
      this.#early = this.#early.concat(written);
      return undefined;
    }
    return this.#send(written);
  }

  // What can be asked

  /** Octets that have been fed and not read. */
  get unread(): number {
    return this.#input.end - this.#input.pos;
  }

  /** What the connection waits for, so that whoever drives it can set limits to the time. */
  get waiting(): Waiting {
    if (this.#isOver) return "nothing";
    if (this.#state === "body") return "body";
    if (this.#state !== "head" || this.#turns.length >= this.#limits.requests) return "answer";
    return (this.#head?.idle ?? true) && this.unread === 0 ? "request" : "head";
  }

  /** Requests and refusals whose answers have not gone out. */
  get unanswered(): number {
    return this.#turns.length;
  }

  /** The last answer of this connection has gone out: it is to be closed. */
  get finished(): boolean {
    return this.#finished;
  }

  /** The answer that accepts another protocol has gone out. */
  get upgraded(): boolean {
    return this.#upgraded;
  }

  /** What makes the body of the last answer, whose head has gone out: the connection ends with it. */
  get source(): object | undefined {
    return this.#source;
  }

  /** What came behind the request that changed the protocol; a view like a body. */
  rest(): Uint8Array {
    return this.#upgraded ? this.#input.take() : EMPTY;
  }

  // Transitions

  get #isOver(): boolean {
    return this.#finished || this.#upgraded || this.#source !== undefined;
  }

  #read(): HttpEvent | undefined {
    switch (this.#state) {
      case "head":
        return this.#readHead();
      case "body":
        return this.#request!.length === undefined ? this.#readChunks() : this.#readBody();
      case "offered":
      case "choice":
      case "done":
        return undefined;
      default:
        return this.#state satisfies never;
    }
  }

  #readHead(): HttpEvent | undefined {
    if (this.#turns.length >= this.#limits.requests) return undefined;
    const head = this.#head ?? takeFree(this.#limits);
    const request = head.read(this.#input);
    this.#head = head.isFree ? undefined : head;
    if (this.#head === undefined) free = head;
    if (request === undefined) {
      const { refusal, method } = head;
      if (refusal !== undefined) {
        const turn = { method, minorVersion: 1, persistent: false, upgrade: undefined } as const;
        this.#turns = this.#turns.concat(turn);
        return this.#refuse(turn, refusal);
      }
      return undefined;
    }
    this.#turns = this.#turns.length === 0 ? [request] : this.#turns.concat(request);
    if (request.length !== 0) {
      this.#request = request;
      this.#state = "offered";
    } else if (request.upgrade !== undefined) {
      this.#request = request;
      this.#state = "choice";
    } else if (!request.persistent) {
      this.#stop();
    }
    return { type: "request", request };
  }

  /** A body of known length: in the chunk as it is, or gathered in an array of its own. */
  #readBody(): HttpEvent | undefined {
    const input = this.#input;
    const request = this.#request!;
    const length = request.length!;
    if (length > this.#maxBody) return this.#refuse(request, REFUSALS.LONG_BODY);
    if (this.#bodyBytes === 0) {
      if (this.unread >= length) {
        const bytes = input.bytes.subarray(input.pos, input.pos + length);
        input.advance(input.pos + length);
        return this.#finishBody(request, bytes);
      }
      if (this.unread === 0) return undefined;
    }
    const count = Math.min(length - this.#bodyBytes, this.unread);
    this.#reserve(this.#bodyBytes + count, length);
    this.#body.set(input.bytes.subarray(input.pos, input.pos + count), this.#bodyBytes);
    this.#bodyBytes += count;
    input.advance(input.pos + count);
    if (this.#bodyBytes === length) return this.#finishBody(request, this.#body);
    return undefined;
  }

  /**
   * Makes room for so many bytes of a body of this length: for twice of what has come at most,
   * whatever its head promises. Doubling keeps the copying linear.
   */
  #reserve(count: number, length: number): void {
    if (count <= this.#body.length) return;
    const body = new Uint8Array(Math.min(length, Math.max(count, 2 * this.#body.length, PIECE)));
    body.set(this.#body);
    this.#body = body;
  }

  #readChunks(): HttpEvent | undefined {
    const request = this.#request!;
    const chunks = this.#chunks!;
    switch (chunks.read(this.#input)) {
      case STEP.DONE:
        return this.#finishBody(request, chunks.bytes);
      case STEP.REFUSED:
        return this.#refuse(request, chunks.refusal!);
      case STEP.NEEDS_BYTES:
        return undefined;
    }
  }

  #finishBody(request: Request, bytes: Uint8Array): HttpEvent {
    this.#expectHead();
    // RFC 9112 §9.6: after a request that closes "the server MUST NOT process any further
    // requests received on that connection."
    if (!request.persistent) this.#stop();
    return { type: "body", request, bytes };
  }

  #refuse(turn: Turn, refusal: Refusal): HttpEvent {
    // A body that is refused stays unread: `answer` finds it so, and closes.
    this.#state = "done";
    this.#letGo();
    return { type: "refusal", turn, refusal };
  }

  /** Sends an answer whose turn it is, and those that were waiting for it. */
  #send(first: WrittenAnswer): Uint8Array<ArrayBuffer> {
    const pieces = [first.octets];
    for (let sent = first;;) {
      this.#turns = this.#turns.length === 1 ? NO_TURNS : this.#turns.slice(1);
      if (sent.closes || sent.upgrades) {
        this.#finished = !sent.upgrades && sent.source === undefined;
        this.#upgraded = sent.upgrades;
        this.#source = sent.source;
        this.#turns = [];
        this.#early = [];
        break;
      }
      const next = this.#early.find(({ turn }) => turn === this.#turns[0]);
      if (next === undefined) break;
      this.#early = this.#early.filter((early) => early !== next);
      sent = next;
      pieces.push(sent.octets);
    }
    if (this.#owesContinue && this.#turns[0] === this.#request) {
      this.#owesContinue = false;
      pieces.push(CONTINUE);
    }
    return pieces.length === 1 ? first.octets : joined(pieces);
  }

  #expectHead(): void {
    this.#state = "head";
    this.#request = undefined;
    this.#body = EMPTY;
    this.#bodyBytes = 0;
    this.#chunks = undefined;
    this.#owesContinue = false;
  }

  /** Nothing more is read. */
  #stop(): void {
    this.#expectHead();
    this.#state = "done";
    this.#letGo();
  }

  #letGo(): void {
    this.#input.drop();
    this.#body = EMPTY;
    this.#chunks = undefined;
    this.#owesContinue = false;
  }
}

/** What is read next. */
type State =
  | "head"
  /** A body, when it is wanted. */
  | "offered"
  | "body"
  /** What the answer to the last request decides: a head, or another protocol. */
  | "choice"
  /** Nothing. */
  | "done";

let free: HeadReader | undefined;

/** A reader that is between heads. */
function takeFree(limits: HttpLimits): HeadReader {
  const reader = free?.limits === limits ? free : new HeadReader(limits);
  free = undefined;
  return reader;
}

interface WrittenAnswer {
  readonly turn: Turn;
  readonly octets: Uint8Array<ArrayBuffer>;
  readonly closes: boolean;
  readonly upgrades: boolean;
  readonly source: object | undefined;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

const EMPTY = new Uint8Array(0);
/** The first room for a body (bytes), unless it is shorter. */
const PIECE = 1_024;
const NO_TURNS: readonly Turn[] = [];
const NO_ANSWERS: readonly WrittenAnswer[] = [];
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");
