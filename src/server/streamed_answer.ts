/**
 * The body of an answer that is made while it is sent, until its source ends it or its client does.
 * The connection ends with it: that is how HTTP/1.0 and 1.1 know its end alike.
 */
import type { Socket } from "node:net";
import type { BodySource, BodyWriter, Peer } from "./exchange.ts";
import type { ClientSocket, ConnectionHost } from "./http_connection.ts";
import type { Outgoing } from "./outgoing.ts";
import { LINGER, own, type SocketOwner } from "./owned_socket.ts";

export class StreamedAnswer implements BodyWriter, SocketOwner {
  readonly peer: Peer;
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #tcp: Socket;
  readonly #outgoing: Outgoing;
  readonly #source: BodySource;
  #hasEnded = false;
  /** How long the client has to close its side, when ours is closed. */
  #deadline = Infinity;

  constructor(
    host: ConnectionHost,
    { socket, tcp, peer, outgoing }: ClientSocket & { readonly outgoing: Outgoing },
    source: BodySource,
  ) {
    this.#host = host;
    this.#socket = socket;
    this.#tcp = tcp;
    this.#outgoing = outgoing;
    this.peer = peer;
    this.#source = source;
  }

  /** The head has been sent. */
  start(): void {
    own(this.#socket, this);
    this.#source.start(this);
    if (this.#host.isClosing) this.shutdown();
  }

  // ---- from the source

  write(bytes: Uint8Array<ArrayBuffer>): void {
    if (!this.#hasEnded) this.#outgoing.write(bytes);
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#deadline = this.#host.now() + LINGER;
    this.#outgoing.end();
  }

  get queuedBytes(): number {
    return this.#hasEnded ? 0 : this.#outgoing.size;
  }

  // ---- from the socket

  /** There is nothing for the client to say any more. */
  received(): void {}

  drained(): void {
    this.#outgoing.drained();
  }

  /** A client that closes its side has nearly always closed both. */
  peerEnded(): void {
    this.shutdown();
  }

  closed(): void {
    this.#host.replace(this, undefined);
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#source.stopped();
  }

  tick(now: number): void {
    const stalled = this.#outgoing.stalled(now);
    // Who still takes what was written is not late.
    if (this.#hasEnded && this.#outgoing.size > 0) this.#deadline = now + LINGER;
    if (now >= this.#deadline) this.#destroy();
    else if (stalled >= this.#host.timeouts.writeTimeout) {
      this.#host.onLimit("http.write_timeout", this.peer.address);
      this.#destroy();
    }
  }

  shutdown(): void {
    if (this.#hasEnded) return;
    this.end();
    try {
      this.#source.stopped();
    } catch (error) {
      this.fault(error);
    }
  }

  fault(error: unknown): void {
    this.#host.onFault(error);
    this.#destroy();
  }

  #destroy(): void {
    this.#socket.destroy();
    this.#tcp.destroy();
  }
}
