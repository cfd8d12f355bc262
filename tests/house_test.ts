import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";

const ROOT = new URL("..", import.meta.url).pathname;

/**
 * What each part may import. `shared` is the small ground that everything but the protocol
 * stands on; the order of the lines is the direction in which imports point.
 */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "main": ["commands", "config", "version"],
  "mod": ["manager", "shared", "config", "protocol", "connector"],
  "commands": [
    ...["manager", "server", "upstream", "admin", "demo", "log"],
    ...["shared", "config", "protocol", "version"],
  ],
  "manager": ["server", "upstream", "admin", "metrics", "connector", "shared", "config", "version"],
  "admin": ["server", "connector", "protocol", "log", "shared", "config", "version"],
  "metrics": ["server", "shared", "config", "version"],
  "demo": ["protocol"],
  "server": ["connector", "protocol", "shared", "config"],
  "upstream": ["connector", "protocol", "shared", "config"],
  "connector": ["protocol"],
  "log": ["shared", "config", "connector"],
  "shared": ["config", "connector", "protocol"],
  "config": [],
  "version": [],
  "protocol": [],
};

Deno.test("imports point one way", async () => {
  const wrong: string[] = [];
  for (const file of await sources()) {
    const from = layerOf(file);
    for (const target of await importsOf(file)) {
      if (!target.startsWith(".")) continue;
      const imported = relative(ROOT, join(ROOT, dirname(file), target));
      const to = layerOf(imported);
      if (to !== from && !LAYERS[from]?.includes(to)) wrong.push(`${file} imports ${imported}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("the protocol is pure: it type-checks where there is no clock, no network and no Deno", async () => {
  const files = (await sources()).filter((file) => layerOf(file) === "protocol");
  assert.ok(files.length > 10);
  const { code, stderr } = await check(files.map((file) => join(ROOT, file)));
  assert.equal(code, 0, stderr);
  // What the language itself offers of time and chance, no compiler setting takes away.
  for (const file of files) {
    const text = await Deno.readTextFile(join(ROOT, file));
    assert.doesNotMatch(text, /\bDate\b|Math\.random|\bimport\(|from "(node|npm):/, file);
  }
});

Deno.test("the check of purity sees what is impure", async () => {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    for (
      const impure of [
        "setTimeout(() => {}, 1)",
        "fetch('')",
        "Deno.args",
        "performance.now()",
        "crypto",
      ]
    ) {
      await Deno.writeTextFile(file, `export const x: unknown = ${impure};\n`);
      assert.notEqual((await check([file])).code, 0, impure);
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("a test file that starts a browser, or measures its process, says that it runs apart", async () => {
  for await (const file of filesIn("tests")) {
    if (!file.endsWith("_test.ts")) continue;
    const text = await Deno.readTextFile(join(ROOT, file));
    const isBusy = /^import [^;]*\b(?:chromium|PageBrowser|everyClient|PressureStage)\b/m;
    if (isBusy.test(text)) {
      assert.match(text, /^\/\/ Runs apart: /m, file);
    }
  }
});

Deno.test("no source file is longer than 500 lines", async () => {
  for (const file of await sources()) {
    const lines = (await Deno.readTextFile(join(ROOT, file))).split("\n").length;
    assert.ok(lines <= 501, `${file} has ${lines} lines`);
  }
});

async function check(files: readonly string[]): Promise<{ code: number; stderr: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", "--config", join(ROOT, ".ci/protocol.json"), ...files],
    env: { NO_COLOR: "1" },
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

async function sources(): Promise<string[]> {
  const files: string[] = ["main.ts"];
  for await (const file of filesIn("src")) if (file.endsWith(".ts")) files.push(file);
  return files;
}

async function* filesIn(folder: string): AsyncIterable<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* filesIn(path);
    else yield path;
  }
}

/** Static and dynamic imports and re-exports, of types too. */
async function importsOf(file: string): Promise<string[]> {
  const text = await Deno.readTextFile(join(ROOT, file));
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]!);
}

function layerOf(file: string): string {
  if (file === "main.ts") return "main";
  if (!file.startsWith("src/")) return "version"; // deno.json
  if (file === "src/upstream/connector.ts") return "connector";
  const [, first, second] = file.split("/");
  if (second !== undefined) return first!;
  const name = first!.replace(/\.ts$/, "");
  return ["clock", "controls", "events", "meter"].includes(name) ? "shared" : name;
}
