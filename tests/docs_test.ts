/**
 * The handbook says what is: its links lead somewhere, its keys and commands are those of the program, its
 * messages are in the source, and what it shows of `causeway check` is what that prints.
 */
import assert from "node:assert/strict";
import manifest from "../deno.json" with { type: "json" };
import { configurationPage } from "../.ci/configuration_page.ts";
import { parseArguments } from "../src/commands/arguments.ts";
import { checkCommand } from "../src/commands/check.ts";
import { loadConfig } from "../src/config/load.ts";
import { domainKeys, sections, singleSections } from "../src/config/keys.ts";
import { keyPath } from "../src/config/draft.ts";
import { ConfigError } from "../src/config/mistakes.ts";
import { otherVariables, variableOf } from "../src/config/overrides.ts";

const ROOT = new URL("..", import.meta.url);

interface Page {
  /** Path below the project's folder. */
  readonly name: string;
  readonly text: string;
}

const pages: readonly Page[] = [...Deno.readDirSync(new URL("docs/", ROOT))]
  .filter(({ name }) => name.endsWith(".md")).map(({ name }) => `docs/${name}`).toSorted()
  .concat("README.md").map((name) => ({ name, text: Deno.readTextFileSync(new URL(name, ROOT)) }));

Deno.test("docs/README.md lists every page of docs/, each once", () => {
  const { text } = pages.find(({ name }) => name === "docs/README.md")!;
  const listed = [...text.matchAll(/^- \[[^\]]+\]\(([^)#]+)\)/gm)].map(([, page]) =>
    `docs/${page}`
  );
  const there = pages.map(({ name }) => name)
    .filter((name) => name.startsWith("docs/") && name !== "docs/README.md");
  assert.deepEqual(listed.toSorted(), there.toSorted());
});

Deno.test("no link of a page is dead, and no anchor", () => {
  const dead: string[] = [];
  for (const { name, text } of pages) {
    for (const [, target = ""] of proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const url = path === "" ? new URL(name, ROOT) : new URL(path, new URL(name, ROOT));
      const file = url.href.slice(ROOT.href.length);
      const page = pages.find((other) => other.name === file);
      if (page === undefined && !isThere(url)) dead.push(`${name}: ${target}`);
      if (anchor !== undefined && !(page && anchorsOf(page.text).includes(anchor))) {
        dead.push(`${name}: ${target} has no such heading`);
      }
    }
  }
  assert.deepEqual(dead, []);
});

Deno.test("every key that a page names is one of the configuration", () => {
  const wrong: string[] = [];
  for (const { name, text } of pages) {
    for (const [path, section, key] of keysIn(text)) {
      const keys = section === "domains" ? domainKeys : sections[section as keyof typeof sections];
      if (!Object.hasOwn(keys, key)) wrong.push(`${name}: ${path}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(keysIn(pages.find(({ name }) => name === "docs/migrating.md")!.text).length > 100);
});

Deno.test("every variable that a page names is one of the program", () => {
  const known = [
    ...otherVariables,
    ...singleSections.flatMap((section) =>
      Object.keys(sections[section]).map((name) => variableOf(keyPath(section, name)))
    ),
  ];
  for (const { name, text } of pages) {
    for (const [variable] of text.matchAll(/\bCAUSEWAY_[A-Z_]*[A-Z]\b/g)) {
      assert.ok(known.includes(variable), `${name}: ${variable}`);
    }
  }
});

Deno.test("every command line that a page shows is one of the program", () => {
  let count = 0;
  for (const { name, text } of pages) {
    const blocks = blocksOf(text, "sh", "console").flatMap((block) => block.split("\n"));
    const spans = [...proseOf(text).matchAll(/`(causeway [^`]+)`/g)].map(([, span]) => span!);
    for (const line of [...blocks, ...spans]) {
      const match = /(?:^|\s|\$ )(?:causeway|main\.ts) ([^#>|]*)/.exec(line);
      if (match === null || /^\S+\.(?:toml|service)|…|\d+\.\d+/.test(match[1]!)) continue;
      const words = match[1]!.trim().replace(/ &$/, "").split(/\s+/);
      // Of a command that is only named, nothing has to be complete.
      if (words.length === 1 && /^(?:doctor|proxy)$/.test(words[0]!)) continue;
      assert.doesNotThrow(() => parseArguments(words), `${name}: ${line}`);
      count++;
    }
  }
  assert.ok(count > 20, `${count}`);
});

Deno.test("every configuration that a page shows is right, or said to be wrong", () => {
  for (const { name, text } of pages) {
    const blocks = text.split(/^```toml\n/m).slice(1).map((rest) => rest.split(/\n```/));
    for (const [document = "", ...rest] of blocks) {
      // What `causeway check` says of it is compared elsewhere.
      if (/^\s+```console/.test(rest.join("\n```"))) continue;
      const mistakes = mistakesOf(document).filter((mistake) =>
        // Files are the reader's, and domains may be in another part of the file.
        !/cannot read|there is no such file|no domains are named/.test(mistake)
      );
      assert.deepEqual(mistakes, [], `${name}:\n${document}`);
    }
  }
});

Deno.test("every task that a page names is one of deno.json", () => {
  for (const { name, text } of pages) {
    for (const [, task = ""] of text.matchAll(/\bdeno task (?:-q )?([a-z:]+)/g)) {
      assert.ok(Object.hasOwn(manifest.tasks, task), `${name}: deno task ${task}`);
    }
  }
});

Deno.test("docs/configure.md has every key as the schema has it", async () => {
  const { text } = pages.find(({ name }) => name === "docs/configure.md")!;
  assert.equal(text, configurationPage(text), "out of date: run `deno task configuration`");
  const untouched = await Deno.readTextFile(new URL("docs/clients.md", ROOT));
  assert.throws(() => configurationPage(untouched), /no place/);
});

Deno.test("docs/configure.md shows what check prints", () => {
  const { text } = pages.find(({ name }) => name === "docs/configure.md")!;
  let count = 0;
  let document = "";
  for (const [, kind, block = ""] of text.matchAll(/^```(toml|console)\n([^]*?)\n```$/gm)) {
    if (kind === "toml") document = block;
    const [command, ...shown] = block.split("\n");
    if (kind !== "console" || command !== "$ causeway check causeway.toml") continue;
    const lines: string[] = [];
    const print = (text: string) => void lines.push(...text.split("\n"));
    const sources = { file: "causeway.toml", readFile: () => document };
    checkCommand(sources, { stdout: print, stderr: print });
    assert.deepEqual(
      lines.map((line, index) => {
        const whole = shown[index] ?? "";
        // A line that is too long for the page is cut there.
        const cut = whole.endsWith("…") ? whole.slice(0, -1).trimEnd() : undefined;
        return cut !== undefined && line.startsWith(cut) ? whole : line;
      }),
      shown,
    );
    count++;
  }
  assert.equal(count, 2);
});

/** Without blocks of code. */
function proseOf(text: string): string {
  return text.replace(/^```[^]*?^```$/gm, "");
}

function blocksOf(text: string, ...kinds: readonly string[]): string[] {
  return [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .filter(([, kind]) => kinds.includes(kind!)).map(([, , block]) => block!);
}

/** What GitHub makes of headings. */
function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...proseOf(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => {
    const plain = heading.replace(/\[([^\]]+)\]\([^)]*\)/g, "$1").replaceAll("`", "");
    const anchor = plain.toLowerCase().replace(/[^\p{L}\p{N}\- _]/gu, "").replaceAll(" ", "-");
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}

/** Keys as `bosh.max_wait`, in code. In tables of other programs' options the first column is theirs. */
function keysIn(text: string): [path: string, section: string, key: string][] {
  const ours = proseOf(text).split("\n").map((line) =>
    line.startsWith("| ") ? line.replace(/^\| .*? \| /, "") : line
  ).join("\n");
  const names = Object.keys(sections).filter((name) => name !== "top").join("|");
  const pattern = new RegExp(`\`(${names})\\.([a-z_]+)(?=[\`= ])`, "g");
  return [...ours.matchAll(pattern)].map(([path, section, key]) => [path.slice(1), section!, key!]);
}

function mistakesOf(document: string): readonly string[] {
  const readFile = (path: string) => {
    if (path === "causeway.toml") return document;
    throw new Deno.errors.NotFound(path);
  };
  try {
    loadConfig({ file: "causeway.toml", readFile });
    return [];
  } catch (error) {
    assert(error instanceof ConfigError, String(error));
    return error.mistakes.map(({ message }) => message);
  }
}

function isThere(url: URL): boolean {
  try {
    Deno.statSync(url);
    return true;
  } catch {
    return false;
  }
}
