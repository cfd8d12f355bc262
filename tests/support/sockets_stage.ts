import assert from "node:assert/strict";
import type { ListenConfig } from "../../src/config/config.ts";
import type { ManagerEvent } from "../../src/events.ts";
import { ConnectionManager } from "../../src/manager.ts";
import type { Answer, Exchange, Handler, Peer } from "../../src/server/exchange.ts";
import { listenSockets } from "../../src/server/front_sockets.ts";
import { LimitReports } from "../../src/server/limit_reports.ts";
import { CommonHeaders } from "../../src/server/http.ts";
import type { Timeouts } from "../../src/server/http_connection.ts";
import type { Listener } from "../../src/server/listener.ts";
import { BoshClient } from "./bosh_client.ts";
import { FakeConnector } from "./fake_connector.ts";
import { configOf } from "./manager.ts";
import { RawWebSocket } from "./raw_websocket.ts";
import { TestClock } from "./test_clock.ts";
import { Wire } from "./wire.ts";

/** Seconds as a test says them; a connection between two requests is not hurried unless it says so. */
export const TIMEOUTS: Timeouts = {
  headTimeout: 10_000,
  bodyTimeout: 30_000,
  keepaliveTimeout: 1_000_000,
  writeTimeout: 20_000,
};

/** How often the front looks at its deadlines. */
export const TICK = 500;

export interface SocketsStageOptions {
  readonly listen?: Partial<ListenConfig>;
  readonly timeouts?: Partial<Timeouts>;
  readonly trusts?: (peer: Peer) => boolean;
  /** Is asked first; what it throws is a fault. `null`: the usual paths. */
  readonly handle?: (exchange: Exchange) => Answer | undefined | null;
}

/**
 * The sockets front on loopback, with a clock that the test holds. A connection manager, whose
 * clock is the system's and whose servers say what they hear, is behind it, and these paths:
 * `/hold` (in {@link held} until the test answers), `/length` (of the body, 100 kB at most),
 * `/long` (50 kB).
 */
export class SocketsStage implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly held: Exchange[] = [];
  readonly faults: unknown[] = [];
  readonly refused: Omit<ManagerEvent & { type: "limit-reached" }, "type">[] = [];
  /** Requests of other paths than the connection manager's. */
  requests = 0;
  readonly #manager: ConnectionManager;
  readonly #wires: Wire[] = [];
  #listener!: Listener;

  private constructor() {
    const connector = new FakeConnector();
    connector.onOpen = (upstream) => {
      upstream.onCall = (call) => {
        if (call.startsWith("send ")) upstream.say(call.slice(5));
      };
      upstream.opened();
      upstream.say("<stream:features/>");
    };
    const config = configOf("[websocket]\nping_interval = 0");
    this.#manager = new ConnectionManager({ config, connector });
  }

  static async set(options: SocketsStageOptions = {}): Promise<SocketsStage> {
    const { listen = {}, timeouts = {}, trusts = () => false, handle = () => null } = options;
    const stage = new SocketsStage();
    const reports = new LimitReports(stage.clock, (event) => {
      if (event.type !== "limit-reached") return;
      const { limit, address, count } = event;
      stage.refused.push({ limit, address, count });
    });
    const { http, listen: [usual] } = configOf("");
    stage.#listener = await listenSockets(
      { ...usual!, at: { address: "127.0.0.1", port: 0 }, ...listen },
      (exchange) => {
        const answer = handle(exchange);
        return answer === null ? stage.#handle(exchange) : answer;
      },
      {
        timeouts: { ...TIMEOUTS, ...timeouts },
        common: new CommonHeaders(http),
        clock: stage.clock,
        trusts,
        onLimit: (limit, address) => {
          if (limit.startsWith("listen.")) reports.met(limit, address);
        },
        onFault: (error) => stage.faults.push(error),
      },
    );
    return stage;
  }

  get url(): string {
    return this.#listener.url;
  }

  /** A client; from another address of loopback, if one is named. */
  async connect(localAddress?: string): Promise<Wire> {
    const { hostname, port } = new URL(this.url);
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const from = localAddress === undefined ? {} : { localAddress };
    const wire = await Wire.connect({ host, port: Number(port), ...from });
    this.#wires.push(wire);
    return wire;
  }

  /** Settles when all is answered, with no patience for who does not end. */
  async close(): Promise<void> {
    let isClosed = false;
    const closing = this.#listener.close().then(() => isClosed = true);
    while (!isClosed) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      this.clock.advance(TICK);
    }
    await closing;
  }

  /** Begins to close, and leaves it to the test what has to happen. */
  closing(): Promise<void> {
    return this.#listener.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#manager.shutdown();
    for (const wire of this.#wires) wire.destroy();
    for (const exchange of this.held) exchange.respond(OK);
    await this.close();
  }

  #handle(exchange: Exchange): ReturnType<Handler> {
    switch (exchange.path) {
      case "/hold":
        this.requests++;
        this.held.push(exchange);
        return undefined;
      case "/length":
        this.requests++;
        exchange.readBody(100_000, (body) => {
          const closes = typeof body === "string";
          const status = !closes ? 200 : body === "too-long" ? 413 : 400;
          exchange.respond({ ...textAnswer(status, closes ? body : `${body.length}`), closes });
        });
        return undefined;
      case "/long":
        this.requests++;
        return LONG;
      default:
        return this.#manager.handler(["bosh", "websocket"])(exchange);
    }
  }
}

export function textAnswer(status: number, body: string): Answer {
  return { status, headers: { "content-type": "text/plain" }, body };
}

export const OK = textAnswer(200, "fine");
const LONG = textAnswer(200, "x".repeat(50_000));

/** The head of a request, with these lines besides Host. */
export function head(target: string, ...lines: readonly string[]): string {
  const method = target.includes(" ") ? "" : "GET ";
  return `${method}${target} HTTP/1.1\r\nHost: x\r\n${
    lines.map((line) => `${line}\r\n`).join("")
  }\r\n`;
}

/** A whole POST. */
export function post(path: string, body: string): string {
  return head(`POST ${path}`, `Content-Length: ${body.length}`) + body;
}

/**
 * A test in which a BOSH session and a WebSocket of the same listener exchange messages all the
 * time, and must not notice what else there is.
 */
export function besideSessions(
  name: string,
  options: SocketsStageOptions,
  work: (stage: SocketsStage) => Promise<void>,
): void {
  Deno.test(name, async () => {
    await using stage = await SocketsStage.set(options);
    const probe = await Probe.start(stage.url);
    try {
      await work(stage);
    } finally {
      await probe.stop();
    }
    assert.deepEqual(stage.faults, []);
  });
}

const FRAMING = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'";
/** Longest time of a message there and back (milliseconds); generous, for machines that have much to do. */
const NOTICED = 3_000;

class Probe {
  readonly #bosh: BoshClient;
  readonly #socket: RawWebSocket;
  #isStopped = false;
  #round = 0;
  readonly #rounds: Promise<void>;

  private constructor(bosh: BoshClient, socket: RawWebSocket) {
    this.#bosh = bosh;
    this.#socket = socket;
    this.#rounds = this.#exchange();
    // Told when it is stopped.
    this.#rounds.catch(() => {});
  }

  static async start(url: string): Promise<Probe> {
    const bosh = new BoshClient(`${url}/http-bind`);
    await bosh.create("to='example.test' wait='60' hold='1' ver='1.6'");
    const socket = await RawWebSocket.connect(`${url}/xmpp-websocket`);
    socket.text(`<open ${FRAMING} to='example.test' version='1.0'/>`);
    await socket.message();
    await socket.message();
    return new Probe(bosh, socket);
  }

  /** One more exchange, and then no more; rejects if one of them failed or took long. */
  async stop(): Promise<void> {
    const last = this.#round + 2;
    try {
      while (this.#round < last) {
        await Promise.race([this.#rounds, new Promise((resolve) => setTimeout(resolve, 5))]);
      }
      this.#isStopped = true;
      await this.#rounds;
      await this.#bosh.ask("type='terminate'");
    } finally {
      this.#bosh.close();
      this.#socket.destroy();
    }
  }

  async #exchange(): Promise<void> {
    while (!this.#isStopped) {
      const message = `<message id='${++this.#round}'/>`;
      const start = performance.now();
      const answer = this.#bosh.ask("", message);
      this.#socket.text(message);
      assert.match(await this.#socket.message(), new RegExp(`id='${this.#round}'`));
      assert.match((await answer).text, new RegExp(`<message [^>]*id='${this.#round}'`));
      const time = performance.now() - start;
      assert.ok(time < NOTICED, `a message took ${Math.round(time)} ms there and back`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
