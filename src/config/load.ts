import type { Config } from "./config.ts";
import { Draft } from "./draft.ts";
import { readDocument } from "./file.ts";
import { whyUnreadable } from "./kinds.ts";
import { ConfigError } from "./mistakes.ts";
import { beside } from "./paths.ts";
import { noFlags, readEnvironment, readFlags } from "./overrides.ts";
import type { ServeFlags } from "./overrides.ts";
import { settle } from "./settle.ts";

/** Everything that a configuration is made of. */
export interface ConfigSources {
  /** Path of the TOML file. Absent: `CAUSEWAY_CONFIG` of `env`; if that is absent too, no file is read. */
  readonly file?: string | undefined;
  /** `CAUSEWAY_*` count, others are ignored. */
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: ServeFlags;
  /** Reads a text file; throws when it cannot. */
  readonly readFile?: (path: string) => string;
}

/**
 * Makes the configuration: flags over environment over file over defaults.
 * Throws {@link ConfigError} with every mistake there is.
 */
export function loadConfig(sources: ConfigSources = {}): Config {
  const { env = {}, flags = noFlags, readFile = Deno.readTextFileSync } = sources;
  const draft = new Draft();
  const file = configFile(sources);
  const understood = file === undefined || readFileInto(draft, file, readFile);
  readEnvironment(draft, env, readFile);
  readFlags(draft, flags);
  // What a file that cannot be read would have said decides too much to judge the rest without it.
  const config = understood ? settle(draft) : undefined;
  if (config === undefined || draft.mistakes.length > 0) throw new ConfigError(draft.mistakes);
  return config;
}

/** The file that {@link loadConfig} would read. */
export function configFile({ file, env = {} }: ConfigSources): string | undefined {
  return file ?? (env.CAUSEWAY_CONFIG || undefined);
}

function readFileInto(draft: Draft, file: string, readFile: (path: string) => string): boolean {
  let document: string;
  try {
    document = readFile(file);
  } catch (error) {
    const place = { source: file, line: undefined, key: "" };
    draft.fault("", place, `cannot read this file: ${whyUnreadable(error)}`);
    return false;
  }
  return readDocument(draft, document.replace(/^\uFEFF/, ""), {
    source: file,
    // A path in the file is relative to the file, so that it means the same from everywhere.
    readFile: (path) => readFile(beside(file, path)),
  });
}
