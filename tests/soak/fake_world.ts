/** The quick world: sockets and XMPP servers are objects, and everything between them is the real thing. */
import type { Socket } from "node:net";
import type { Handler } from "../../src/server/exchange.ts";
import { CommonHeaders } from "../../src/server/http.ts";
import { type ConnectionHost, HttpConnection } from "../../src/server/http_connection.ts";
import type { SocketOwner } from "../../src/server/owned_socket.ts";
import { ConnectionManager } from "../../src/manager.ts";
import type { StreamEnd } from "../../src/protocol/stream/c2s.ts";
import type {
  Connector,
  Upstream,
  UpstreamEvents,
  UpstreamRequest,
} from "../../src/upstream/connector.ts";
import { payloadsOf } from "../support/bosh_conversation.ts";
import { JumpingClock } from "../support/manager.ts";
import { BIND, MECHANISMS, streamFeatures } from "../support/upstream_server.ts";
import { Happenings, type Line, SERVERS, type World, worldConfig } from "./world.ts";

export class FakeWorld implements World, ConnectionHost {
  readonly name = "objects";
  readonly clock = new JumpingClock();
  readonly happenings = new Happenings();
  readonly manager: ConnectionManager;
  readonly handle: Handler;
  readonly timeouts;
  readonly common: CommonHeaders;
  readonly isClosing = false;
  readonly #owners = new Set<SocketOwner>();
  #nextPort = 1;

  constructor() {
    const config = worldConfig();
    this.timeouts = config.http;
    this.common = new CommonHeaders(config.http);
    this.manager = new ConnectionManager({
      config,
      clock: this.clock,
      connector: new QuickConnector(),
      onEvent: (event) => this.happenings.hear(event),
    });
    this.handle = this.manager.handler(["bosh", "websocket"]);
  }

  connect(): Promise<Line> {
    const socket = new FakeSocket();
    const peer = { address: "127.0.0.1", port: this.#nextPort++ % 65_536 };
    const platform = socket as unknown as Socket;
    this.#owners.add(new HttpConnection(this, { socket: platform, tcp: platform, peer }));
    return Promise.resolve(socket.line);
  }

  get connections(): number {
    return this.#owners.size;
  }

  async turn(): Promise<void> {
    for (const owner of this.#owners) owner.tick(this.now());
    await new Promise((resolve) => setTimeout(resolve));
  }

  // ---- for connections

  now(): number {
    return this.clock.now();
  }

  onFault(error: unknown): void {
    throw error;
  }

  onLimit(): void {}

  replace(owner: SocketOwner, successor: SocketOwner | undefined): void {
    this.#owners.delete(owner);
    if (successor !== undefined) this.#owners.add(successor);
  }
}

/** As much of a socket as the front asks for; the network takes everything at once. */
class FakeSocket {
  readonly line = new FakeLine(this);
  readonly writableLength = 0;
  readonly writableNeedDrain = false;
  bytesWritten = 0;
  readonly #listeners = new Map<string, (this: FakeSocket, argument?: unknown) => void>();
  #isGone = false;

  on(event: string, listener: (this: FakeSocket, argument?: unknown) => void): this {
    this.#listeners.set(event, listener);
    return this;
  }

  emit(event: string, argument?: unknown): void {
    if (!this.#isGone) this.#listeners.get(event)?.call(this, argument);
  }

  write(bytes: Uint8Array): boolean {
    this.bytesWritten += bytes.length;
    this.line.came(bytes);
    return true;
  }

  end(): void {
    this.line.ended();
    // What a client does that has read to the end.
    queueMicrotask(() => this.destroy());
  }

  destroy(): void {
    if (this.#isGone) return;
    this.emit("close");
    this.#isGone = true;
    this.line.ended();
  }

  pause(): this {
    return this;
  }

  resume(): this {
    return this;
  }
}

class FakeLine implements Line {
  isEnded = false;
  readonly #socket: FakeSocket;
  #received = "";
  #wake: (() => void) | undefined;

  constructor(socket: FakeSocket) {
    this.#socket = socket;
  }

  write(text: string | Uint8Array): void {
    // The front may write into what it is given.
    const bytes = typeof text === "string" ? utf8Encoder.encode(text) : text.slice();
    this.#socket.emit("data", bytes);
  }

  end(): void {
    this.#socket.emit("end");
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async expect(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.#received);
      if (found !== null) {
        const end = found.index + found[0].length;
        const text = this.#received.slice(0, end);
        this.#received = this.#received.slice(end);
        return text;
      }
      if (this.isEnded) throw new Error(`the end instead of ${pattern}: ${this.#received}`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  came(bytes: Uint8Array): void {
    this.#received += latin1.decode(bytes);
    this.#wake?.();
  }

  ended(): void {
    this.isEnded = true;
    this.#wake?.();
  }
}

const latin1 = new TextDecoder("latin1");
const utf8 = new TextDecoder();
const utf8Encoder = new TextEncoder();

class QuickConnector implements Connector {
  open(request: UpstreamRequest, events: UpstreamEvents): Upstream {
    const upstream = new QuickUpstream(request.opening.to, events);
    queueMicrotask(() => upstream.begin());
    return upstream;
  }
}

const REFUSED: StreamEnd = { type: "connection-failed", reason: "no answer" };
const LOST: StreamEnd = { type: "connection-failed", reason: "the connection was reset" };
const GONE: StreamEnd = {
  type: "stream-error",
  error: payloadsOf(
    "<stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
  )[0]!,
};
const LOGIN = payloadsOf(streamFeatures(MECHANISMS));
const LOGGED_IN = payloadsOf(streamFeatures(BIND));
const SUCCESS = payloadsOf("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");

/** A stream to one of {@link SERVERS}. */
class QuickUpstream implements Upstream {
  readonly queuedBytes = 0;
  readonly #domain: string;
  readonly #events: UpstreamEvents;
  #isOver = false;

  constructor(domain: string, events: UpstreamEvents) {
    this.#domain = domain;
    this.#events = events;
  }

  begin(): void {
    if (this.#isOver) return;
    switch (this.#domain) {
      case SERVERS.mute:
        return;
      case SERVERS.refusing:
      case SERVERS.untls:
        return this.#end(REFUSED);
      case SERVERS.gone:
        return this.#end(GONE);
      default:
        this.#opened();
        this.#events.deliver(LOGIN);
    }
  }

  send(content: Uint8Array): void {
    const text = utf8.decode(content);
    queueMicrotask(() => {
      if (this.#isOver) return;
      if (this.#domain === SERVERS.lost) this.#end(LOST);
      else if (text.startsWith("<auth")) this.#events.deliver(SUCCESS);
      else this.#events.deliver(payloadsOf(text));
    });
  }

  restart(): void {
    queueMicrotask(() => {
      if (this.#isOver) return;
      this.#opened();
      this.#events.deliver(LOGGED_IN);
    });
  }

  flow(): void {}

  close(): void {
    queueMicrotask(() => this.#end({ type: "closed" }));
  }

  abort(): void {
    queueMicrotask(() => this.#end({ type: "closed" }));
  }

  #opened(): void {
    this.#events.opened({ id: "s", from: this.#domain, lang: "en", version: "1.0" });
  }

  #end(end: StreamEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.ended(end);
  }
}
