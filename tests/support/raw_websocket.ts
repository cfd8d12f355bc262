import { connect, type Socket } from "node:net";

/**
 * A WebSocket client of the tests' own, frame by frame, so that it can do what no library would.
 * What comes in is kept until it is asked for.
 */
export class RawWebSocket {
  /** Of the handshake's answer. */
  readonly status: number;
  /** Header names in lower case; each with all of its values. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly #socket: Socket;
  readonly #inbox: { opcode: number; data: Uint8Array }[] = [];
  #buffer: Uint8Array;
  #gone = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket, head: string, rest: Uint8Array) {
    this.#socket = socket;
    const [status, ...lines] = head.split("\r\n");
    this.status = Number(status!.split(" ")[1]);
    const headers = new Map<string, string[]>();
    for (const line of lines) {
      const [name, value] = [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)];
      const values = headers.get(name.toLowerCase()) ?? [];
      headers.set(name.toLowerCase(), [...values, value.trim()]);
    }
    this.headers = headers;
    this.#buffer = rest;
    this.#read();
    socket.on("data", (chunk) => {
      this.#buffer = concat(this.#buffer, chunk);
      this.#read();
    });
    socket.on("close", () => {
      this.#gone = true;
      this.#wake();
    });
  }

  /** Sends a handshake with just these headers, those without a value left out. */
  static connect(url: string, headers: Record<string, string>): Promise<RawWebSocket> {
    const { hostname, port, pathname, host } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      socket.on("error", reject);
      const lines = Object.entries(headers).filter(([, value]) => value !== "")
        .map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(
        `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\n` +
          `Connection: Upgrade\r\n${lines.join("")}\r\n`,
      );
      let got: Uint8Array = new Uint8Array(0);
      const onData = (chunk: Uint8Array) => {
        got = concat(got, chunk);
        const text = new TextDecoder("latin1").decode(got);
        const end = text.indexOf("\r\n\r\n");
        if (end < 0) return;
        socket.off("data", onData);
        resolve(new RawWebSocket(socket, text.slice(0, end), got.slice(end + 4)));
      };
      socket.on("data", onData);
    });
  }

  text(message: string): void {
    this.frame(1, new TextEncoder().encode(message));
  }

  frame(opcode: number, data: Uint8Array, fin = true): void {
    const mask = [1, 2, 3, 4];
    const length = data.length < 126
      ? [0x80 | data.length]
      : data.length < 65_536
      ? [0x80 | 126, data.length >> 8, data.length & 255]
      : [0x80 | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (data.length >> shift) & 255)];
    const masked = data.map((byte, i) => byte ^ mask[i % 4]!);
    const head = new Uint8Array([(fin ? 0x80 : 0) | opcode, ...length, ...mask]);
    this.#socket.write(concat(head, masked));
  }

  /** Starts, or answers, the closing handshake. */
  close(code: number): void {
    this.frame(8, new Uint8Array([code >> 8, code & 255]));
  }

  /** The next text message. */
  async message(): Promise<string> {
    return new TextDecoder().decode(await this.#next(1));
  }

  async pong(): Promise<string> {
    return new TextDecoder().decode(await this.#next(10));
  }

  /** The code of the close frame. */
  async closed(): Promise<number> {
    const data = await this.#next(8);
    this.destroy();
    return data.length < 2 ? 1005 : data[0]! * 256 + data[1]!;
  }

  /** Stops reading. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Drops the connection, without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  async #next(opcode: number): Promise<Uint8Array> {
    for (;;) {
      const at = this.#inbox.findIndex((frame) => frame.opcode === opcode);
      if (at >= 0) return this.#inbox.splice(at, 1)[0]!.data;
      if (this.#gone) throw new Error(`the connection ended before a frame of type ${opcode}`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #read(): void {
    for (;;) {
      const buffer = this.#buffer;
      if (buffer.length < 2) break;
      const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
      let length = buffer[1]! & 127;
      let start = 2;
      if (length === 126) {
        if (buffer.length < 4) break;
        [length, start] = [view.getUint16(2), 4];
      } else if (length === 127) {
        if (buffer.length < 10) break;
        [length, start] = [Number(view.getBigUint64(2)), 10];
      }
      if (buffer.length < start + length) break;
      this.#inbox.push({ opcode: buffer[0]! & 15, data: buffer.slice(start, start + length) });
      this.#buffer = buffer.slice(start + length);
    }
    this.#wake();
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
