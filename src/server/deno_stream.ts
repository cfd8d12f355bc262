import type { BodySource, BodyWriter } from "./exchange.ts";

/** What goes on when a server of Deno's has answered: bodies that are being made, and WebSockets. */
export class Lasting {
  readonly #streams = new Set<DenoStream>();
  /** Answers are to end their connections: the server will be closed. */
  isRetiring = false;
  #isClosed = false;
  #sockets = 0;
  #quiet: () => void = () => {};

  /** WebSockets that are open. */
  get sockets(): number {
    return this.#sockets;
  }

  socketOpened(): void {
    this.#sockets++;
  }

  socketClosed(): void {
    if (--this.#sockets === 0) this.#quiet();
  }

  /** Calls back whenever the last WebSocket has gone. */
  whenQuiet(tell: () => void): void {
    this.#quiet = tell;
  }

  add(stream: DenoStream): void {
    if (this.#isClosed) stream.stop();
    else this.#streams.add(stream);
  }

  delete(stream: DenoStream): void {
    this.#streams.delete(stream);
  }

  /** Ends all bodies, and those to come. */
  close(): void {
    this.#isClosed = true;
    for (const stream of [...this.#streams]) stream.stop();
  }
}

/** Has a source make the body of a response. */
export class DenoStream implements BodyWriter {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #source: BodySource;
  readonly #lasting: Lasting;
  readonly #onFault: (error: unknown) => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  /** It is neither before its start nor behind its end. */
  #isOpen = false;

  constructor(source: BodySource, lasting: Lasting, onFault: (error: unknown) => void) {
    this.#source = source;
    this.#lasting = lasting;
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
    if (this.#isOpen) this.#lasting.add(this);
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
    this.#lasting.delete(this);
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
