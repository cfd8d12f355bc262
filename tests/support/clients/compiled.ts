import { join } from "node:path";
import { programPath } from "../programs.ts";

/** A client in C or C++ that is compiled against the library that it shows, when it is needed. */
export class Compiled {
  /** pkg-config's name for the library, and the compiler: what `haveProgram` asks for. */
  readonly programs: readonly string[];
  readonly #source: URL;
  readonly #library: string;
  readonly #compiler: "gcc" | "g++";
  #folder: Promise<string> | undefined;

  /** `source` is a file of this folder. */
  constructor(compiler: "gcc" | "g++", source: string, library: string) {
    this.#source = new URL(source, import.meta.url);
    this.#library = library;
    this.#compiler = compiler;
    this.programs = [compiler, `${library}.pc`];
  }

  /** The program, and a home for one run of it; both go when this is closed. */
  async prepare(): Promise<{ readonly path: string; readonly home: string }> {
    const folder = await (this.#folder ??= this.#compile());
    return { path: join(folder, "client"), home: await Deno.makeTempDir({ dir: folder }) };
  }

  async close(): Promise<void> {
    const folder = this.#folder;
    this.#folder = undefined;
    if (folder !== undefined) await Deno.remove(await folder, { recursive: true });
  }

  async #compile(): Promise<string> {
    const options = await output("pkg-config", ["--cflags", "--libs", this.#library]);
    const folder = await Deno.makeTempDir({ prefix: "client-" });
    await output(this.#compiler, [
      ...["-Wall", "-Wextra", "-Werror", "-o", join(folder, "client"), this.#source.pathname],
      ...options.trim().split(/\s+/),
    ]);
    return folder;
  }
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const path = programPath(program);
  const { success, stdout, stderr } = await new Deno.Command(path, { args: [...args] }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
