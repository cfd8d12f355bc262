/** XMPP servers for floods: they keep nothing of what they hear, so that millions of stanzas may come. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { BIND, MECHANISMS, streamFeatures, streamHeader } from "./upstream_server.ts";

export const SERVERS = {
  /** Lets everybody in, and says what it hears. */
  echo: "echo.test",
  /** Lets everybody in, and pours stanzas when it is told to. */
  pour: "pour.test",
  /** Says nothing. */
  mute: "mute.test",
} as const;

const HEADER = /<stream:stream [^>]*to='([^']*)'[^>]*>/;
const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

/** Bytes of a stanza that is poured. */
export const STANZA = 1_024;
const TEXT = "<message xmlns='jabber:client' from='pour.test'><body></body></message>";
/** What is poured: one write of many stanzas. */
const STANZAS = new TextEncoder().encode(
  TEXT.replace("<body>", `<body>${"x".repeat(STANZA - TEXT.length)}`).repeat(64),
);

export class FloodUpstream implements AsyncDisposable {
  readonly port: number;
  /** Bytes of stanzas that were poured, and that the system has taken. */
  poured = 0;
  #left = 0;
  readonly #pouring = new Set<Socket>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        this.#pouring.delete(socket);
      });
      socket.on("error", () => {});
      this.#serve(socket);
    });
  }

  static async listen(): Promise<FloodUpstream> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 4_096, resolve));
    return new FloodUpstream(server);
  }

  /** Connections there are. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Pours so many bytes at those who are logged in, as long as they take them. */
  pour(bytes: number): void {
    this.#left = bytes;
    for (const socket of this.#pouring) this.#pour(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    let text = "";
    let domain: string | undefined;
    let isIn = false;
    socket.on("data", (chunk) => {
      if (isIn) return void socket.write(chunk);
      text += chunk.toString("latin1");
      const header = HEADER.exec(text);
      if (header !== null) {
        text = text.slice(header.index + header[0].length);
        isIn = domain !== undefined;
        domain = header[1]!;
        if (domain === SERVERS.mute) return;
        const features = streamFeatures(isIn ? BIND : MECHANISMS);
        socket.write(streamHeader("s", `from='${domain}' version='1.0'`) + features);
        if (isIn && domain === SERVERS.pour) this.#pouring.add(socket);
      }
      if (!isIn && text.startsWith("<auth") && text.includes(">")) {
        text = "";
        socket.write(SUCCESS);
      } else if (text.endsWith("</stream:stream>")) socket.end("</stream:stream>");
      // What is neither is too early, and not to be remembered.
      if (domain !== undefined && text.length > 4_096) text = text.slice(-100);
    });
  }

  #pour(socket: Socket): void {
    if (this.#left <= 0 || !socket.writable) return;
    this.#left -= STANZAS.length;
    socket.write(STANZAS, (error) => {
      if (error) return;
      this.poured += STANZAS.length;
      this.#pour(socket);
    });
  }
}
