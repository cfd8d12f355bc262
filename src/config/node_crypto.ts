/**
 * `node:crypto`, loaded by whoever asks first: 4 MiB of memory and 30 ms of CPU come with it. Where no
 * certificate is configured, nobody asks before the first session.
 */
export function nodeCrypto(): typeof import("node:crypto") {
  return globalThis.process.getBuiltinModule("node:crypto");
}
