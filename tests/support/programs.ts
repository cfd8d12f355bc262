import { statSync } from "node:fs";

/**
 * Options of a test that needs programs: `Deno.test({ name, ...haveProgram("dnsmasq"), fn })`.
 * `gloox.pc` is a library to compile against, by pkg-config's name for it, and an absolute path is a
 * file that must be there. Without one of them the test is reported as ignored; where `CI` is `true` it runs and fails.
 */
export function haveProgram(...names: readonly string[]): { readonly ignore: boolean } {
  const missing = names.some((name) =>
    name.endsWith(".pc") ? !isLibrary(name.slice(0, -3)) : find(name) === undefined
  );
  return { ignore: missing && Deno.env.get("CI") !== "true" };
}

/** Where the program is. Throws when it is not installed. */
export function programPath(name: string): string {
  const path = find(name);
  if (path === undefined) throw new Error(`Cannot run ${name}: it is not installed`);
  return path;
}

function find(name: string): string | undefined {
  if (name.startsWith("/")) return isFile(name) ? name : undefined;
  // What a system's administrator runs is often not in the path of other users.
  const directories = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return directories.map((directory) => `${directory}/${name}`).find(isFile);
}

function isLibrary(name: string): boolean {
  const command = find("pkg-config");
  return command !== undefined &&
    new Deno.Command(command, { args: ["--exists", name] }).outputSync().success;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
