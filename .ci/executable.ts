/**
 * Executables by `deno compile`, which puts the program behind a base binary that Deno downloads. Where that cannot be
 * had, an executable cannot be made; that is an answer of its own, and no mistake.
 */
import { compileArguments, output, ProgramError } from "./program.ts";

/** What came of it. */
export type Made =
  | { readonly as: "executable" }
  /** `said`: by Deno. */
  | { readonly as: "nothing"; readonly said: string };

/**
 * Makes the executable `file`, for this machine or for the `target` of `deno compile`. Rejects with {@link ProgramError}
 * when it cannot be compiled. `env` is for tests.
 */
export async function makeExecutable(
  file: string,
  target?: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Made> {
  try {
    await output(Deno.execPath(), compileArguments(file, target), env);
    return { as: "executable" };
  } catch (error) {
    if (!(error instanceof ProgramError) || !/denort|download/i.test(error.said)) throw error;
    return { as: "nothing", said: error.said };
  }
}

/** What the executable for this machine says of its version. Rejects when it does not start. */
export async function startExecutable(file: string): Promise<string> {
  const said = await output(file, ["--version"]);
  if (!said.startsWith("causeway ")) throw new Error(`the executable does not start: ${said}`);
  return said.trim();
}
