import { splitHostPort } from "./address.ts";
import { domainPattern } from "./domains.ts";
import { keyPath } from "./draft.ts";
import type { Draft, Settings } from "./draft.ts";
import { domainKeys, sections, singleSections } from "./keys.ts";
import type { Section } from "./keys.ts";
import { show } from "./kinds.ts";
import type { Site } from "./kinds.ts";
import type { Place } from "./mistakes.ts";
import { nearest } from "./suggest.ts";

/** What the command line of `serve` says about the configuration, not yet checked. */
export interface ServeFlags {
  /** `ADDRESS:PORT` or `unix:PATH`; together they replace all listeners. Empty: none given. */
  readonly listen: readonly string[];
  /** `NAME` or `NAME=URL`; they join the domains of the file. */
  readonly domain: readonly string[];
  readonly logLevel: string | undefined;
  readonly logFormat: string | undefined;
}

export const noFlags: ServeFlags = {
  listen: [],
  domain: [],
  logLevel: undefined,
  logFormat: undefined,
};

/** The variable that sets a key: `CAUSEWAY_BOSH_MAX_WAIT` for `bosh.max_wait`. */
export function variableOf(path: string): string {
  return `${PREFIX}${path.toUpperCase().replaceAll(".", "_")}`;
}

/** Variables that are not a key of the file. `CAUSEWAY_CONFIG` names the file itself. */
export const otherVariables = ["CAUSEWAY_CONFIG", "CAUSEWAY_LISTEN", "CAUSEWAY_DOMAINS"] as const;

/** Reads every `CAUSEWAY_*` variable into the draft. An empty one counts as not set. */
export function readEnvironment(
  draft: Draft,
  env: Readonly<Record<string, string>>,
  readFile: Site["readFile"],
): void {
  const keys = new Map(
    singleSections.flatMap((section) =>
      Object.keys(sections[section]).map((name) =>
        [variableOf(keyPath(section, name)), { section, name }] as const
      )
    ),
  );
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || otherVariables.some((other) => other === variable)) {
      continue;
    }
    const known = keys.get(variable);
    const path = known === undefined ? "" : keyPath(known.section, known.name);
    const place = { source: variable, line: undefined, key: path };
    if (known === undefined) {
      const near = nearest(variable.slice(PREFIX.length), [
        ...[...keys.keys(), ...otherVariables].map((name) => name.slice(PREFIX.length)),
      ]);
      const right = near === undefined ? "unset it" : `did you mean ${PREFIX}${near}?`;
      draft.fault("", place, `no such variable; ${right}`);
    } else if (text !== "") {
      const section: Section = sections[known.section];
      const key = section[known.name]!;
      const value = key.kind.fromText(text);
      draft.read(draft.single[known.section], known.name, key, {
        value,
        path,
        place: () => place,
        readFile,
      });
    }
  }
  const listen = splitList(env.CAUSEWAY_LISTEN);
  if (listen.length > 0) readListeners(draft, "CAUSEWAY_LISTEN", listen);
  for (const domain of splitList(env.CAUSEWAY_DOMAINS)) {
    readDomain(draft, "CAUSEWAY_DOMAINS", domain);
  }
}

/** Reads the flags of `serve` into the draft. */
export function readFlags(draft: Draft, flags: ServeFlags): void {
  if (flags.listen.length > 0) readListeners(draft, "--listen", flags.listen);
  for (const domain of flags.domain) readDomain(draft, "--domain", domain);
  for (const name of ["level", "format"] as const) {
    const value = name === "level" ? flags.logLevel : flags.logFormat;
    if (value === undefined) continue;
    const path = `log.${name}`;
    const place = { source: `--log-${name}`, line: undefined, key: path };
    const written = { value, path, place: () => place, readFile: noFile };
    draft.read(draft.single.log, name, sections.log[name], written);
  }
}

const PREFIX = "CAUSEWAY_";

function splitList(text: string | undefined): string[] {
  if (text === undefined || text === "") return [];
  return text.split(",").map((item) => item.trim());
}

/** Replaces all listeners by those that are named. */
function readListeners(draft: Draft, source: string, named: readonly string[]): void {
  const place = { source, line: undefined, key: "listen" };
  draft.listeners = named.map((text) => {
    const before = draft.mistakes.length;
    const settings = readListener(draft, text, place);
    return { settings, place, sound: draft.mistakes.length === before };
  });
}

/** `ADDRESS:PORT`, `[IPV6]:PORT` or `unix:PATH`. */
function readListener(draft: Draft, text: string, place: Place): Settings {
  const settings: Settings = new Map();
  const read = (name: keyof typeof sections.listen, value: unknown) =>
    draft.read(settings, name, sections.listen[name], {
      value,
      path: place.source,
      place: () => place,
      readFile: noFile,
    });
  if (text.startsWith("unix:")) {
    read("unix", text.slice("unix:".length));
  } else {
    const { host, port } = splitHostPort(text) ?? {};
    if (host === undefined || port === undefined) {
      const right = 'write "127.0.0.1:5280", "[::1]:5280" or "unix:/run/causeway/http.sock"';
      draft.fault("listen", place, `${show(text)} is not ADDRESS:PORT; ${right}`);
    } else {
      read("address", host);
      read("port", BigInt(port));
    }
  }
  return settings;
}

/** `NAME` or `NAME=URL`: serves the domain, and says where it is; other keys of the file stay. */
function readDomain(draft: Draft, source: string, text: string): void {
  const place = { source, line: undefined, key: "domains" };
  const [name = "", ...url] = text.split("=");
  const pattern = domainPattern(name);
  if (pattern === undefined) {
    return draft.fault(
      "domains",
      place,
      `${
        show(name)
      } is not a domain; write "example.org", "*.example.org", "*", or NAME=xmpp://host:port`,
    );
  }
  const settings: Settings = new Map(draft.domains.get(pattern)?.settings);
  settings.delete("connect");
  if (url.length > 0) {
    const written = { value: url.join("="), path: source, place: () => place, readFile: noFile };
    draft.read(settings, "connect", domainKeys.connect, written);
  }
  draft.domains.set(pattern, { settings, place });
}

/** Of what flags and lists can set, nothing names a file. */
function noFile(path: string): never {
  throw new Error(`Cannot read ${path}: no key that is set here names a file`);
}
