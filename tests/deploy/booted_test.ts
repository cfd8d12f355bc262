import assert from "node:assert/strict";
import { programPath } from "../support/programs.ts";

// Boots a whole system, for which it has to be root: `deno task systemd`, and only there.
if (Deno.env.get("SYSTEMD") === "boot") {
  Deno.test("under a systemd that is process 1 the unit starts, serves, reloads, is watched and stops", async () => {
    const output = await Deno.makeTempDir();
    const checkout = new URL("../..", import.meta.url).pathname;
    programPath("systemd-nspawn");
    const script = `${checkout}tests/deploy/boot.sh`;
    const { stderr } = await new Deno.Command("unshare", {
      args: ["--mount", script, checkout, Deno.execPath(), output],
    }).output();
    const report = await Deno.readTextFile(`${output}/report`).catch(() => "");
    const why = report || new TextDecoder().decode(stderr);
    assert.match(report, /^ok \| 3 passed \| 0 failed/m, why);
    await Deno.remove(output, { recursive: true });
  });
}
