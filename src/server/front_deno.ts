/**
 * The front over `Deno.serve`: right on loopback and behind a trusted proxy. It has no time limits
 * of its own, and what a client sends while a request is held is buffered without bound, so it is
 * not for a port that strangers reach.
 */
import type { Appointment, Clock, Sleeper } from "../clock.ts";
import { withoutMapping } from "../config/address.ts";
import type { ListenConfig } from "../config/config.ts";
import { DenoStream, Lasting } from "./deno_stream.ts";
import type {
  Answer,
  BodySource,
  Exchange,
  Handler,
  LossWatcher,
  MessageEvents,
  MessageSocket,
  NoBody,
  Peer,
  UpgradeOptions,
} from "./exchange.ts";
import { type CommonHeaders, pipelines, textAnswer } from "./http.ts";
import { type Listener, listenerUrl, removeStaleSocket } from "./listener.ts";

/** The platform's default drops connections when many clients come back at once. */
export const BACKLOG = 4_096;

export interface DenoOptions {
  /** What the front's own answers carry. (Where the platform refuses a request itself, nothing can be added.) */
  readonly common: CommonHeaders;
  readonly clock: Clock;
  /** Hears of our own mistakes. */
  readonly onFault: (error: unknown) => void;
}

/** Listens; throws what the platform throws when it cannot. */
export async function listenDeno(
  listen: Pick<ListenConfig, "at" | "tls">,
  handle: Handler,
  own: DenoOptions,
): Promise<Listener> {
  const { at } = listen;
  if (listen.tls !== undefined) {
    if (!("address" in at)) throw new Error("Deno.serve has TLS on TCP addresses only");
    const { DenoTlsListener } = await import("./deno_tls.ts");
    const handler = (lasting: Lasting) => fetchHandler(handle, { ...own, lasting, secure: true });
    return new DenoTlsListener(at, listen.tls, handler, own.clock);
  }
  const lasting = new Lasting();
  const handler = fetchHandler(handle, { ...own, lasting, secure: false });
  const options = { onListen() {}, handler };
  const replaceCertificates = () => {};
  if ("unix" in at) {
    await removeStaleSocket(at.unix);
    const server = Deno.serve({ ...options, path: at.unix });
    return {
      url: `http+unix:${at.unix}`,
      async close() {
        lasting.close();
        await server.shutdown();
        await Deno.remove(at.unix).catch(() => {});
      },
      replaceCertificates,
    };
  }
  if ("fd" in at) throw new Error("Deno.serve takes no socket that was inherited");
  const server = Deno.serve({
    ...options,
    hostname: at.address,
    port: at.port,
    tcpBacklog: BACKLOG,
  });
  const url = listenerUrl(listen, server.addr.port);
  return {
    url,
    close() {
      lasting.close();
      return server.shutdown();
    },
    replaceCertificates,
  };
}

/** A `Deno.serve` handler around ours; embedders mount it where they like. */
export function denoFetch(handle: Handler, own: DenoOptions): FetchHandler {
  return fetchHandler(handle, { ...own, lasting: new Lasting(), secure: false });
}

export type FetchHandler = (request: Request, info: Deno.ServeHandlerInfo) => Promise<Response>;

function fetchHandler(handle: Handler, own: ServerOptions): FetchHandler {
  const options = { ...own, newcomers: new Newcomers(own.clock) };
  return (request, info) =>
    new Promise((resolve) => {
      const exchange = new DenoExchange(request, info, resolve, options);
      exchange.attempt(() => {
        const answer = handle(exchange);
        if (answer !== undefined) exchange.respond(answer);
      });
    });
}

function toResponse(
  answer: Answer,
  exchange: DenoExchange,
  body: BodyInit | null | undefined = answer.body,
): Response {
  const { status, headers } = answer;
  // `Deno.serve` does not read a second request while the first is held. Clients that pipeline
  // would wait for ever, and take separate connections when they are told to.
  const closes = answer.closes === true || exchange.isLast ||
    (answer.pipelines ?? pipelines(exchange.header("user-agent")));
  const response = new Response(body ?? null, { status });
  // One that is made with headers has the platform register it with the garbage collector.
  for (const name in headers) response.headers.set(name, headers[name]!);
  if (closes) response.headers.set("connection", "close");
  return response;
}

/** How long a request may be held before it is seen to whether its client leaves (milliseconds). */
const WATCHED_AFTER = 250;

/**
 * Requests that have not been held for long. To watch one costs the platform a good part of what it does
 * for a request and its answer, and most are answered at once. A client that leaves meanwhile is noticed
 * as soon as its request is watched.
 */
class Newcomers implements Sleeper {
  readonly #clock: Clock;
  /** Places are emptied and not taken again: what a set has forgotten survives its collection for long. */
  readonly #exchanges: (DenoExchange | undefined)[] = [];
  #count = 0;
  #appointment: Appointment | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns its place. */
  add(exchange: DenoExchange): number {
    this.#count++;
    this.#appointment ??= this.#clock.after(WATCHED_AFTER, this);
    return this.#exchanges.push(exchange) - 1;
  }

  /** It has been answered. */
  delete(exchange: DenoExchange, place: number): void {
    if (this.#exchanges[place] !== exchange) return;
    this.#exchanges[place] = undefined;
    if (--this.#count > 0) return;
    this.#appointment?.cancel();
    this.#appointment = undefined;
    this.#exchanges.length = 0;
  }

  /** For the clock. */
  wake(): void {
    this.#appointment = undefined;
    this.#count = 0;
    for (const exchange of this.#exchanges.splice(0)) exchange?.watch();
  }
}

class DenoExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly #request: Request;
  readonly #info: Deno.ServeHandlerInfo;
  readonly #resolve: (response: Response) => void;
  readonly #options: InnerOptions;
  #watcher: LossWatcher | undefined;
  /** Among the newcomers. */
  #place = 0;
  #bodyLength: number | undefined;
  #isAnswered = false;
  #upgraded: Response | undefined;

  constructor(
    request: Request,
    info: Deno.ServeHandlerInfo,
    resolve: (response: Response) => void,
    options: InnerOptions,
  ) {
    this.#resolve = resolve;
    this.#options = options;
    this.#request = request;
    this.#info = info;
    this.method = request.method;
    // `new URL` would cost more than all of this, and throws for a hostile Host.
    const { url } = request;
    const start = url.indexOf("/", url.indexOf("://") + 3);
    const target = start < 0 ? "/" : url.slice(start);
    const question = target.indexOf("?");
    this.path = question < 0 ? target : target.slice(0, question);
    this.query = question < 0 ? "" : target.slice(question + 1);
  }

  /** Its answer is to end the connection. */
  get isLast(): boolean {
    return this.#options.lasting.isRetiring;
  }

  get secure(): boolean {
    return this.#options.secure;
  }

  get peer(): Peer {
    const { remoteAddr } = this.#info;
    if (!("hostname" in remoteAddr)) return { address: "", port: 0 };
    const { hostname, port } = remoteAddr;
    // A listener on "::" shows IPv4 peers in IPv6 clothes.
    return { address: withoutMapping(hostname), port };
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? (name === "host" ? this.#authority : undefined);
  }

  /** HTTP/2 has the host in `:authority` (RFC 9113 §8.3.1), and only the URL shows it. */
  get #authority(): string {
    const { url } = this.#request;
    const start = url.indexOf("://") + 3;
    const end = url.indexOf("/", start);
    return url.slice(start, end < 0 ? url.length : end);
  }

  get bodyLength(): number | undefined {
    return this.#bodyLength ??= this.#declaredLength();
  }

  #declaredLength(): number | undefined {
    const declared = this.header("content-length");
    // Whatever the platform lets through, what is counted by it must be a number.
    if (declared !== undefined && /^\d{1,15}$/.test(declared)) return Number(declared);
    return this.#request.body === null ? 0 : undefined;
  }

  readBody(max: number, take: (body: Uint8Array | NoBody) => void): void {
    this.#body(max).then(
      (body) => this.attempt(() => take(body)),
      () => this.attempt(() => take("broke-off")),
    );
  }

  respond(answer: Answer): void {
    if (this.#isAnswered) return;
    const { source } = answer;
    const body = source === undefined ? answer.body : this.#streamed(source);
    const response = this.#upgraded ?? toResponse(answer, this, body);
    if (this.#upgraded !== undefined) {
      for (const [name, value] of Object.entries(answer.headers)) response.headers.set(name, value);
    }
    this.#isAnswered = true;
    if (this.#watcher !== undefined) this.#options.newcomers.delete(this, this.#place);
    this.#resolve(response);
  }

  #streamed(source: BodySource): ReadableStream<Uint8Array> {
    const { lasting, onFault } = this.#options;
    const stream = new DenoStream(source, lasting, onFault);
    if (this.method !== "HEAD") stream.start();
    return stream.readable;
  }

  /** Does a part of the handler's work; what it throws is a mistake of ours. */
  attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      const { common, onFault } = this.#options;
      onFault(error);
      this.#isAnswered = true;
      // A request that has become a WebSocket has no headers any more.
      const headers = common.for(this.#upgraded === undefined ? this : undefined);
      const answer = textAnswer(500, "A fault of the connection manager.\n", headers);
      this.#resolve(toResponse({ ...answer, closes: true }, this));
    }
  }

  onLost(watcher: LossWatcher): void {
    if (this.#isAnswered) return;
    this.#watcher = watcher;
    this.#place = this.#options.newcomers.add(this);
  }

  /** Has its watcher told of the loss of the client, also where that was before. */
  watch(): void {
    const { signal } = this.#request;
    if (signal.aborted) this.#lost();
    else signal.addEventListener("abort", () => this.#lost(), { once: true });
  }

  #lost(): void {
    this.attempt(() => this.#watcher?.lost());
  }

  /** Rejects when it breaks off. */
  #body(max: number): Promise<Uint8Array | NoBody> {
    const length = this.bodyLength;
    if (length === undefined) return readChunks(this.#request.body!, max);
    return length <= max ? this.#request.bytes() : Promise.resolve("too-long");
  }

  upgrade(
    { protocol, pingInterval, maxMessage }: UpgradeOptions,
    events: MessageEvents,
  ): { answer: Answer; socket: MessageSocket } | undefined {
    let upgrade;
    try {
      // The platform pings after half of the idle time and gives up after the other half.
      upgrade = Deno.upgradeWebSocket(this.#request, { idleTimeout: (2 * pingInterval) / 1000 });
    } catch {
      return undefined;
    }
    // Its own option for this knows only lists that are spaced in one way.
    if (protocol !== undefined) upgrade.response.headers.set("sec-websocket-protocol", protocol);
    this.#upgraded = upgrade.response;
    const socket = new DenoSocket(upgrade.socket, maxMessage, {
      events,
      lasting: this.#options.lasting,
    });
    return { answer: { status: 101, headers: {} }, socket };
  }
}

interface ServerOptions extends DenoOptions {
  readonly lasting: Lasting;
  /** TLS of an embedder's own server is not known here. */
  readonly secure: boolean;
}

interface InnerOptions extends ServerOptions {
  readonly newcomers: Newcomers;
}

/** A body of undeclared length, up to `max` bytes. */
async function readChunks(
  body: ReadableStream<Uint8Array>,
  max: number,
): Promise<Uint8Array | "too-long"> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > max) {
      reader.cancel().catch(() => {});
      return "too-long";
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How often it is looked whether messages have left (milliseconds), and how many times. */
const CLOSE_INTERVAL = 5;
const CLOSE_TRIES = 400;

/**
 * The platform's WebSocket. It answers pings and keeps pongs to itself; it assembles a message of
 * any length before we see it, and ends the connection without a word where RFC 6455 is violated.
 */
class DenoSocket implements MessageSocket {
  maxMessage: number;
  readonly #socket: WebSocket;
  #closing: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: WebSocket, maxMessage: number, { events, lasting }: {
    readonly events: MessageEvents;
    readonly lasting: Lasting;
  }) {
    this.maxMessage = maxMessage;
    this.#socket = socket;
    lasting.socketOpened();
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return events.message(new Uint8Array(data), true);
      // A character has one byte at least, so most of what is too large need not be encoded.
      const bytes = data.length > this.maxMessage ? undefined : encoder.encode(data);
      if (bytes === undefined || bytes.length > this.maxMessage) events.tooLarge();
      else events.message(bytes, false);
    };
    socket.onclose = () => {
      clearTimeout(this.#closing);
      lasting.socketClosed();
      events.closed();
    };
    // What went wrong is told by the close that follows.
    socket.onerror = () => {};
  }

  send(messages: readonly Uint8Array[]): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    for (const message of messages) this.#socket.send(decoder.decode(message));
  }

  /**
   * The platform reads whatever comes, and has no way to be stopped: what a client sends to a server
   * that does not read waits here, until it is more than `limits.queued_bytes` and its session ends.
   */
  flow(): void {}

  close(code: number): void {
    this.#closeWhenSent(code, CLOSE_TRIES);
  }

  /**
   * A close frame that waits behind messages is forgotten when a frame of the client's comes before
   * it has left: so it is not given to the platform until they have.
   */
  #closeWhenSent(code: number, tries: number): void {
    // Deno refuses to close what is not open yet, or no longer.
    if (this.#socket.readyState === WebSocket.CONNECTING) {
      this.#socket.onopen = () => this.#closeWhenSent(code, tries);
      return;
    }
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount === 0 || tries === 0) return this.#socket.close(code);
    this.#closing = setTimeout(() => this.#closeWhenSent(code, tries - 1), CLOSE_INTERVAL);
  }

  drop(): void {
    // There is no way to cut the connection: the close frame waits behind what nobody reads.
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(1001);
  }

  get queuedBytes(): number {
    return this.#socket.bufferedAmount;
  }
}
