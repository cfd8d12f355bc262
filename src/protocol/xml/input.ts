/**
 * The bytes of one item side by side, whatever chunks they came in.
 *
 * Scanning reads `bytes` from `pos` to `end`. An item that lies whole in one chunk
 * is read, and handed out, where it is. One that a chunk's edge cuts is gathered in
 * a buffer of its own, a piece at a time; positions counted from `item` hold good
 * through that. Between items nothing is held.
 */
export class Input {
  /** What is being scanned: the chunk, or the buffer that an item is gathered in. */
  bytes: Uint8Array = EMPTY;
  /** Where scanning stands. */
  pos = 0;
  /** Scanning must not look past it: the bytes end there, or the item would be over the limit. */
  end = 0;
  /** Where the open item begins; -1 between items. */
  item = -1;
  /** Offset of `bytes[0]` in all that was fed. */
  #base = 0;
  #chunk: Uint8Array = EMPTY;
  /** Offset of `#chunk[0]` in all that was fed. */
  #chunkBase = 0;
  /** While an item is gathered: how much of the chunk has gone into the buffer. */
  #taken = 0;
  #gathers = false;
  readonly #limit: number;

  /** `limit` is the most bytes that one item may have. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** As if new. */
  reset(): void {
    this.item = -1;
    this.#gathers = false;
    this.#chunk = EMPTY;
    this.#chunkBase = 0;
    this.#taken = 0;
    this.#scanChunk(0);
  }

  feed(chunk: Uint8Array): void {
    this.#chunkBase += this.#chunk.length;
    this.#chunk = chunk;
    this.#taken = 0;
    if (!this.#gathers) this.#scanChunk(0);
  }

  /** Begins an item at `at`. */
  open(at: number): void {
    this.item = at;
    this.end = Math.min(this.bytes.length, at + this.#limit);
  }

  /** Ends the open item at `pos`. The view is good until the next `feed`. */
  close(): Uint8Array {
    const { bytes, item } = this;
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset + item, this.pos - item);
    this.drop();
    return view;
  }

  /** Ends the open item without a view of it. */
  drop(): void {
    this.item = -1;
    if (this.#gathers) {
      this.#gathers = false;
      // The rest of the piece that was gathered last is still ahead in the chunk.
      this.#scanChunk(this.#taken - (this.end - this.pos));
    } else {
      this.end = this.bytes.length;
    }
  }

  /** Brings more bytes before `end`; `false` when the chunk has none, which then is let go. */
  more(): boolean {
    if (this.#gathers) {
      const left = Math.min(this.#chunk.length - this.#taken, this.#limit - this.end);
      if (left > 0) {
        this.#append(Math.min(left, PIECE));
        return true;
      }
    } else if (this.item >= 0) {
      this.#gather();
    }
    this.#release();
    return false;
  }

  /** The open item has as many bytes as it may, and is not complete. */
  get full(): boolean {
    return this.item >= 0 && this.end - this.item >= this.#limit;
  }

  /** Bytes of the last chunk that lie after `pos`. */
  get unread(): number {
    if (!this.#gathers) return this.bytes.length - this.pos;
    return this.#chunk.length - this.#taken + this.end - this.pos;
  }

  /** How many bytes were fed before position `pos`. */
  offset(pos: number): number {
    return this.#base + pos;
  }

  #scanChunk(from: number): void {
    this.bytes = this.#chunk;
    this.#base = this.#chunkBase;
    this.pos = from;
    this.end = this.#chunk.length;
  }

  #gather(): void {
    const held = this.end - this.item;
    const buffer = room(held + PIECE, this.#limit);
    buffer.set(this.bytes.subarray(this.item, this.end));
    this.bytes = buffer;
    this.#base += this.item;
    this.#taken = this.#chunk.length;
    this.#gathers = true;
    this.pos -= this.item;
    this.item = 0;
    this.end = held;
  }

  #append(count: number): void {
    if (this.end + count > this.bytes.length) {
      const buffer = room(this.end + count, this.#limit);
      buffer.set(this.bytes.subarray(0, this.end));
      this.bytes = buffer;
    }
    this.bytes.set(this.#chunk.subarray(this.#taken, this.#taken + count), this.end);
    this.#taken += count;
    this.end += count;
  }

  #release(): void {
    this.#chunkBase += this.#chunk.length;
    this.#chunk = EMPTY;
    this.#taken = 0;
    if (!this.#gathers) this.#scanChunk(0);
  }
}

const EMPTY = new Uint8Array(0);

/**
 * What is copied at once when an item goes on in the next chunk: enough for the rest
 * of most stanzas, and little to copy in vain.
 */
const PIECE = 1024;

/**
 * Growing by a factor keeps the copying of a growing item linear; most of its cost is the new room.
 * There is never more than the limit on items can fill.
 */
function room(length: number, limit: number): Uint8Array {
  if (length <= 2 * PIECE) return slice();
  let capacity = 8 * PIECE;
  while (capacity < length) capacity *= 4;
  return new Uint8Array(Math.max(length, Math.min(capacity, limit)));
}

/**
 * Room for a short item. To make a buffer costs more than to fill it, so a few are made at once; no
 * slice is given twice.
 */
function slice(): Uint8Array {
  if (taken === SLICES) {
    slices = new ArrayBuffer(SLICES * 2 * PIECE);
    taken = 0;
  }
  return new Uint8Array(slices, taken++ * 2 * PIECE, 2 * PIECE);
}

/** Few, as one that is held keeps all of them. */
const SLICES = 4;
let slices = new ArrayBuffer(0);
let taken = SLICES;
