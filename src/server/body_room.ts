/** Bodies of so many bytes need no leave: requests of clients that chat are no longer. */
const FREE = 4_096;

/**
 * Room for request bodies that are being read, of all clients together. Each is bounded by
 * `http.max_body`, but a stranger may begin one on every connection that there is.
 */
export class BodyRoom {
  /** In bytes. */
  size: number;
  #taken = 0;

  constructor(size: number) {
    this.size = size;
  }

  /** Takes room for a body of this length; false: there is none. What it takes is to be given back. */
  take(length: number): boolean {
    if (length <= FREE) return true;
    if (this.#taken + length > this.size) return false;
    this.#taken += length;
    return true;
  }

  /** The body has been read, or never will be. */
  giveBack(length: number): void {
    if (length > FREE) this.#taken -= length;
  }

  /** Bytes that are taken. */
  get taken(): number {
    return this.#taken;
  }
}
