import { createHash } from "node:crypto";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Alarm, systemClock } from "../../src/clock.ts";
import { type CodecOptions, WebSocketCodec } from "../../src/protocol/rfc6455/codec.ts";
import { readHandshake } from "../../src/protocol/rfc6455/handshake.ts";
import { Inbox } from "./patience.ts";

export interface ShellMessage {
  readonly bytes: Uint8Array;
  readonly binary: boolean;
}

/** The least that the codec needs around it to be a WebSocket server over plain sockets. */
export class CodecShell {
  readonly url: string;
  readonly connections: Inbox<CodecConnection> = new Inbox();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  static async listen(options: CodecOptions): Promise<CodecShell> {
    // Half-open, so that it is the codec that decides when our side ends.
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const shell = new CodecShell(server);
    server.on("connection", (socket) => {
      shell.#sockets.add(socket);
      socket.on("close", () => shell.#sockets.delete(socket));
      socket.on("error", () => {});
      shell.#readHead(socket, options);
    });
    return shell;
  }

  #readHead(socket: Socket, options: CodecOptions): void {
    let head = "";
    const onData = (chunk: Uint8Array) => {
      head += new TextDecoder("latin1").decode(chunk);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", onData);
      const [line, ...fields] = head.slice(0, end).split("\r\n");
      const headers = new Map(fields.map((field) => {
        const colon = field.indexOf(":");
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const;
      }));
      const request = {
        method: line!.split(" ")[0]!,
        httpMinor: Number(line!.at(-1)),
        header: (name: string) => headers.get(name),
      };
      const handshake = readHandshake(
        request,
        (text) => createHash("sha1").update(text).digest("hex"),
      );
      if (handshake.type !== "accepted") return void socket.destroy();
      const answer = Object.entries(handshake.headers).map(([name, value]) => `${name}: ${value}`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${answer.join("\r\n")}\r\n\r\n`);
      const rest = Uint8Array.from(head.slice(end + 4), (char) => char.charCodeAt(0));
      this.connections.put(new CodecConnection(socket, rest, options));
    };
    socket.on("data", onData);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** One WebSocket of the shell; what comes is kept until it is asked for. */
export class CodecConnection {
  readonly messages: Inbox<ShellMessage> = new Inbox();
  /** The code that it was closed with. */
  readonly closed: Promise<number>;
  readonly #socket: Socket;
  readonly #codec: WebSocketCodec;
  readonly #alarm: Alarm;
  readonly #tellClosed: (code: number) => void;

  constructor(socket: Socket, rest: Uint8Array, options: CodecOptions) {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.closed = promise;
    this.#tellClosed = resolve;
    this.#socket = socket;
    this.#codec = new WebSocketCodec(systemClock.now(), options);
    this.#alarm = new Alarm(
      systemClock,
      { wake: () => this.#input((now) => this.#codec.handleTimeout(now)) },
    );
    socket.on("data", (chunk) => this.#input((now) => this.#codec.receive(now, chunk)));
    socket.on("end", () => this.#input((now) => this.#codec.peerEnded(now)));
    socket.on("close", () => this.#input((now) => this.#codec.disconnected(now)));
    socket.on("drain", () => this.#input(() => this.#codec.flow(true)));
    this.#input((now) => this.#codec.receive(now, rest));
  }

  send(message: Uint8Array): void {
    this.#write(this.#codec.text([message]));
  }

  close(code: number): void {
    this.#input((now) => this.#codec.close(now, code));
  }

  #input(input: (now: number) => void): void {
    input(systemClock.now());
    for (let action; (action = this.#codec.poll());) {
      switch (action.type) {
        case "message":
          this.messages.put({ bytes: action.bytes.slice(), binary: action.binary });
          break;
        case "write":
          this.#write(action.bytes);
          break;
        case "end":
          this.#socket.end();
          break;
        case "drop":
          this.#socket.destroy();
          break;
        case "closed":
          this.#tellClosed(action.code);
      }
    }
    this.#alarm.set(this.#codec.deadline);
  }

  #write(bytes: Uint8Array | undefined): void {
    if (bytes !== undefined && !this.#socket.write(bytes)) this.#codec.flow(false);
  }
}
