/** Bytes of the buffer that waits in an idle connection: it is there for as long as the connection is. */
const IDLE = 512;
/** Bytes of the one that takes its place while more comes at a time. */
const BUSY = 16_384;

/** How many connections may wait for more with a busy buffer: the last that came may have been the last. */
const MOST_BUSY = 512;
let busy = 0;

/** Busy buffers that no connection is using. */
const spare: Uint8Array<ArrayBuffer>[] = [];
const MOST_SPARE = 16;

/** What a connection reads into. A read that is under way keeps its buffer. */
export class ReadBuffer {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(IDLE);

  /** A read brought so many bytes, and they are not needed any more: what the next one is to have. */
  adapt(length: number): void {
    if (this.bytes.length === IDLE) {
      if (length < IDLE) return;
      this.bytes = spare.pop() ?? new Uint8Array(BUSY);
      busy++;
    } else if (length < IDLE || (length < BUSY && busy > MOST_BUSY)) {
      if (spare.length < MOST_SPARE) spare.push(this.bytes);
      this.bytes = new Uint8Array(IDLE);
      busy--;
    }
  }

  /** Nothing is read any more. */
  release(): void {
    if (this.bytes.length === BUSY) busy--;
    this.bytes = NONE;
  }
}

const NONE = new Uint8Array(0);
