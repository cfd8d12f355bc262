/** A path that is absolute, or relative to the folder of `file`. */
export function beside(file: string, path: string): string {
  const { dirname, isAbsolute, join } = globalThis.process.getBuiltinModule("node:path");
  return isAbsolute(path) ? path : join(dirname(file), path);
}

/** The path from the root, whatever folder the process is in later. */
export function absolute(path: string): string {
  return globalThis.process.getBuiltinModule("node:path").resolve(path);
}
