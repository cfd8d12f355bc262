/** A client's HTTP connection, as quick as can be: one write a request, and no more is read of an answer than is needed. */
import { Buffer } from "node:buffer";
import net from "node:net";

/** A request under way. */
export interface Errand {
  /** The whole of it. */
  readonly octets: Buffer;
}

export interface LinkEvents<E extends Errand> {
  answered(link: Link<E>, errand: E, status: number, body: Buffer): void;
  /** The connection is gone, and these are not answered. */
  lost(link: Link<E>, errands: readonly E[]): void;
}

const HEAD_END = Buffer.from("\r\n\r\n");

export class Link<E extends Errand> {
  readonly #socket: net.Socket;
  readonly #events: LinkEvents<E>;
  readonly #waiting: E[] = [];
  #buffer: Buffer = Buffer.alloc(0);
  /** Bytes that the answer at hand has, when its head has come. */
  #needs = 0;
  #isOver = false;

  constructor(port: number, events: LinkEvents<E>) {
    this.#events = events;
    this.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (octets: Buffer) => {
      this.#buffer = this.#buffer.length === 0 ? octets : Buffer.concat([this.#buffer, octets]);
      while (!this.#isOver && this.#read());
    });
    this.#socket.on("error", () => {});
    this.#socket.on("end", () => this.abandon());
    this.#socket.on("close", () => this.abandon());
  }

  /** Requests without an answer. */
  get busy(): number {
    return this.#waiting.length;
  }

  send(errand: E): void {
    this.#waiting.push(errand);
    this.#socket.write(errand.octets);
  }

  /** Closes it, whatever is under way. */
  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#events.lost(this, this.#waiting);
  }

  #read(): boolean {
    const buffer = this.#buffer;
    if (buffer.length < this.#needs) return false;
    const end = buffer.indexOf(HEAD_END);
    if (end < 0) return false;
    const head = buffer.toString("latin1", 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    if (length === null) throw new Error(`an answer without a length: ${head}`);
    const start = end + HEAD_END.length;
    this.#needs = start + Number(length[1]);
    if (buffer.length < this.#needs) return false;
    const body = buffer.subarray(start, this.#needs);
    this.#buffer = buffer.subarray(this.#needs);
    this.#needs = 0;
    const errand = this.#waiting.shift();
    if (errand === undefined) throw new Error(`an answer that nobody asked for: ${head}`);
    const closes = /\r\nconnection: *close/i.test(head);
    this.#events.answered(this, errand, Number(head.slice(9, 12)), body);
    if (closes) this.abandon();
    return true;
  }
}
