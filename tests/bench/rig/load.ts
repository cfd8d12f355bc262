/**
 * Plays many clients, in a process of its own, and says what that cost the server.
 *
 *     deno run -A load.ts
 *
 * Reads commands from its standard input, one JSON object a line ({@link Command}), and answers each
 * with one line. What one process opened stays open from one command to the next, and while there
 * is none, all clients are silent. It ends when its input does.
 */
import { cpuSeconds, residentBytes } from "../machine.ts";
import { Bosh, type Target } from "./bosh.ts";
import { BURST_ID } from "./burst.ts";
import { Session, type SessionEvents } from "./session.ts";
import { turn } from "./sockets.ts";
import { WebSocket } from "./websocket.ts";

/** `pids`: of the server, for its CPU and memory. All times are seconds. */
export type Command =
  /** Opens so many sessions and logs them in. Answers `{}`. */
  | { readonly do: "open"; readonly by: Way; readonly to: Target; readonly sessions: number }
  /** Messages of `size` bytes to and fro, as fast as answers come, or one a second each: {@link RoundTrips}. */
  | {
    readonly do: "talk";
    readonly seconds: number;
    readonly atMost?: number;
    readonly size: number;
    readonly burst?: boolean;
    readonly paced?: boolean;
    readonly pids: readonly number[];
  }
  /** Opens sessions and ends them, so many at a time: {@link Openings}. */
  | {
    readonly do: "churn";
    readonly by: Way;
    readonly to: Target;
    readonly sessions: number;
    readonly seconds: number;
    readonly atMost?: number;
    readonly pids: readonly number[];
  }
  /** All sessions wait, as idle clients do; after `settle` seconds, looks at the server for `seconds`: {@link Idle}. */
  | {
    readonly do: "idle";
    readonly settle: number;
    readonly seconds: number;
    readonly pids: readonly number[];
  };

export type Way = "bosh" | "ws";

export interface RoundTrips {
  readonly count: number;
  /** Of the server. */
  readonly cpuSeconds: number;
  readonly seconds: number;
  /** How long 99 of 100 took at the most (milliseconds). */
  readonly p99: number;
}

export interface Openings {
  readonly count: number;
  readonly cpuSeconds: number;
}

export interface Idle {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  readonly seconds: number;
}

/** How many sessions are being opened at a time. */
const MOST_OPENING = 64;
/** How long nothing may happen (milliseconds). */
const PATIENCE = 20_000;
/** All are under way so long before it is measured (milliseconds): half as long as that takes, and so much at the most. */
const LONGEST_RAMP = 200;

const sessions: Session[] = [];

class Load implements SessionEvents {
  opened(session: Session): void {
    sessions.push(session);
  }
  answered(_session: Session): void {}
  ended(_session: Session): void {}
  failed(_session: Session, reason: string): void {
    throw new Error(`A session failed: ${reason}`);
  }
}

/** What sessions tell is told to whoever is at work. */
let work = new Load();
const events: SessionEvents = {
  opened: (session) => work.opened(session),
  answered: (session) => work.answered(session),
  ended: (session) => work.ended(session),
  failed: (session, reason) => work.failed(session, reason),
};

function dial(by: Way, to: Target): void {
  new Session(
    (session) => by === "bosh" ? new Bosh(session, to) : new WebSocket(session, to),
    events,
  );
}

function open({ by, to, sessions: count }: Command & { do: "open" }): Record<string, never> {
  work = new Load();
  const before = sessions.length;
  let dialled = 0;
  const isDone = () => {
    const opened = sessions.length - before;
    for (; dialled < count && dialled - opened < MOST_OPENING; dialled++) dial(by, to);
    return opened === count;
  };
  turnUntil(isDone, () => sessions.length);
  return {};
}

class Talk extends Load {
  readonly latencies: number[] = [];
  under = 0;
  isMeasuring = false;
  isOver = false;
  total = 0;
  readonly #text: string;
  readonly #prefix: string;
  readonly #paced: boolean;

  constructor({ size, burst = false, paced = false }: Command & { do: "talk" }) {
    super();
    this.#text = "abcdefghijklmnopqrstuvwxyz".repeat(size / 26 + 1).slice(0, size);
    this.#prefix = burst ? BURST_ID : "";
    this.#paced = paced;
  }

  ask(session: Session): void {
    this.under++;
    session.ask(this.#text, this.#prefix);
  }

  override answered(session: Session): void {
    this.under--;
    this.total++;
    if (this.isMeasuring) this.latencies.push(performance.now() - session.askedAt);
    if (!this.#paced && !this.isOver) this.ask(session);
  }
}

function talk(command: Command & { do: "talk" }): RoundTrips {
  const talking = new Talk(command);
  work = talking;
  const { paced = false, atMost = Infinity, pids } = command;
  if (!paced) { for (const session of sessions) talking.ask(session); }
  let next = 0;
  const began = performance.now();
  /** Until this time, asking whose turn it is. */
  const until = (end: number) => {
    while (performance.now() < end && talking.total < atMost) {
      let patience = left(end);
      if (paced) {
        const due = (n: number) => began + 1_000 * n / sessions.length;
        for (; performance.now() >= due(next); next++) {
          const session = sessions[next % sessions.length]!;
          // Who still waits for his last one shows by that how late it is.
          if (session.isIdle) talking.ask(session);
        }
        patience = Math.min(patience, Math.max(0, Math.floor(due(next) - performance.now())));
      }
      turn(patience);
    }
  };
  // The first second of one message a second each is the way in, as for the others the first moment.
  until(began + (paced ? 1_000 : ramp(command.seconds)));
  const from = { cpu: cpuSeconds(pids), at: performance.now() };
  talking.isMeasuring = true;
  until(from.at + command.seconds * 1_000);
  talking.isMeasuring = false;
  const to = { cpu: cpuSeconds(pids), at: performance.now() };
  talking.isOver = true;
  turnUntil(() => talking.under === 0, () => talking.total);
  talking.latencies.sort((a, b) => a - b);
  return {
    count: talking.latencies.length,
    cpuSeconds: to.cpu - from.cpu,
    seconds: (to.at - from.at) / 1_000,
    p99: talking.latencies[Math.floor(0.99 * (talking.latencies.length - 1))] ?? NaN,
  };
}

class Churn extends Load {
  count = 0;
  under = 0;
  isOver = false;
  readonly #dial: () => void;

  constructor(dial: () => void) {
    super();
    this.#dial = dial;
  }

  begin(): void {
    this.under++;
    this.#dial();
  }

  override opened(session: Session): void {
    session.end();
  }

  override ended(): void {
    this.count++;
    this.under--;
    if (!this.isOver) this.begin();
  }
}

function churn(command: Command & { do: "churn" }): Openings {
  const { by, to, pids, seconds, atMost = Infinity } = command;
  const churning = new Churn(() => dial(by, to));
  work = churning;
  for (let i = 0; i < command.sessions; i++) churning.begin();
  const until = (end: number) => {
    while (performance.now() < end && churning.count < atMost) {
      turn(left(end));
    }
  };
  until(performance.now() + ramp(seconds));
  const from = { cpu: cpuSeconds(pids), count: churning.count };
  until(performance.now() + seconds * 1_000);
  const result = {
    count: churning.count - from.count,
    cpuSeconds: cpuSeconds(pids) - from.cpu,
  };
  churning.isOver = true;
  turnUntil(() => churning.under === 0, () => churning.count);
  return result;
}

function idle({ settle, seconds, pids }: Command & { do: "idle" }): Idle {
  work = new Load();
  for (const session of sessions) session.transport.hold();
  const wait = (length: number) => {
    const end = performance.now() + length * 1_000;
    while (performance.now() < end) turn(left(end));
  };
  wait(settle);
  const from = { cpu: cpuSeconds(pids), at: performance.now() };
  const bytes = residentBytes(pids);
  wait(seconds);
  return {
    residentBytes: bytes,
    cpuSeconds: cpuSeconds(pids) - from.cpu,
    seconds: (performance.now() - from.at) / 1_000,
  };
}

function ramp(seconds: number): number {
  return Math.min(LONGEST_RAMP, 500 * seconds);
}

/** Milliseconds until then; 0 when it has been: a negative number would wait for ever. */
function left(end: number): number {
  return Math.max(0, Math.ceil(end - performance.now()));
}

/** `progress` must have changed within {@link PATIENCE}. */
function turnUntil(isDone: () => boolean, progress: () => number): void {
  let last = { progress: progress(), at: performance.now() };
  while (!isDone()) {
    turn(100);
    if (progress() !== last.progress) last = { progress: progress(), at: performance.now() };
    else if (performance.now() - last.at > PATIENCE) throw new Error("The server does not answer");
  }
}

const input = new Uint8Array(4_096);
const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
for (let length; (length = Deno.stdin.readSync(input)) !== null;) {
  const command = JSON.parse(decoder.decode(input.subarray(0, length))) as Command;
  const answer = command.do === "open"
    ? open(command)
    : command.do === "talk"
    ? talk(command)
    : command.do === "churn"
    ? churn(command)
    : idle(command);
  Deno.stdout.writeSync(encoder.encode(`${JSON.stringify(answer)}\n`));
}
