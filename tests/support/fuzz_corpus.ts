/**
 * A fuzzer's run: first the inputs of its corpus, then as many random ones as it wants.
 *
 * The corpus of a target is the folder `tests/fuzz/corpus/<target>/`: inputs that failed once, or
 * that matter. When a fuzzer fails, it writes the least input that it found there, for whoever runs
 * it to mend the fault and to commit both.
 *
 * FUZZ_RUNS says how many random inputs each fuzzer tries, SEED with which it begins. A failure
 * prints its seed.
 */
import fc from "fast-check";

export interface Fuzzer<T> {
  /** The corpus; several fuzzers may share one. */
  readonly target: string;
  readonly inputs: fc.Arbitrary<T>;
  /** Throws when the invariant does not hold. */
  readonly check: (input: T) => void;
  /** How many inputs there are where FUZZ_RUNS says nothing. */
  readonly runs?: number;
}

/** Inputs are what JSON can hold, and bytes. */
export function fuzz<T>(name: string, { target, inputs, check, runs = 1000 }: Fuzzer<T>): void {
  Deno.test(name, () => {
    for (const [file, input] of corpus<T>(target)) {
      try {
        check(input);
      } catch (cause) {
        throw new Error(`the kept input ${file}: ${cause}`, { cause });
      }
    }
    judge(target, fc.check(fc.property(inputs, check), parameters(runs)));
  });
}

/** The same where the check takes its time, inside of a test. */
export async function fuzzSlowly<T>(
  { target, inputs, check, runs = 1000 }: Omit<Fuzzer<T>, "check"> & {
    readonly check: (input: T) => Promise<void>;
  },
): Promise<void> {
  for (const [, input] of corpus<T>(target)) await check(input);
  judge(target, await fc.check(fc.asyncProperty(inputs, check), parameters(runs)));
}

function parameters(runs: number): { numRuns: number; seed?: number } {
  const seed = Deno.env.get("SEED");
  return {
    numRuns: Number(Deno.env.get("FUZZ_RUNS") ?? runs),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  };
}

function judge<T>(target: string, details: fc.RunDetails<[T]>): void {
  if (!details.failed) return;
  const [least] = details.counterexample ?? [];
  throw new Error(
    `SEED=${details.seed}, and the input is kept in ${keep(target, least)}\n` +
      fc.defaultReportMessage(details),
    { cause: details.errorInstance },
  );
}

const CORPUS = new URL("../fuzz/corpus/", import.meta.url);

/** What was kept, by its file. */
function corpus<T>(target: string): [file: string, input: T][] {
  const folder = new URL(`${target}/`, CORPUS);
  // A target has a corpus, so that a misspelt one does not pass for one that is empty.
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  return names.map((name) => {
    const text = Deno.readTextFileSync(new URL(name, folder));
    return [`${target}/${name}`, read(text) as T];
  });
}

/** Returns where it is kept now. */
function keep(target: string, input: unknown): string {
  const text = written(input);
  let hash = 0;
  for (const character of text) hash = (Math.imul(hash, 31) + character.codePointAt(0)!) >>> 0;
  const file = `${target}/found-${hash.toString(16).padStart(8, "0")}.json`;
  Deno.writeTextFileSync(new URL(file, CORPUS), text);
  return `tests/fuzz/corpus/${file}`;
}

/** Bytes are kept as a text with a character for each. */
function written(input: unknown): string {
  const legible = (_key: string, value: unknown) =>
    value instanceof Uint8Array
      ? { bytes: Array.from(value, (byte) => String.fromCharCode(byte)).join("") }
      : value;
  return `${JSON.stringify(input, legible, 2)}\n`;
}

function read(text: string): unknown {
  return JSON.parse(text, (_key, value) => {
    const bytes: unknown = value?.bytes;
    return typeof bytes === "string"
      ? Uint8Array.from(bytes, (character) => character.charCodeAt(0))
      : value;
  });
}
