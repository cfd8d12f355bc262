/** A network between two programs that does to their connections whatever networks do. */
import { Buffer } from "node:buffer";
import net from "node:net";
import type { Random } from "./bosh_model/random.ts";

/** What becomes of a connection when so many bytes have gone one way. */
type Fault =
  /** A TCP reset. */
  | "reset"
  /** Both ways are closed. */
  | "close"
  /** This way is closed, and the other one is not. */
  | "half-close"
  /** Nothing gets through any more, and nobody is told. */
  | "stall"
  /** Nothing gets through this way: who wrote it believes that it has arrived. */
  | "swallow"
  /** Nothing gets through for a while. */
  | "pause"
  /** What the client wrote gets through when the client has given up. */
  | "late";

/** Those that nobody is told of come less often: they cost a client its patience. */
const FAULTS: readonly Fault[] = [
  ...Array<Fault>(4).fill("reset"),
  ...Array<Fault>(4).fill("close"),
  ...Array<Fault>(2).fill("half-close"),
  "stall",
  "swallow",
  "pause",
  "late",
];

/** Who sees a reset or a close; whoever does not has a connection to nobody. */
type Told = "both" | "client" | "server";

interface Plan {
  readonly fault: Fault;
  /** The client's way, or the server's. */
  readonly way: "up" | "down";
  /** Bytes that still get through. */
  readonly at: number;
  readonly told: Told;
  /** For how long something stays (milliseconds). */
  readonly linger: number;
}

/** How bad a network is; probabilities for each connection. */
export interface Weather {
  /** Something breaks it sooner or later. */
  readonly faults: number;
  /** Bytes that get through before, each way. */
  readonly spares?: number;
  /** Everything takes a while. */
  readonly slow: number;
  /** What is written comes in pieces. */
  readonly pieces: number;
  /** Now and then it pauses (milliseconds at most). */
  readonly pause: number;
}

/** As many bytes as wait in it before it takes no more. */
const ROOM = 262_144;

export class ChaosNetwork implements AsyncDisposable {
  /** What it has done, and how often. */
  readonly done = new Map<string, number>();
  /** Whether a request that its client has given up may still arrive. */
  mayBeLate: (octets: Buffer) => boolean = () => false;
  readonly random: Random;
  readonly weather: Weather;
  readonly #server: net.Server;
  readonly #connections = new Set<Connection>();

  private constructor(server: net.Server, weather: Weather, random: Random) {
    this.#server = server;
    this.weather = weather;
    this.random = random;
  }

  /** To a port of loopback. */
  static async to(target: number, weather: Weather, random: Random): Promise<ChaosNetwork> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    const network = new ChaosNetwork(server, weather, random);
    server.on("connection", (client) => {
      network.note("connections");
      const connection = new Connection(network, client, target);
      network.#connections.add(connection);
      connection.onGone = () => network.#connections.delete(connection);
    });
    await new Promise<void>((resolve) => {
      server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, resolve);
    });
    return network;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  note(what: string): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1);
  }

  plan(): Plan | undefined {
    const { random, weather } = this;
    if (!random.chance(weather.faults)) return undefined;
    const fault = random.pick(FAULTS);
    return {
      fault,
      way: fault === "late" || random.chance(0.5) ? "up" : "down",
      // Within the first head, within the first requests, or anywhere.
      at: (weather.spares ?? 0) + Math.floor(random.pick([500, 5_000, 50_000]) * random.next()),
      told: random.pick(["both", "both", "both", "client", "server"] as const),
      linger: 50 + random.below(1_000),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }
}

const REQUEST = Buffer.from("POST ");

class Connection {
  onGone = () => {};
  readonly #network: ChaosNetwork;
  readonly #client: net.Socket;
  readonly #server: net.Socket;
  readonly #up: Way;
  readonly #down: Way;
  readonly #plan: Plan | undefined;
  /** What comes late. */
  #late: Buffer[] | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isBroken = false;
  #gone = 0;

  constructor(network: ChaosNetwork, client: net.Socket, target: number) {
    this.#network = network;
    this.#client = client;
    this.#server = net.connect({
      port: target,
      host: "127.0.0.1",
      allowHalfOpen: true,
      noDelay: true,
    });
    this.#plan = network.plan();
    this.#up = new Way(network, client, this.#server);
    this.#down = new Way(network, this.#server, client);
    for (const socket of [client, this.#server]) {
      socket.on("error", () => {});
      socket.on("close", () => this.#closed(socket));
    }
    client.on("data", (octets: Buffer) => this.#came("up", octets));
    this.#server.on("data", (octets: Buffer) => this.#came("down", octets));
    client.on("end", () => this.#clientEnds());
    this.#server.on("end", () => this.#down.close());
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#client.destroy();
    this.#server.destroy();
  }

  #came(name: "up" | "down", octets: Buffer): void {
    const way = name === "up" ? this.#up : this.#down;
    const plan = this.#plan;
    if (plan === undefined || plan.way !== name || way.isStruck) {
      if (name === "up" && this.#late !== undefined) this.#late.push(octets);
      else way.forward(octets);
      return;
    }
    const rest = plan.at - way.bytes;
    if (octets.length < rest) return way.forward(octets);
    // It is seen by its beginning which request it is.
    if (plan.fault === "late") {
      if (!octets.subarray(0, REQUEST.length).equals(REQUEST)) return way.forward(octets);
      way.isStruck = true;
      return this.#strike(plan, way, octets);
    }
    way.forward(octets.subarray(0, rest));
    way.isStruck = true;
    this.#strike(plan, way, octets.subarray(rest));
  }

  #strike({ fault, way: name, told, linger }: Plan, way: Way, rest: Buffer): void {
    const whom = fault === "reset" || fault === "close" ? `, told: ${told}` : "";
    this.#network.note(`${fault} ${name}${whom}`);
    switch (fault) {
      case "reset":
      case "close": {
        this.#break();
        const end = (socket: net.Socket) =>
          fault === "reset" ? socket.resetAndDestroy() : socket.end();
        if (told !== "server") end(this.#client);
        if (told !== "client") end(this.#server);
        return this.#destroyAfter(linger);
      }
      case "half-close":
        return way.close();
      case "stall":
        this.#break();
        this.#server.pause();
        return;
      case "swallow":
        return way.stop();
      case "pause":
        this.#up.pause(linger / 4);
        this.#down.pause(linger / 4);
        return way.forward(rest);
      case "late":
        this.#late = [rest];
        return;
    }
  }

  #break(): void {
    this.#isBroken = true;
    this.#up.stop();
    this.#down.stop();
  }

  #clientEnds(): void {
    if (this.#isBroken || this.#late !== undefined || this.#up.isClosed) {
      return void this.#client.destroy();
    }
    // Sometimes the network forgets to say that the client has left.
    const { random, weather } = this.#network;
    if (weather.faults === 0) return this.#up.close();
    // What is under way has been given up by its client, and would come too late.
    this.#up.drop();
    if (random.chance(0.7)) return this.#up.close();
    this.#network.note("end of a client, not told");
    this.#break();
    this.#client.destroy();
  }

  #closed(socket: net.Socket): void {
    if (++this.#gone === 2) {
      clearTimeout(this.#timer);
      return this.onGone();
    }
    if (socket === this.#server) {
      if (!this.#isBroken && !this.#down.isClosed) this.#client.resetAndDestroy();
      return;
    }
    if (this.#late !== undefined) return this.#deliverLate(Buffer.concat(this.#late));
    this.#break();
    this.#destroyAfter(this.#plan?.linger ?? 50);
  }

  /** Waits for the client to have sent it again, for a moment. */
  #deliverLate(octets: Buffer, looks = 20): void {
    this.#break();
    this.#timer = setTimeout(() => {
      if (this.#network.mayBeLate(octets)) {
        this.#network.note("request arrived late");
        this.#server.write(octets);
      } else if (looks > 0) return this.#deliverLate(octets, looks - 1);
      // Two connections for one rid are told apart by which one is lost within half a second; later than
      // that nobody can (docs/security.md), so the end of one that was late comes in time.
      this.#destroyAfter(Math.min(this.#plan!.linger, 200));
    }, this.#network.random.below(10));
  }

  #destroyAfter(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // A client that was not told has a connection to nobody as long as it likes.
      this.#server.destroy();
    }, ms);
  }
}

/** One direction of a connection. */
class Way {
  /** Bytes that got through. */
  bytes = 0;
  /** The plan has been carried out. */
  isStruck = false;
  isClosed = false;
  readonly #network: ChaosNetwork;
  readonly #from: net.Socket;
  readonly #to: net.Socket;
  /** Milliseconds. */
  readonly #delay: number;
  readonly #inPieces: boolean;
  readonly #queue: { readonly due: number; readonly octets: Buffer | undefined }[] = [];
  #queued = 0;
  #pausedUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(network: ChaosNetwork, from: net.Socket, to: net.Socket) {
    const { random, weather } = network;
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.#delay = random.chance(weather.slow) ? 1 + random.below(25) : 0;
    this.#inPieces = random.chance(weather.pieces);
    to.on("drain", () => this.#resume());
    to.on("close", () => this.stop());
  }

  /** Hands on what came. */
  forward(octets: Buffer): void {
    if (this.isClosed) return;
    const { random, weather } = this.#network;
    this.bytes += octets.length;
    if (weather.pause > 0 && random.chance(0.01)) {
      this.#network.note("pause");
      this.pause(random.below(weather.pause));
    }
    if (!this.#inPieces) return this.#later(this.#delay, octets);
    let pieces = 6;
    for (let at = 0; at < octets.length;) {
      const size = --pieces === 0
        ? octets.length
        : 1 + random.below(random.chance(0.5) ? 30 : octets.length);
      this.#later(this.#delay + random.below(3), octets.subarray(at, at + size));
      at += size;
    }
  }

  /** Nothing gets through for so long (milliseconds). */
  pause(ms: number): void {
    this.#pausedUntil = performance.now() + ms;
  }

  /** Closes this way behind what has been handed on; what comes then is for nobody. */
  close(): void {
    if (!this.isClosed) this.#later(0, undefined);
    this.isClosed = true;
    this.#from.resume();
  }

  /** What is under way gets lost. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#queued = 0;
  }

  /** Nothing gets through any more. */
  stop(): void {
    this.drop();
    this.isClosed = true;
    this.#from.resume();
  }

  #later(delay: number, octets: Buffer | undefined): void {
    const now = performance.now();
    const due = Math.max(now + delay, this.#pausedUntil, this.#queue.at(-1)?.due ?? 0);
    if (due <= now && this.#queue.length === 0) return this.#write(octets);
    this.#queue.push({ due, octets });
    this.#queued += octets?.length ?? 0;
    if (this.#queue.length === 1) this.#arm();
    if (this.#queued > ROOM) this.#from.pause();
  }

  #arm(): void {
    const [first] = this.#queue;
    if (first === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#release(), Math.max(1, first.due - performance.now()));
  }

  #release(): void {
    const now = performance.now();
    while (this.#queue.length > 0 && this.#queue[0]!.due <= now + 0.5) {
      const { octets } = this.#queue.shift()!;
      this.#queued -= octets?.length ?? 0;
      this.#write(octets);
    }
    this.#arm();
    this.#resume();
  }

  #write(octets: Buffer | undefined): void {
    if (this.#to.destroyed) return;
    if (octets === undefined) return void this.#to.end();
    this.#to.write(octets);
    if (this.#to.writableLength > ROOM) this.#from.pause();
  }

  #resume(): void {
    if (this.isClosed) return;
    if (this.#queued <= ROOM && this.#to.writableLength <= ROOM) this.#from.resume();
  }
}
