/** Carries one question to one name server: a datagram, and TCP when the answer does not fit. */

import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { sameAddress } from "../../config/address_bytes.ts";
import { NetworkError } from "../failure.ts";
import { encodeQuery, type Question, readReply, type Reply } from "./message.ts";

export interface ServerAddress {
  readonly address: string;
  readonly port: number;
}

/** RFC 1035 §4.2.2 allows four times as much; no list of servers that we would go through needs it. */
const MAX_MESSAGE = 16_384;

/**
 * One question to one server. Rejects with {@link NetworkError} when the server cannot be reached or
 * its answer cannot be read; waits without end when there is none. `signal` ends it.
 */
export class Exchange {
  readonly reply: Promise<Reply>;
  readonly #server: ServerAddress;
  readonly #question: Question;
  readonly #signal: AbortSignal;
  // RFC 5452 §9.2: nobody can guess the id, nor the port, which the system chooses for each socket.
  readonly #id = crypto.getRandomValues(new Uint16Array(1))[0]!;
  readonly #query: Uint8Array;
  readonly #socket: Socket;
  #open = true;

  /** The question has a name that can be asked for. */
  constructor(server: ServerAddress, question: Question, signal: AbortSignal) {
    this.#server = server;
    this.#question = question;
    this.#signal = signal;
    this.#query = encodeQuery(this.#id, question)!;
    this.#socket = createSocket(server.address.includes(":") ? "udp6" : "udp4");
    this.reply = this.#run();
  }

  /** Sends the datagram, again if need be: the same one, so that there is still one id to guess. */
  send(): void {
    if (!this.#open) return;
    const { address, port } = this.#server;
    this.#socket.send(Buffer.from(this.#query), port, address, (error) => {
      // The socket tells its reader; one that is closed has none any more.
      if (error && this.#open) this.#socket.emit("error", error);
    });
  }

  async #run(): Promise<Reply> {
    const reply = await this.#datagram();
    return reply.truncated ? await this.#stream() : reply;
  }

  #datagram(): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const onAbort = () => reject(this.#signal.reason);
    this.#signal.addEventListener("abort", onAbort);
    this.#socket.on("error", (error) => reject(this.#failure(error)));
    this.#socket.on("message", (bytes, from) => {
      // Deno's sockets take what anybody sends, connected or not.
      if (from.port !== this.#server.port || !sameAddress(from.address, this.#server.address)) {
        return;
      }
      const reply = readReply(bytes, this.#id, this.#question);
      if (reply === "malformed") reject(new NetworkError(UNREADABLE));
      else if (reply !== "foreign") resolve(reply);
    });
    return promise.finally(() => {
      this.#open = false;
      this.#signal.removeEventListener("abort", onAbort);
      this.#socket.close();
    });
  }

  /** RFC 1035 §4.2.2: over TCP the message's length goes before it. */
  async #stream(): Promise<Reply> {
    const { address, port } = this.#server;
    const signal = this.#signal;
    let conn: Deno.TcpConn;
    try {
      conn = await Deno.connect({ hostname: address, port, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw this.#failure(error);
    }
    let open = true;
    const close = () => {
      if (open) conn.close();
      open = false;
    };
    signal.addEventListener("abort", close);
    try {
      signal.throwIfAborted();
      const request = new Uint8Array(2 + this.#query.length);
      new DataView(request.buffer).setUint16(0, this.#query.length);
      request.set(this.#query, 2);
      for (let sent = 0; sent < request.length;) sent += await conn.write(request.subarray(sent));
      const head = await readFully(conn, 2);
      const length = new DataView(head.buffer).getUint16(0);
      if (length > MAX_MESSAGE) throw new NetworkError("the name server's answer is too long");
      const reply = readReply(await readFully(conn, length), this.#id, this.#question);
      if (typeof reply === "string" || reply.truncated) throw new NetworkError(UNREADABLE);
      return reply;
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof NetworkError ? error : this.#failure(error);
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  }

  #failure(cause: unknown): NetworkError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new NetworkError(`the name server cannot be asked (${why})`, { cause });
  }
}

const UNREADABLE = "the name server's answer cannot be read";

async function readFully(conn: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length;) {
    const count = await conn.read(bytes.subarray(filled));
    if (count === null) throw new NetworkError("the name server broke off its answer");
    filled += count;
  }
  return bytes;
}
