/** What is measured, under which name. */
import { haveProgram } from "../support/programs.ts";
import { idle, latency, openingCpu, roundTripCpu } from "./contest.ts";
import type { Effort, Samples, Starters } from "./contest.ts";
import {
  type Front,
  FRONTS,
  type Party,
  startCauseway,
  startCausewayAndProsody,
  startFloor,
  StartTls,
  Stub,
} from "./parties.ts";
import { residentBytes } from "./machine.ts";
import { Process } from "./processes.ts";
import { BenchProsody } from "./prosody.ts";
import type { Way } from "./rig/load.ts";
import { allowOpenFiles } from "./rig/sockets.ts";

/** Samples of figures, by the figure's name. */
export type Figures = Readonly<Record<string, Samples>>;

export interface Scenario {
  readonly name: string;
  /** Programs that it needs. */
  readonly needs?: readonly string[];
  /** Memory differs little from one round to the next, and takes long to fill. */
  readonly mostRounds?: number;
  measure(size: Size): Promise<Figures>;
}

/** How much of it. */
export interface Size extends Effort {
  /** 1: as many sessions as the table says. */
  readonly scale: number;
}

/** That a server has open without any client. */
const OWN_FILES = 100;

/** A server at rest settles so long before it is looked at (seconds). */
const SETTLE = 2;
/**
 * And so long before its CPU is: the time limits of its openings are over then, and V8 has collected what
 * they left.
 */
const LONG_SETTLE = 45;
/** Each idle WebSocket has one ping in so many seconds, so nobody looks for less. */
const PING_PERIOD = 30;

const floor = (front: Front) => (stub: Stub) => startFloor(front, stub);
const causeway = (front: Front) => (stub: Stub) => startCauseway(front, stub);

/** The two fronts, each behind its own floor. */
const BESIDE_FLOORS: Starters = {
  "floor deno": floor("deno"),
  "front deno": causeway("deno"),
  "floor sockets": floor("sockets"),
  "front sockets": causeway("sockets"),
};

export const SCENARIOS: readonly Scenario[] = [
  talk("bosh-cpu", { way: "bosh", size: 100 }),
  talk("ws-cpu", { way: "ws", size: 100 }),
  talk("bosh-4k", { way: "bosh", size: 4_096 }),
  talk("ws-4k", { way: "ws", size: 4_096 }),
  talk("bosh-burst", { way: "bosh", size: 100, burst: true }),
  talk("ws-burst", { way: "ws", size: 100, burst: true }),
  open("bosh-open", "bosh"),
  open("ws-open", "ws"),
  sleep("bosh-idle", "bosh"),
  sleep("ws-idle", "ws"),
  { name: "starttls", mostRounds: 3, measure: startTls },
  { name: "start", measure: start },
  many("bosh-many", "bosh"),
  many("ws-many", "ws"),
  p99("bosh-p99", "bosh"),
  p99("ws-p99", "ws"),
  withProsody("bosh-prosody", "bosh"),
  withProsody("ws-prosody", "ws"),
  { name: "tokenizer", measure: tokenizers },
];

function talk(
  name: string,
  { way, size, burst = false }: { way: Way; size: number; burst?: boolean },
): Scenario {
  return {
    name,
    async measure({ scale, ...effort }) {
      const sessions = Math.ceil(100 * scale);
      return { [name]: await roundTripCpu(BESIDE_FLOORS, { way, size, burst, sessions }, effort) };
    },
  };
}

function open(name: string, way: Way): Scenario {
  return {
    name,
    async measure({ scale, ...effort }) {
      const sessions = Math.ceil(20 * scale);
      return { [name]: await openingCpu(BESIDE_FLOORS, { way, sessions }, effort) };
    },
  };
}

function p99(name: string, way: Way): Scenario {
  return {
    name,
    async measure({ scale, ...effort }) {
      const sessions = Math.ceil(1_000 * scale);
      return { [name]: await latency(BESIDE_FLOORS, { way, size: 100, sessions }, effort) };
    },
  };
}

function sleep(name: string, way: Way): Scenario {
  return {
    name,
    mostRounds: 3,
    async measure({ scale, rounds }) {
      await using stub = await Stub.start();
      const sessions = Math.ceil(3_000 * scale);
      const each = await perRound(rounds, BESIDE_FLOORS, async (start) => {
        const looked = await idle(() => start(stub), { way, sessions }, {
          settle: SETTLE,
          seconds: 0,
        });
        return looked.each;
      });
      return { [name]: each };
    },
  };
}

/** How much more a session takes when its upstream is TLS. */
async function startTls({ scale, rounds }: Size): Promise<Figures> {
  await using stub = await Stub.start();
  await using secured = await StartTls.start(stub);
  const what = { way: "bosh", sessions: Math.ceil(1_000 * scale) } as const;
  const look = { settle: SETTLE, seconds: 0 };
  const starters = Object.fromEntries(
    FRONTS.map((front) => [`front ${front}`, async () => {
      const plain = await idle(() => startCauseway(front, stub), what, look);
      const tls = await idle(() => startCauseway(front, secured), what, look);
      return tls.each - plain.each;
    }]),
  );
  return { starttls: await perRound(rounds, starters, (measure) => measure()) };
}

/** From its start to its first line, and the memory that it then has. */
async function start({ rounds }: Size): Promise<Figures> {
  await using stub = await Stub.start();
  const times: Record<string, number[]> = {};
  const rest = await perRound(rounds, BESIDE_FLOORS, async (start, name) => {
    // The first start of a program compiles it, and the others find that done.
    if (times[name] === undefined) await (await start(stub))[Symbol.asyncDispose]();
    const { all, party } = await atRest(() => start(stub));
    (times[name] ??= []).push(party.startTime);
    return all;
  });
  return { start: times, rest };
}

async function atRest(start: () => Promise<Party>): Promise<{ all: number; party: Party }> {
  const party = await start();
  await using _party = party;
  await new Promise((resolve) => setTimeout(resolve, SETTLE * 1_000));
  return { all: residentBytes(party.pids) / 1_048_576, party };
}

function many(name: string, way: Way): Scenario {
  return {
    name,
    mostRounds: 1,
    async measure({ scale }) {
      const wanted = Math.ceil(10_000 * scale);
      // One for each side of each session, in the server. Where so many are not allowed, the figure
      // is of fewer, with as much again for each that is missing.
      const files = allowOpenFiles(2 * wanted + OWN_FILES);
      const sessions = Math.floor((files - OWN_FILES) / 2);
      await using stub = await Stub.start();
      const looked = await idle(
        () => startCauseway("sockets", stub),
        { way, sessions },
        { settle: LONG_SETTLE, seconds: PING_PERIOD },
        wanted,
      );
      return {
        [name]: { "front sockets": [looked.all] },
        [`${name}-cpu`]: { "front sockets": [looked.cpu] },
      };
    },
  };
}

/** All the CPU that a round trip costs, Prosody's own included. */
function withProsody(name: string, way: Way): Scenario {
  return {
    name,
    needs: ["prosody"],
    async measure({ scale, ...effort }) {
      const starters: Starters = {
        "Prosody": () => BenchProsody.start(),
        "front deno": () => startCausewayAndProsody("deno"),
        "front sockets": () => startCausewayAndProsody("sockets"),
      };
      const sessions = Math.ceil(100 * scale);
      return { [name]: await roundTripCpu(starters, { way, size: 100, sessions }, effort) };
    },
  };
}

/** MB/s. */
async function tokenizers({ rounds, seconds, warmUp }: Size): Promise<Figures> {
  await using process = Process.deno("measured", "tokenizers.ts");
  await process.line();
  const tokenizers = ["saxes", "ltx", "ours"];
  for (const tokenizer of tokenizers) await process.ask(`${tokenizer} ${warmUp / 2}`);
  const samples: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const tokenizer of tokenizers) {
      (samples[tokenizer] ??= []).push(Number(await process.ask(`${tokenizer} ${seconds / 2}`)));
    }
  }
  return { tokenizer: samples };
}

/** One figure of each party a round, the parties taking turns. */
async function perRound<Start>(
  rounds: number,
  starters: Readonly<Record<string, Start>>,
  measure: (start: Start, name: string) => Promise<number>,
): Promise<Samples> {
  const samples: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const [name, start] of Object.entries(starters)) {
      (samples[name] ??= []).push(await measure(start, name));
    }
  }
  return samples;
}

/** Whether its programs are installed. */
export function canMeasure({ needs = [] }: Scenario): boolean {
  return !haveProgram(...needs).ignore;
}
