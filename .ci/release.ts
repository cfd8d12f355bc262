/**
 * `deno task release`: makes the executables of a release in dist/causeway-VERSION, a tar.gz for each machine and their SHA256SUMS.
 *
 * Deno downloads the base binary of each machine for it. Where that cannot be, or where the version has no section in
 * CHANGELOG.md, it says so, fails, and leaves nothing.
 */
import { join } from "node:path";
import { type Made, makeExecutable, startExecutable } from "./executable.ts";
import { output, ROOT } from "./program.ts";
import manifest from "../deno.json" with { type: "json" };
import { version } from "../src/version.ts";

/** The machines, as `deno compile --target` names them. */
export const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

/** What goes with each executable. */
const COMPANIONS = ["LICENSE", "README.md", "CHANGELOG.md", "config.example.toml"];

/** A release cannot be made; the message says why. */
export class ReleaseError extends Error {
  override readonly name = "ReleaseError";
}

/** How a release is made; tests have their own. */
export interface Making {
  readonly targets: readonly string[];
  /** Makes the executable `file` for `target`. */
  make(file: string, target: string): Promise<Made>;
  /** Starts the one that is for this machine. */
  start(file: string): Promise<string>;
}

if (import.meta.main) {
  try {
    checkVersion(version, manifest.version, await Deno.readTextFile(join(ROOT, "CHANGELOG.md")));
    await output(Deno.execPath(), ["check", "--quiet", "main.ts"]);
    const folder = join(ROOT, "dist", `causeway-${version}`);
    await release(folder, { targets: TARGETS, make: makeExecutable, start: startExecutable });
    say(`release: ${folder} made`);
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    say(`release: ${error.message}`);
    Deno.exit(1);
  }
}

/** Throws {@link ReleaseError} unless the program, the manifest and the changelog agree on the version. */
export function checkVersion(program: string, manifest: string, changelog: string): void {
  if (program !== manifest) {
    throw new ReleaseError(`the program says that it is ${program}, and deno.json ${manifest}`);
  }
  const heads = [...changelog.matchAll(/^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$/gm)];
  const head = heads.find(([, name]) => name === manifest);
  if (head === undefined) {
    throw new ReleaseError(`CHANGELOG.md has no section "## [${manifest}] - YYYY-MM-DD"`);
  }
  if (head[2] === undefined) {
    throw new ReleaseError(
      `CHANGELOG.md does not say of when ${manifest} is: "## [${manifest}] - YYYY-MM-DD"`,
    );
  }
}

/** Makes the folder. Rejects with {@link ReleaseError}, and then it is as it was. */
export async function release(folder: string, { targets, make, start }: Making): Promise<void> {
  const work = `${folder}.part`;
  await Deno.mkdir(work, { recursive: true });
  try {
    const sums: string[] = [];
    for (const target of targets) {
      const name = `causeway-${version}-${target}`;
      const inside = join(work, name);
      await Deno.mkdir(inside);
      const executable = join(inside, target.includes("windows") ? "causeway.exe" : "causeway");
      const made = await make(executable, target);
      if (made.as === "nothing") {
        throw new ReleaseError(
          `no base binary for ${target} can be had here; Deno says:\n${made.said}`,
        );
      }
      if (target === Deno.build.target) await start(executable);
      for (const file of COMPANIONS) await Deno.copyFile(join(ROOT, file), join(inside, file));
      const archive = `${name}.tar.gz`;
      const owner = ["--owner=0", "--group=0", "--numeric-owner", "--sort=name"];
      await output("tar", [...owner, "-C", work, "-czf", join(work, archive), name]);
      await Deno.remove(inside, { recursive: true });
      sums.push(`${await sha256(join(work, archive))}  ${archive}\n`);
    }
    await Deno.writeTextFile(join(work, "SHA256SUMS"), sums.join(""));
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    await Deno.rename(work, folder);
  } catch (error) {
    await Deno.remove(work, { recursive: true });
    throw error;
  }
}

async function sha256(file: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(file));
  return new Uint8Array(digest).toHex();
}

function say(line: string): void {
  // deno-lint-ignore no-console
  console.log(line);
}
