/** A WebSocket client (RFC 6455) that shows what a browser hides: the answer to its handshake, pings, and how it ended. */
import { createHash } from "node:crypto";
import { OPCODE } from "../../protocol/rfc6455/frame.ts";
import { WebConnection, WebError, type WebHead } from "./web.ts";
import type { World } from "./world.ts";

/** Bytes of one message that are taken. */
const MAX_MESSAGE = 4_194_304;
/** Milliseconds that a server has to answer a close frame. */
const CLOSE_TIMEOUT = 2_000;

export class WebSocketClient {
  /** Pings that came. */
  pings = 0;
  /** Why nothing comes any more; `undefined`: something may. */
  end: string | undefined;
  /** It ended with a close frame, and was not cut. */
  isClosed = false;
  readonly #connection: WebConnection;
  readonly #world: World;
  readonly #messages: string[] = [];
  #ponged: (() => void) | undefined;
  #came: (() => void) | undefined;
  #reading: Promise<void> = Promise.resolve();

  private constructor(connection: WebConnection, world: World) {
    this.#connection = connection;
    this.#world = world;
  }

  /**
   * Sends the handshake. `begin` takes up the connection when the answer's head is one that it should; else
   * it must be dropped by `drop`. Rejects with {@link WebError}.
   *
   * @param timeout milliseconds for the answer
   */
  static async handshake(url: URL, origin: string, world: World, timeout: number): Promise<{
    readonly head: WebHead;
    /** What `Sec-WebSocket-Accept` has to be (§4.2.2). */
    readonly accept: string;
    readonly begin: () => WebSocketClient;
    readonly drop: () => void;
  }> {
    const key = crypto.getRandomValues(new Uint8Array(16)).toBase64();
    const connection = await WebConnection.open(url, world);
    const drop = () => connection[Symbol.dispose]();
    const late = world.clock.after(timeout, { wake: drop });
    try {
      const headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "xmpp",
        "Origin": origin,
      };
      await connection.send({ method: "GET", url, headers });
      const head = await connection.head();
      const hashed = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
      const begin = () => {
        const client = new WebSocketClient(connection, world);
        client.#reading = client.#read();
        return client;
      };
      return { head, accept: hashed.digest("base64"), begin, drop };
    } catch (error) {
      drop();
      throw error;
    } finally {
      late.cancel();
    }
  }

  send(text: string): Promise<void> {
    return this.#frame(OPCODE.TEXT, new TextEncoder().encode(text));
  }

  /** Whether a ping is answered within so many milliseconds. */
  async ping(timeout: number): Promise<boolean> {
    const answered = new Promise<boolean>((resolve) => {
      const late = this.#world.clock.after(timeout, { wake: () => resolve(false) });
      this.#ponged = () => {
        late.cancel();
        resolve(true);
      };
    });
    await this.#frame(OPCODE.PING, new TextEncoder().encode("doctor"));
    return await answered && this.end === undefined;
  }

  /** The next message; `undefined` when there is none within so many milliseconds, or none any more. */
  async next(timeout: number): Promise<string | undefined> {
    await this.change(timeout);
    return this.#messages.shift();
  }

  /** Whether a message waits to be taken. */
  get hasMessage(): boolean {
    return this.#messages.length > 0;
  }

  /** Until a message is there, or it is over; no longer than so many milliseconds. */
  async change(timeout: number): Promise<void> {
    if (this.hasMessage || this.end !== undefined) return;
    await new Promise<void>((resolve) => {
      const late = this.#world.clock.after(timeout, { wake: resolve });
      this.#came = () => {
        late.cancel();
        resolve();
      };
    });
    this.#came = undefined;
  }

  /** Closes it in good order where that can be. */
  async hangUp(): Promise<void> {
    if (this.end === undefined) {
      try {
        await this.#frame(OPCODE.CLOSE, Uint8Array.of(0x03, 0xe8));
        while (await this.next(CLOSE_TIMEOUT) !== undefined);
      } catch (error) {
        if (!(error instanceof WebError)) throw error;
      }
    }
    this.#connection[Symbol.dispose]();
    await this.#reading;
  }

  async #read(): Promise<void> {
    let pieces: Uint8Array[] = [];
    let size = 0;
    try {
      for (;;) {
        const { opcode, isFinal, data } = await this.#nextFrame();
        switch (opcode) {
          case OPCODE.PING:
            this.pings++;
            await this.#frame(OPCODE.PONG, data);
            break;
          case OPCODE.PONG:
            this.#ponged?.();
            break;
          case OPCODE.CLOSE: {
            this.isClosed = true;
            const code = data.length < 2 ? "no code" : String((data[0]! << 8) | data[1]!);
            const reason = new TextDecoder().decode(data.subarray(2));
            throw new WebError("http", `closed with ${code}${reason && `, ${reason}`}`);
          }
          default:
            size += data.length;
            if (size > MAX_MESSAGE) throw new WebError("http", "a message does not end");
            pieces.push(data);
            if (!isFinal) break;
            this.#messages.push(
              new TextDecoder().decode(await new Blob(pieces as BlobPart[]).bytes()),
            );
            pieces = [];
            size = 0;
            this.#came?.();
        }
      }
    } catch (error) {
      this.end = error instanceof WebError ? error.message : String(error);
      this.#ponged?.();
      this.#came?.();
      if (!(error instanceof WebError)) throw error;
    }
  }

  async #nextFrame(): Promise<{ opcode: number; isFinal: boolean; data: Uint8Array }> {
    const [first = 0, second = 0] = await this.#connection.exactly(2);
    const short = second & 0x7f;
    let length = short;
    if (short >= 126) {
      length = 0;
      const bytes = await this.#connection.exactly(short === 126 ? 2 : 8);
      for (const byte of bytes) length = length * 256 + byte;
    }
    // §5.1: a server masks nothing; §5.2: nobody has negotiated what the reserved bits are for.
    if ((first & 0x70) !== 0 || (second & 0x80) !== 0 || length > MAX_MESSAGE) {
      throw new WebError("http", "what comes is no frame of a WebSocket");
    }
    const data = await this.#connection.exactly(length);
    return { opcode: first & 0x0f, isFinal: (first & 0x80) !== 0, data };
  }

  /** §5.3: what a client sends is masked; here all of it is short. */
  async #frame(opcode: number, payload: Uint8Array): Promise<void> {
    const mask = crypto.getRandomValues(new Uint8Array(4));
    const { length } = payload;
    const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
    const masked = payload.map((byte, at) => byte ^ mask[at % 4]!);
    await this.#connection.write(Uint8Array.of(0x80 | opcode, ...size, ...mask, ...masked));
  }
}
