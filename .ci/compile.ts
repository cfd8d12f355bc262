/**
 * Makes the executable `dist/causeway`, with the permissions of deno.json, and starts it once.
 *
 * Its base binary is downloaded by Deno. Where it cannot be, the module graph, the
 * embedded files and the permission flags are still exercised, with Deno itself in place of the
 * base; what comes out is then not the program, so it is neither kept nor run, and that is said.
 */
import { makeExecutable, startExecutable } from "./executable.ts";
import { compileArguments, readParts, remarks } from "./program.ts";
import manifest from "../deno.json" with { type: "json" };

const OUTPUT = "dist/causeway";

const made = await makeExecutable(OUTPUT);
if (made.as === "executable") {
  say(`${OUTPUT} made and started: ${await startExecutable(OUTPUT)}`);
} else {
  const embedded = await remarks(Deno.execPath(), compileArguments(OUTPUT), {
    DENORT_BIN: Deno.execPath(),
  });
  await Deno.remove(OUTPUT);
  // Deno lists what it embeds: packages by their name, our files by that of their outermost folder, if at all.
  const { packages } = await readParts();
  const needed = new Set(packages.map(({ name }) => name));
  const missing = [...needed].filter((name) => !embedded.includes(name));
  if (missing.length > 0) throw new Error(`not embedded: ${missing}\n${embedded}`);
  const needless = Object.keys(manifest.imports)
    .filter((name) => !needed.has(name) && embedded.includes(`${name}/`));
  if (needless.length > 0) throw new Error(`embedded needlessly: ${needless}\n${embedded}`);
  say("the base binary cannot be downloaded here. Module graph, embedded files");
  say("and permissions were checked; NO EXECUTABLE WAS MADE OR RUN.");
}

function say(line: string): void {
  // deno-lint-ignore no-console
  console.log(`compile: ${line}`);
}
