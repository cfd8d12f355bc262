import net from "node:net";

/** What a network can do to a connection. */
export type Fault =
  /** Nothing more gets through, and nobody is told. */
  | "stall"
  /** A TCP reset to the client. */
  | "reset"
  /** The server's side is closed towards the client, while the client's stays open. */
  | "half-close";

/** Stands between a client and a server on the loopback and hands on every byte, until it is told otherwise. */
export class FaultyRelay implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #pairs: { readonly client: net.Socket; readonly server: net.Socket }[] = [];
  #fault: Fault | undefined;
  /** Bytes that clients have sent into a stall. */
  swallowed = 0;

  private constructor(server: net.Server) {
    this.#server = server;
  }

  static async to(target: number): Promise<FaultyRelay> {
    const server = net.createServer({ allowHalfOpen: true });
    const relay = new FaultyRelay(server);
    server.on("connection", (client) => relay.#connect(client, target));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** From now on, to all connections that there are and that come; `undefined`: to none that come. */
  set fault(fault: Fault | undefined) {
    this.#fault = fault;
    for (const { client, server } of this.#pairs) this.#strike(client, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    await closed;
  }

  #connect(client: net.Socket, target: number): void {
    const server = net.connect({ port: target, host: "127.0.0.1", allowHalfOpen: true });
    this.#pairs.push({ client, server });
    for (const socket of [client, server]) socket.on("error", () => {});
    client.pipe(server);
    server.pipe(client);
    this.#strike(client, server);
  }

  #strike(client: net.Socket, server: net.Socket): void {
    if (this.#fault === undefined) return;
    client.unpipe(server);
    server.unpipe(client);
    switch (this.#fault) {
      case "stall":
        client.on("data", ({ length }) => this.swallowed += length).resume();
        break;
      case "reset":
        client.resetAndDestroy();
        server.destroy();
        break;
      case "half-close":
        client.end();
        break;
      default:
        this.#fault satisfies never;
    }
  }
}
