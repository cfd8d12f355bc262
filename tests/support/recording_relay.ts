/** What either side sent at once, and when (milliseconds of `performance.now`). */
export interface Passage {
  readonly from: "client" | "server";
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * Stands between a client and a server on the loopback, hands on every byte, and remembers what
 * both sent.
 */
export class RecordingRelay implements AsyncDisposable {
  readonly port: number;
  /** What went over each connection, in the order in which they came. */
  readonly passages: readonly (readonly Passage[])[];
  readonly #listener: Deno.TcpListener;
  readonly #serving: Promise<void>;
  readonly #open: Promise<void>[] = [];
  readonly #recorded: Passage[][] = [];

  constructor(target: number) {
    this.passages = this.#recorded;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#serving = this.#serve(target);
  }

  /** What the client sent on each connection, in the order in which they came. */
  get connections(): Uint8Array[] {
    return this.#recorded.map((passages) => {
      const sent = passages.filter(({ from }) => from === "client");
      return new Uint8Array(sent.flatMap(({ bytes }) => [...bytes]));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
    await Promise.all(this.#open);
  }

  async #serve(target: number): Promise<void> {
    for await (const client of this.#listener) this.#open.push(this.#relay(client, target));
  }

  async #relay(client: Deno.TcpConn, target: number): Promise<void> {
    const recorded: Passage[] = [];
    this.#recorded.push(recorded);
    const hear = (from: Passage["from"]) => (bytes: Uint8Array) =>
      recorded.push({ from, at: performance.now(), bytes: bytes.slice() });
    const server = await Deno.connect({ hostname: "127.0.0.1", port: target });
    const upwards = pump(client, server, hear("client"));
    const downwards = pump(server, client, hear("server"));
    await Promise.race([upwards, downwards]);
    client.close();
    server.close();
    await Promise.all([upwards, downwards]);
  }
}

/** Hands on what is read until either side closes or breaks off. */
async function pump(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  hear: (chunk: Uint8Array) => void,
): Promise<void> {
  const buffer = new Uint8Array(16_384);
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      const chunk = buffer.subarray(0, count);
      hear(chunk);
      for (let sent = 0; sent < count;) sent += await to.write(chunk.subarray(sent));
    }
  } catch {
    // Broken off: the other direction is closed too, and what was heard is recorded.
  }
}
