/** What a chaos test needs: stories, an XMPP server, a network, the connection manager, another network. */
import type { Buffer } from "node:buffer";
import type { ManagerEvent } from "../../src/events.ts";
import { ConnectionManager } from "../../src/manager.ts";
import { Random } from "./bosh_model/random.ts";
import { BODY_BYTES, ChaosClient, type Habits } from "./chaos_client.ts";
import { ChaosNetwork, type Weather } from "./chaos_network.ts";
import { ChaosServer } from "./chaos_server.ts";
import { LONGEST, Story } from "./chaos_stanzas.ts";
import { currentFront } from "./fronts.ts";
import { configOf } from "./manager.ts";

/** Limits a little above what is sent, and time limits that connections come to feel. */
function config(port: number): string {
  return `
    [http]
    max_body = ${BODY_BYTES + 1_000}
    head_timeout = 3
    body_timeout = 2
    keepalive_timeout = 2
    write_timeout = 3
    [bosh]
    polling = 0
    # The clients' clock stands still while the process has too much to do, and this one does not.
    inactivity = 600
    max_pause = 600
    [websocket]
    ping_interval = 1
    [limits]
    client_stanza = ${LONGEST.up + 1_000}
    server_stanza = ${LONGEST.down + 1_000}
    queued_bytes = 1_000_000
    # Nobody logs in.
    unauthenticated_bytes = 67_000_000
    unauthenticated_time = 86_400
    [upstream]
    connect_timeout = 100
    [domains."example.test"]
    connect = "xmpp://127.0.0.1:${port}"
    tls = "never"
  `;
}

export const CALM: Weather = { faults: 0, slow: 0, pieces: 0, pause: 0 };
/** What breaks connections. */
export const STORM: Weather = { faults: 0.85, slow: 0.3, pieces: 0.2, pause: 0 };
/** What does not, because a session is over with its stream. */
const WIND: Weather = { faults: 0, slow: 0.3, pieces: 0.5, pause: 300 };

/** How often the clients look at the time (milliseconds), and how many of them begin then. */
const TICK = 5;
const STARTS = 2;

export interface ChaosOptions {
  readonly sessions: number;
  /** Stanzas of each session, each way. */
  readonly length: number;
  readonly seed: number;
  /** Between clients and the connection manager. */
  readonly weather: Weather;
}

export class ChaosStage implements AsyncDisposable {
  readonly stories: readonly Story[];
  readonly random: Random;
  readonly server: ChaosServer;
  /** Between the connection manager and the server. */
  readonly behind: ChaosNetwork;
  /** Between clients and the connection manager. */
  readonly before: ChaosNetwork;
  /** What the connection manager told, but for acknowledgements. */
  readonly events: readonly ManagerEvent[];
  readonly manager: ConnectionManager;
  /** Those that play. */
  clients: readonly ChaosClient[] = [];
  readonly #close: () => Promise<void>;

  private constructor(
    parts: Pick<
      ChaosStage,
      "stories" | "random" | "server" | "behind" | "before" | "events" | "manager"
    >,
    close: () => Promise<void>,
  ) {
    this.stories = parts.stories;
    this.random = parts.random;
    this.server = parts.server;
    this.behind = parts.behind;
    this.before = parts.before;
    this.events = parts.events;
    this.manager = parts.manager;
    this.#close = close;
  }

  static async set({ sessions, length, seed, weather }: ChaosOptions): Promise<ChaosStage> {
    const random = new Random(seed);
    const stories = Array.from({ length: sessions }, (_, session) => new Story(session, length));
    const server = await ChaosServer.listen(stories, random);
    const behind = await ChaosNetwork.to(server.port, WIND, random);
    const settings = configOf(config(behind.port));
    const events: ManagerEvent[] = [];
    const manager = new ConnectionManager({
      config: settings,
      onEvent(event) {
        if (event.type !== "responses-acknowledged") events.push(event);
      },
    });
    const listener = await manager.listen({
      ...settings.listen[0]!,
      at: { address: "127.0.0.1", port: 0 },
      server: currentFront(),
    });
    const port = Number(new URL(listener.url).port);
    const before = await ChaosNetwork.to(port, weather, random);
    const parts = { stories, random, server, behind, before, events, manager };
    return new ChaosStage(parts, async () => {
      await before[Symbol.asyncDispose]();
      await manager.shutdown();
      await listener.close();
      await behind[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    });
  }

  /** Lets a client of each session do what it has to do, so many at a time, and returns them. */
  async play(
    atOnce: number,
    habits: (random: Random) => Habits = anyHabits,
  ): Promise<readonly ChaosClient[]> {
    const { stories, random, before } = this;
    const clock = { now: 0 };
    const parts = { port: before.port, clock, random };
    const clients = stories.map((story) => new ChaosClient(story, habits(random), parts));
    this.clients = clients;
    const playing = new Set<ChaosClient>();
    before.mayBeLate = (octets) => mayBeLate(octets, playing);
    const waiting = clients.values();
    const { promise, resolve } = Promise.withResolvers<void>();
    const ticking = setInterval(() => {
      clock.now += TICK;
      for (let more = STARTS; more > 0 && playing.size < atOnce; more--) {
        const { value: client } = waiting.next();
        if (client === undefined) break;
        playing.add(client);
        client.start();
        void client.done.then(() => playing.delete(client));
      }
      if (playing.size === 0) return resolve();
      for (const client of playing) client.tick();
    }, TICK);
    await promise;
    clearInterval(ticking);
    return clients;
  }

  /** Every client has a session. */
  get areAllThere(): boolean {
    return this.clients.every(({ sid }) => sid !== undefined);
  }

  /** What the connection manager told of a client's session. */
  eventsOf({ sid }: ChaosClient): ManagerEvent[] {
    const isOf = (name: string | undefined) => name !== undefined && sid?.startsWith(name);
    return this.events.filter((event) => "session" in event && isOf(event.session));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

/**
 * A request may arrive once more that its client has sent again and has no answer to. Later than
 * that, XEP-0124 §14.3 has the session end for it.
 */
function mayBeLate(octets: Buffer, playing: Iterable<ChaosClient>): boolean {
  const text = octets.toString("latin1");
  const sid = / sid='([^']+)'/.exec(text)?.[1];
  const rids = [...text.matchAll(/<body xmlns='[^']*' rid='(\d+)'/g)].map(([, rid]) => Number(rid));
  if (sid === undefined) return false;
  for (const client of playing) {
    if (client.sid === sid) return rids.every((rid) => client.isRepeating(rid));
  }
  return false;
}

function anyHabits(random: Random): Habits {
  const hold = random.pick([1, 1, 1, 2, 2, 0]);
  return {
    hold,
    acks: random.pick(["none", "none", "lacking", "always"] as const),
    keys: random.chance(0.3),
    pauses: hold > 0 && random.chance(0.3),
    pipelines: currentFront() === "sockets" && hold > 0 && random.chance(0.3),
  };
}
