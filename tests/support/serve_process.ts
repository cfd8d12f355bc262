import { patiently, until } from "./patience.ts";

const ROOT = new URL("../../", import.meta.url);

/** How a process ended. */
export interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program itself, started as an operator starts it. */
export class ServeProcess implements AsyncDisposable {
  /** All that it said, once it has ended. */
  readonly ended: Promise<Ending>;
  readonly #process: Deno.ChildProcess;
  readonly #ready = Promise.withResolvers<string>();
  /** Of all listeners so far, in their order. */
  readonly #urls: string[] = [];
  #exited = false;
  /** What it has said to standard error so far. */
  stderr = "";

  /**
   * Environment variables of ours that are set where the tests run do not count. `flags` are those
   * of `deno run`.
   */
  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    program = "main.ts",
    flags: readonly string[] = ["-A"],
  ) {
    const inherited = Object.entries(Deno.env.toObject())
      .filter(([name]) => !name.startsWith("CAUSEWAY_"));
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", ...flags, new URL(program, ROOT).pathname, ...args],
      env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env },
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.ended = this.#collect();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The address in the ready line; rejects when the process ends without one. */
  get url(): Promise<string> {
    return patiently(this.#ready.promise, "the process is ready");
  }

  /** The address of one of several listeners, once it is ready. */
  urlOf(listener: number): Promise<string> {
    return until(() => this.#urls[listener], "the listener is ready");
  }

  /** Tells it to read its certificates anew. */
  hangUp(): void {
    this.#process.kill("SIGHUP");
  }

  /** Tells it to end, and settles with how it did. */
  terminate(): Promise<Ending> {
    this.#process.kill("SIGTERM");
    return patiently(this.ended, "the process has ended");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exited) this.#process.kill("SIGKILL");
    await this.ended;
  }

  async #collect(): Promise<Ending> {
    const [stdout] = await Promise.all([this.#readOutput(), this.#readErrors()]);
    const { stderr } = this;
    const { code } = await this.#process.status;
    this.#exited = true;
    this.#ready.promise.catch(() => {});
    this.#ready.reject(new Error(`the process ended with ${code}: ${stderr}`));
    return { code, stdout, stderr };
  }

  async #readOutput(): Promise<string> {
    let output = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      output += text;
      const ready = [...output.matchAll(/^causeway \S+ listening on (\S+)\n/gm)];
      this.#urls.splice(0, Infinity, ...ready.map(([, url]) => url!));
      if (this.#urls[0] !== undefined) this.#ready.resolve(this.#urls[0]);
    }
    return output;
  }

  async #readErrors(): Promise<void> {
    for await (const piece of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      this.stderr += piece;
    }
  }
}
