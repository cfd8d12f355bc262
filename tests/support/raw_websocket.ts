import { connect, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { patiently } from "./patience.ts";
import { drained } from "./upstream_server.ts";

/** What a WebSocket handshake of RFC 7395 says; the key is the one of RFC 6455 §1.3. */
export const HANDSHAKE: Headers = {
  "upgrade": "websocket",
  "connection": "Upgrade",
  "sec-websocket-protocol": "xmpp",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** Names in any case; a list of values is as many lines, a header with the value `""` is left out. */
type Headers = Readonly<Record<string, string | readonly string[]>>;

/** One frame as it came (RFC 6455 §5.2). */
export interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  /** The reserved bits, as a number from 0 to 7. */
  readonly reserved: number;
  readonly masked: boolean;
  readonly data: Uint8Array;
}

/** How a frame is sent; as a client has to, unless it says otherwise. */
export interface FrameOptions {
  readonly fin?: boolean;
  /** The reserved bits, as a number from 0 to 7. */
  readonly reserved?: number;
  readonly masked?: boolean;
}

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/**
 * A WebSocket client of the tests' own, frame by frame, so that it can do what no library would.
 * What comes in is kept until it is asked for.
 */
export class RawWebSocket implements Disposable {
  /** Of the handshake's answer. */
  readonly status: number;
  /** Header names in lower case; each with all of its values. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly #socket: Socket;
  /** The same, but for TLS: Deno's TLS socket reads on while it is paused. */
  readonly #tcp: Socket;
  readonly #inbox: Frame[] = [];
  #buffer: Uint8Array;
  #gone = false;
  #poured: number | undefined;
  #wake: () => void = () => {};

  private constructor(socket: Socket, tcp: Socket, head: string, rest: Uint8Array) {
    this.#socket = socket;
    this.#tcp = tcp;
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
    const gone = () => {
      this.#gone = true;
      this.#wake();
    };
    socket.on("end", gone).on("close", gone);
  }

  /**
   * Sends a handshake with these headers beside the host's, or instead of those of `HANDSHAKE`. With
   * `https:` it is by TLS, whoever the server is. A name is looked for on loopback; `from` is an address of it.
   */
  static connect(
    url: string,
    headers: Headers = {},
    method = "GET",
    from?: string,
  ): Promise<RawWebSocket> {
    const { hostname, port, pathname, host, protocol } = new URL(url);
    const opened = new Promise<RawWebSocket>((resolve, reject) => {
      const address = hostname.replace(/^\[(.*)\]$/, "$1");
      const name = isIP(address) ? undefined : address;
      const tcp = connect({
        port: Number(port),
        host: name === undefined ? address : "127.0.0.1",
        ...(from === undefined ? {} : { localAddress: from }),
      });
      const socket = protocol === "https:"
        ? tls.connect({
          socket: tcp,
          rejectUnauthorized: false,
          ...(name === undefined ? {} : { servername: name }),
        })
        : tcp;
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("closed without an answer to the handshake")));
      const own = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
      const lines = Object.entries<string | readonly string[]>({
        host,
        ...HANDSHAKE,
        ...Object.fromEntries(own),
      })
        .flatMap(([name, values]) => [values].flat().map((value) => [name, value]))
        .filter(([, value]) => value !== "")
        .map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`${method} ${pathname} HTTP/1.1\r\n${lines.join("")}\r\n`);
      let got: Uint8Array = new Uint8Array(0);
      const onData = (chunk: Uint8Array) => {
        got = concat(got, chunk);
        const text = new TextDecoder("latin1").decode(got);
        const end = text.indexOf("\r\n\r\n");
        if (end < 0) return;
        socket.off("data", onData);
        resolve(new RawWebSocket(socket, tcp, text.slice(0, end), got.slice(end + 4)));
      };
      socket.on("data", onData);
    });
    return patiently(opened, "the handshake is answered");
  }

  /** A WebSocket that is open, on whatever carries it. */
  static over(stream: Duplex, status: number): RawWebSocket {
    const socket = stream as Socket;
    return new RawWebSocket(socket, socket, `HTTP ${status}`, new Uint8Array(0));
  }

  text(message: string): void {
    this.frame(OPCODE.text, bytesOf(message));
  }

  /** A message in pieces of so many bytes. */
  fragments(message: string, length: number): void {
    const bytes = bytesOf(message);
    for (let at = 0; at < bytes.length; at += length) {
      const opcode = at === 0 ? OPCODE.text : OPCODE.continuation;
      this.frame(opcode, bytes.subarray(at, at + length), { fin: at + length >= bytes.length });
    }
  }

  frame(opcode: number, data: Uint8Array | string = "", options: FrameOptions = {}): void {
    const { fin = true, reserved = 0, masked = true } = options;
    const payload = typeof data === "string" ? bytesOf(data) : data;
    const mask = masked ? [1, 2, 3, 4] : [0, 0, 0, 0];
    const { length } = payload;
    const marked = (size: number) => (masked ? 0x80 : 0) | size;
    const size = length < 126
      ? [marked(length)]
      : length < 65_536
      ? [marked(126), length >> 8, length & 255]
      : [marked(127), 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (length >> shift) & 255)];
    const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode, ...size, ...(masked ? mask : [])];
    this.bytes(concat(new Uint8Array(head), payload.map((byte, i) => byte ^ mask[i % 4]!)));
  }

  /** Sends all of these messages as fast as they are taken; settles when they have been, or it is over. */
  async pour(messages: Iterable<string>): Promise<void> {
    this.#poured ??= this.#socket.bytesWritten;
    for (const message of messages) {
      if (this.#gone) return;
      this.text(message);
      if (this.#socket.writableNeedDrain) await drained(this.#socket);
    }
  }

  /** Bytes that the system has taken since the first call of `pour`. */
  get taken(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength - (this.#poured ?? 0);
  }

  /** Sends these bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Starts, or answers, the closing handshake; without a code the frame is empty. */
  close(code?: number): void {
    this.frame(8, code === undefined ? "" : new Uint8Array([code >> 8, code & 255]));
  }

  /** The next text message, of which there must be one before the next close frame. */
  async message(): Promise<string> {
    const { opcode, data } = await this.#next((frame) => frame.opcode === 1 || frame.opcode === 8);
    const text = new TextDecoder().decode(data);
    if (opcode === 8) throw new Error(`a close frame instead of a message: ${codeOf(data)}`);
    return text;
  }

  /** The data of the next pong. */
  async pong(): Promise<string> {
    return new TextDecoder().decode((await this.#next(({ opcode }) => opcode === 10)).data);
  }

  /** The next frame, whatever it is. */
  frameIn(): Promise<Frame> {
    return this.#next(() => true);
  }

  /** The code of the close frame; 1005 when it has none. Drops the connection. */
  async closed(): Promise<number> {
    const { data } = await this.#next(({ opcode }) => opcode === 8);
    this.destroy();
    return codeOf(data);
  }

  /**
   * All that comes until the connection ends: messages as they are, `close` and its code, the
   * opcodes of other frames.
   */
  async rest(): Promise<string[]> {
    await this.#until(() => this.#gone, "the connection ends");
    return this.#inbox.splice(0).map(({ opcode, data }) =>
      opcode === 1
        ? new TextDecoder().decode(data)
        : opcode === 8
        ? `close ${codeOf(data)}`
        : `opcode ${opcode}`
    );
  }

  /** Waits until the other side ends the connection; what came before is kept. */
  async ended(): Promise<void> {
    await this.#until(() => this.#gone, "the connection ends");
  }

  /** Frames that have come and were not asked for. */
  get waiting(): number {
    return this.#inbox.length;
  }

  /** Stops reading. */
  pause(): void {
    this.#tcp.pause();
  }

  resume(): void {
    this.#tcp.pause().resume();
  }

  /** Drops the connection, without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  async #next(wanted: (frame: Frame) => boolean): Promise<Frame> {
    await this.#until(() => this.#gone || this.#inbox.some(wanted), "the frame has come");
    const at = this.#inbox.findIndex(wanted);
    if (at < 0) throw new Error("the connection ended before the frame came");
    return this.#inbox.splice(at, 1)[0]!;
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    while (!done()) await patiently(new Promise<void>((resolve) => this.#wake = resolve), what);
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
      this.#inbox.push({
        opcode: buffer[0]! & 15,
        fin: (buffer[0]! & 0x80) !== 0,
        reserved: (buffer[0]! >> 4) & 7,
        masked: (buffer[1]! & 0x80) !== 0,
        data: buffer.slice(start, start + length),
      });
      this.#buffer = buffer.slice(start + length);
    }
    this.#wake();
  }
}

function codeOf(data: Uint8Array): number {
  return data.length < 2 ? 1005 : data[0]! * 256 + data[1]!;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
