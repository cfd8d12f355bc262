import { patiently } from "./patience.ts";

/** A service manager's end of sd_notify(3): a socket, and what comes to it. */
export class NotifySocket implements Disposable {
  /** For `NOTIFY_SOCKET`. */
  readonly address: string;
  readonly #socket: Deno.DatagramConn;
  readonly #path: string;

  /** At a path, or at an abstract address. */
  constructor(kind: "path" | "abstract" = "path") {
    const name = `causeway-test-${crypto.randomUUID()}`;
    this.#path = kind === "path" ? `/tmp/${name}` : `\0${name}`;
    this.address = kind === "path" ? this.#path : `@${name}`;
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path: this.#path });
  }

  /** The lines of the next datagram. */
  async next(): Promise<string[]> {
    const [bytes] = await patiently(this.#socket.receive(), "something is told");
    return new TextDecoder().decode(bytes).split("\n");
  }

  /** The next datagram in which a line begins so; others are passed over. */
  async until(start: string): Promise<string[]> {
    for (;;) {
      const lines = await this.next();
      if (lines.some((line) => line.startsWith(start))) return lines;
    }
  }

  /** Whether nothing has come that was not asked for yet. */
  async isSilent(): Promise<boolean> {
    const mark = crypto.randomUUID();
    const to = { transport: "unixpacket", path: this.#path } as const;
    await this.#socket.send(new TextEncoder().encode(mark), to);
    return (await this.next())[0] === mark;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
    if (this.#path.startsWith("/")) Deno.removeSync(this.#path);
  }
}
