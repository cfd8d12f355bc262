import assert from "node:assert/strict";
import { AdminStage, TOKEN } from "../support/admin_stage.ts";
import { haveProgram } from "../support/programs.ts";

const PAGE = new URL("../../docs/admin.md", import.meta.url);

Deno.test({
  name: "docs/admin.md: what it shows with curl works as it stands there",
  ...haveProgram("curl", "bash"),
  async fn() {
    await using admin = await AdminStage.set();
    const { client } = await admin.stage.open();
    const page = await Deno.readTextFile(PAGE);
    const [, script = ""] = /```sh\n([^]*?)```/.exec(page) ?? [];
    const calls = script.match(/^api /gm)!.length;
    assert.ok(calls >= 15);
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, `${TOKEN}\n`);
    try {
      const { code, stdout, stderr } = await new Deno.Command("bash", {
        // Each answer is a line of its own; how many there are shows that all were asked for.
        args: ["-euc", script.replaceAll(/^api (.*)$/gm, "api $1; echo")],
        env: {
          ADMIN: `${admin.stage.running.url}/admin`,
          TOKEN_FILE: file,
          SESSION: client.sid.slice(0, 8),
        },
      }).output();
      const text = new TextDecoder().decode(stdout);
      assert.equal(code, 0, text + new TextDecoder().decode(stderr));
      const answers = text.split("\n").filter((line) => line.startsWith("{"));
      assert.equal(answers.length, calls - 1, text);
      assert.match(text, /what goes through the session/);
      assert.match(answers.at(-1)!, /"uptimeSeconds":/);
      assert.ok(!text.includes("problem"));
      assert.equal(admin.controls.logLevel, "debug");
    } finally {
      await Deno.remove(file);
    }
  },
});

Deno.test("docs/admin.md has every operation, and every thing that can be asked by GraphQL", async () => {
  const page = await Deno.readTextFile(PAGE);
  const { operations } = await import("../../src/admin/operations.ts");
  const [, table = ""] = page.split("## What there is");
  for (const { method, path } of operations) {
    const verb = method.toUpperCase();
    const row = table.split("\n").find((line) =>
      line.startsWith("|") && line.includes(path) && line.includes(verb)
    );
    assert.ok(row !== undefined, `${verb} ${path}`);
  }
  const { adminSchema } = await import("../../src/admin/graphql_schema.ts");
  const types = adminSchema().getTypeMap();
  for (const name of ["Session", "Stat", "Metric", "Server"]) {
    for (const side of ["Query", "Mutation"]) {
      const type = types[`${name}Admin${side}`];
      const fields = type !== undefined && "getFields" in type ? Object.keys(type.getFields()) : [];
      for (const field of fields) assert.match(table, new RegExp(`\\b${field}\\b`), field);
    }
  }
});
