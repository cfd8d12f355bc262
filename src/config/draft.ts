import { sections, singleSections } from "./keys.ts";
import type { Key, Section, SingleSection, Values } from "./keys.ts";
import type { Site } from "./kinds.ts";
import type { Mistake, Place } from "./mistakes.ts";

/**
 * What the sources have said so far: file, then environment, then flags, the
 * later over the earlier. Each value is legal by itself and knows where it was
 * written; whether they fit each other is asked when all have spoken.
 */
export class Draft {
  readonly mistakes: Mistake[] = [];
  readonly single: Readonly<Record<SingleSection, Settings>> = Object.fromEntries(
    singleSections.map((name) => [name, new Map()]),
  ) as Record<SingleSection, Settings>;
  /** `undefined` as long as no source names a listener. */
  listeners: (Table & { readonly sound: boolean })[] | undefined;
  /** By normalised pattern. */
  readonly domains = new Map<string, Table>();
  /** Paths (`bosh.polling`; `domains` for their names) with a mistake: not to be judged further. */
  readonly faulty = new Set<string>();

  /** Notes a mistake; `path` is what it leaves unknown. */
  fault(path: string, place: Place, message: string): undefined {
    this.faulty.add(path);
    this.mistakes.push({ ...place, message });
  }

  /** A contradiction between settings, unless one of the `paths` compared is faulty already. */
  contradiction(paths: readonly string[], place: Place, message: string): void {
    if (!paths.some((path) => this.faulty.has(path))) this.mistakes.push({ ...place, message });
  }

  /** Reads one value into `settings`; `path` is what a mistake leaves unknown. */
  read(settings: Settings, name: string, key: Key<unknown>, written: Written): void {
    const { value, path, place, readFile } = written;
    const report: Site["report"] = (message, ...within) =>
      this.fault(path, place(...within), message);
    const files: string[] = [];
    const read = key.kind.read(value, {
      report,
      readFile(path) {
        files.push(path);
        return readFile(path);
      },
    });
    if (read !== undefined) settings.set(name, { value: read, place: place(), files });
  }
}

/** A value as some source has it. */
export interface Written {
  readonly value: unknown;
  /** What a mistake leaves unknown, for {@link Draft.faulty}. */
  readonly path: string;
  /** Where it is written, or the element or key of it that `within` leads to. */
  readonly place: (...within: readonly (number | string)[]) => Place;
  readonly readFile: Site["readFile"];
}

/** The settings of one table by key. */
export type Settings = Map<string, Setting>;

interface Setting {
  readonly value: unknown;
  readonly place: Place;
  /** Paths, as they are written, of the files that the value was read from. */
  readonly files: readonly string[];
}

/** A table that may be there several times. */
export interface Table {
  readonly settings: Settings;
  readonly place: Place;
}

/** The settings of a table, and the defaults of what it leaves out. */
export function values<S extends Section>(section: S, settings: Settings): Values<S> {
  const entries = Object.entries(section).map(([name, key]) => {
    const setting = settings.get(name);
    return [name, setting === undefined ? key.default : setting.value];
  });
  // Each value came out of its own key's kind.
  return Object.fromEntries(entries) as Values<S>;
}

/** `bosh.max_wait` for `bosh` and `max_wait`; keys of `top` have no prefix. */
export function keyPath(section: keyof typeof sections, name: string): string {
  return section === "top" ? name : `${section}.${name}`;
}
