/**
 * The one shape of a request, whichever front it came through. Endpoints know
 * exchanges and nothing of `Deno.serve` or sockets.
 */
export interface Exchange {
  readonly method: string;
  /** Path of the request target, as it was sent (not decoded). */
  readonly path: string;
  /** What followed the `?`, without it; `""` when there was none. */
  readonly query: string;
  /** The client's end of the connection. */
  readonly peer: Peer;
  /** Whether it came by TLS that ends here. */
  readonly secure: boolean;
  /**
   * A request header's value, several of one name joined by `, `; `name` in lower case. To be asked
   * while the handler has the word, or the taker of the body: a request that waits for its answer
   * has none any more.
   */
  header(name: string): string | undefined;
  /** Bytes that the body is to have; `undefined`: only its end will show. */
  readonly bodyLength: number | undefined;
  /**
   * Gives the whole request body to `take`, perhaps at once, or why there is none of at most `max`
   * bytes. The bytes are the taker's to keep.
   */
  readBody(max: number, take: (body: Uint8Array | NoBody) => void): void;
  /**
   * Answers a request for which the handler returned nothing. The first answer counts, and one
   * that nobody waits for any more is dropped.
   */
  respond(answer: Answer): void;
  /**
   * The watcher is told once if the client's connection goes away before the answer is written. The
   * exchange wants an answer all the same.
   */
  onLost(watcher: LossWatcher): void;
  /**
   * Turns the exchange into a WebSocket. Call it at most once, and return its
   * `answer` from the handler. `undefined`: the request is not a WebSocket handshake.
   */
  upgrade(
    options: UpgradeOptions,
    events: MessageEvents,
  ): { answer: Answer; socket: MessageSocket } | undefined;
}

/**
 * Why there is no body. What broke off can seldom be answered: the client has left, or has ended its
 * side too early, or wrote a chunked coding that is none.
 */
export type NoBody = "too-long" | "broke-off";

/** Who wants to know that a client has left. */
export interface LossWatcher {
  lost(): void;
}

export interface Peer {
  /** IP address as text, IPv4 never in its IPv6 clothes; `""` on a unix socket. */
  readonly address: string;
  readonly port: number;
}

/** What goes back. `Content-Length` is the front's business. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string | undefined;
  /** Makes the body, instead of `body`, while it is sent. */
  readonly source?: BodySource | undefined;
  /** The connection is to end with it. */
  readonly closes?: boolean | undefined;
  /** Whether its client pipelines, where the endpoint knows; a front that minds finds out itself else. */
  readonly pipelines?: boolean | undefined;
}

/**
 * A body that is made while it is sent, such as server-sent events. Neither call comes when nobody
 * takes a body: for HEAD, or when the client has left already.
 */
export interface BodySource {
  /** The head is on its way. Called once at most. */
  start(body: BodyWriter): void;
  /**
   * Nobody takes more: the client has left, or takes nothing for `http.write_timeout`, or the listener
   * closes. Comes after `start`, once at most and last, and not if the body was ended.
   */
  stopped(): void;
}

/** Calls never throw; when the body has ended or was stopped they do nothing. */
export interface BodyWriter {
  /** Sends bytes; they are not the caller's any more. */
  write(bytes: Uint8Array<ArrayBuffer>): void;
  /** The body is whole. */
  end(): void;
  /** Bytes accepted by `write` and not yet handed to the network: who writes has to mind them. */
  readonly queuedBytes: number;
}

/** The answer, or nothing: then `respond` is called later, or has been. */
export type Handler = (exchange: Exchange) => Answer | undefined;

export interface UpgradeOptions {
  /** The subprotocol to name in the handshake's answer, if any. */
  readonly protocol: string | undefined;
  /** Milliseconds between pings; a peer that answers none for two of them is lost. 0: no pings. */
  readonly pingInterval: number;
  /** Bytes that one message may have, until the socket is told otherwise. */
  readonly maxMessage: number;
}

/** A WebSocket with the handshake behind it. Calls never throw; after `closed` they do nothing. */
export interface MessageSocket {
  /** Sends text messages in this order; the bytes are UTF-8 and may be reused at once. */
  send(messages: readonly Uint8Array[]): void;
  /**
   * Stops or resumes the reading of messages: back-pressure, if the front can. What is under way may
   * still come. A client that is not read is not lost for answering no ping.
   */
  flow(open: boolean): void;
  /** Starts the closing handshake. */
  close(code: number): void;
  /** Gives up a peer that does not read: cuts the connection, if the front can. */
  drop(): void;
  /** Bytes accepted by `send` and not yet handed to the network. */
  readonly queuedBytes: number;
  /** Bytes that one message of the client may have. */
  maxMessage: number;
}

/** What a WebSocket tells its endpoint. What violates RFC 6455 itself the front answers alone. */
export interface MessageEvents {
  /** One whole message; a binary one comes as `binary`. */
  message(data: Uint8Array, binary: boolean): void;
  /** A message has more than `maxMessage` bytes; nothing of it is told, and nothing after it counts. */
  tooLarge(): void;
  /** A ping or a pong came; a front whose platform keeps them to itself never says so. */
  alive(): void;
  /** The connection is gone; comes once and comes last. */
  closed(): void;
}
