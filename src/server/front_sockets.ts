/**
 * The front over plain and TLS sockets, with our own HTTP/1.1 and WebSocket codecs: for ports that
 * strangers reach. Everything that they can make it hold has a limit, and everything that they can
 * keep waiting has a deadline.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { withoutMapping } from "../config/address.ts";
import type { Appointment, Clock } from "../clock.ts";
import type { ListenConfig, TlsConfig } from "../config/config.ts";
import type { LimitName } from "../events.ts";
import { writeAnswer } from "../protocol/http1/answer.ts";
import { ConnectionCount, type ConnectionLimit } from "./connection_count.ts";
import type { Handler, Peer } from "./exchange.ts";
import { type CommonHeaders, textAnswer } from "./http.ts";
import { type ConnectionHost, HttpConnection, type Timeouts } from "./http_connection.ts";
import { httpDate } from "./http_date.ts";
import { type Listener, listenerUrl, removeStaleSocket } from "./listener.ts";
import type { SocketOwner } from "./owned_socket.ts";
import type { TlsLayer } from "./tls_layer.ts";

export interface SocketsOptions {
  readonly timeouts: Timeouts;
  /** What the front's own answers carry. */
  readonly common: CommonHeaders;
  readonly clock: Clock;
  /** Peers that may have any number of connections. */
  readonly trusts: (peer: Peer) => boolean;
  /** A limit has met a client. */
  readonly onLimit: (limit: LimitName, address: string) => void;
  /** A client did not come into TLS. */
  readonly onHandshakeFailed?: (failure: HandshakeFailure) => void;
  readonly onFault: (error: unknown) => void;
}

export interface HandshakeFailure {
  readonly address: string;
  /** In the platform's words. */
  readonly reason: string;
}

/** Connections that wait to be accepted; many come at once when a network is back. */
const BACKLOG = 4_096;

/** Milliseconds of silence after which the system asks whether the client is still there. */
const KEEPALIVE = 45_000;

/** What is said to a connection that is one too many, whatever it wants. */
const TOO_MANY = "There are too many connections here now; come later";
const UNREAD = { method: "", minorVersion: 1, persistent: false, upgrade: undefined } as const;

/** How often deadlines are looked at, and whether connections are accepted is seen to (milliseconds). */
const TICK = 1_000;

/** Listens; rejects with what the platform says when it cannot. */
export async function listenSockets(
  listen: ListenConfig,
  handle: Handler,
  options: SocketsOptions,
): Promise<Listener> {
  const { at } = listen;
  if ("unix" in at) await removeStaleSocket(at.unix);
  let tls: TlsLayer | undefined;
  if (listen.tls !== undefined) {
    const { TlsLayer } = await import("./tls_layer.ts");
    tls = new TlsLayer(listen.tls);
  }
  const front = new SocketsFront(listen, { handle, tls, options });
  await front.open();
  return front;
}

class SocketsFront implements Listener, ConnectionHost {
  readonly handle: Handler;
  readonly timeouts: Timeouts;
  readonly common: CommonHeaders;
  readonly onFault: (error: unknown) => void;
  readonly onLimit: SocketsOptions["onLimit"];
  isClosing = false;
  url = "";
  readonly #listen: ListenConfig;
  readonly #options: SocketsOptions;
  readonly #server: Server;
  readonly #count: ConnectionCount;
  readonly #owners = new Set<SocketOwner>();
  readonly #tls: TlsLayer | undefined;
  /** Connections that are not in TLS yet, and until when they have to be. */
  readonly #handshakes = new Map<Socket, number>();
  #nextTick: Appointment | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(listen: ListenConfig, { handle, tls, options }: {
    readonly handle: Handler;
    readonly tls: TlsLayer | undefined;
    readonly options: SocketsOptions;
  }) {
    const { timeouts, common, trusts, onFault, onLimit } = options;
    this.handle = handle;
    this.timeouts = timeouts;
    this.common = common;
    this.onFault = onFault;
    this.onLimit = onLimit;
    this.#listen = listen;
    this.#options = options;
    this.#tls = tls;
    this.#count = new ConnectionCount(listen, (address) => trusts({ address, port: 0 }));
    this.#server = createServer({
      // Who ends a connection, and when, is HTTP's business and WebSocket's.
      allowHalfOpen: true,
      noDelay: true,
    }, (socket) => this.#accept(socket));
  }

  async open(): Promise<void> {
    const { at } = this.#listen;
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      const where = "unix" in at
        ? { path: at.unix }
        : "fd" in at
        ? { fd: at.fd }
        : { host: at.address, port: at.port };
      server.listen({ ...where, backlog: BACKLOG }, () => {
        server.off("error", reject);
        // What is wrong with one connection that is not accepted does not end the listener.
        server.on("error", this.onFault);
        resolve();
      });
    });
    const address = server.address() as AddressInfo | string | null;
    this.url = listenerUrl(this.#listen, typeof address === "object" ? address?.port ?? 0 : 0);
    this.#nextTick = this.#options.clock.after(TICK, { wake: () => this.#tick() });
  }

  async close(): Promise<void> {
    this.isClosing = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const tcp of [...this.#handshakes.keys()]) tcp.destroy();
    for (const owner of [...this.#owners]) owner.shutdown();
    if (!this.#isEmpty) await new Promise<void>((resolve) => this.#whenEmpty = resolve);
    await closed;
    this.#nextTick?.cancel();
    const { at } = this.#listen;
    if ("unix" in at) await Deno.remove(at.unix).catch(() => {});
  }

  get connections(): number {
    return this.#count.all;
  }

  replaceCertificates(tls: TlsConfig): void {
    this.#tls?.replace(tls);
  }

  // ---- for connections

  now(): number {
    return this.#options.clock.now();
  }

  replace(owner: SocketOwner, successor: SocketOwner | undefined): void {
    this.#owners.delete(owner);
    if (successor !== undefined) this.#owners.add(successor);
    else this.#released(owner.peer);
  }

  // ---- the work

  #accept(socket: Socket): void {
    const address = withoutMapping(socket.remoteAddress ?? "");
    const peer = { address, port: socket.remotePort ?? 0 };
    const limit = this.#count.admit(address);
    if (limit !== undefined) return this.#refuse(socket, limit, address);
    // The server's own option for this does nothing in Deno 2.9.
    socket.setKeepAlive(true, KEEPALIVE);
    if (this.#tls === undefined) {
      this.#owners.add(new HttpConnection(this, { socket, tcp: socket, peer }));
    } else {
      this.#shakeHands(this.#tls, socket, peer);
    }
  }

  #shakeHands(layer: TlsLayer, tcp: Socket, peer: Peer): void {
    const accepted = this.now();
    this.#handshakes.set(tcp, accepted + this.timeouts.headTimeout);
    layer.secure(tcp, (socket) => {
      this.#handshakes.delete(tcp);
      this.#owners.add(new HttpConnection(this, { socket, tcp, peer }, accepted));
    }, (reason) => {
      this.#handshakes.delete(tcp);
      this.#options.onHandshakeFailed?.({ address: peer.address, reason });
      this.#released(peer);
    });
  }

  #released({ address }: Peer): void {
    this.#count.release(address);
    if (this.#isEmpty) this.#whenEmpty?.();
  }

  get #isEmpty(): boolean {
    return this.#owners.size === 0 && this.#handshakes.size === 0;
  }

  #refuse(socket: Socket, limit: ConnectionLimit, address: string): void {
    socket.on("error", () => {});
    // Nobody can read this where TLS is spoken.
    if (this.#listen.tls === undefined) {
      const answer = textAnswer(
        503,
        `${TOO_MANY} (listen.${limit}).\n`,
        this.common.for(undefined),
      );
      socket.end(writeAnswer(UNREAD, answer, { now: httpDate(), closes: true }));
    }
    socket.destroySoon();
    this.#options.onLimit(`listen.${limit}`, address);
  }

  #tick(): void {
    const now = this.now();
    for (const [tcp, deadline] of this.#handshakes) {
      if (now >= deadline) tcp.destroy();
    }
    for (const owner of this.#owners) {
      try {
        owner.tick(now);
      } catch (error) {
        owner.fault(error);
      }
    }
    this.#accepts();
    this.#nextTick = this.#options.clock.after(TICK, { wake: () => this.#tick() });
  }

  /**
   * Deno (2.9) accepts nothing more, ever, and tells nobody, once there has been no file descriptor
   * for a connection. To listen once more wakes it, and is nothing where it is awake. (A unix socket
   * does not wake by it: no stranger reaches those.)
   */
  #accepts(): void {
    if (this.isClosing) return;
    const server: { _handle?: { listen(backlog: number): number } } = this.#server as never;
    server._handle?.listen(BACKLOG);
  }
}
