/** What this process has of memory, and how much it may have before the system ends it. */
import type { MemoryUse } from "./memory_guard.ts";

/**
 * With less than this (bytes) a process is far from every limit that it could serve under; and to ask what the
 * limits are loads parts of the platform that take 8 MiB themselves.
 */
const LITTLE = 64 * 2 ** 20;

export function memoryUse(): MemoryUse {
  const { rss, heapUsed } = Deno.memoryUsage();
  return { resident: rss, heap: heapUsed, heapLimit: heapUsed < LITTLE ? Infinity : heapLimit() };
}

function heapLimit(): number {
  return globalThis.process.getBuiltinModule("node:v8").getHeapStatistics().heap_size_limit;
}

/** What of a control group's limit the process may have itself: the system's buffers for its sockets count too, and so does what ending all sessions takes. */
const SHARE = 0.7;

/**
 * What of its control group's limit a process may have that has so much by now (bytes); more than there is
 * of anything where there is none. Infinity where the process may not ask: an embedder's may lack the permission
 * `--allow-sys=systemMemoryInfo`.
 */
export function controlGroupCeiling(
  read = () => globalThis.process.constrainedMemory(),
): (resident: number) => number {
  let ceiling: number | undefined;
  return (resident) => resident < LITTLE ? Infinity : ceiling ??= ceilingOf(read);
}

function ceilingOf(read: () => number): number {
  try {
    const limit = read();
    // Systems without control groups have no number for it, or 0.
    return limit > 0 ? limit * SHARE : Infinity;
  } catch {
    return Infinity;
  }
}
