import { parse, TomlError } from "smol-toml";
import { domainPattern } from "./domains.ts";
import type { Draft, Settings } from "./draft.ts";
import { domainKeys, sections, singleSections } from "./keys.ts";
import type { Section, SingleSection } from "./keys.ts";
import { isTable, show } from "./kinds.ts";
import type { Site } from "./kinds.ts";
import { joinPath, locate } from "./locate.ts";
import type { Place } from "./mistakes.ts";
import { nearest } from "./suggest.ts";

/**
 * Reads a TOML document into the draft. `false`: it is not TOML, so what it
 * meant to say is unknown.
 */
export function readDocument(
  draft: Draft,
  document: string,
  { source, readFile }: { source: string; readFile: Site["readFile"] },
): boolean {
  let root: Record<string, unknown>;
  try {
    // As bigint, a whole number can be told from 1.0 and compared with any range.
    root = parse(document, { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The message goes on with an excerpt of the document.
    const what = error.message.split("\n", 1)[0]!.replace("Invalid TOML document: ", "");
    const place = { source, line: error.line, key: "" };
    draft.fault("", place, `not TOML: ${what} (column ${error.column}); see https://toml.io`);
    return false;
  }
  new DocumentReader(draft, root, { source, readFile, lineOf: locate(document) }).read();
  return true;
}

class DocumentReader {
  readonly #draft: Draft;
  readonly #root: Record<string, unknown>;
  readonly #source: string;
  readonly #readFile: Site["readFile"];
  readonly #lineOf: (path: string) => number | undefined;

  constructor(draft: Draft, root: Record<string, unknown>, document: {
    source: string;
    readFile: Site["readFile"];
    lineOf: (path: string) => number | undefined;
  }) {
    this.#draft = draft;
    this.#root = root;
    this.#source = document.source;
    this.#readFile = document.readFile;
    this.#lineOf = document.lineOf;
  }

  read(): void {
    const { top, ...tables } = sections;
    for (const [name, value] of Object.entries(this.#root)) {
      const path = joinPath("", name);
      if (Object.hasOwn(top, name)) {
        this.#key(this.#draft.single.top, name, { keys: top, value, path });
      } else if (name === "listen") {
        this.#listeners(value);
      } else if (!Object.hasOwn(tables, name)) {
        const known = [...Object.keys(top), ...Object.keys(tables)];
        this.#draft.fault(path, this.#place(path), `no such key; ${right(name, known, "top")}`);
      } else if (!isTable(value)) {
        this.#draft.fault(
          name,
          this.#place(path),
          `${show(value)} is not a table; write [${name}]`,
        );
      } else if (name === "domains") {
        this.#domains(value);
      } else {
        const section = singleSections.find((single) => single === name)!;
        this.#table(this.#draft.single[section], section, { table: value, path });
      }
    }
  }

  #listeners(value: unknown): void {
    const wrong = (path: string, what: string) =>
      this.#draft.fault("listen", this.#place(path), `${what}; write a table [[listen]]`);
    if (!Array.isArray(value)) return wrong("listen", `${show(value)} is not a list of tables`);
    if (value.length === 0) return wrong("listen", "an empty list listens nowhere");
    this.#draft.listeners = [];
    for (const [index, item] of value.entries()) {
      const path = `listen[${index}]`;
      if (!isTable(item)) {
        wrong(path, `${show(item)} is not a table`);
        continue;
      }
      const settings: Settings = new Map();
      const before = this.#draft.mistakes.length;
      this.#table(settings, "listen", { table: item, path });
      const sound = this.#draft.mistakes.length === before;
      this.#draft.listeners.push({ settings, place: this.#place(path), sound });
    }
  }

  #domains(table: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(table)) {
      const path = joinPath("domains", name);
      const place = this.#place(path);
      const fault = (message: string) => this.#draft.fault("domains", place, message);
      const pattern = domainPattern(name);
      if (pattern === undefined) {
        fault(`${show(name)} is not a domain; write "example.org", "*.example.org" or "*"`);
      }
      if (!isTable(value)) {
        fault(`${show(value)} is not a table; write [${path}]`);
        continue;
      }
      const earlier = pattern === undefined ? undefined : this.#draft.domains.get(pattern);
      if (earlier !== undefined) {
        fault(`the same domain as in line ${earlier.place.line}; put both into one table`);
      }
      const settings: Settings = new Map();
      this.#table(settings, "domains", { table: value, path });
      if (pattern !== undefined) this.#draft.domains.set(pattern, { settings, place });
    }
  }

  #table(
    settings: Settings,
    section: SingleSection | "listen" | "domains",
    { table, path: tablePath }: { table: Record<string, unknown>; path: string },
  ): void {
    const keys: Section = section === "domains" ? domainKeys : sections[section];
    for (const [name, value] of Object.entries(table)) {
      const path = joinPath(tablePath, name);
      if (Object.hasOwn(keys, name)) {
        this.#key(settings, name, { keys, value, path });
      } else {
        const meant = section === "domains" && isTable(value)
          ? `if ${show(unquoted(path, value))} is a domain, write its name in quotes`
          : right(name, Object.keys(keys), section);
        this.#draft.fault(path, this.#place(path), `no such key; ${meant}`);
      }
    }
  }

  #key(
    settings: Settings,
    name: string,
    { keys, value, path }: { keys: Section; value: unknown; path: string },
  ): void {
    const place = (...within: readonly (number | string)[]) =>
      this.#place(
        within.reduce<string>(
          (path, step) => typeof step === "number" ? `${path}[${step}]` : joinPath(path, step),
          path,
        ),
      );
    this.#draft.read(settings, name, keys[name]!, { value, path, place, readFile: this.#readFile });
  }

  #place(path: string): Place {
    return { source: this.#source, line: this.#lineOf(path), key: path };
  }
}

/** The domain that `[domains.a.b.c]` was meant for: TOML takes the dots of a bare name for tables in tables. */
function unquoted(path: string, table: unknown): string {
  const domain = path.slice("domains.".length).replaceAll('"', "");
  if (!isTable(table)) return domain;
  const deeper = Object.entries(table).find(([key, inner]) =>
    isTable(inner) && !Object.hasOwn(domainKeys, key)
  );
  return deeper === undefined ? domain : unquoted(joinPath(path, deeper[0]), deeper[1]);
}

/** What to write in place of an unknown key. */
function right(name: string, known: readonly string[], section: string): string {
  const near = nearest(name, known);
  if (near !== undefined) return `did you mean ${near}?`;
  for (const [other, keys] of Object.entries(sections)) {
    if (other === section || !Object.hasOwn(keys, name)) continue;
    return other === "top"
      ? "it belongs before the first table"
      : `it belongs in ${
        other === "listen" ? "[[listen]]" : other === "domains" ? '[domains."NAME"]' : `[${other}]`
      }`;
  }
  return `known here: ${known.join(", ")}`;
}
