/** A unit file's sections, by their names. */
export class UnitFile {
  readonly text: string;
  readonly #values = new Map<string, string[]>();

  constructor(name: string) {
    this.text = Deno.readTextFileSync(new URL(`../../deploy/${name}`, import.meta.url));
    for (const line of this.text.split("\n")) {
      const match = /^([A-Za-z]+)=(.*)$/.exec(line);
      if (match === null) continue;
      const [, key = "", value = ""] = match;
      this.#values.set(key, [...this.#values.get(key) ?? [], value]);
    }
  }

  /** Every key, in its order. */
  get keys(): string[] {
    return [...this.#values.keys()];
  }

  /** All values of a key. */
  all(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  /** The one value of a key; throws when it has none, or several. */
  the(key: string): string {
    const [value, ...more] = this.all(key);
    if (value === undefined || more.length > 0) throw new Error(`Not one value of ${key}`);
    return value;
  }
}
