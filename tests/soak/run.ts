/**
 * Opens many sessions, uses them, leaves them in every state, and looks whether anything is left of
 * them: run by `soak_test.ts`, in a process of its own. Writes what it found as one line of JSON.
 *
 *     deno run -A --v8-flags=--expose-gc tests/soak/run.ts SESSIONS FIRST SHARE
 *
 * What is there after the FIRST of them is compared with what is there after all; one batch of SHARE
 * has its sockets from the system.
 */
import { FakeWorld } from "./fake_world.ts";
import { type Heap, inspectHeap, ownClasses } from "./heap.ts";
import { RealWorld } from "./real_world.ts";
import { Leaving, SCENARIOS } from "./scenarios.ts";
import type { World } from "./world.ts";

/** What `soak_test.ts` looks at. */
export interface Findings {
  /** While two sessions live, one of each transport, on sockets. */
  readonly living: Counted;
  readonly sessions: number;
  /** Sessions that there were, by what manager events say. */
  readonly created: number;
  readonly ended: number;
  readonly first: Counted;
  readonly last: Counted;
  readonly seconds: number;
}

/** As {@link Heap} has it. */
export interface Counted extends Omit<Heap, "objects"> {
  readonly objects: Readonly<Record<string, number>>;
  /** Bytes of memory that the process has. */
  readonly rss: number;
}

/** Sessions side by side; whatever is queued for them has a place by then. */
const BATCH = 100;
/** No session lives for longer than this without its client (milliseconds). */
const LIFE = 2_000_000;
/** A step of the clock, and how often what is under way may go on at each (milliseconds). */
const STEP = 20_000;

const [sessions = 2_000, first = 500, share = 10] = Deno.args.map(Number);
const scenarios = Object.entries(SCENARIOS);
const classes = await ownClasses();
let next = 0;

/** So many sessions, and then the time that it takes until nothing is left of them. */
async function soak(world: World, count: number): Promise<void> {
  const left = new Leaving(world);
  const work = Array.from({ length: count }, async () => {
    const [name, scenario] = scenarios[next++ % scenarios.length]!;
    try {
      await scenario(left);
    } catch (error) {
      throw new Error(`${world.name}: ${name}`, { cause: error });
    }
  });
  await Promise.all(work);
  const isOver = () =>
    world.manager.sessions === 0 && (world.connections ?? 0) === 0 &&
    left.lines.every((line) => line.isEnded);
  for (let time = 0; !isOver(); time += STEP) {
    if (time > LIFE) throw new Error(`${world.name}: a session or a connection does not end`);
    world.clock.jump(STEP);
    await world.turn();
    await world.turn();
  }
  for (const line of left.lines) line.destroy();
  const [fault] = world.happenings.faults;
  if (fault !== undefined) throw fault;
}

/** Epitaphs are kept for five minutes, and looked through when a session ends. */
async function forget(world: World): Promise<void> {
  world.clock.jump(400_000);
  next = scenarios.findIndex(([name]) => name === "terminated");
  await soak(world, 1);
}

async function count(worlds: readonly World[]): Promise<Counted> {
  for (const world of worlds) await forget(world);
  return await inspect();
}

async function inspect(): Promise<Counted> {
  const { objects, ...heap } = await inspectHeap(classes);
  const { rss } = Deno.memoryUsage();
  return { ...heap, rss, objects: Object.fromEntries([...objects].sort()) };
}

async function main(): Promise<Findings> {
  const quick = new FakeWorld();
  const slow = await RealWorld.begin();
  const worlds = [quick, slow];
  const guests = new Leaving(slow);
  await SCENARIOS["logged in"]!(guests);
  await SCENARIOS["WebSocket: logged in"]!(guests);
  const living = await inspect();
  const begun = performance.now();
  let atFirst: Counted | undefined;
  for (let done = 0, batch = 0; done < sessions; batch++) {
    const size = Math.min(BATCH, (atFirst === undefined ? first : sessions) - done);
    await soak(batch % share === share - 1 || batch === 0 ? slow : quick, size);
    done += size;
    if (done === first) atFirst = await count(worlds);
    if (done % 10_000 === 0) report(done, performance.now() - begun);
  }
  const last = await count(worlds);
  const seconds = Math.round((performance.now() - begun) / 1000);
  const heard = (type: string) =>
    worlds.reduce((sum, { happenings }) => sum + (happenings.counts.get(type) ?? 0), 0);
  const created = heard("session-created");
  const ended = heard("session-ended");
  return { living, sessions, created, ended, first: atFirst!, last, seconds };
}

/** For whoever watches a long run. */
function report(done: number, time: number): void {
  const heap = Math.round(Deno.memoryUsage().heapUsed / 1024);
  const line = `${done} sessions in ${Math.round(time / 1000)} s, heap ${heap} KiB\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}

// What hangs after a failure is not waited for.
const findings = await main().catch((error) => {
  Deno.stderr.writeSync(new TextEncoder().encode(`${Deno.inspect(error)}\n`));
  return Deno.exit(1);
});
Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(findings)}\n`));
// The listener is still there, and all that is to be said has been.
Deno.exit(0);
