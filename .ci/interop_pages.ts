/**
 * Writes the tables of docs/clients.md and docs/servers.md from what the tests with real clients and
 * servers recorded (tests/support/interop_record.ts):
 *
 *     interop_pages.ts RECORD [--check]
 *
 * `--check` writes nothing, and fails unless the pages say what was recorded. Versions do not count
 * for it: those of Debian's packages go on by themselves.
 */
import type { Shown } from "../tests/support/interop_record.ts";

const docs = new URL("../docs/", import.meta.url);

const [file, ...options] = Deno.args;
if (file === undefined) throw new Error("interop_pages.ts RECORD [--check]");
const lines = (await Deno.readTextFile(file)).trim().split("\n");
const shown: readonly Shown[] = lines.filter((line) => line !== "").map((line) => JSON.parse(line));

const tables = { "clients.md": clientsTable(shown), "servers.md": serversTable(shown) };
for (const [name, table] of Object.entries(tables)) {
  const page = new URL(name, docs);
  const text = await Deno.readTextFile(page);
  const wanted = withTable(text, table);
  if (!options.includes("--check")) {
    await Deno.writeTextFile(page, wanted);
  } else if (withoutVersions(text) !== withoutVersions(wanted)) {
    throw new Error(
      `docs/${name} does not say what was run; \`deno task interop\` writes it. Now:\n${table}`,
    );
  }
}

/** A row for each client and way, a column for each server. */
function clientsTable(shown: readonly Shown[]): string {
  const cells = shown.filter((entry) => "client" in entry);
  const servers = versions(cells);
  const rows = new Map<string, { readonly version: string; readonly at: Set<string> }>();
  for (const { client, clientVersion, server } of cells) {
    const row = rows.get(client) ?? { version: clientVersion, at: new Set() };
    row.at.add(server);
    rows.set(client, row);
  }
  return table(
    ["client", "version", "over", ...[...servers].map(([name, version]) => `${name} ${version}`)],
    [...rows].toSorted(([a], [b]) => a < b ? -1 : 1).map(([name, { version, at }]) => {
      const [client, ...way] = name.split(" over ");
      return [
        client!,
        version,
        way.join(" over "),
        ...[...servers.keys()].map((server) => at.has(server) ? "✓" : "–"),
      ];
    }),
  );
}

/** A row for each server: how many clients, and what else. */
function serversTable(shown: readonly Shown[]): string {
  return table(
    ["server", "version", "shown with it"],
    [...versions(shown)].map(([server, version]) => {
      const own = shown.filter((entry) => entry.server === server);
      const ways = new Set(own.flatMap((entry) => "client" in entry ? [entry.client] : []));
      const clients = new Set([...ways].map((way) => way.split(" over ")[0]));
      const more = new Set(own.flatMap((entry) => "what" in entry ? [entry.what] : []));
      return [
        server,
        version,
        [`${clients.size} clients in ${ways.size} ways`, ...[...more].toSorted()].join("; "),
      ];
    }),
  );
}

function versions(shown: readonly Shown[]): ReadonlyMap<string, string> {
  const pairs = shown.map(({ server, serverVersion }) => [server, serverVersion] as const);
  return new Map(pairs.toSorted(([a], [b]) => a.toLowerCase() < b.toLowerCase() ? -1 : 1));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`).join("");
}

/** The page with this table between its two marks. */
function withTable(page: string, table: string): string {
  const marks = /(<!-- made by `deno task interop` -->\n)[^]*(<!-- until here -->)/;
  if (!marks.test(page)) throw new Error("the page has no place for the table");
  return page.replace(marks, (_, begin, end) => `${begin}\n${table}\n${end}`);
}

function withoutVersions(page: string): string {
  return page.replaceAll(/\d+(\.\d+)+[^ |]*/g, "N");
}
