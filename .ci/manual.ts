/** The manual pages, made of the help texts and of the configuration's schema, so that they say what the program does. */
import { parseArguments } from "../src/commands/arguments.ts";
import { type Key, sections } from "../src/config/keys.ts";
import { version } from "../src/version.ts";

/** causeway(1): the help texts as they are. */
export function commandManual(): string {
  const general = help();
  const commands = [...general.matchAll(/^ {2}causeway \[?([a-z]+)/gm)].map(([, command]) =>
    command!
  );
  return page("causeway", 1, "XMPP connection manager (BOSH and WebSocket)", [
    section("SYNOPSIS", verbatim(commands.map((command) => usage(help(command))).join("\n"))),
    section("DESCRIPTION", verbatim(general)),
    ...commands.map((command) => section(command.toUpperCase(), verbatim(help(command)))),
    section("FILES", verbatim("/etc/causeway/causeway.toml   the service's configuration")),
    section("SEE ALSO", ".BR causeway.toml (5),\n.BR systemctl (1)\n"),
  ]);
}

/** causeway.toml(5): every key, with its default. */
export function configurationManual(): string {
  return page("causeway.toml", 5, "configuration of causeway", [
    section(
      "DESCRIPTION",
      escape(
        "A TOML file. Times are seconds, sizes are bytes. Every key may be left out. Environment variables " +
          "(CAUSEWAY_BOSH_MAX_WAIT for max_wait in [bosh]) and flags override the file; " +
          "causeway check FILE tells every mistake in it.",
      ) + "\n",
    ),
    ...Object.entries(sections).map(([name, keys]) =>
      section(
        HEADS[name] ?? `[${name}]`,
        Object.entries(keys).map(([key, of]) => entry(key, of)).join(""),
      )
    ),
    section("SEE ALSO", ".BR causeway (1)\n"),
  ]);
}

/** What a table begins with, where it is not its name in brackets. */
const HEADS: Readonly<Record<string, string>> = {
  top: "BEFORE THE FIRST TABLE",
  listen: "[[listen]]: one for each listener",
  domains: '[domains."NAME"]: one for each domain, with any key of [upstream] and [discovery] too',
};

function entry(name: string, key: Key<unknown>): string {
  const value = key.default === undefined ? key.example ?? "" : toml(key.default);
  const absent = key.default === undefined
    ? " Absent unless written; the value is an example."
    : "";
  return `.TP\n${escape(`${name} = ${value}`)}\n${escape(key.summary + absent)}\n`;
}

function toml(value: unknown): string {
  if (typeof value === "object" && !Array.isArray(value)) return "{}";
  return JSON.stringify(value);
}

function help(...command: string[]): string {
  const invocation = parseArguments([...command, "--help"]);
  if (invocation.command !== "help") throw new Error(`${command} has no help`);
  return invocation.text;
}

function usage(text: string): string {
  return text.split("\n")[0]!;
}

function page(name: string, number: number, what: string, sections: readonly string[]): string {
  return `.\\" Made by .ci/manual.ts.\n.TH ${name.toUpperCase()} ${number} "" "causeway ${version}"\n` +
    section("NAME", `${escape(name)} \\- ${escape(what)}\n`) + sections.join("");
}

function section(head: string, text: string): string {
  return `.SH ${escape(head)}\n${text}`;
}

function verbatim(text: string): string {
  return `.nf\n${escape(text.trimEnd())}\n.fi\n`;
}

/** Nothing in it is roff's: no backslash, no hyphen that may be bent, no line that begins with a dot or a quote. */
function escape(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("…", "...")
    .replaceAll(/^(?=[.'])/gm, "\\&");
}
