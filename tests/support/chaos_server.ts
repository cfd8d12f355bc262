/** The XMPP server of a chaos test: it tells every session its stanzas, and hears those of the client. */
import { Buffer } from "node:buffer";
import net from "node:net";
import type { Random } from "./bosh_model/random.ts";
import { stanza, type Story } from "./chaos_stanzas.ts";
import { streamFeatures, streamHeader } from "./upstream_server.ts";

const WELCOME = streamHeader("chaos") + streamFeatures();
const CLOSING_TAG = Buffer.from("</stream:stream>");
const HELLO = /^<presence id='(\d{8})'\/>/;
const HELLO_LENGTH = hello(0).length;
/** As many bytes as the server has waiting for one session. */
const ROOM = 300_000;

/** What a client says first: which session it is. */
export function hello(session: number): string {
  return `<presence id='${String(session).padStart(8, "0")}'/>`;
}

export class ChaosServer implements AsyncDisposable {
  /** It closes its connection when it has said everything, and not its stream. */
  hangsUp = false;
  readonly random: Random;
  readonly stories: readonly Story[];
  readonly #server: net.Server;
  readonly #streams = new Set<Stream>();

  private constructor(server: net.Server, stories: readonly Story[], random: Random) {
    this.#server = server;
    this.stories = stories;
    this.random = random;
  }

  static async listen(stories: readonly Story[], random: Random): Promise<ChaosServer> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    const own = new ChaosServer(server, stories, random);
    server.on("connection", (socket) => {
      const stream = new Stream(own, socket);
      own.#streams.add(stream);
      socket.on("close", () => own.#streams.delete(stream));
    });
    await new Promise<void>((resolve) => {
      server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, resolve);
    });
    return own;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const stream of this.#streams) stream.destroy();
    await closed;
  }
}

class Stream {
  readonly #server: ChaosServer;
  readonly #socket: net.Socket;
  /** What came before it is known whose stream it is. */
  #opening = Buffer.alloc(0);
  #isWelcomed = false;
  #story: Story | undefined;
  #said = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What came of a closing tag. */
  #closing = Buffer.alloc(0);

  constructor(server: ChaosServer, socket: net.Socket) {
    this.#server = server;
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("data", (octets: Buffer) => {
      if (this.#story === undefined) this.#open(octets);
      else this.#hear(octets);
    });
    socket.on("end", () => socket.end());
    socket.on("drain", () => this.#speak());
    socket.on("close", () => {
      clearTimeout(this.#timer);
      if (this.#story !== undefined) this.#story.isGone = true;
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #open(octets: Buffer): void {
    this.#opening = Buffer.concat([this.#opening, octets]);
    if (!this.#isWelcomed) {
      const start = this.#opening.indexOf("<stream:stream ");
      const end = start < 0 ? -1 : this.#opening.indexOf(">", start);
      if (end < 0) return;
      this.#isWelcomed = true;
      this.#opening = this.#opening.subarray(end + 1);
      this.#socket.write(WELCOME);
    }
    if (this.#opening.length < HELLO_LENGTH) return;
    const session = HELLO.exec(this.#opening.toString("latin1"))?.[1];
    // A session whose client never heard of it ends without a word.
    if (session === undefined) return;
    this.#story = this.#server.stories[Number(session)]!;
    this.#story.isKnown = true;
    this.#hear(this.#opening.subarray(HELLO_LENGTH));
    this.#speak();
  }

  #hear(octets: Buffer): void {
    const story = this.#story!;
    story.attempt(() => {
      if (story.isClosed) throw new Error(`more comes behind the end: ${octets}`);
      if (story.up.count < story.length) {
        const left = story.up.take(octets, story.length);
        if (left.length === 0) return;
        octets = left;
      }
      this.#closing = Buffer.concat([this.#closing, octets]);
      const expected = CLOSING_TAG.subarray(0, this.#closing.length);
      if (!this.#closing.equals(expected)) {
        throw new Error(`more comes up than was sent: ${this.#closing.subarray(0, 200)}`);
      }
      if (this.#closing.length < CLOSING_TAG.length) return;
      story.isClosed = true;
      this.#socket.end(CLOSING_TAG);
    });
  }

  /** A few stanzas, and then nothing for a moment. */
  #speak(): void {
    clearTimeout(this.#timer);
    const story = this.#story;
    const { random } = this.#server;
    if (story === undefined || this.#socket.destroyed) return;
    if (this.#socket.writableLength > ROOM) return;
    const burst = Array.from(
      { length: Math.min(1 + random.below(8), story.length - this.#said) },
      () => stanza(story.session, "down", this.#said++),
    );
    if (burst.length > 0) this.#socket.write(Buffer.concat(burst));
    if (this.#said === story.length) {
      if (this.#server.hangsUp) this.#socket.end();
      return;
    }
    const moment = random.chance(0.03) ? 300 : 25;
    this.#timer = setTimeout(() => this.#speak(), random.below(moment));
  }
}
