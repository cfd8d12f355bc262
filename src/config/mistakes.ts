/** One thing that the operator got wrong, told so that it can be put right without a manual. */
export interface Mistake {
  /** The file, environment variable or flag that holds it. */
  readonly source: string;
  /** Line in the file, from 1; `undefined` elsewhere, and for a mistake of the whole file. */
  readonly line: number | undefined;
  /** Path of the key as the file writes it (`bosh.max_wait`, `listen[0].port`); `""` when there is none. */
  readonly key: string;
  /** What is wrong; what would be right. */
  readonly message: string;
}

/** Where a setting stands: a {@link Mistake} without its message. */
export type Place = Omit<Mistake, "message">;

/** The configuration cannot be used. Carries every mistake found: the file's by line, then the others. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    const sorted = mistakes.toSorted((a, b) => (a.line ?? LAST) - (b.line ?? LAST));
    super(sorted.map(describeMistake).join("\n"));
    this.mistakes = sorted;
  }
}

/** `FILE:LINE: key.path: message`, `CAUSEWAY_X: message` or `--flag: message`. */
export function describeMistake({ source, line, key, message }: Mistake): string {
  if (line === undefined) return `${source}: ${message}`;
  return key === "" ? `${source}:${line}: ${message}` : `${source}:${line}: ${key}: ${message}`;
}

const LAST = Number.MAX_SAFE_INTEGER;
