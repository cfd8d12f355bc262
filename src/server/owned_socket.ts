/**
 * What happens to a socket, told to its owner. The listeners are the same functions for every
 * socket, and the owner is a property of it: ten thousand idle connections have no closures.
 */
import type { Socket } from "node:net";
import type { Peer } from "./exchange.ts";

/** Who a socket belongs to: HTTP first, and perhaps a WebSocket later. */
export interface SocketOwner {
  /** Bytes of the client's; they are the owner's to keep and to change. */
  received(chunk: Uint8Array): void;
  /** All that was written has been handed to the network. */
  drained(): void;
  /** The client has ended its side; it may still read. */
  peerEnded(): void;
  /** The connection is gone; comes once and comes last. */
  closed(): void;
  readonly peer: Peer;
  /** Comes about once a second, for deadlines. */
  tick(now: number): void;
  /** The listener closes: ends what can be ended. */
  shutdown(): void;
  /** One of these calls threw: a mistake of ours. */
  fault(error: unknown): void;
}

/**
 * How long the client has to close its side when we have closed ours and the network has all that
 * was written (milliseconds). What it still sends is thrown away meanwhile: to close at once would
 * take the answer away with it.
 */
export const LINGER = 2_000;

const OWNER = Symbol("owner");

interface Owned {
  [OWNER]?: SocketOwner;
}

/** Makes somebody the owner of a socket, its first one or another. */
export function own(socket: Socket, owner: SocketOwner): void {
  const owned: Owned & Socket = socket;
  const isNew = owned[OWNER] === undefined;
  owned[OWNER] = owner;
  if (!isNew) return;
  socket.on("data", onData);
  socket.on("drain", onDrain);
  socket.on("end", onEnd);
  socket.on("close", onClose);
  // An error that nobody hears ends the process; what it means is told by the close that follows.
  socket.on("error", onError);
}

const onData = listener((owner, chunk: Uint8Array) => owner.received(chunk));
const onDrain = listener((owner) => owner.drained());
const onEnd = listener((owner) => owner.peerEnded());
const onClose = listener((owner) => owner.closed());

function onError(): void {}

/** A mistake of ours ends the connection in which it was made, and nothing else. */
function listener<Given extends unknown[]>(tell: (owner: SocketOwner, ...given: Given) => void) {
  return function (this: Owned & Socket, ...given: Given): void {
    const owner = this[OWNER]!;
    try {
      tell(owner, ...given);
    } catch (error) {
      owner.fault(error);
    }
  };
}
