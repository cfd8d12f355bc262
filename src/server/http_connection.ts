/**
 * One connection of an HTTP/1.1 client over a plain or TLS socket: it gives the codec what comes,
 * makes exchanges of requests, writes what answers them, and ends what takes too long.
 */
import type { Socket } from "node:net";
import type { HttpConfig } from "../config/config.ts";
import type { LimitName } from "../events.ts";
import { HttpCodec, type Waiting } from "../protocol/http1/codec.ts";
import type { HttpLimits } from "../protocol/http1/limits.ts";
import type { Refusal } from "../protocol/http1/refusals.ts";
import type { Request, Turn } from "../protocol/http1/request.ts";
import type {
  Answer,
  BodySource,
  Handler,
  MessageEvents,
  NoBody,
  Peer,
  UpgradeOptions,
} from "./exchange.ts";
import { type CommonHeaders, textAnswer } from "./http.ts";
import { httpDate } from "./http_date.ts";
import { Outgoing } from "./outgoing.ts";
import { LINGER, own, type SocketOwner } from "./owned_socket.ts";
import { SocketsExchange } from "./sockets_exchange.ts";
import { StreamedAnswer } from "./streamed_answer.ts";
import { WebSocketConnection } from "./websocket_connection.ts";

/** What a connection has from its front. */
export interface ConnectionHost {
  readonly handle: Handler;
  readonly timeouts: Timeouts;
  /** What the connection's own answers carry. */
  readonly common: CommonHeaders;
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Answers are to end their connections. */
  readonly isClosing: boolean;
  readonly onFault: (error: unknown) => void;
  /** A limit has met a client. */
  readonly onLimit: (limit: LimitName, address: string) => void;
  /** The socket has another owner from here on; `undefined`: it is gone. */
  replace(owner: SocketOwner, successor: SocketOwner | undefined): void;
}

/** Milliseconds. */
export type Timeouts = Pick<
  HttpConfig,
  "headTimeout" | "bodyTimeout" | "keepaliveTimeout" | "writeTimeout"
>;

/** The two ends of a client's connection here: with TLS they differ. */
export interface ClientSocket {
  /** Speaks with the client. */
  readonly socket: Socket;
  /** The TCP connection below, which is what has to be paused. */
  readonly tcp: Socket;
  readonly peer: Peer;
}

const LIMITS: HttpLimits = {
  headBytes: 16_384,
  targetBytes: 16_000,
  fields: 100,
  chunkLineBytes: 256,
  trailerBytes: 4_096,
  // The most that a client of BOSH may have under way (`max_hold` and what goes with it), and more.
  requests: 20,
};

/** Bytes that may wait behind the last request that is read, before the client has to. */
const READ_AHEAD = 16_384;

export class HttpConnection implements SocketOwner {
  readonly peer: Peer;
  readonly secure: boolean;
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #tcp: Socket;
  readonly #outgoing: Outgoing;
  readonly #codec = new HttpCodec(LIMITS);
  /** Those without an answer, in their order. */
  #exchanges: readonly SocketsExchange[] = NONE;
  /** Whose body is being read. */
  #reader: SocketsExchange | undefined;
  /** When it is over with the client's patience, or ours. */
  #deadline: number;
  /** What `#deadline` is for. The time of the first head begins with the connection. */
  #waiting: Waiting = "head";
  /** What the connection becomes when a request of it is answered. */
  #upgrading: WebSocketConnection | undefined;
  #isReading = false;
  #isPaused = false;
  #peerEnded = false;
  #hasEnded = false;
  #isGone = false;

  /** The first head is waited for from `since` on: what TLS took counts. */
  constructor(host: ConnectionHost, client: ClientSocket, since = host.now()) {
    const { socket, tcp, peer } = client;
    this.#host = host;
    this.#socket = socket;
    this.#tcp = tcp;
    this.#outgoing = new Outgoing(socket, socket === tcp);
    this.peer = peer;
    this.secure = socket !== tcp;
    this.#deadline = since + host.timeouts.headTimeout;
    own(socket, this);
  }

  // ---- from the socket

  received(chunk: Uint8Array): void {
    // A request that crosses our end would get no answer: its client has to see it unserved.
    if (this.#hasEnded) return;
    this.#codec.feed(chunk);
    this.#read();
  }

  drained(): void {
    this.#outgoing.drained();
    this.#read();
  }

  /**
   * A client that closes its side has nearly always closed both: only what is written to it shows
   * the difference. Its held requests are given up, and still answered, for those that half-close.
   */
  peerEnded(): void {
    this.#peerEnded = true;
    this.#deadline = this.#host.now() + LINGER;
    this.#forsake();
    this.#read();
  }

  closed(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#host.replace(this, undefined);
    this.#giveBody("broke-off");
    this.#forsake();
    this.#upgrading?.giveUp();
  }

  tick(now: number): void {
    const stalled = this.#outgoing.stalled(now);
    // Who still takes what was written is not late with anything else.
    if ((this.#hasEnded || this.#peerEnded) && this.#outgoing.size > 0) {
      this.#deadline = now + LINGER;
    }
    if (now >= this.#deadline) this.#expire();
    else if (stalled >= this.#host.timeouts.writeTimeout) {
      this.#host.onLimit("http.write_timeout", this.peer.address);
      this.#destroy();
    }
  }

  shutdown(): void {
    if (this.#codec.waiting === "request" && this.#codec.unanswered === 0) this.#end();
  }

  fault(error: unknown): void {
    this.#host.onFault(error);
    this.#destroy();
  }

  // ---- from exchanges

  /** The body of a request, as {@link Exchange} has it. */
  readBody(exchange: SocketsExchange, max: number): void {
    if (exchange.request.length === 0) return exchange.giveBody(EMPTY);
    if (this.#isGone) return exchange.giveBody("broke-off");
    const go = this.#codec.readBody(exchange.request, max);
    if (go !== undefined) this.#outgoing.write(go);
    this.#reader = exchange;
    this.#read();
  }

  /** Writes an answer, or keeps it until it is its turn. */
  answer(exchange: SocketsExchange, answer: Answer): void {
    if (!this.#exchanges.includes(exchange)) return;
    const { status, headers, body, source, closes } = answer;
    // Those that are held before it and behind it are to be answered too.
    const isLast = this.#host.isClosing && this.#codec.unanswered === 1;
    let octets;
    try {
      octets = this.#write(exchange.request, {
        status,
        headers,
        body,
        source,
        closes: closes === true || isLast,
      });
    } catch (error) {
      return this.#fail(exchange, error);
    }
    this.#exchanges = this.#exchanges.length === 1
      ? NONE
      : this.#exchanges.filter((other) => other !== exchange);
    if (this.#reader === exchange) this.#reader = undefined;
    this.#send(octets);
  }

  /** The WebSocket that the connection is to become when the request is answered. */
  prepareUpgrade(options: UpgradeOptions, events: MessageEvents): WebSocketConnection {
    const client = { socket: this.#socket, tcp: this.#tcp, peer: this.peer };
    const connection = { ...client, outgoing: this.#outgoing };
    this.#upgrading = new WebSocketConnection(this.#host, connection, options, events);
    return this.#upgrading;
  }

  // ---- reading

  /** Everything that the codec finds, while the client takes what answers it. */
  #read(): void {
    // What is answered while reading goes on below.
    if (this.#isReading) return;
    this.#isReading = true;
    let isNew = false;
    for (
      let event;
      !this.#outgoing.isBackedUp && (event = this.#codec.next()) !== undefined;
    ) {
      isNew = true;
      switch (event.type) {
        case "request":
          this.#serve(event.request);
          break;
        case "body":
          this.#giveBody(event.bytes);
          break;
        case "refusal":
          this.#refuse(event.turn, event.refusal);
      }
    }
    this.#isReading = false;
    if (this.#host.isClosing && !this.#isGone) this.shutdown();
    if (this.#peerEnded && !this.#isGone && !this.#outgoing.isBackedUp) {
      // All has been read that there is: a body that is not whole will never be.
      this.#giveBody("broke-off");
      if (this.#codec.unanswered === 0) this.#end();
    }
    this.#watch(isNew);
  }

  #serve(request: Request): void {
    const exchange = new SocketsExchange(this, request);
    if (this.#peerEnded) exchange.forsake();
    this.#exchanges = this.#exchanges.length === 0 ? [exchange] : this.#exchanges.concat(exchange);
    try {
      const answer = this.#host.handle(exchange);
      if (answer !== undefined) this.answer(exchange, answer);
    } catch (error) {
      this.#fail(exchange, error);
    }
    if (this.#reader !== exchange) request.forgetFields();
  }

  #fail(exchange: SocketsExchange, error: unknown): void {
    this.#host.onFault(error);
    if (!this.#exchanges.includes(exchange)) return this.#destroy();
    const headers = this.#host.common.for(exchange);
    this.answer(exchange, textAnswer(500, "A fault of the connection manager.\n", headers));
  }

  #giveBody(body: Uint8Array | NoBody): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined) return;
    try {
      reader.giveBody(body);
    } catch (error) {
      this.#fail(reader, error);
    }
    reader.request.forgetFields();
  }

  #refuse(turn: Turn, { status, reason }: Refusal): void {
    const reader = this.#reader;
    // That a body is too long is for the endpoint to say: it knows who may read the answer.
    if (reader !== undefined && status === 413) return this.#giveBody("too-long");
    this.#exchanges = this.#exchanges.filter(({ request }) => request !== turn);
    const text = `This is not HTTP as it should be: ${reason}.\n`;
    this.#send(this.#write(turn, textAnswer(status, text, this.#host.common.for(reader))));
    this.#giveBody("broke-off");
  }

  /** Nobody is there to be answered any more. */
  #forsake(): void {
    for (const exchange of this.#exchanges) {
      try {
        exchange.forsake();
      } catch (error) {
        this.fault(error);
      }
    }
  }

  // ---- writing

  /** What may be sent now that there is this answer. */
  #write(turn: Turn, answer: Answer): Uint8Array | undefined {
    return this.#isGone ? undefined : this.#codec.answer(turn, answer, httpDate(), this.#outgoing);
  }

  #send(octets: Uint8Array | undefined): void {
    if (this.#isGone) return;
    if (octets !== undefined) this.#outgoing.write(octets);
    if (this.#codec.finished) this.#end();
    else if (this.#codec.upgraded) this.#upgrade();
    else if (this.#codec.source !== undefined) this.#stream(this.#codec.source as BodySource);
    else this.#read();
  }

  #upgrade(): void {
    const socket = this.#upgrading!;
    this.#handOver(socket);
    try {
      socket.start(this.#codec.rest());
      if (this.#peerEnded) socket.peerEnded();
    } catch (error) {
      // Whoever answered an earlier request has nothing to do with it.
      socket.fault(error);
    }
  }

  #stream(source: BodySource): void {
    if (this.#peerEnded) return this.#end();
    const client = { socket: this.#socket, tcp: this.#tcp, peer: this.peer };
    const answer = new StreamedAnswer(this.#host, { ...client, outgoing: this.#outgoing }, source);
    this.#handOver(answer);
    // What came behind its request is given up.
    this.#giveBody("broke-off");
    this.#forsake();
    this.#upgrading?.giveUp();
    try {
      answer.start();
    } catch (error) {
      answer.fault(error);
    }
  }

  #handOver(successor: SocketOwner): void {
    this.#isGone = true;
    this.#resume();
    this.#host.replace(this, successor);
  }

  // ---- time

  /** Sets the deadline for what is waited for now; `isNew`: for something that was not before. */
  #watch(isNew: boolean): void {
    if (this.#isGone || this.#hasEnded || this.#peerEnded) return;
    const { unread, unanswered } = this.#codec;
    let { waiting } = this.#codec;
    // While a request is held, its client has no reason to send another; and while it does not take
    // its answers, nothing that it sends is read.
    if ((waiting === "request" && unanswered > 0) || this.#outgoing.isBackedUp) {
      waiting = "answer";
    }
    if (isNew || waiting !== this.#waiting) {
      this.#waiting = waiting;
      const patience = this.#patience(waiting);
      this.#deadline = patience === Infinity ? Infinity : this.#host.now() + patience;
    }
    if (waiting === "answer" && unread > READ_AHEAD) this.#pause();
    else this.#resume();
  }

  #patience(waiting: Waiting): number {
    const { headTimeout, bodyTimeout, keepaliveTimeout } = this.#host.timeouts;
    switch (waiting) {
      case "request":
        return keepaliveTimeout;
      case "head":
        return headTimeout;
      case "body":
        return bodyTimeout;
      case "answer":
      case "nothing":
        return Infinity;
    }
  }

  #expire(): void {
    if (this.#hasEnded) return this.#destroy();
    // Browsers open connections ahead, and leave them silent: nobody is late with anything.
    if (this.#codec.waiting === "request") return this.#end();
    // Who has closed its side is not late with anything.
    if (!this.#peerEnded) {
      const limit = this.#waiting === "head" ? "http.head_timeout" : "http.body_timeout";
      this.#host.onLimit(limit, this.peer.address);
    }
    const reader = this.#reader;
    // Who is slow with a body is told, unless earlier answers would have to come first.
    if (reader === undefined || this.#codec.unanswered > 1) return this.#destroy();
    this.answer(reader, {
      ...textAnswer(
        408,
        "The request did not come in time (http.body_timeout).\n",
        this.#host.common.for(reader),
      ),
      closes: true,
    });
    reader.giveBody("broke-off");
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#deadline = this.#host.now() + LINGER;
    this.#resume();
    this.#outgoing.end();
  }

  #destroy(): void {
    this.#socket.destroy();
    this.#tcp.destroy();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#tcp.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // A TLS socket may have set the flag that says whether there is reading (see `dial_node`).
    this.#tcp.pause().resume();
  }
}

const EMPTY = new Uint8Array(0);
const NONE: readonly SocketsExchange[] = [];
