/**
 * Makes the executable `dist/causeway`, with the permissions of deno.json, and starts it once.
 *
 * Its base binary is downloaded by Deno. Where it cannot be, the type check, the module graph, the
 * embedded files and the permission flags are still exercised, with Deno itself in place of the
 * base; what comes out is then not the program, so it is neither kept nor run, and that is said.
 */
const OUTPUT = "dist/causeway";
/**
 * V8's memory for young objects would grow to 48 MB, and more of it saves no CPU here; nor does it to
 * look for garbage only when the heap has grown to twice its size. Without the middle one of V8's three
 * compilers an idle session has 4 KiB less to carry (of 3,000), and a BOSH round trip 6 % less to do.
 */
const MEMORY = "--v8-flags=--max-semi-space-size=2,--heap-growing-percent=20,--no-maglev";
/** Commands that `main.ts` loads when they run, so Deno does not find them by itself. */
const COMMANDS = ["check", "demo", "doctor", "proxy"].flatMap((
  name,
) => ["--include", `src/commands/${name}.ts`]);
const ARGUMENTS = [
  ...["compile", "-P", MEMORY, ...COMMANDS],
  ...["--exclude-unused-npm", "--output", OUTPUT, "main.ts"],
];
/** What the program reads or loads only when it is used; Deno lists what it embeds. */
const EMBEDDED = ["strophe.js", "smol-toml", "demo"];

const made = await deno(ARGUMENTS);
if (made.code === 0) {
  const { code, stdout } = await run(`./${OUTPUT}`, ["--version"]);
  if (code !== 0 || !stdout.startsWith("causeway ")) fail("the executable does not start", stdout);
  say(`compile: ${OUTPUT} made and started: ${stdout.trim()}`);
} else if (/denort|download/i.test(made.stderr)) {
  const graph = await deno(ARGUMENTS, { DENORT_BIN: Deno.execPath() });
  if (graph.code !== 0) fail("compilation failed", graph.stderr);
  await Deno.remove(OUTPUT);
  const missing = EMBEDDED.filter((file) => !graph.stderr.includes(file));
  if (missing.length > 0) fail(`not embedded: ${missing.join(", ")}`, graph.stderr);
  const needless = ["playwright-core", "fast-check"].filter((name) => graph.stderr.includes(name));
  if (needless.length > 0) fail(`embedded needlessly: ${needless.join(", ")}`, graph.stderr);
  say("compile: the base binary cannot be downloaded here. Types, module graph, embedded files");
  say("compile: and permissions were checked; NO EXECUTABLE WAS MADE OR RUN.");
} else {
  fail("compilation failed", made.stderr);
}

function deno(args: string[], env: Record<string, string> = {}) {
  return run(Deno.execPath(), args, env);
}

async function run(program: string, args: string[], env: Record<string, string> = {}) {
  const output = await new Deno.Command(program, { args, env: { NO_COLOR: "1", ...env } }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
}

function say(line: string): void {
  // deno-lint-ignore no-console
  console.log(line);
}

function fail(what: string, details: string): never {
  // deno-lint-ignore no-console
  console.error(`compile: ${what}\n${details}`);
  Deno.exit(1);
}
