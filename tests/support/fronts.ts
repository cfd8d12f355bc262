import { AsyncLocalStorage } from "node:async_hooks";
import type { ListenConfig } from "../../src/config/config.ts";

/** The front that a test runs on. */
export type Front = ListenConfig["server"];

/** A test with options, as `Deno.test` has them. */
type Test = Omit<Deno.TestDefinition, "only">;
type Work = Test["fn"];
/** What `haveProgram` says. */
type Needs = { readonly ignore: boolean };

const current = new AsyncLocalStorage<Front>();

/** The front of the test that is running: what a connection manager is started with. */
export function currentFront(): Front {
  return current.getStore() ?? "deno";
}

/** One test on each of the two fronts. */
export function onBothFronts(test: Test): void;
export function onBothFronts(name: string, work: Work, needs?: Needs): void;
export function onBothFronts(test: string | Test, work?: Work, needs?: Needs): void {
  for (const front of ["deno", "sockets"] as const) define(front, test, work, needs);
}

/** A test of what only this front can. */
export function onFront(front: Front, name: string, work: Work, needs?: Needs): void {
  define(front, name, work, needs);
}

function define(front: Front, test: string | Test, work?: Work, needs?: Needs): void {
  const { name, fn, ...options } = typeof test === "string"
    ? { name: test, fn: work!, ...needs }
    : test;
  Deno.test({
    ...options,
    name: `${name} (${front})`,
    fn: (t) => current.run(front, () => fn(t)),
  });
}
