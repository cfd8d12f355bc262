/**
 * Writes the tables of docs/configure.md from the configuration's schema: every key with what it is for,
 * what it takes, what holds when it is not written, how else it is set, and whether a reload applies it.
 */
import { wantsRestart } from "../src/commands/changed_keys.ts";
import { domainKeys, type Key, sections, singleSections } from "../src/config/keys.ts";
import { keyPath } from "../src/config/draft.ts";
import { variableOf } from "../src/config/overrides.ts";

const PAGE = new URL("../docs/configure.md", import.meta.url);

/** What stands at the head of a table, in the file and in the page. */
const HEADS: Readonly<Record<keyof typeof sections, string>> = {
  top: "At the top of the file",
  listen: "[[listen]]",
  http: "[http]",
  bosh: "[bosh]",
  websocket: "[websocket]",
  discovery: "[discovery]",
  limits: "[limits]",
  upstream: "[upstream]",
  domains: '[domains."NAME"]',
  drain: "[drain]",
  admin: "[admin]",
  log: "[log]",
};

/** Other ways to set what no variable of its own sets, and flags beside the variables. */
const OTHER_WAYS: Readonly<Record<string, string>> = {
  "listen.address": "`CAUSEWAY_LISTEN`, `--listen`",
  "listen.port": "`CAUSEWAY_LISTEN`, `--listen`",
  "listen.unix": "`CAUSEWAY_LISTEN`, `--listen`",
  "domains.connect": "`CAUSEWAY_DOMAINS`, `--domain`",
  "log.level": "`CAUSEWAY_LOG_LEVEL`, `--log-level`",
  "log.format": "`CAUSEWAY_LOG_FORMAT`, `--log-format`",
};

/** The page with the tables as they should be now. Throws when it has no place for them. */
export function configurationPage(page: string): string {
  const marks = /(<!-- made by `deno task configuration` -->\n)[^]*(<!-- until here -->)/;
  if (!marks.test(page)) throw new Error("docs/configure.md has no place for the tables");
  return page.replace(marks, (_, begin, end) => `${begin}\n${tables()}${end}`);
}

function tables(): string {
  return Object.entries(sections).map(([section, keys]) => {
    const name = section as keyof typeof sections;
    const rows = Object.entries(keys).map(([key, value]) => row(name, key, value));
    return [
      `### ${HEADS[name]}`,
      "",
      "| key | what for | write | unless written | also set by | reload |",
      "|---|---|---|---|---|---|",
      ...rows,
      ...(name === "domains" ? [inherited()] : []),
      "",
      "",
    ].join("\n");
  }).join("");
}

function row(section: keyof typeof sections, name: string, key: Key<unknown>): string {
  const path = keyPath(section, name);
  const single = singleSections.some((other) => other === section);
  return cells([
    `\`${name}\``,
    marked(key.summary),
    marked(key.kind.expects.replace(/^a whole number from /, "")),
    key.default === undefined ? "–" : `\`${toml(key.default)}\``,
    OTHER_WAYS[path] ?? (single ? `\`${variableOf(path)}\`` : "–"),
    wantsRestart(path) ? "restart" : "yes",
  ]);
}

/** One row for all that a domain may say otherwise than the rest. */
function inherited(): string {
  const own = Object.keys(sections.domains);
  const others = Object.keys(domainKeys).filter((name) => !own.includes(name));
  return cells([
    others.map((name) => `\`${name}\``).join(", "),
    "As in [upstream] and [discovery], for this domain.",
    "as there",
    "as there",
    "–",
    "yes",
  ]);
}

/** What is to be written as it stands is code, so that nothing of it is taken for markup. */
function marked(words: string): string {
  return words.replace(/\{[^}]*\}|"[^"]*"/g, (text) => `\`${text}\``)
    .replace(/\b\d{5,}\b/g, grouped);
}

/** A long number, as TOML lets one write it. */
function grouped(digits: string): string {
  return digits.length < 5 ? digits : digits.replace(/\B(?=(?:\d{3})+$)/g, "_");
}

function cells(texts: readonly string[]): string {
  return `| ${
    texts.map((text) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;")).join(" | ")
  } |`;
}

/** A default, as the file would have it. */
function toml(value: unknown): string {
  if (typeof value === "number") return grouped(String(value));
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  return JSON.stringify(value);
}

if (import.meta.main) {
  await Deno.writeTextFile(PAGE, configurationPage(await Deno.readTextFile(PAGE)));
}
