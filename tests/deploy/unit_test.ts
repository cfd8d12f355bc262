import assert from "node:assert/strict";
import { haveProgram, programPath } from "../support/programs.ts";
import { UnitFile } from "../support/unit_file.ts";

const decoder = new TextDecoder();

/** The unit files in a directory of their own, with a program that exists here. */
async function installed(change: (unit: string) => string = (unit) => unit) {
  const directory = await Deno.makeTempDir();
  for (const name of ["causeway.service", "causeway.socket"]) {
    const { text } = new UnitFile(name);
    await Deno.writeTextFile(
      `${directory}/${name}`,
      change(text.replace("/usr/local/bin/causeway ", "/bin/true ")),
    );
  }
  return {
    service: `${directory}/causeway.service`,
    socket: `${directory}/causeway.socket`,
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

async function analyze(...args: readonly string[]): Promise<{ code: number; said: string }> {
  const { code, stdout, stderr } = await new Deno.Command(programPath("systemd-analyze"), {
    args: ["--no-pager", ...args],
  }).output();
  return { code, said: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test({
  name: "systemd finds nothing wrong with the units, and would with a word that it does not know",
  ...haveProgram("systemd-analyze"),
  async fn() {
    await using units = await installed();
    assert.deepEqual(await analyze("verify", "--man=no", units.service, units.socket), {
      code: 0,
      said: "",
    });
    await using wrong = await installed((unit) => unit.replace("ProtectClock=", "ProtectClocks="));
    assert.match((await analyze("verify", "--man=no", wrong.service)).said, /ProtectClocks/);
  },
});

Deno.test({
  name: "the unit's exposure is at most what docs/systemd.md says",
  ...haveProgram("systemd-analyze"),
  async fn() {
    await using units = await installed();
    const page = await Deno.readTextFile(new URL("../../docs/systemd.md", import.meta.url));
    const [, exposure = ""] = /exposure level (\d\.\d)/.exec(page) ?? [];
    const threshold = `--threshold=${Number(exposure) * 10}`;
    const { code, said } = await analyze("security", "--offline=true", threshold, units.service);
    assert.equal(code, 0, said);
    // It is too much as soon as a line is missing.
    await using open = await installed((unit) => unit.replace("\nCapabilityBoundingSet=\n", "\n"));
    assert.notEqual(
      (await analyze("security", "--offline=true", threshold, open.service)).code,
      0,
    );
  },
});

Deno.test("docs/systemd.md says of every line of the unit's sandbox why it is there", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/systemd.md", import.meta.url));
  const { keys } = new UnitFile("causeway.service");
  const sandbox = keys.slice(keys.indexOf("DynamicUser"), keys.indexOf("WantedBy"));
  assert.ok(sandbox.length > 20);
  assert.deepEqual(sandbox.filter((key) => !page.includes(`\`${key}=`)), []);
});

Deno.test("the unit leaves time for the end that the configuration's defaults ask for", async () => {
  const { loadConfig } = await import("../../src/config/load.ts");
  const { delay, timeout } = loadConfig({}).drain;
  const patience = Number(new UnitFile("causeway.service").the("TimeoutStopSec"));
  assert.ok(patience >= (delay + timeout) / 1_000 + 4, `${patience} s`);
});
