/**
 * The bytes that are still needed, side by side.
 *
 * They lie from `start` to `end`; reading stands at `pos` between them. What is needed no more is
 * left behind by moving `start`. A chunk is read where it is, and only borrowed: what is left of it
 * when reading stands still is copied by `keep`, and what is fed then is joined to it.
 */
export class Input {
  bytes: Uint8Array = EMPTY;
  start = 0;
  pos = 0;
  end = 0;
  /** The bytes are in a buffer of our own, which may be written to behind `end`. */
  #owned = false;

  feed(chunk: Uint8Array): void {
    const kept = this.end - this.start;
    if (kept === 0) {
      this.bytes = chunk;
      this.start = 0;
      this.pos = 0;
      this.end = chunk.length;
      this.#owned = false;
      return;
    }
    if (this.end + chunk.length > this.bytes.length) {
      const buffer = new Uint8Array(capacityFor(kept + chunk.length));
      buffer.set(this.bytes.subarray(this.start, this.end));
      this.#own(buffer, kept);
    }
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** Copies what is left of a chunk, so that the chunk can go. */
  keep(): void {
    const kept = this.end - this.start;
    if (kept === 0) this.drop();
    else if (!this.#owned) this.#own(this.bytes.slice(this.start, this.end), kept);
  }

  /** Everything up to `pos` has been read and is not needed again. */
  advance(pos: number): void {
    this.pos = pos;
    this.start = pos;
  }

  /** A view of what is left, which then is left behind. */
  take(): Uint8Array {
    const rest = this.bytes.subarray(this.start, this.end);
    this.drop();
    return rest;
  }

  /** Lets go of everything. */
  drop(): void {
    this.bytes = EMPTY;
    this.start = 0;
    this.pos = 0;
    this.end = 0;
  }

  #own(buffer: Uint8Array, kept: number): void {
    this.bytes = buffer;
    this.pos -= this.start;
    this.start = 0;
    this.end = kept;
    this.#owned = true;
  }
}

const EMPTY = new Uint8Array(0);

/** Room for as much again, so that the copying of what grows stays linear. */
function capacityFor(length: number): number {
  let capacity = 1024;
  while (capacity < 2 * length) capacity *= 2;
  return capacity;
}
