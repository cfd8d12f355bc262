import { parse } from "smol-toml";

/**
 * Finds the lines of keys in a TOML document that has been parsed without
 * error. The parser gives positions for syntax errors only; this walks the
 * same text once and looks at nothing but where keys and elements begin.
 *
 * Paths are written as {@link joinPath} does, with `[0]` for elements of arrays
 * and of arrays of tables.
 */
export function locate(document: string): (path: string) => number | undefined {
  const offsets = new Locator(document).offsets;
  return (path) => {
    const offset = offsets.get(path);
    return offset === undefined ? undefined : document.slice(0, offset).split("\n").length;
  };
}

/** `joinPath("domains", "example.org")` is `domains."example.org"`. */
export function joinPath(path: string, key: string): string {
  const written = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
  return path === "" ? written : `${path}.${written}`;
}

class Locator {
  readonly offsets = new Map<string, number>();
  readonly #text: string;
  #at = 0;
  /** Tables seen so far in each array of tables. */
  readonly #tables = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
    let table = "";
    for (this.#filler(); this.#at < text.length; this.#filler()) {
      if (text[this.#at] === "[") table = this.#header();
      else this.#pair(table);
    }
  }

  /** `[a.b]` or `[[a.b]]`; returns the path of the table that it opens. */
  #header(): string {
    const start = this.#at;
    const array = this.#text.startsWith("[[", start);
    this.#at += array ? 2 : 1;
    const keys = this.#keys();
    let path = "";
    for (const [index, key] of keys.entries()) {
      path = joinPath(path, key);
      this.#record(path, start);
      const tables = this.#tables.get(path) ?? 0;
      if (array && index === keys.length - 1) {
        this.#tables.set(path, tables + 1);
        path += `[${tables}]`;
        this.#record(path, start);
      } else if (tables > 0) {
        path += `[${tables - 1}]`;
      }
    }
    this.#skip(array ? /\s*\]\]/y : /\s*\]/y);
    return path;
  }

  /** `a.b = value` inside the table at `path`. */
  #pair(path: string): void {
    const start = this.#at;
    for (const key of this.#keys()) {
      path = joinPath(path, key);
      this.#record(path, start);
    }
    this.#skip(/[ \t]*=[ \t]*/y);
    this.#value(path);
  }

  #value(path: string): void {
    if (this.#text[this.#at] === "[") return this.#array(path);
    if (this.#text[this.#at] === "{") return this.#inlineTable(path);
    // The long quotes come first; up to two quotes may stand just before the closing three.
    this.#skip(
      /"""(?:[^\\]|\\[^])*?"{3,5}(?!")|'''[^]*?'{3,5}(?!')|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^,\]}#\n]+/y,
    );
  }

  #array(path: string): void {
    this.#at++;
    for (let index = 0; this.#more("]"); index++) {
      this.#record(`${path}[${index}]`, this.#at);
      this.#value(`${path}[${index}]`);
    }
  }

  #inlineTable(path: string): void {
    this.#at++;
    while (this.#more("}")) this.#pair(path);
  }

  /** Moves to the next item of a bracketed list; `false` when it is past the closing bracket. */
  #more(closing: string): boolean {
    this.#filler();
    if (this.#text[this.#at] === ",") {
      this.#at++;
      this.#filler();
    }
    if (this.#at >= this.#text.length) return false;
    if (this.#text[this.#at] !== closing) return true;
    this.#at++;
    return false;
  }

  /** The parts of a dotted key, unquoted. */
  #keys(): string[] {
    const keys: string[] = [];
    for (;;) {
      const written = this.#skip(/[ \t]*(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*/y);
      // The parser knows the escapes best.
      keys.push(...Object.keys(parse(`${written} = 0`)));
      if (this.#text[this.#at] !== ".") return keys;
      this.#at++;
    }
  }

  /** White space, line ends and comments. */
  #filler(): void {
    this.#skip(/(?:\s+|#[^\n]*)*/y);
  }

  #record(path: string, offset: number): void {
    if (!this.offsets.has(path)) this.offsets.set(path, offset);
  }

  /** Moves behind what `pattern` (sticky) matches here, and returns it. */
  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text)?.[0];
    if (match === undefined) throw new Error(`Cannot locate keys: offset ${this.#at} is not TOML`);
    this.#at += match.length;
    return match;
  }
}
