/**
 * What goes out on a connection. How much of a write the network has taken the platform tells only
 * when that is all of it, and what waits it makes one write of. So only as much as it wants is
 * written at once: who takes a long answer slowly, or many messages, takes them nevertheless.
 */
import type { Socket } from "node:net";

/** As much as the platform wants to hold (`writableHighWaterMark`), so that it says when it wants more. */
const PIECE = 65_536;

let shared = new Uint8Array(16_384);

export class Outgoing {
  readonly #socket: Socket;
  /** What is to be written when the platform wants more, from `#next` on. */
  #waiting: Uint8Array[] | undefined;
  #next = 0;
  /** Bytes of it. */
  #size = 0;
  #ends = false;
  /** What is written may be read after `write` has returned. */
  #takesLater: boolean;
  /** Bytes that the network had taken when it was last seen to take some, and when that was. */
  #taken = 0;
  #stalledSince: number | undefined;
  /** All that was written may not have been taken at once. To ask the platform costs more than all else of idling. */
  #mayWait = false;

  /** `isPlain`: the socket is of TCP itself; TLS reads what it is given when it likes. */
  constructor(socket: Socket, isPlain: boolean) {
    this.#socket = socket;
    this.#takesLater = !isPlain;
  }

  /**
   * Room for octets that are written next. The network takes them before `write` returns, nearly
   * always, so all connections share it; one that has made some wait, or that speaks TLS, gets room
   * of its own: nobody may read what is for somebody else.
   */
  room(size: number): Uint8Array<ArrayBuffer> {
    return size <= shared.length && !this.#takesLater && !this.isBackedUp
      ? shared.subarray(0, size)
      : new Uint8Array(size);
  }

  write(octets: Uint8Array): void {
    if (octets.length <= PIECE && !this.isBackedUp) {
      this.#socket.write(octets);
      if (this.#socket.writableLength === 0) return;
      this.#mayWait = true;
      if (octets.buffer === shared.buffer) {
        this.#takesLater = true;
        shared = new Uint8Array(shared.length);
      }
      return;
    }
    this.#mayWait = true;
    this.#waiting ??= [];
    this.#waiting.push(octets);
    this.#size += octets.length;
    this.drained();
  }

  /** Ends our side behind what was written. */
  end(): void {
    this.#ends = true;
    this.drained();
  }

  /** The platform wants more. */
  drained(): void {
    while (this.#waiting !== undefined && !this.#socket.writableNeedDrain) {
      const first = this.#waiting[this.#next]!;
      const piece = first.length > PIECE ? first.subarray(0, PIECE) : first;
      this.#size -= piece.length;
      if (piece !== first) this.#waiting[this.#next] = first.subarray(PIECE);
      else if (++this.#next === this.#waiting.length) {
        this.#waiting = undefined;
        this.#next = 0;
      }
      this.#socket.write(piece);
    }
    if (this.#ends && this.#waiting === undefined) this.#socket.end();
  }

  /** The client has not taken as much as could be written. */
  get isBackedUp(): boolean {
    return this.#waiting !== undefined || this.#socket.writableNeedDrain;
  }

  /** Bytes that have not been handed to the network. */
  get size(): number {
    return this.#size + this.#socket.writableLength;
  }

  /** For how long the client has taken nothing of what there is (milliseconds); to be asked now and then. */
  stalled(now: number): number {
    if (!this.#mayWait) return 0;
    if (this.size === 0) {
      this.#stalledSince = undefined;
      this.#mayWait = false;
      return 0;
    }
    const taken = this.#socket.bytesWritten - this.#socket.writableLength;
    if (this.#stalledSince === undefined || taken !== this.#taken) this.#stalledSince = now;
    this.#taken = taken;
    return now - this.#stalledSince;
  }
}
