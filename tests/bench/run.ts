/** What `deno task bench` does, from its arguments to its tables. */
import { parseArgs } from "node:util";
import { isPinned } from "./processes.ts";
import { canMeasure, type Figures, type Scenario, SCENARIOS } from "./scenarios.ts";
import { capacity } from "./capacity.ts";
import { table } from "./table.ts";

const USAGE = `Usage: deno task bench [options] [name ...]

Names: ${SCENARIOS.map(({ name }) => name).join(" ")}
A part of one, as bosh or idle, is all that have it. Without a name everything is measured.

  --rounds N     rounds, of which the median counts (default: 5; memory: 3 at the most)
  --secs N       seconds of measuring for each party and round (default: 1.5)
  --warm-up N    seconds of load before the first round, at the most (default: 5)
  --scale N      times as many sessions as the table says (default: 1)
  --json FILE    keep all figures there, and print those of earlier runs too
`;

/** Measures what the arguments name; resolves with the exit status. */
export async function run(args: readonly string[]): Promise<number> {
  let asked: Asked | undefined;
  try {
    asked = readArguments(args);
  } catch (error) {
    say(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (asked === undefined) {
    say(USAGE);
    return 0;
  }
  if (!isPinned) say("Nobody has a core to himself (taskset is missing, or a second core).\n");
  const figures: Record<string, Figures[string]> = await readFigures(asked.json);
  const failed: string[] = [];
  for (const scenario of asked.scenarios) {
    if (!canMeasure(scenario)) {
      say(`${scenario.name}: skipped, ${scenario.needs?.join(" and ")} is not installed\n`);
      continue;
    }
    const began = performance.now();
    say(`${scenario.name} … `);
    try {
      const rounds = Math.min(asked.rounds, scenario.mostRounds ?? Infinity);
      Object.assign(figures, await scenario.measure({ ...asked, rounds }));
      say(`${Math.round((performance.now() - began) / 1_000)} s\n`);
    } catch (error) {
      failed.push(scenario.name);
      say(`failed: ${(error as Error).message}\n`);
    }
    if (asked.json !== undefined) {
      await Deno.writeTextFile(asked.json, JSON.stringify(figures, null, 1));
    }
  }
  const { text, missed } = table(figures);
  say(`\n${text}\n`);
  const carried = capacity(figures);
  if (carried !== "") say(`${carried}\n`);
  for (const what of missed) say(`Not met: ${what}\n`);
  for (const name of failed) say(`Not measured: ${name}\n`);
  return failed.length === 0 ? 0 : 1;
}

interface Asked {
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUp: number;
  readonly scale: number;
  readonly json: string | undefined;
}

/** `undefined`: help is wanted. Throws a sentence. */
function readArguments(args: readonly string[]): Asked | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      "rounds": { type: "string", default: "5" },
      "secs": { type: "string", default: "1.5" },
      "warm-up": { type: "string", default: "5" },
      "scale": { type: "string", default: "1" },
      "json": { type: "string" },
      "help": { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const numberOf = (name: "rounds" | "secs" | "warm-up" | "scale") => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new Error(`--${name} must be a number above 0`);
    return value;
  };
  const unknown = positionals.find((part) => !SCENARIOS.some(({ name }) => isPart(name, part)));
  if (unknown !== undefined) throw new Error(`There is no ${unknown}`);
  return {
    scenarios: SCENARIOS.filter(({ name }) =>
      positionals.length === 0 || positionals.some((part) => isPart(name, part))
    ),
    rounds: Math.ceil(numberOf("rounds")),
    seconds: numberOf("secs"),
    warmUp: numberOf("warm-up"),
    scale: numberOf("scale"),
    json: values.json,
  };
}

function isPart(name: string, part: string): boolean {
  return name === part || name.split("-").includes(part);
}

async function readFigures(file: string | undefined): Promise<Record<string, Figures[string]>> {
  if (file === undefined) return {};
  try {
    return JSON.parse(await Deno.readTextFile(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
