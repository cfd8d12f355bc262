/**
 * What the program is, in one place for all that packs it: the arguments of `deno compile`, and the tree of
 * files that the Debian package and the container have.
 */
import { statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };

/** The root of the project, with a slash. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * V8's memory for young objects would grow to 48 MB, and more of it saves no CPU here; nor does it to
 * look for garbage only when the heap has grown to twice its size. Without the middle one of V8's three
 * compilers an idle session has 4 KiB less to carry (of 3,000), and a BOSH round trip 6 % less to do.
 */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=2,--heap-growing-percent=20,--no-maglev";

/**
 * The arguments of `deno compile` that make the executable `output`, for the machine named by `target` or this one.
 * Types are `deno task check`'s business, once.
 */
export function compileArguments(output: string, target?: string): string[] {
  return [
    ...[
      "compile",
      "--no-check",
      "-P",
      V8_FLAGS,
      ...target === undefined ? [] : ["--target", target],
    ],
    ...lazyModules().flatMap((module) => ["--include", module]),
    ...["--exclude-unused-npm", "--output", output, "main.ts"],
  ];
}

/** `deno.json`'s permissions as flags; asked for by name, they are no experimental feature that is warned of. */
export function permissionFlags(): string[] {
  const permissions: Record<string, boolean | readonly string[]> = manifest.permissions.default;
  return Object.entries(permissions).map(([name, granted]) => {
    if (granted === true) return `--allow-${name}`;
    if (!Array.isArray(granted)) throw new Error(`permission ${name} is neither true nor a list`);
    return `--allow-${name}=${granted}`;
  });
}

/**
 * Modules that the program loads when it uses them and Deno does not find by itself: those that a file names in a
 * string, for an `import(…)` of something other than a string (see main.ts). Paths below the root.
 */
export function lazyModules(): string[] {
  const found = new Set<string>();
  for (const file of sourceFiles()) {
    const text = Deno.readTextFileSync(join(ROOT, file)).replaceAll(/\bimport\("[^"]*"\)/g, "");
    if (!/\bimport\([^)]/.test(text)) continue;
    const own = [...text.matchAll(/(?<!\bfrom )"(\.{1,2}\/[^"\s]+\.[jt]s)"/g)]
      .map(([, specifier]) => join(dirname(file), specifier!)).filter((path) =>
        isThere(join(ROOT, path))
      );
    if (own.length === 0) throw new Error(`${file} imports a module that nobody can find`);
    for (const module of own) found.add(module);
  }
  return [...found].sort();
}

/** `main.ts` and all that lies in `src/`, TypeScript only; paths below the root. */
export function sourceFiles(): string[] {
  const files = ["main.ts"];
  const walk = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, folder))) {
      const path = `${folder}/${name}`;
      if (isDirectory) walk(path);
      else if (name.endsWith(".ts")) files.push(path);
    }
  };
  walk("src");
  return files.sort();
}

/** What `main.ts` and the lazy modules need. */
export interface Parts {
  /** Files of ours; paths below the root. */
  readonly files: readonly string[];
  /** Packages of npm, with all that they need. */
  readonly packages: readonly Package[];
  /** Those of them that our files import. */
  readonly imports: ReadonlySet<string>;
}

/** A package of npm, as `deno info --json` tells of it. */
interface Package {
  readonly name: string;
  readonly version: string;
  /** The keys of those that it needs. */
  readonly dependencies: readonly string[];
  /** Where Deno keeps its files. */
  readonly localPath: string;
}

/** What `deno info --json` tells of a module and all that it imports. */
interface Graph {
  readonly modules: readonly Module[];
  /** All that `deno.json` names, used or not. */
  readonly npmPackages: Readonly<Record<string, Package>>;
}

interface Module {
  readonly specifier: string;
  readonly error?: string;
  /** Without `code`: for its types only. */
  readonly dependencies?: readonly { readonly code?: { readonly specifier?: string } }[];
}

/** Follows the imports, but those of types. Rejects when a module is not there. */
export async function readParts(): Promise<Parts> {
  const roots = ["main.ts", ...lazyModules()];
  const graphs: Graph[] = [];
  for (const root of roots) {
    graphs.push(JSON.parse(await output(Deno.execPath(), ["info", "--json", root])));
  }
  const modules = new Map(graphs.flatMap(({ modules }) => modules).map((it) => [it.specifier, it]));
  const { npmPackages } = graphs[0]!;
  const packages = new Set<Package>();
  const add = (key: string) => {
    // Behind the version may stand what other packages the package was put together with.
    const found = npmPackages[key] ??
      Object.entries(npmPackages).find(([known]) => known.startsWith(`${key}_`))?.[1];
    if (found === undefined) throw new Error(`nothing is known of the package ${key}`);
    if (packages.has(found)) return;
    packages.add(found);
    found.dependencies.forEach(add);
  };
  const imports = new Set<string>();
  const reached = new Set(roots.map((root) => `file://${ROOT}${root}`));
  for (const specifier of reached) {
    const match = /^npm:\/?((@[^/]+\/)?[^/@]+)@[^/]+/.exec(specifier);
    if (match !== null) {
      imports.add(match[1]!);
      add(match[0].replace(/^npm:\/?/, ""));
      continue;
    }
    const { error, dependencies = [] } = modules.get(specifier) ?? {};
    if (error !== undefined) throw new Error(error);
    for (const { code } of dependencies) {
      if (code?.specifier !== undefined) reached.add(code.specifier);
    }
  }
  const files = [...reached].filter((specifier) => specifier.startsWith("file:"))
    .map((specifier) => relative(ROOT, fileURLToPath(specifier)));
  return { files: files.sort(), packages: [...packages], imports };
}

/** Where the program lies when it is installed, below the root of the system. */
export const HOME = "usr/lib/causeway";

/** The arguments with which `deno` runs the program that lies in the folder `home`. */
export function runArguments(home: string, main = "main.ts"): string[] {
  return [
    ...["run", ...permissionFlags(), V8_FLAGS],
    // It has all that it needs, and looks for nothing elsewhere.
    ...["--cached-only", "--no-lock", `--config=${home}/program/deno.json`],
    `${home}/program/${main}`,
  ];
}

/** What has to be in the environment then. */
export function runEnvironment(home: string): Readonly<Record<string, string>> {
  return { DENO_DIR: `${home}/cache`, DENO_NO_UPDATE_CHECK: "1" };
}

/**
 * Lays the program out below the folder `root`, as it is to lie below `/`: in `usr/lib/causeway` the `deno` that is
 * running this, `program` with our files and packages of npm, and `cache`, Deno's folder. `program/all.ts` is
 * to be run once when the tree is in its place: Deno writes down then what it finds out about each file, and each start takes
 * 100 ms and 15 MB less.
 */
export async function layOut(root: string): Promise<void> {
  const home = join(root, HOME);
  const { files, packages, imports } = await readParts();
  for (const file of files) {
    const copy = join(home, "program", file);
    await Deno.mkdir(dirname(copy), { recursive: true });
    if (file !== "deno.json") await Deno.copyFile(join(ROOT, file), copy);
  }
  const all = files.filter((file) => file.endsWith(".ts")).map((file) => `import "./${file}";\n`);
  await Deno.writeTextFile(join(home, "program/all.ts"), all.join(""));
  // Packages lie where Node looks for them: from there Deno takes what is there, and asks nobody what else there could be.
  await Deno.writeTextFile(
    join(home, "program/deno.json"),
    JSON.stringify({
      version: manifest.version,
      nodeModulesDir: "manual",
      unstable: manifest.unstable,
    }),
  );
  const used = packages.filter(({ name }) => imports.has(name));
  await Deno.writeTextFile(
    join(home, "program/package.json"),
    JSON.stringify({
      type: "module",
      dependencies: Object.fromEntries(used.map(({ name, version }) => [name, version])),
    }),
  );
  for (const { name, localPath } of packages) {
    const copy = join(home, "program/node_modules", name);
    if (isThere(copy)) throw new Error(`there are two versions of ${name}`);
    await copyTree(localPath, copy);
  }
  await Deno.mkdir(join(home, "cache"));
  await Deno.copyFile(Deno.execPath(), join(home, "deno"));
  await Deno.chmod(join(home, "deno"), 0o755);
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (name.startsWith(".")) continue; // what editors and linters want to know
    if (isDirectory) await copyTree(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** A program that we started has failed. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  /** What it wrote to its standard error. */
  readonly said: string;

  constructor(program: string, args: readonly string[], said: string) {
    super(`${program} ${args.join(" ")}: ${said}`);
    this.said = said;
  }
}

/** What a program writes, to both its outputs. Rejects with {@link ProgramError} when it fails. */
async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const command = new Deno.Command(program, {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  });
  const result = await command.output();
  const [stdout, stderr] = [result.stdout, result.stderr].map((bytes) =>
    new TextDecoder().decode(bytes)
  ) as [string, string];
  if (result.code !== 0) throw new ProgramError(program, args, stderr);
  return { stdout, stderr };
}

/** What a program writes to its standard output. Rejects with {@link ProgramError} when it fails. */
export async function output(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return (await run(program, args, env)).stdout;
}

/** What a program writes to its standard error; `deno compile` tells there what it embeds. */
export async function remarks(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return (await run(program, args, env)).stderr;
}
