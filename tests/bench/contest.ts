/** How parties are measured beside each other. */
import { type Party, Stub } from "./parties.ts";
import { Load } from "./processes.ts";
import type { Idle, Openings, RoundTrips, Way } from "./rig/load.ts";

/** Figures by party, one for each round. */
export type Samples = Readonly<Record<string, readonly number[]>>;

/** How parties are started, by their names. */
export type Starters = Readonly<Record<string, (stub: Stub) => Promise<Party>>>;

export interface Effort {
  readonly rounds: number;
  /** Of measuring, for each party and round. */
  readonly seconds: number;
  /** Of load before the first round, at the most. */
  readonly warmUp: number;
}

/**
 * A round is cut into so many slices, and the parties take turns with each: what else goes on in
 * the machine meets all of them.
 */
const SLICES = 4;

export interface Talk {
  readonly way: Way;
  readonly sessions: number;
  readonly size: number;
  readonly burst?: boolean;
}

/** Microseconds of CPU that a round trip costs. */
export async function roundTripCpu(
  starters: Starters,
  { way, sessions, size, burst = false }: Talk,
  effort: Effort,
): Promise<Samples> {
  await using contest = await Contest.begin(starters);
  await contest.each(({ load, party }) =>
    load.do({ do: "open", by: way, to: party.target(way), sessions })
  );
  // No more for one than for another, so that the compiler has seen the same of all.
  const talk = { do: "talk", size, burst } as const;
  const atMost = burst ? 10_000 : 150_000;
  await contest.each(({ load, party: { pids } }) =>
    load.do({ ...talk, seconds: effort.warmUp, atMost, pids })
  );
  return await contest.rounds(
    effort,
    ({ load, party: { pids } }, seconds) => load.do<RoundTrips>({ ...talk, seconds, pids }),
  );
}

/** Microseconds of CPU to open a session, log in and end it. */
export async function openingCpu(
  starters: Starters,
  { way, sessions }: Pick<Talk, "way" | "sessions">,
  effort: Effort,
): Promise<Samples> {
  await using contest = await Contest.begin(starters);
  const churn = (seconds: number, { load, party }: Contestant, atMost?: number) =>
    load.do<Openings>({
      do: "churn",
      by: way,
      to: party.target(way),
      sessions,
      seconds,
      ...(atMost !== undefined && { atMost }),
      pids: party.pids,
    });
  await contest.each((contestant) => churn(effort.warmUp, contestant, 5_000));
  return await contest.rounds(effort, (contestant, seconds) => churn(seconds, contestant));
}

/** Milliseconds that 99 of 100 messages take at the most, while each session sends one a second. */
export async function latency(
  starters: Starters,
  { way, sessions, size }: Talk,
  effort: Effort,
): Promise<Samples> {
  await using contest = await Contest.begin(starters);
  const talk = { do: "talk", size } as const;
  await contest.each(async ({ load, party }) => {
    await load.do({ do: "open", by: way, to: party.target(way), sessions });
    const { pids } = party;
    await load.do({ ...talk, seconds: effort.warmUp, atMost: 50_000, pids });
  });
  const samples = contest.noSamples();
  for (let round = 0; round < effort.rounds; round++) {
    await contest.each(async ({ name, load, party: { pids } }) => {
      const { seconds } = effort;
      const { p99 } = await load.do<RoundTrips>({ ...talk, seconds, paced: true, pids });
      samples[name]!.push(p99);
    });
  }
  return samples;
}

/** What idle sessions take: each round in new processes, for memory is not given back. */
export interface IdleFigures {
  /** KiB for each session. */
  readonly each: number;
  /** MiB of the whole process, with `wanted` sessions. */
  readonly all: number;
  /** Of a core, in per cent. */
  readonly cpu: number;
}

export async function idle(
  start: () => Promise<Party>,
  { way, sessions }: Pick<Talk, "way" | "sessions">,
  { settle, seconds }: { readonly settle: number; readonly seconds: number },
  wanted = sessions,
): Promise<IdleFigures> {
  await using party = await start();
  await using load = new Load();
  const { pids } = party;
  const look = { do: "idle", pids } as const;
  const before = await load.do<Idle>({ ...look, settle: 1, seconds: 0 });
  await load.do({ do: "open", by: way, to: party.target(way), sessions });
  const after = await load.do<Idle>({ ...look, settle, seconds });
  const each = (after.residentBytes - before.residentBytes) / sessions;
  return {
    each: each / 1_024,
    all: (after.residentBytes + each * (wanted - sessions)) / 1_048_576,
    cpu: 100 * after.cpuSeconds / after.seconds,
  };
}

interface Contestant {
  readonly name: string;
  readonly party: Party;
  readonly load: Load;
}

/** All parties at once; who is not measured is idle. */
class Contest implements AsyncDisposable {
  readonly #resources: AsyncDisposableStack;
  readonly #contestants: readonly Contestant[];

  private constructor(resources: AsyncDisposableStack, contestants: readonly Contestant[]) {
    this.#resources = resources;
    this.#contestants = contestants;
  }

  static async begin(starters: Starters): Promise<Contest> {
    await using resources = new AsyncDisposableStack();
    const stub = resources.use(await Stub.start());
    const contestants: Contestant[] = [];
    for (const [name, start] of Object.entries(starters)) {
      const party = resources.use(await start(stub));
      contestants.push({ name, party, load: resources.use(new Load()) });
    }
    return new Contest(resources.move(), contestants);
  }

  noSamples(): Record<string, number[]> {
    return Object.fromEntries(this.#contestants.map(({ name }) => [name, []]));
  }

  async each(turn: (contestant: Contestant) => Promise<unknown>): Promise<void> {
    for (const contestant of this.#contestants) await turn(contestant);
  }

  /** Microseconds of CPU for each that was counted, of each round. */
  async rounds(
    effort: Effort,
    measure: (
      contestant: Contestant,
      seconds: number,
    ) => Promise<{ readonly count: number; readonly cpuSeconds: number }>,
  ): Promise<Samples> {
    const samples = this.noSamples();
    for (let round = 0; round < effort.rounds; round++) {
      const sums = new Map(
        this.#contestants.map(({ name }) => [name, { count: 0, cpuSeconds: 0 }]),
      );
      for (let slice = 0; slice < SLICES; slice++) {
        await this.each(async (contestant) => {
          const { count, cpuSeconds } = await measure(contestant, effort.seconds / SLICES);
          const sum = sums.get(contestant.name)!;
          sum.count += count;
          sum.cpuSeconds += cpuSeconds;
        });
      }
      for (const [name, { count, cpuSeconds }] of sums) {
        samples[name]!.push(1e6 * cpuSeconds / count);
      }
    }
    return samples;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}
