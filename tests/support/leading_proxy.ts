import net from "node:net";

/**
 * An HTTP proxy on the loopback (CONNECT, RFC 9110 §9.3.6), by which clients get to names that nobody
 * looks up: for each name that they may know, the port of the loopback where that name's HTTPS really
 * is. Whoever asks for another is refused, and remembered. Certificates are checked by the names.
 */
export class LeadingProxy implements AsyncDisposable {
  /** `host:port` of what was asked for and is not there. */
  readonly refused: string[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(server: net.Server) {
    this.#server = server;
  }

  static async start(names: Readonly<Record<string, number>>): Promise<LeadingProxy> {
    const server = net.createServer();
    const proxy = new LeadingProxy(server);
    server.on("connection", (client) => proxy.#serve(client, names));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(client: net.Socket, names: Readonly<Record<string, number>>): void {
    this.#keep(client);
    let head = "";
    const read = (chunk: Uint8Array) => {
      head += new TextDecoder("latin1").decode(chunk);
      if (!head.endsWith("\r\n\r\n")) return;
      client.off("data", read);
      const [method, target] = head.split(" ") as [string, string];
      const port = method === "CONNECT" ? names[target] : undefined;
      if (port === undefined) {
        this.refused.push(target);
        client.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
      }
      const server = net.connect({ port, host: "127.0.0.1" });
      this.#keep(server);
      client.once("close", () => server.destroy());
      server.once("close", () => client.destroy());
      client.write("HTTP/1.1 200 Connected\r\n\r\n");
      client.pipe(server);
      server.pipe(client);
    };
    client.on("data", read);
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }
}
