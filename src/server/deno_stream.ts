import type { BodySource, BodyWriter } from "./exchange.ts";

/** The bodies of a listener that are being made. */
export class Streams {
  readonly #streams = new Set<DenoStream>();
  #isClosed = false;

  add(stream: DenoStream): void {
    if (this.#isClosed) stream.stop();
    else this.#streams.add(stream);
  }

  delete(stream: DenoStream): void {
    this.#streams.delete(stream);
  }

  /** Ends them all, and those to come. */
  close(): void {
    this.#isClosed = true;
    for (const stream of [...this.#streams]) stream.stop();
  }
}

/** Has a source make the body of a response. */
export class DenoStream implements BodyWriter {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #source: BodySource;
  readonly #streams: Streams;
  readonly #onFault: (error: unknown) => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  /** It is neither before its start nor behind its end. */
  #isOpen = false;

  constructor(source: BodySource, streams: Streams, onFault: (error: unknown) => void) {
    this.#source = source;
    this.#streams = streams;
    this.#onFault = onFault;
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      // The client has left, be it that nothing is written to it.
      cancel: () => this.#stopped(),
    }, new ByteLengthQueuingStrategy({ highWaterMark: 0 }));
  }

  start(): void {
    this.#isOpen = true;
    this.#attempt(() => this.#source.start(this));
    if (this.#isOpen) this.#streams.add(this);
  }

  write(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#isOpen) this.#controller.enqueue(bytes);
  }

  end(): void {
    if (this.#finish()) this.#controller.close();
  }

  get queuedBytes(): number {
    return this.#isOpen ? -this.#controller.desiredSize! : 0;
  }

  /** The listener closes. */
  stop(): void {
    if (!this.#isOpen) return;
    this.#controller.close();
    this.#stopped();
  }

  #stopped(): void {
    if (this.#finish()) this.#attempt(() => this.#source.stopped());
  }

  /** Whether it had not ended before. */
  #finish(): boolean {
    if (!this.#isOpen) return false;
    this.#isOpen = false;
    this.#streams.delete(this);
    return true;
  }

  /** What a source throws is a mistake of ours, and the end of its body. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onFault(error);
      this.end();
    }
  }
}
