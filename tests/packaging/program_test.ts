/** What is packed is the whole program, and is started in one way wherever it comes from. */
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import {
  compileArguments,
  lazyModules,
  permissionFlags,
  readParts,
  sourceFiles,
  V8_FLAGS,
} from "../../.ci/program.ts";

/** Files that are no part of the program: the embedder's door, and a benchmark. */
const OTHERS = ["src/mod.ts", "src/protocol/xml/bench.ts", "src/protocol/xml/stream.ts"];

Deno.test("every source file is packed, though Deno does not see what is loaded by a variable", async () => {
  const { files } = await readParts();
  const missing = sourceFiles().filter((file) => !files.includes(file) && !OTHERS.includes(file));
  const types = await Promise.all(missing.map(async (file) => [file, await isTypesOnly(file)]));
  assert.deepEqual(types.filter(([, isTypes]) => !isTypes), []);
  for (const lazy of lazyModules()) assert.ok(files.includes(lazy));
});

Deno.test("the executable has what deno task start has, and the lazily loaded modules", () => {
  const start = manifest.tasks.start.command;
  assert.equal(start, `deno run -P ${V8_FLAGS} main.ts`);
  const words = compileArguments("out", "aarch64-apple-darwin");
  assert.deepEqual(words.slice(0, 6), [
    "compile",
    "--no-check",
    "-P",
    V8_FLAGS,
    "--target",
    "aarch64-apple-darwin",
  ]);
  const included = words.filter((_, index) => words[index - 1] === "--include");
  assert.deepEqual(included, lazyModules());
  assert.ok(included.includes("src/commands/demo.ts"));
});

Deno.test("by flags the program has the permissions that deno.json gives it", () => {
  const flags = permissionFlags();
  for (const [name, granted] of Object.entries(manifest.permissions.default)) {
    assert.ok(flags.includes(granted === true ? `--allow-${name}` : `--allow-${name}=${granted}`));
  }
  assert.equal(flags.length, Object.keys(manifest.permissions.default).length);
});

/** Nothing is left of it when its types are taken away. */
async function isTypesOnly(file: string): Promise<boolean> {
  const text = await Deno.readTextFile(new URL(`../../${file}`, import.meta.url));
  return !/^(?:export )?(?:const|let|function|async function|class|enum|default)\b/m.test(text);
}
