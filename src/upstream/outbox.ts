import { joined } from "../protocol/stream/bytes.ts";

/** Bytes of memory that a piece takes which waits to be written, besides its own. */
export const PIECE_COST = 256;

/**
 * Bytes that the network is given at a time: it tells of a whole write that it has left, so how
 * slowly a server takes what there is shows in small ones alone.
 */
const BATCH = 16_384;

/** A piece of our own, such as a stream header; the client's are bytes and no more. */
interface Ours {
  readonly ours: Uint8Array;
}

/** What waits to be written on one connection, in order, and how much of it is the client's. */
export class Outbox {
  /** `undefined` when nothing leaves any more. */
  #pieces: (Uint8Array | Ours)[] | undefined = [];
  #size = 0;
  #unsent = 0;
  /** Of the batch that is under way: its bytes, and the client's among them. */
  #writing = 0;
  #leaving = 0;

  /** The bytes must not be changed until they have left. */
  push(bytes: Uint8Array, isClients: boolean): void {
    if (isClients) this.#unsent += bytes.length;
    if (this.#pieces === undefined) return;
    const waits = this.#writing > 0 ? trimmed(bytes) : bytes;
    this.#pieces.push(isClients ? waits : { ours: waits });
    this.#size += bytes.length + PIECE_COST;
  }

  /** The next batch, once the one before has left; `undefined` when there is none. */
  next(): Uint8Array | undefined {
    const pieces = this.#pieces;
    if (pieces === undefined || pieces.length === 0) return undefined;
    if (pieces.length === 1) {
      // As nearly always: one piece, and not a large one.
      const [piece] = pieces;
      const isClients = piece instanceof Uint8Array;
      const bytes = isClients ? piece : piece!.ours;
      if (bytes.length <= BATCH) {
        pieces.length = 0;
        this.#size -= PIECE_COST;
        this.#writing = bytes.length;
        this.#leaving = isClients ? bytes.length : 0;
        return bytes;
      }
    }
    const parts: Uint8Array[] = [];
    let taken = 0;
    for (let room = BATCH; room > 0 && taken < pieces.length;) {
      const piece = pieces[taken]!;
      const isClients = piece instanceof Uint8Array;
      const bytes = isClients ? piece : piece.ours;
      const part = bytes.length > room ? bytes.subarray(0, room) : bytes;
      parts.push(part);
      room -= part.length;
      this.#writing += part.length;
      if (isClients) this.#leaving += part.length;
      if (part === bytes) taken++;
      else pieces[taken] = restOf(piece, part.length);
    }
    pieces.splice(0, taken);
    this.#size -= taken * PIECE_COST;
    return joined(parts);
  }

  /** The batch has left. */
  written(): void {
    this.#size -= this.#writing;
    this.#unsent -= this.#leaving;
    this.#writing = this.#leaving = 0;
  }

  /** Nothing leaves any more: what waits is lost, and so is what comes. */
  close(): void {
    this.#pieces = undefined;
    this.#size = this.#writing = this.#leaving = 0;
  }

  /** Bytes that wait or are under way, and what it costs to keep them. */
  get size(): number {
    return this.#size;
  }

  /** A batch is under way. */
  get isWriting(): boolean {
    return this.#writing > 0;
  }

  /** Bytes of the client's that have not left; those of a batch that broke off count. To be asked once. */
  takeUnsent(): number {
    const unsent = this.#unsent;
    this.#unsent = 0;
    return unsent;
  }
}

function restOf(piece: Uint8Array | Ours, start: number): Uint8Array | Ours {
  return piece instanceof Uint8Array ? piece.subarray(start) : { ours: piece.ours.subarray(start) };
}

/** The bytes; a copy where they are the smaller part of what they would keep in memory. */
export function trimmed(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > 2 * bytes.length + PIECE_COST ? bytes.slice() : bytes;
}
