import assert from "node:assert/strict";
import { doctorCommand } from "../../src/commands/doctor.ts";
import type { Check } from "../../src/commands/doctor/report.ts";
import { realWorld, type World } from "../../src/commands/doctor/world.ts";
import { authority } from "./certificates/certificates.ts";

/** What the doctor said. */
export interface Diagnosis {
  readonly status: number;
  readonly checks: readonly Check[];
  /** What it says of one step; there has to be exactly one such line. */
  of(step: string): Check;
  /** All lines that are bad. */
  readonly bad: readonly Check[];
}

/**
 * The world of the tests: names lead to the loopback, and nowhere else; `webPort` is where everything of
 * the web is that is asked for at its usual port.
 */
export function testWorld(webPort?: number): World {
  return {
    ...realWorld(),
    mayDial: (address) => address.startsWith("127."),
    web: (_hostname, port) => ({ hostname: "127.0.0.1", port: port === 443 ? webPort ?? 1 : port }),
    webCa: authority(),
  };
}

/** Asks the doctor with this configuration, in JSON. */
export async function diagnosed(
  toml: string,
  { domain = "example.test", url, quick = false, world = testWorld() }: {
    readonly domain?: string;
    readonly url?: string;
    readonly quick?: boolean;
    readonly world?: World;
  } = {},
): Promise<Diagnosis> {
  const file = "test.toml";
  const readFile = (path: string) => path === file ? toml : Deno.readTextFileSync(path);
  const lines: string[] = [];
  const status = await doctorCommand(
    { domain, url, json: true, quick },
    { file, readFile },
    { stdout: (line) => void lines.push(line), stderr: (line) => assert.fail(line) },
    world,
  );
  const checks = lines.map((line) => JSON.parse(line) as Check);
  return {
    status,
    checks,
    bad: checks.filter(({ result }) => result === "bad"),
    of(step) {
      const found = checks.filter((check) => check.step === step);
      assert.equal(found.length, 1, `${step} in ${lines.join("\n")}`);
      return found[0]!;
    },
  };
}
