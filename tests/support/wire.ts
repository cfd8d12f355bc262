import { connect, type NetConnectOpts, type Socket } from "node:net";
import { patiently } from "./patience.ts";

/** A TCP client of strings and bytes, one character a byte. Its two sides end separately. */
export class Wire implements Disposable {
  /** What has come and was not taken. */
  received = "";
  /** The other side has ended its side, or all of the connection. */
  isEnded = false;
  isClosed = false;
  readonly #socket: Socket;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data) => {
      this.received += data.toString("latin1");
      this.#wake();
    });
    socket.on("end", () => {
      this.isEnded = true;
      this.#wake();
    });
    socket.on("close", () => {
      this.isEnded = this.isClosed = true;
      this.#wake();
    });
    socket.on("error", () => {});
  }

  static connect(to: NetConnectOpts): Promise<Wire> {
    return patiently(
      new Promise((resolve, reject) => {
        const socket = connect({ ...to, allowHalfOpen: true } as NetConnectOpts, () => {
          socket.off("error", reject);
          socket.setNoDelay();
          resolve(new Wire(socket));
        });
        socket.on("error", reject);
      }),
      "the connection is there",
    );
  }

  write(text: string | Uint8Array): void {
    this.#socket.write(typeof text === "string" ? new TextEncoder().encode(text) : text);
  }

  /** Writes this up to so many times, as long as it is taken; how many bytes the network took. */
  async pour(bytes: Uint8Array, times: number): Promise<number> {
    const start = this.#taken;
    for (let i = 0; i < times && !this.isClosed; i++) {
      if (this.#socket.write(bytes)) continue;
      for (let taken = -1, looks = 0; this.#socket.writableLength > 0 && !this.isClosed;) {
        if (taken === this.#taken) looks++;
        else [taken, looks] = [this.#taken, 0];
        // Nothing has moved for a while: it is full.
        if (looks === 60) return this.#taken - start;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    return this.#taken - start;
  }

  /** Bytes that have been written and were not taken yet. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  get #taken(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** Ends this side. */
  end(): void {
    this.#socket.end();
  }

  /** Leaves with a TCP reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Leaves without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Waits until this has come, and takes everything up to its end. */
  async expect(pattern: RegExp): Promise<string> {
    await this.#until(() => pattern.test(this.received) || this.isEnded, `${pattern} has come`);
    const found = pattern.exec(this.received);
    if (found === null) throw new Error(`the end instead of ${pattern}: ${this.received}`);
    const end = found.index + found[0].length;
    const text = this.received.slice(0, end);
    this.received = this.received.slice(end);
    return text;
  }

  /** All that comes until the other side ends its side. */
  async rest(): Promise<string> {
    await this.#until(() => this.isEnded, "the other side has ended");
    return this.received;
  }

  /** Settles when the connection is gone, which only shows when something is written. */
  async closed(): Promise<void> {
    for (const start = performance.now(); !this.isClosed; await settled(5)) {
      if (performance.now() - start > 10_000) throw new Error("the connection is still there");
      this.write("x");
    }
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    while (!done()) await patiently(new Promise<void>((resolve) => this.#wake = resolve), what);
  }
}

/** Lets what is under way on loopback arrive, where nothing tells that it has. */
export function settled(ms = 20): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
