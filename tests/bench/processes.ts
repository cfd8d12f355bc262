/** The processes of a measurement: what is measured on one core, and all that drives it on another. */
import { programPath } from "../support/programs.ts";
import { cores } from "./machine.ts";
import type { Command } from "./rig/load.ts";

export type Place = "measured" | "driving";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Without `taskset`, or with one core, nobody has a core to himself. */
const pinning: Readonly<Record<Place, readonly string[]>> = (() => {
  const [measured, driving] = cores();
  try {
    const taskset = programPath("taskset");
    if (driving !== undefined) {
      return {
        measured: [taskset, "-c", String(measured)],
        driving: [taskset, "-c", String(driving)],
      };
    }
  } catch {
    // It is not installed.
  }
  return { measured: [], driving: [] };
})();

export const isPinned = pinning.measured.length > 0;

/** All that is left is ended when this program ends, however it does. */
const living = new Set<Process>();
globalThis.addEventListener("unload", () => {
  for (const process of living) process.kill();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => Deno.exit(130));
}

/** A program that says that it is ready by its first line of output. */
export class Process implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #errors: Promise<void>;
  /** The end of what it said to standard error. */
  #said = "";
  /** Output that is no whole line yet. */
  #rest = "";

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#input = process.stdin.getWriter();
    this.#errors = this.#readErrors();
    living.add(this);
  }

  static start(
    place: Place,
    [program, ...args]: readonly [string, ...string[]],
    env: Readonly<Record<string, string>> = {},
  ): Process {
    const [first, ...rest] = [...pinning[place], program, ...args];
    return new Process(
      new Deno.Command(first!, {
        args: rest,
        cwd: ROOT,
        env: { NO_COLOR: "1", ...env },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
    );
  }

  /** A program of this directory. */
  static deno(place: Place, file: string, ...args: readonly (string | number)[]): Process {
    const path = new URL(file, import.meta.url).pathname;
    return Process.start(place, [Deno.execPath(), "run", "-A", path, ...args.map(String)]);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The next line of its output. Throws when there is none. */
  async line(): Promise<string> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#output.read();
      if (done) {
        await this.#errors;
        throw new Error(`A process ended early: ${this.#said}`);
      }
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }

  /** Sends a line, and waits for the line that answers it. */
  async ask(line: string): Promise<string> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
    return await this.line();
  }

  kill(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#process.status;
    await this.#errors;
    await this.#output.cancel();
    await this.#input.abort().catch(() => {});
    living.delete(this);
  }

  async #readErrors(): Promise<void> {
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      this.#said = (this.#said + text).slice(-4_000);
    }
  }
}

/** The clients. */
export class Load implements AsyncDisposable {
  readonly #process = Process.deno("driving", "rig/load.ts");

  async do<Answer = unknown>(command: Command): Promise<Answer> {
    return JSON.parse(await this.#process.ask(JSON.stringify(command))) as Answer;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}
