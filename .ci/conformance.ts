/**
 * Writes `docs/conformance.md`: every entry of the conformance list, and the tests whose names
 * say that they cover it. An entry that has neither a test nor a reason is an error, as is a test
 * that covers an entry which there is not.
 */
import { bosh } from "./conformance_bosh.ts";
import type { Entry, Section } from "./conformance_entry.ts";
import { security } from "./conformance_security.ts";
import { upstream } from "./conformance_upstream.ts";
import { websocket } from "./conformance_websocket.ts";

const ROOT = new URL("..", import.meta.url);
const PAGE = new URL("docs/conformance.md", ROOT);

/** One test that names entries. */
export interface NamedTest {
  /** Path below `tests/`. */
  readonly file: string;
  /** Without the entries at its beginning. */
  readonly name: string;
  readonly entries: readonly string[];
}

/** The page, as it should be now. Throws with everything that is missing. */
export async function conformancePage(): Promise<string> {
  return renderPage([...bosh, ...websocket, ...upstream, ...security], await namedTests());
}

export function renderPage(
  sections: readonly Section[],
  tests: readonly NamedTest[],
): string {
  const entries = sections.flatMap((section) => section.entries);
  const known = new Set(entries.map(({ id }) => id));
  const groups = new Set(entries.map(({ id }) => id[0]));
  const covered = (id: string) => tests.filter((test) => test.entries.includes(id));
  const mistakes = [
    ...entries.filter(({ id, reason }) => reason === undefined && covered(id).length === 0)
      .map(({ id, title }) => `${id} (${title}) has neither a test nor a reason`),
    ...tests.flatMap(({ file, name, entries }) =>
      entries.filter((id) => groups.has(id[0]) && !known.has(id))
        .map((id) => `${file}: "${name}" covers ${id}, which there is not`)
    ),
  ];
  if (mistakes.length > 0) throw new Error(mistakes.join("\n"));
  const untested = entries.filter(({ id }) => covered(id).length === 0);
  return [
    "# Conformance",
    "",
    "<!-- Written by `deno task conformance` from the names of the tests. Do not edit. -->",
    "",
    "What XMPP clients and servers may expect of a connection manager, entry by entry, and the tests that show it here. The level is",
    "that of the specification; *decided* is what was decided where it is silent. Tests under `conformance/` are black boxes: raw",
    "sockets against a running connection manager, with a scripted XMPP server behind it.",
    "",
    `${entries.length} entries, ${entries.length - untested.length} shown by tests` +
    (untested.length === 0 ? "." : `; not: ${untested.map(({ id }) => id).join(", ")}.`),
    ...sections.flatMap((section) => [
      "",
      `## ${section.title}`,
      "",
      "| entry | level | what | shown by |",
      "|---|---|---|---|",
      ...section.entries.map((entry) => row(entry, covered(entry.id))),
    ]),
    "",
  ].join("\n");
}

function row({ id, level, title, reason }: Entry, tests: readonly NamedTest[]): string {
  const byFile = Map.groupBy(tests, ({ file }) => file);
  const shown = [...byFile].map(([file, tests]) =>
    `\`${file}\`: ${tests.map(({ name }) => cell(name)).join("; ")}`
  );
  if (reason !== undefined) shown.unshift(`*${cell(reason)}*`);
  return `| ${id} | ${level} | ${cell(title)} | ${shown.join("<br>")} |`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

/** All tests of the project whose names begin with entries, by file and in the file's order. */
export async function namedTests(): Promise<NamedTest[]> {
  const files: string[] = [];
  async function walk(folder: string): Promise<void> {
    for await (const entry of Deno.readDir(new URL(`tests/${folder}`, ROOT))) {
      if (entry.isDirectory) await walk(`${folder}${entry.name}/`);
      else if (entry.name.endsWith("_test.ts")) files.push(folder + entry.name);
    }
  }
  await walk("");
  const tests: NamedTest[] = [];
  for (const file of files.sort()) {
    tests.push(...testsIn(file, await Deno.readTextFile(new URL(`tests/${file}`, ROOT))));
  }
  return tests;
}

/** A name is the first argument of a call, or what `name:` is given. */
export function testsIn(file: string, source: string): NamedTest[] {
  const names = source.matchAll(
    /(?:\(|\bname:)\s*(["'`])((?:[A-Z]-\d{3}[a-z]? )+)((?:\\.|(?!\1).)+)\1/g,
  );
  return [...names].map(([, , entries = "", name = ""]) => ({
    file,
    name: name.replace(/\\(.)/g, "$1"),
    entries: entries.trim().split(" "),
  }));
}

if (import.meta.main) await Deno.writeTextFile(PAGE, await conformancePage());
