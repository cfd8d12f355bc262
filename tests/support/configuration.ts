import assert from "node:assert/strict";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigError, describeMistake } from "../../src/config/mistakes.ts";
import { noFlags } from "../../src/config/overrides.ts";
import type { ServeFlags } from "../../src/config/overrides.ts";

export interface Given {
  readonly env?: Record<string, string>;
  readonly flags?: Partial<ServeFlags>;
  /** Other files by path; the configuration is `/etc/causeway.toml`. */
  readonly files?: Record<string, string>;
}

/** Loads a TOML document as `/etc/causeway.toml`; `undefined`: no file. */
export function load(toml: string | undefined, { env, flags, files = {} }: Given = {}): Config {
  const all: Record<string, string> = { ...files };
  if (toml !== undefined) all[FILE] = toml;
  return loadConfig({
    file: toml === undefined ? undefined : FILE,
    env: env ?? {},
    flags: { ...noFlags, ...flags },
    readFile(path) {
      const content = all[path];
      if (content === undefined) throw new Deno.errors.NotFound(path);
      return content;
    },
  });
}

/** The mistakes of a configuration that must not load, as they are printed, without the file's name. */
export function mistakesOf(toml: string | undefined, given: Given = {}): string[] {
  try {
    load(toml, given);
  } catch (error) {
    assert(error instanceof ConfigError, String(error));
    return error.mistakes.map((mistake) => describeMistake(mistake).replace(`${FILE}:`, ""));
  }
  assert.fail("the configuration loads");
}

/** Asserts that there is exactly one mistake and that it is printed so. */
export function assertMistake(toml: string | undefined, expected: RegExp, given: Given = {}): void {
  const mistakes = mistakesOf(toml, given);
  assert.equal(mistakes.length, 1, mistakes.join("\n"));
  assert.match(mistakes[0]!, expected);
}

const FILE = "/etc/causeway.toml";

/** A certificate of nobody in particular. */
export const CERTIFICATE = Deno.readTextFileSync(
  new URL("certificates/authority.pem", import.meta.url),
);
