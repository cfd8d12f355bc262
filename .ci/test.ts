/**
 * `deno task test`: all tests, in half the time that they take one after the other, for they mostly wait.
 *
 * Two processes run beside each other. One has most of the files, as many at a time as there are processors (or as
 * `DENO_JOBS` says), each in a thread of its own. The other has one file at a time: those whose tests have a browser,
 * which takes all processors that there are, and those that measure their process. Such a file has a line that begins with `// Runs apart: ` and says why.
 *
 * Arguments are those of `deno test`. With a path among them it is no more than `deno test` with these.
 */
const APART = /^\/\/ Runs apart: /m;

const args = [...Deno.args];
if (args.some((arg) => !arg.startsWith("-") && exists(arg))) {
  Deno.exit((await start(args).status).code);
}

const apart = (await testsIn("tests")).filter((file) => APART.test(Deno.readTextFileSync(file)));
const together = start(["--parallel", `--ignore=${apart}`, ...args, "tests/"]);
// What it says is shown when the other has come to its end.
const colours = Deno.stdout.isTerminal() ? { FORCE_COLOR: "1" } : {};
const alone = new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", ...args, ...apart],
  env: colours,
  stdout: "piped",
  stderr: "piped",
}).spawn();
const said: (() => void)[] = [];
const heard = Promise.all([
  listen(alone.stdout, (bytes) => Deno.stdout.writeSync(bytes)),
  listen(alone.stderr, (bytes) => Deno.stderr.writeSync(bytes)),
]);
const codes = [(await together.status).code, (await alone.status).code];
await heard;
for (const say of said) say();
Deno.exit(Math.max(...codes));

function start(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), { args: ["test", "-A", ...args] }).spawn();
}

async function listen(stream: ReadableStream<Uint8Array>, say: (bytes: Uint8Array) => number) {
  for await (const bytes of stream) said.push(() => say(bytes));
}

async function testsIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await testsIn(path));
    else if (name.endsWith("_test.ts")) found.push(path);
  }
  return found.sort();
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== undefined;
  } catch {
    return false;
  }
}
