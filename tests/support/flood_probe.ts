/** Two sessions beside a flood, one of each transport, that say something all the time and hear it. */
import assert from "node:assert/strict";
import { BoshClient } from "./bosh_client.ts";
import { SERVERS } from "./flood_upstream.ts";

/** Milliseconds after which a message is lost: what a machine with other work may take is no mistake. */
const PATIENCE = 60_000;

export const AUTH =
  "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABz</auth>";
export const OPEN = (domain: string) =>
  `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='${domain}' version='1.0'/>`;

export class FloodProbe {
  /** Sessions that it has. */
  static readonly SESSIONS = 2;
  /** Messages that came back, on both ways. */
  rounds = 0;
  /** The longest that one of them took (milliseconds); a figure, and no verdict. */
  slowest = 0;
  readonly #bosh: BoshClient;
  readonly #socket: MessageSocket;
  #isStopped = false;
  #failed: unknown;
  #running: Promise<void> | undefined;

  private constructor(bosh: BoshClient, socket: MessageSocket) {
    this.#bosh = bosh;
    this.#socket = socket;
  }

  /** Logs in. */
  static async start(url: string): Promise<FloodProbe> {
    const bosh = new BoshClient(`${url}/http-bind`, { patience: PATIENCE });
    // It is not to end as those do that the flood leaves behind.
    const attributes = "wait='60' hold='1' inactivity='60' ver='1.11' xmpp:version='1.0'";
    const created = await bosh.create(`to='${SERVERS.echo}' ${attributes}`);
    assert.match(created.text, /<mechanism>PLAIN/);
    assert.match((await bosh.ask("", AUTH)).text, /<success /);
    assert.match((await bosh.ask("xmpp:restart='true'")).text, /<bind /);
    const socket = await MessageSocket.connect(`${url}/xmpp-websocket`);
    assert.match(await socket.ask(OPEN(SERVERS.echo)), /^<open /);
    assert.match(await socket.next(), /<mechanism>PLAIN/);
    assert.match(await socket.ask(AUTH), /^<success /);
    assert.match(await socket.ask(OPEN(SERVERS.echo)), /^<open /);
    assert.match(await socket.next(), /<bind /);
    const probe = new FloodProbe(bosh, socket);
    await probe.#round();
    probe.#running = probe.#run().catch((error) => void (probe.#failed = error));
    return probe;
  }

  /** Waits until a message that is sent from now on has come back. */
  async onceMore(): Promise<void> {
    for (const last = this.rounds + 2; this.rounds < last;) {
      if (this.#failed !== undefined) throw this.#failed;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** One more message, and then both leave; rejects if any has failed. */
  async stop(): Promise<void> {
    try {
      await this.onceMore();
      this.#isStopped = true;
      await this.#running;
      if (this.#failed !== undefined) throw this.#failed;
      await this.#bosh.ask("type='terminate'");
    } finally {
      this.#isStopped = true;
      this.#bosh.close();
      this.#socket.close();
    }
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#round();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #round(): Promise<void> {
    const start = performance.now();
    const id = `id='${this.rounds}'`;
    const message = `<message xmlns='jabber:client' ${id}/>`;
    const answer = this.#bosh.ask("", message);
    assert.match(await this.#socket.ask(message), new RegExp(id));
    assert.match((await answer).text, new RegExp(id));
    this.rounds++;
    this.slowest = Math.max(this.slowest, performance.now() - start);
  }
}

/** The platform's WebSocket, message by message. */
class MessageSocket {
  readonly #socket: WebSocket;
  readonly #inbox: string[] = [];
  #wake: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      this.#inbox.push(data);
      this.#wake();
    });
    socket.addEventListener("close", () => this.#wake());
  }

  static async connect(url: string): Promise<MessageSocket> {
    const socket = new WebSocket(url.replace(/^http/, "ws"), "xmpp");
    const opened = new MessageSocket(socket);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error("no WebSocket")));
    });
    return opened;
  }

  ask(message: string): Promise<string> {
    this.#socket.send(message);
    return this.next();
  }

  async next(): Promise<string> {
    for (const end = performance.now() + PATIENCE;;) {
      const message = this.#inbox.shift();
      if (message !== undefined) return message;
      if (this.#socket.readyState !== WebSocket.OPEN) throw new Error("the WebSocket was closed");
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, end - performance.now());
      await promise;
      clearTimeout(timer);
      if (performance.now() > end) throw new Error(`no message within ${PATIENCE / 1000} s`);
    }
  }

  close(): void {
    this.#socket.close();
  }
}
