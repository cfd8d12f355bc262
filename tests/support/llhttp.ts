import { programPath } from "./programs.ts";

/** What llhttp saw of one connection's octets. */
export interface Llhttp {
  readonly requests: readonly {
    readonly method: string;
    readonly target: string;
    readonly version: string;
    /** Names and values in turn. */
    readonly fields: readonly string[];
    /** In base64. */
    readonly body: string;
    readonly complete: boolean;
  }[];
  /** llhttp's code for what it refused. */
  readonly error?: string;
  /** What it left where another protocol begins, in base64. */
  readonly rest: string;
}

/** A `node` that reads HTTP, one connection after the other. */
export class LlhttpProcess implements AsyncDisposable {
  readonly #process = new Deno.Command(programPath("node"), {
    args: ["--no-deprecation", new URL("llhttp.cjs", import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  readonly #writer = this.#process.stdin.getWriter();
  readonly #reader = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  #text = "";

  async read(octets: Uint8Array): Promise<Llhttp> {
    await this.#writer.write(encoder.encode(`${octets.toBase64()}\n`));
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return JSON.parse(line);
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("Cannot ask llhttp: its process has ended");
      this.#text += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#process.status;
  }
}

const encoder = new TextEncoder();
