/**
 * `node:crypto`, loaded by whoever asks first. With it come 4 MiB of memory and a third of the time that
 * starting takes, and where no certificate is configured and `Deno.serve` listens, nobody asks before the
 * first session.
 */
export function nodeCrypto(): typeof import("node:crypto") {
  return globalThis.process.getBuiltinModule("node:crypto");
}
