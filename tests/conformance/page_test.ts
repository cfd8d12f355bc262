import assert from "node:assert/strict";
import { conformancePage, renderPage, testsIn } from "../../.ci/conformance.ts";

const PAGE = new URL("../../docs/conformance.md", import.meta.url);

Deno.test("docs/conformance.md says what the tests say", async () => {
  assert.equal(
    await Deno.readTextFile(PAGE),
    await conformancePage(),
    "the page is out of date: run `deno task conformance`",
  );
});

Deno.test("names of tests are found wherever they stand, with their entries", () => {
  const id = (number: string) => `Z-${number}`;
  const source = `
    Deno.test("${id("001")} ${id("002a")} it holds \\"always\\"", () => {});
    Deno.test({ name: '${id("003")} it holds', fn() {} });
    test(
      \`${id("004")} it holds\`, async () => {});
    Deno.test("it has no entry, but ${id("005")} inside", () => {});
    const text = "${id("006")} is no test";
  `;
  assert.deepEqual(
    testsIn("a_test.ts", source).map(({ entries, name }) => [...entries, name]),
    [
      [id("001"), id("002a"), 'it holds "always"'],
      [id("003"), "it holds"],
      [id("004"), "it holds"],
    ],
  );
});

Deno.test("an entry needs a test or a reason, and a test an entry that there is", () => {
  const section = (...entries: { id: string; reason?: string }[]) => [{
    title: "A section",
    entries: entries.map((entry) => ({ level: "MUST" as const, title: "a title", ...entry })),
  }];
  const test = { file: "a_test.ts", name: "it | holds", entries: ["Z-001"] };
  const page = renderPage(section({ id: "Z-001" }, { id: "Z-002", reason: "it is not" }), [test]);
  assert.match(page, /\| Z-001 \| MUST \| a title \| `a_test.ts`: it \\\| holds \|/);
  assert.match(page, /\| Z-002 \| MUST \| a title \| \*it is not\* \|/);
  assert.match(page, /2 entries, 1 shown by tests; not: Z-002\./);
  assert.throws(() => renderPage(section({ id: "Z-002" }), []), /Z-002 .* neither a test nor/);
  assert.throws(() => renderPage(section({ id: "Z-002", reason: "x" }), [test]), /covers Z-001/);
});
