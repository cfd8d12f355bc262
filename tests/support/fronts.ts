import { AsyncLocalStorage } from "node:async_hooks";
import type { ListenConfig } from "../../src/config/config.ts";

/** The front that a test runs on. */
export type Front = ListenConfig["server"];

const current = new AsyncLocalStorage<Front>();

/** The front of the test that is running: what a connection manager is started with. */
export function currentFront(): Front {
  return current.getStore() ?? "deno";
}

/** One test on each of the two fronts; `needs` is what `haveProgram` says. */
export function onBothFronts(
  name: string,
  work: (t: Deno.TestContext) => Promise<void> | void,
  needs?: { readonly ignore: boolean },
): void {
  for (const front of ["deno", "sockets"] as const) onFront(front, name, work, needs);
}

/** A test of what only this front can. */
export function onFront(
  front: Front,
  name: string,
  work: (t: Deno.TestContext) => Promise<void> | void,
  needs?: { readonly ignore: boolean },
): void {
  Deno.test({ name: `${name} (${front})`, ...needs, fn: (t) => current.run(front, () => work(t)) });
}
