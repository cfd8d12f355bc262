/**
 * One WebSocket over a plain or TLS socket: it gives the codec what comes, and performs what the
 * codec asks. It is there from the handshake's request on, and begins when that is answered.
 */
import type { Socket } from "node:net";
import { type CodecAction, WebSocketCodec } from "../protocol/rfc6455/codec.ts";
import { NEW_ROOM } from "../protocol/room.ts";
import type { MessageEvents, MessageSocket, Peer, UpgradeOptions } from "./exchange.ts";
import type { ClientSocket, ConnectionHost } from "./http_connection.ts";
import type { Outgoing } from "./outgoing.ts";
import { own, type SocketOwner } from "./owned_socket.ts";

/** RFC 6455 §7.4.1: "an endpoint is 'going away', such as a server going down". */
const GOING_AWAY = 1001;

export class WebSocketConnection implements MessageSocket, SocketOwner {
  readonly peer: Peer;
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #tcp: Socket;
  readonly #outgoing: Outgoing;
  readonly #codec: WebSocketCodec;
  readonly #events: MessageEvents;
  /** What is to be written when the handshake has been answered; then `undefined`. */
  #early: Uint8Array[] | undefined = [];
  /** Bytes of the frame that the codec wrote last, and of our close frame. */
  #lastFrame = 0;
  #closeFrame = 0;
  #isPolling = false;
  #isPaused = false;
  #isGone = false;

  constructor(
    host: ConnectionHost,
    { socket, tcp, peer, outgoing }: ClientSocket & { readonly outgoing: Outgoing },
    options: UpgradeOptions,
    events: MessageEvents,
  ) {
    this.#host = host;
    this.#socket = socket;
    this.#tcp = tcp;
    this.#outgoing = outgoing;
    this.peer = peer;
    this.#codec = new WebSocketCodec(host.now(), options);
    this.#events = events;
  }

  /** The handshake has been answered; `rest` came behind its request. */
  start(rest: Uint8Array): void {
    own(this.#socket, this);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const bytes of early) this.#write(bytes);
    this.received(rest);
  }

  /** The connection is gone, if not before the handshake was answered. */
  giveUp(): void {
    this.#isGone = true;
    this.#codec.disconnected(this.#host.now());
    this.#poll();
  }

  // ---- from the endpoint

  send(messages: readonly Uint8Array[]): void {
    const room = this.#early === undefined ? this.#outgoing : NEW_ROOM;
    const bytes = this.#codec.text(messages, room);
    if (bytes !== undefined) this.#write(bytes);
  }

  /** As {@link MessageSocket} has it. Messages of a chunk that has been read wait, in its bytes. */
  flow(open: boolean): void {
    if (open !== this.#isPaused) return;
    this.#isPaused = !open;
    this.#codec.listen(this.#host.now(), open);
    // A TLS socket may have set the flag that says whether there is reading (see `dial_node`).
    this.#tcp.pause();
    if (!open) return;
    this.#tcp.resume();
    this.#poll();
  }

  close(code: number): void {
    this.#codec.close(this.#host.now(), code);
    this.#poll();
    // The client's part of the closing handshake stands behind what it sent before.
    this.flow(true);
  }

  drop(): void {
    this.#socket.destroy();
    this.#tcp.destroy();
  }

  get queuedBytes(): number {
    return Math.max(0, this.#outgoing.size - this.#closeFrame);
  }

  get maxMessage(): number {
    return this.#codec.maxMessage;
  }

  set maxMessage(bytes: number) {
    this.#codec.maxMessage = bytes;
  }

  // ---- from the socket

  received(chunk: Uint8Array): void {
    this.#codec.receive(this.#host.now(), chunk);
    this.#poll();
  }

  drained(): void {
    this.#outgoing.drained();
    if (this.#outgoing.isBackedUp) return;
    this.#codec.flow(true);
    this.#poll();
  }

  peerEnded(): void {
    this.#codec.peerEnded(this.#host.now());
    this.#poll();
  }

  closed(): void {
    if (this.#isGone) return;
    this.#host.replace(this, undefined);
    this.giveUp();
  }

  tick(now: number): void {
    const { deadline } = this.#codec;
    if (deadline === undefined || now < deadline) return;
    this.#codec.handleTimeout(now);
    this.#poll();
  }

  shutdown(): void {
    this.close(GOING_AWAY);
  }

  fault(error: unknown): void {
    this.#host.onFault(error);
    this.drop();
  }

  // ---- the codec's wishes

  /** An action may lead to an input; what that leads to comes after it, here. */
  #poll(): void {
    if (this.#isPolling) return;
    this.#isPolling = true;
    try {
      for (let action; (action = this.#codec.poll()) !== undefined;) this.#perform(action);
    } finally {
      this.#isPolling = false;
    }
  }

  #perform(action: CodecAction): void {
    switch (action.type) {
      case "message":
        return this.#events.message(action.bytes, action.binary);
      case "alive":
        return this.#events.alive();
      case "too-large":
        return this.#events.tooLarge();
      case "write":
        this.#lastFrame = action.bytes.length;
        return this.#write(action.bytes);
      case "end":
        // The last was our close frame: with TLS it is still on its way, and it is no message.
        this.#closeFrame = this.#lastFrame;
        return this.#outgoing.end();
      case "drop":
        return this.drop();
      case "closed":
        return this.#events.closed();
      default:
        action satisfies never;
    }
  }

  #write(bytes: Uint8Array): void {
    if (this.#early !== undefined) return void this.#early.push(bytes);
    this.#outgoing.write(bytes);
    if (this.#outgoing.isBackedUp) this.#codec.flow(false);
  }
}
