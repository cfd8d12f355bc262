/**
 * The program as it is started, a flood that comes over it, and what must hold meanwhile: its memory
 * stays under the ceiling that the test states, sessions beside it are answered, everything is back
 * afterwards, and the log says little and no fault.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { FloodProbe } from "./flood_probe.ts";
import { report } from "./flood_report.ts";
import { FloodUpstream, SERVERS } from "./flood_upstream.ts";
import { until } from "./patience.ts";
import { ServeProcess } from "./serve_process.ts";

/** `FLOODS=full`: as large as a stranger would make them. */
const IS_FULL = Deno.env.get("FLOODS") === "full";

/** A size: for every run of the tests, and for `deno task floods`. */
export function size(small: number, full: number): number {
  return IS_FULL ? full : small;
}

/** Milliseconds until everything has to be back. */
const PATIENCE = 180_000;
const MEBIBYTE = 1_048_576;
/** Lines of the log that belong to no session: a limit says every ten seconds how often it has bitten. */
const FEW = size(12, 200);
/** Its beginning, a failed upstream, stanzas that nobody took, its end. */
const LINES_OF_A_SESSION = 4;

export interface Flood {
  /** Begins with the entries that it covers. */
  readonly name: string;
  /** MiB of memory that the program may ever have (`VmHWM`: the most there was, not a sample). */
  readonly ceiling: number;
  /** Keys of `[[listen]]`; the rest of the configuration. */
  readonly listen?: string;
  readonly toml?: string;
  readonly work: (stage: FloodStage) => Promise<void>;
}

/** What a flood works with. */
export interface FloodStage {
  readonly url: string;
  readonly port: number;
  readonly upstream: FloodUpstream;
  readonly child: FloodedProcess;
  readonly probe: FloodProbe;
  /** A client's connection, from an address of loopback; what is not read is thrown away. */
  connect(from?: string): Promise<Socket>;
}

/** Declares the test. */
export function flood({ name, ceiling, listen = "", toml = "", work }: Flood): void {
  Deno.test({
    name,
    ignore: Deno.build.os !== "linux",
    async fn() {
      await using upstream = await FloodUpstream.listen();
      await using child = await FloodedProcess.start(configuration(upstream.port, listen, toml));
      const url = await child.url;
      const begun = performance.now();
      const probe = await FloodProbe.start(url);
      // The log comes a moment behind what it tells of.
      await until(
        () => child.holdings.sessions === FloodProbe.SESSIONS || undefined,
        "the probe's sessions are in the log",
      );
      const before = child.holdings;
      const idle = child.memory;
      const sockets = new Set<Socket>();
      const rounds = probe.rounds;
      try {
        const port = Number(new URL(url).port);
        const connect = (from?: string) => connected(port, sockets, from);
        await work({ url, port, upstream, child, probe, connect });
      } finally {
        for (const socket of sockets) socket.destroy();
        await backTo(before, child).finally(() => probe.stop());
      }
      const { memory } = child;
      const log = await child.stop();
      report(
        `${name}: at most ${memory.peak.toFixed(0)} MiB (ceiling ${ceiling}; ${
          idle.now.toFixed(0)
        } before, ${memory.now.toFixed(0)} after), ${probe.rounds - rounds} probes, ` +
          `the slowest ${probe.slowest.toFixed(0)} ms, ` +
          `${Math.round((performance.now() - begun) / 1000)} s`,
      );
      assert.ok(probe.rounds > rounds);
      assert.ok(memory.peak < ceiling, `the program had ${memory.peak.toFixed(0)} MiB`);
      assert.doesNotMatch(log, /fault in Causeway/);
      const lines = log.split("\n");
      const ofSessions = lines.filter((line) => / session=/.test(line)).length;
      const created = lines.filter((line) => / session created /.test(line)).length;
      assert.ok(ofSessions <= LINES_OF_A_SESSION * created, `${ofSessions} lines`);
      const others = lines.length - ofSessions;
      assert.ok(
        others <= FEW,
        `${others} lines: ${lines.filter((line) => !/ session=/.test(line))}`,
      );
    },
  });
}

function configuration(upstream: number, listen: string, toml: string): string {
  const domains = Object.values(SERVERS).map((name) =>
    `[domains."${name}"]\nconnect = "xmpp://127.0.0.1:${upstream}"\ntls = "never"\n`
  );
  return '[[listen]]\naddress = "127.0.0.1"\nport = 0\nserver = "sockets"\n' +
    `${listen}\n${toml}\n${domains.join("")}`;
}

/** What the program has for its clients. */
interface Holdings {
  /** Connections of clients and to servers, and all else. */
  readonly fileDescriptors: number;
  /** By its log: BOSH sessions, and WebSockets that have opened a stream. */
  readonly sessions: number;
}

async function backTo(before: Holdings, child: FloodedProcess): Promise<void> {
  for (const end = performance.now() + PATIENCE;;) {
    const now = child.holdings;
    const isBack = now.fileDescriptors <= before.fileDescriptors;
    if (isBack && now.sessions === before.sessions) return;
    if (performance.now() > end) return assert.deepEqual(now, before);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** `causeway serve`, started as `deno task start` does. */
export class FloodedProcess implements AsyncDisposable {
  readonly #process: ServeProcess;
  readonly #file: string;

  private constructor(process: ServeProcess, file: string) {
    this.#process = process;
    this.#file = file;
  }

  static async start(toml: string): Promise<FloodedProcess> {
    const file = await Deno.makeTempFile({ suffix: ".toml" });
    await Deno.writeTextFile(file, toml);
    const args = ["serve", "--config", file];
    const process = new ServeProcess(args, {}, "main.ts", startFlags());
    return new FloodedProcess(process, file);
  }

  get url(): Promise<string> {
    return this.#process.url;
  }

  /** MiB: now, and the most there ever was. */
  get memory(): { readonly now: number; readonly peak: number } {
    const status = Deno.readTextFileSync(`/proc/${this.#process.pid}/status`);
    const field = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)![1]) * 1024 / MEBIBYTE;
    return { now: field("VmRSS"), peak: field("VmHWM") };
  }

  /** Sessions that there have been. */
  get created(): number {
    return this.#process.stderr.match(/ session created /g)?.length ?? 0;
  }

  get holdings(): Holdings {
    const fileDescriptors = openFiles(this.#process.pid);
    const { created } = this;
    const ended = this.#process.stderr.match(/ session ended /g)?.length ?? 0;
    return { fileDescriptors, sessions: created - ended };
  }

  /** Ends it, and returns its log. */
  async stop(): Promise<string> {
    const { code, stderr } = await this.#process.terminate();
    assert.equal(code, 0, `it ended with ${code}: ${stderr}`);
    assert.match(stderr, / shut down sessions=\d+\n$/);
    return stderr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await Deno.remove(this.#file);
  }
}

/** How many descriptors a process has, but for those of Deno's own notes: it opens them when it comes to it. */
function openFiles(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return [...Deno.readDirSync(folder)].filter(({ name }) => {
    try {
      return !/_cache_v\d+/.test(Deno.readLinkSync(`${folder}/${name}`));
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

/** The flags of `deno run` that the task has. */
function startFlags(): string[] {
  const file = new URL("../../deno.json", import.meta.url);
  const { tasks } = JSON.parse(Deno.readTextFileSync(file));
  const [, flags] = /^deno run (.*) main\.ts$/.exec(tasks.start.command)!;
  return [`--config=${file.pathname}`, "--no-check", ...flags!.split(" ")];
}

function connected(port: number, sockets: Set<Socket>, from = "127.0.0.1"): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const to = { host: "127.0.0.1", port, localAddress: from, allowHalfOpen: false };
    const socket = connect(to, () => {
      socket.off("error", reject);
      resolve(socket);
    });
    sockets.add(socket);
    socket.on("error", reject);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.resume();
  });
}

/** An address of loopback for each number, so that no address runs out of ports. */
export function addressOf(index: number): string {
  return `127.0.${1 + index % 50}.${1 + Math.floor(index / 50) % 200}`;
}

/** Does something so many times, a few of them side by side. */
export async function times(
  count: number,
  sideBySide: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(sideBySide, count) }, async () => {
    while (next < count) await work(next++);
  }));
}

/** How many descriptors a process may have here; Deno takes all that the system allows. */
export function fileDescriptors(): number {
  if (Deno.build.os !== "linux") return Infinity;
  const limits = Deno.readTextFileSync("/proc/self/limits");
  return Number(/^Max open files +\d+ +(\d+)/m.exec(limits)?.[1]);
}
