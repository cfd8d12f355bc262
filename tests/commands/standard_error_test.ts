import assert from "node:assert/strict";
import { fstatSync, openSync } from "node:fs";
import { LineQueue } from "../../src/commands/standard_error.ts";
import { patiently } from "../support/patience.ts";

const decoder = new TextDecoder();

/** A queue whose sink does what `behave` says with each write, and all that the sink took. */
function queue(behave: (bytes: Uint8Array) => number | Promise<number>) {
  const written: string[] = [];
  const losses: number[] = [];
  const lines = new LineQueue(async (bytes) => {
    const taken = await behave(bytes);
    written.push(decoder.decode(bytes.subarray(0, taken)));
    return taken;
  }, (count) => {
    losses.push(count);
    lines.write(`${count} lost\n`);
  });
  const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
  return { lines, written, losses, settled };
}

Deno.test("lines of one turn leave in one write, in their order", async () => {
  const { lines, written, settled } = queue((bytes) => bytes.length);
  lines.write("a\n");
  lines.write("b\n");
  await settled();
  lines.write("c\n");
  await settled();
  assert.deepEqual(written, ["a\nb\n", "c\n"]);
});

Deno.test("what a write leaves is written by the next ones", async () => {
  const { lines, written, settled } = queue(() => 1);
  lines.write("a1\n");
  lines.write("b2\n");
  await settled();
  assert.deepEqual(written, ["a", "1", "\n", "b", "2", "\n"]);
});

Deno.test("a pipe that is full and does not block is tried again, and nothing is lost", async () => {
  let tries = 0;
  const { lines, written, losses } = queue((bytes) => {
    if (++tries < 3) throw new Deno.errors.WouldBlock("full");
    return bytes.length;
  });
  lines.write("a\n");
  while (tries < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual([written, losses], [["a\n"], []]);
});

Deno.test("lines that cannot be written are counted, and the next that can be is preceded by how many", async () => {
  let works = false;
  const { lines, written, losses, settled } = queue((bytes) => {
    if (!works) throw new Deno.errors.BrokenPipe("gone");
    return bytes.length;
  });
  lines.write("a\n");
  lines.write("b\n");
  await settled();
  // The line that tells of it is lost too, and is not one of those that it tells of.
  lines.write("c\n");
  await settled();
  works = true;
  lines.write("d\n");
  await settled();
  assert.deepEqual([written, losses], [["3 lost\nd\n"], [2, 3]]);
});

Deno.test("a line that was cut counts as lost, and the next begins on a line of its own", async () => {
  let room = 3;
  const { lines, written, losses, settled } = queue((bytes) => {
    if (room === 0) throw new Error("no space left on device");
    const taken = Math.min(room, bytes.length);
    room -= taken;
    return taken;
  });
  lines.write("a\n");
  lines.write("bcd\n");
  await settled();
  room = 1_000;
  lines.write("e\n");
  await settled();
  assert.deepEqual(written.join(""), "a\nb\n1 lost\ne\n");
  assert.deepEqual(losses, [1]);
});

Deno.test("what would wait behind a megabyte is lost, and it is said where", async () => {
  const { promise: reader, resolve } = Promise.withResolvers<void>();
  const { lines, written, losses, settled } = queue(async (bytes) => {
    await reader;
    return bytes.length;
  });
  const line = `${"x".repeat(99_999)}\n`;
  for (let count = 0; count < 15; count++) lines.write(line);
  await settled();
  for (let count = 0; count < 5; count++) lines.write(line);
  resolve();
  await settled();
  await settled();
  lines.write("y\n");
  await settled();
  assert.deepEqual(losses, [10]);
  assert.equal(written.join(""), `${line.repeat(10)}10 lost\ny\n`);
});

const ROOT = new URL("../..", import.meta.url);
const MODULE = JSON.stringify(new URL("src/commands/standard_error.ts", ROOT).href);

/** A program around a log on standard error at level `debug`. */
function program(format: "text" | "json", code: string): Deno.Command {
  const log = `(await import(${MODULE})).standardErrorLog({ level: "debug", format: "${format}" })`;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", `const log = ${log}; ${code}`],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  });
}

Deno.test("S-017 a log that nobody reads neither stops the program nor loses a line without a word", async () => {
  // Ten megabytes, of which a pipe takes some 64 KiB; then a timer has its turn all the same.
  const code = `for (let i = 0; i < 10_000; i++) log.info("m", { v: "x".repeat(1_000) });
    setTimeout(() => { console.log("alive"); log.info("alive"); }, 10);`;
  const child = program("json", code).spawn();
  const output = child.stdout.getReader();
  assert.equal(decoder.decode((await output.read()).value), "alive\n");
  await output.cancel();
  const told = (await child.stderr.text()).trim().split("\n").map((line) => JSON.parse(line));
  assert.equal((await child.status).code, 0);
  const written = told.filter(({ message }) => message === "m").length;
  const lost = told.filter(({ lines }) => lines !== undefined);
  assert.ok(written > 500 && written < 2_000, `${written} were written`);
  // That it is alive is said behind what was lost, or was lost with it.
  const isSaid = told.at(-1).message === "alive";
  assert.deepEqual(lost.map(({ level, lines }) => [level, lines]), [
    ["error", 10_000 - written + (isSaid ? 0 : 1)],
  ]);
});

Deno.test("a reader that does not read keeps no process that ends", async () => {
  const code = `log.info("x".repeat(1_000_000));
    setTimeout(() => { log.info("the end"); log.flush(); Deno.exit(3); }, 10);`;
  const child = program("text", code).spawn();
  assert.equal((await patiently(child.status, "the process has ended")).code, 3);
  await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
});

Deno.test("what waits when a process ends is written", async () => {
  const { stderr } = await program("text", `log.info("the end"); log.flush(); Deno.exit(3);`)
    .output();
  assert.match(decoder.decode(stderr), /info the end\n$/);
});

Deno.test("a line that is larger than a pipe is written whole", async () => {
  const { stderr } = await program("text", `log.info("é".repeat(300_000))`).output();
  assert.ok(decoder.decode(stderr).endsWith(`${"é".repeat(300_000)}\n`));
});

Deno.test("priorities are for the journal alone: a standard error that JOURNAL_STREAM does not name has none", async () => {
  const write = `log.warn("m")`;
  const elsewhere = await program("text", write).output();
  assert.match(decoder.decode(elsewhere.stderr), /^\d{4}-.*Z warn m\n$/);

  // A file in the place of the journal's socket: what is compared are device and inode.
  const file = await Deno.makeTempFile();
  try {
    const { dev, ino } = fstatSync(openSync(file, "r"), { bigint: true });
    for (
      const [stream, expected] of [
        [`${dev}:${ino}`, /^<4>warn m\n$/],
        [`${dev}:${ino + 1n}`, /^\d{4}-.*Z warn m\n$/],
        ["rubbish", /^\d{4}-.*Z warn m\n$/],
      ] as const
    ) {
      await Deno.writeTextFile(file, "");
      const code = `const log = (await import(${MODULE}))` +
        `.standardErrorLog({ level: "debug", format: "text" }); ${write}`;
      const { success } = await new Deno.Command("sh", {
        args: ["-c", 'exec "$0" eval "$1" 2>"$2"', Deno.execPath(), code, file],
        env: { NO_COLOR: "1", JOURNAL_STREAM: stream },
      }).output();
      assert.ok(success);
      assert.match(await Deno.readTextFile(file), expected);
    }
  } finally {
    await Deno.remove(file);
  }
});
