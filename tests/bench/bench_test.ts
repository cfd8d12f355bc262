/** That the benchmark measures at all; what it finds is not a test's business. */
import assert from "node:assert/strict";
import { capacity } from "./capacity.ts";
import { table } from "./table.ts";

const MAIN = new URL("main.ts", import.meta.url).pathname;
const LINUX = { ignore: Deno.build.os !== "linux" };

Deno.test({
  name: "the benchmark measures a session's life on both fronts, beside their floors",
  ...LINUX,
  async fn() {
    const file = await Deno.makeTempFile({ suffix: ".json" });
    try {
      await Deno.writeTextFile(file, "{}");
      const { code, output } = await bench(
        ...["bosh-open", "ws-burst", "--rounds", "1", "--scale", "0.25"],
        ...["--secs", "0.4", "--warm-up", "0.1", "--json", file],
      );
      assert.equal(code, 0, output);
      const figures = JSON.parse(await Deno.readTextFile(file));
      for (const name of ["bosh-open", "ws-burst"]) {
        const parties = Object.entries<number[]>(figures[name]);
        assert.deepEqual(parties.map(([party]) => party), [
          "floor deno",
          "front deno",
          "floor sockets",
          "front sockets",
        ]);
        for (const [party, [microseconds, ...more]] of parties) {
          assert.ok(microseconds! > 1 && microseconds! < 1e6, `${name}, ${party}: ${microseconds}`);
          assert.equal(more.length, 0);
        }
      }
      assert.match(output, /^\| CPU to open, log in and end a session, BOSH .*×\)/m);
    } finally {
      await Deno.remove(file);
    }
  },
});

Deno.test({
  name: "the benchmark refuses what it does not know, and says what it does",
  ...LINUX,
  async fn() {
    for (const args of [["bosch"], ["--rounds", "none"], ["--speed"]]) {
      const { code, output } = await bench(...args);
      assert.equal(code, 2);
      assert.match(output, /^Usage: .*\n\nNames: bosh-cpu ws-cpu /m);
    }
  },
});

Deno.test("a figure is met by the median of the rounds' ratios, each front by its own target", () => {
  const { text, missed } = table({
    "bosh-cpu": {
      "floor deno": [20, 40, 20],
      "front deno": [30, 60, 40],
      "floor sockets": [10, 10, 10],
      "front sockets": [15, 14, 15],
    },
  });
  assert.match(text, /\| 20\.0 \| 40\.0 \(1\.50 ×\) \| 10\.0 \| 15\.0 \(1\.50 ×\) \|/);
  assert.match(text, /\| ≤ 1\.6 ×, 1\.4 × \| yes, \*\*no\*\* \| 100 % \|\n$/);
  assert.deepEqual(missed, ["CPU of a BOSH round trip, 100 sessions, front sockets"]);
});

Deno.test("memory is met by what it is, and where there is no target there is no verdict", () => {
  const floors = { "floor deno": [36], "floor sockets": [16] };
  const { text, missed } = table({
    "bosh-idle": { ...floors, "front deno": [38.04], "front sockets": [18.06] },
    "bosh-many": { "front sockets": [207] },
  });
  assert.match(
    text,
    /held \(KiB\) \| 36\.0 \| 38\.0 \| 16\.0 \| 18\.1 \| ≤ 38, 18 \| yes, \*\*no\*\* /,
  );
  assert.match(text, /\(MiB\) \| – \| – \| – \| 207 \| ≤ –, 250 \| yes \| – \|/);
  assert.equal(missed.length, 1);
});

Deno.test("what a small machine carries is by its memory and by half of its core", () => {
  const fronts = (deno: number, sockets: number) => ({
    "front deno": [deno],
    "front sockets": [sockets],
  });
  const figures = {
    "rest": fronts(58.4, 58.4),
    "starttls": fronts(40, 30),
    "bosh-idle": fronts(40, 20),
    "ws-idle": fronts(30, 15),
    "bosh-cpu": fronts(50, 40),
    "ws-cpu": fronts(25, 20),
  };
  // (0.7 × 512 − 58.4) MiB are 307,200 KiB.
  assert.match(capacity(figures), /\| deno, BOSH \| 7,700 \| 3,800 \| 10,000 \| 0\.77 s \|/);
  assert.match(
    capacity(figures),
    /\| sockets, WebSocket \| 20,000 \| 6,800 \| 25,000 \| 0\.82 s \|/,
  );
  assert.equal(capacity({ ...figures, rest: {} }), "");
});

async function bench(...args: readonly string[]): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}
