/**
 * `deno task container`: builds the image `causeway:VERSION` of deploy/Containerfile, by whichever of podman, buildah and docker there
 * is, without a download.
 *
 * Its files are laid out in dist/container/: the program as in the Debian package, and from this machine the libraries that its
 * Deno is linked against; so it has to be a Linux with glibc. `--no-build` leaves it at that.
 */
import { dirname, join } from "node:path";
import { HOME, layOut, output, ROOT } from "./program.ts";
import { version } from "../src/version.ts";

/** Those that build images, and how: docker's format, for OCI's has no health checks. */
const BUILDERS = {
  podman: ["build", "--format=docker"],
  buildah: ["build", "--format=docker"],
  docker: ["build"],
} as const;

if (import.meta.main) {
  const folder = join(ROOT, "dist/container");
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await layOutImage(folder);
  if (!Deno.args.includes("--no-build")) await build(folder);
}

/** All files of the image, as they are to lie below `/`. */
export async function layOutImage(root: string): Promise<void> {
  if (Deno.build.os !== "linux") {
    throw new Error("the image has this machine's Deno and libraries, so it needs Linux");
  }
  await layOut(root);
  const libraries = await output("ldd", [join(root, HOME, "deno")]);
  for (const [, path] of libraries.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)) {
    await Deno.mkdir(dirname(root + path!), { recursive: true });
    await Deno.copyFile(path!, root + path!);
  }
  const files = {
    "etc/causeway/causeway.toml": await Deno.readTextFile(join(ROOT, "deploy/container.toml")),
    "etc/passwd":
      "root:x:0:0:root:/:/sbin/nologin\ncauseway:x:65532:65532:Causeway:/:/sbin/nologin\n",
    "etc/group": "root:x:0:\ncauseway:x:65532:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
    "usr/share/doc/causeway/LICENSE": await Deno.readTextFile(join(ROOT, "LICENSE")),
  };
  for (const [path, content] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(root, path)), { recursive: true });
    await Deno.writeTextFile(join(root, path), content);
  }
}

async function build(context: string): Promise<void> {
  const revision = await output("git", ["rev-parse", "HEAD"]).catch(() => "unknown");
  for (const [builder, how] of Object.entries(BUILDERS)) {
    const args = [
      ...[...how, "--tag", `causeway:${version}`, "--file", join(ROOT, "deploy/Containerfile")],
      ...[
        "--build-arg",
        `VERSION=${version}`,
        "--build-arg",
        `REVISION=${revision.trim()}`,
        context,
      ],
    ];
    const status = await start(builder, args);
    if (status === undefined) continue;
    if (status !== 0) Deno.exit(status);
    // deno-lint-ignore no-console
    console.log(`container: causeway:${version} built by ${builder}`);
    return;
  }
  throw new Error(
    `none of ${Object.keys(BUILDERS).join(", ")} is installed; the files are in ${context}`,
  );
}

/** Its exit status; `undefined`: there is no such program. */
async function start(program: string, args: readonly string[]): Promise<number | undefined> {
  try {
    return (await new Deno.Command(program, { args: [...args] }).spawn().status).code;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
