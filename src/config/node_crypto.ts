/**
 * `node:crypto`, loaded by whoever asks first: 4 MiB of memory and 30 ms of CPU come with it. Where no
 * certificate is configured, nobody asks before the first key sequence, or WebSocket over sockets.
 */
export function nodeCrypto(): NodeCrypto {
  return loaded ??= globalThis.process.getBuiltinModule("node:crypto");
}

type NodeCrypto = typeof import("node:crypto");

/** To ask the platform takes two microseconds each time. */
let loaded: NodeCrypto | undefined;
