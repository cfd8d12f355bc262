import { nodeCrypto } from "../config/node_crypto.ts";
import type { Request } from "../protocol/http1/request.ts";
import { readHandshake } from "../protocol/rfc6455/handshake.ts";
import type {
  Answer,
  Exchange,
  LossWatcher,
  MessageEvents,
  MessageSocket,
  NoBody,
  Peer,
  UpgradeOptions,
} from "./exchange.ts";
import type { HttpConnection } from "./http_connection.ts";

/** A request of a connection, until it is answered. */
export class SocketsExchange implements Exchange {
  readonly request: Request;
  readonly #connection: HttpConnection;
  #take: ((body: Uint8Array | NoBody) => void) | undefined;
  #watcher: LossWatcher | undefined;
  #isForsaken = false;

  constructor(connection: HttpConnection, request: Request) {
    this.#connection = connection;
    this.request = request;
  }

  get method(): string {
    return this.request.method;
  }

  get path(): string {
    return this.request.path;
  }

  get query(): string {
    return this.request.query;
  }

  get peer(): Peer {
    return this.#connection.peer;
  }

  get secure(): boolean {
    return this.#connection.secure;
  }

  get bodyLength(): number | undefined {
    return this.request.length;
  }

  header(name: string): string | undefined {
    return this.request.header(name);
  }

  readBody(max: number, take: (body: Uint8Array | NoBody) => void): void {
    this.#take = take;
    this.#connection.readBody(this, max);
  }

  respond(answer: Answer): void {
    this.#connection.answer(this, answer);
  }

  onLost(watcher: LossWatcher): void {
    if (this.#isForsaken) watcher.lost();
    else this.#watcher = watcher;
  }

  upgrade(
    options: UpgradeOptions,
    events: MessageEvents,
  ): { answer: Answer; socket: MessageSocket } | undefined {
    const { method, minorVersion } = this.request;
    const handshake = readHandshake(
      { method, httpMinor: minorVersion, header: (name) => this.header(name) },
      (text) => nodeCrypto().createHash("sha1").update(text).digest("hex"),
    );
    if (handshake.type !== "accepted") return undefined;
    const { protocol } = options;
    // `Connection` is the codec's to write.
    const { connection: _, ...headers } = handshake.headers;
    const answer = {
      status: 101,
      headers: protocol === undefined
        ? headers
        : { ...headers, "sec-websocket-protocol": protocol },
    };
    return { answer, socket: this.#connection.prepareUpgrade(options, events) };
  }

  giveBody(body: Uint8Array | NoBody): void {
    const take = this.#take;
    this.#take = undefined;
    take?.(body);
  }

  /** The client is gone, or as good as that. */
  forsake(): void {
    if (this.#isForsaken) return;
    this.#isForsaken = true;
    this.#watcher?.lost();
  }
}
