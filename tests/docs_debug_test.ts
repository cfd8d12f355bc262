/** docs/debug.md quotes the program's own words, and leaves out none of its conditions, statuses and limits. */
import assert from "node:assert/strict";
import { mayStandInFrame } from "../src/protocol/rfc6455/close_code.ts";

const ROOT = new URL("..", import.meta.url);
const page = await Deno.readTextFile(new URL("docs/debug.md", ROOT));
const source = await sourceText(new URL("src/", ROOT));
const ofClients = await sourceText(new URL("src/", ROOT), "admin");

Deno.test("every message that docs/debug.md quotes is in the source", () => {
  const missing: string[] = [];
  let count = 0;
  for (const message of quoted()) {
    count++;
    // What the dots stand for changes from case to case, and a colon joins what was said by two.
    for (const part of message.split(/…|: /).map((part) => part.trim())) {
      if (!source.includes(part)) missing.push(`${message}: ${part}`);
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(count > 80, `${count}`);
});

Deno.test("docs/debug.md has a section for every terminal condition", () => {
  const [, type = ""] = /type TerminalCondition =\n([^;]+);/.exec(source)!;
  const conditions = [...type.matchAll(/"([a-z-]+)"/g)].map(([, condition]) => condition!);
  assert.ok(conditions.length > 10);
  const headings = [...page.matchAll(/^### (.+)$/gm)].flatMap(([, heading = ""]) =>
    heading.split(", ")
  );
  assert.deepEqual(conditions.filter((condition) => !headings.includes(condition)), []);
});

Deno.test("docs/debug.md has a row for every HTTP status and close code that is used", () => {
  const rows = (heading: string) => {
    const [, section = ""] = page.split(`\n## ${heading}\n`);
    const cells = [...section.split("\n## ")[0]!.matchAll(/^\| ([0-9, ]+) \|/gm)];
    return new Set(cells.flatMap(([, numbers = ""]) => numbers.split(", ").map(Number)));
  };
  // Those of the admin interface stand in its own document.
  const statuses = [
    ...ofClients.matchAll(/(?:status: |textAnswer\(\s*|\n *return )([45][0-9][0-9])\b/g),
  ];
  const known = rows("HTTP status");
  for (const [where, status] of statuses) {
    assert.ok(known.has(Number(status)), where);
  }
  assert.ok(new Set(statuses.map(([, status]) => status)).size >= 12);
  const codes = [...source.matchAll(/\b(?:code: |close\(|[A-Z_]+: |= )(1[0-9]{3})\b(?=[,; )}])/g)]
    .map(([, code]) => Number(code)).filter(mayStandInFrame);
  const told = rows("WebSocket close codes");
  for (const code of codes) assert.ok(told.has(code), `${code}`);
  assert.ok(new Set(codes).size >= 6, `${codes}`);
});

Deno.test("docs/debug.md names every limit that may bite, or docs/security.md does", async () => {
  const events = await Deno.readTextFile(new URL("src/events.ts", ROOT));
  const limits = [...events.matchAll(/"((?:http|limits|listen)\.[a-z_]+)"/g)].map(([, limit]) =>
    limit!
  );
  assert.ok(limits.length > 10);
  const security = await Deno.readTextFile(new URL("docs/security.md", ROOT));
  assert.deepEqual(limits.filter((limit) => !`${page}${security}`.includes(`\`${limit}\``)), []);
});

Deno.test("lines of the log in the handbook are such as the program writes", async () => {
  let count = 0;
  for await (const { name } of Deno.readDir(new URL("docs/", ROOT))) {
    if (!name.endsWith(".md")) continue;
    const text = await Deno.readTextFile(new URL(`docs/${name}`, ROOT));
    const lines = text.matchAll(
      /^ *\d{4}-\d\d-\d\dT\S+Z (?:debug|info|warn|error) ((?:[^\s=]+ )*[^\s=]+)(?: [a-z]+=|$)/gm,
    );
    for (const [, message = ""] of lines) {
      count++;
      assert.ok(source.includes(`"${message}"`), `${name}: ${message}`);
    }
  }
  assert.ok(count >= 4, `${count}`);
});

/** What stands as code in the first cells of tables whose first column is the program's words, and in the prose. */
function quoted(): string[] {
  const found: string[] = [];
  let column = -1;
  for (const line of page.split("\n")) {
    const cells = line.startsWith("|") ? line.split(/(?<!\\) \| /) : undefined;
    if (cells === undefined) {
      column = -1;
      continue;
    }
    if (column === -1) {
      column = cells.findIndex((cell) => /^(?:\| )?(?:message|text)$/.test(cell));
      if (column === -1) column = -2;
    } else if (column >= 0) {
      found.push(...[...(cells[column] ?? "").matchAll(/`([^`]+)`/g)].map(([, code]) => code!));
    }
  }
  // Of the prose: whole sentences only, which have blanks and no signs of other things.
  const prose = page.replace(/^ *```[^]*?^ *```$/gm, "").replace(/^\|.*$/gm, "");
  for (const [, code = ""] of prose.matchAll(/`([a-z][^`=]* [^`=]* [^`=]*)`/g)) {
    if (!/^(?:causeway|deno|proxy_|timeout) /.test(code)) found.push(code);
  }
  return found.filter((message) =>
    !/^(?:FILE:LINE|<body\/>|bosh\.|websocket\.|http\.)/.test(message)
  );
}

/** All of it, with texts that are written in several parts joined. */
async function sourceText(folder: URL, but?: string): Promise<string> {
  let all = "";
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (name === but) continue;
    if (isDirectory) all += await sourceText(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) all += await Deno.readTextFile(new URL(name, folder));
  }
  return all.replace(/["'`] \+\s*["'`]/g, "");
}
