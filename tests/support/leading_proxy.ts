import net from "node:net";

/**
 * An HTTP proxy on the loopback (CONNECT, RFC 9110 §9.3.6) that leads to one port of the loopback
 * whatever was asked for: nobody looks up a name, and certificates are checked by the names that were asked for.
 */
export class LeadingProxy implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(server: net.Server) {
    this.#server = server;
  }

  static async to(target: number): Promise<LeadingProxy> {
    const server = net.createServer();
    const proxy = new LeadingProxy(server);
    server.on("connection", (client) => proxy.#connect(client, target));
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

  #connect(client: net.Socket, target: number): void {
    this.#keep(client);
    let head = "";
    const read = (data: Uint8Array) => {
      head += new TextDecoder("latin1").decode(data);
      // The client waits for the answer with what it has to say.
      if (!head.endsWith("\r\n\r\n")) return;
      client.off("data", read);
      const server = net.connect({ port: target, host: "127.0.0.1" });
      this.#keep(server);
      server.on("close", () => client.destroy());
      client.on("close", () => server.destroy());
      client.write("HTTP/1.1 200 Connected\r\n\r\n");
      client.pipe(server);
      server.pipe(client);
    };
    client.on("data", read);
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
