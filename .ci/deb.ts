/**
 * `deno task deb`: makes dist/causeway_VERSION_ARCHITECTURE.deb, for the architecture of the Deno that runs this.
 *
 * The package has the program's own files and that very Deno in /usr/lib/causeway, and /usr/bin/causeway, which starts the one
 * with the other: so it is made everywhere without a download, and what is tested is what is installed. It needs
 * `dpkg-deb` of Debian's package dpkg; the parts that are no program's are in deploy/debian/.
 *
 * `--fast` leaves it uncompressed, for a test.
 */
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { commandManual, configurationManual } from "./manual.ts";
import { HOME, layOut, output, readParts, ROOT, runArguments } from "./program.ts";
import { version } from "../src/version.ts";

/** Who makes the package says who he is as Debian's tools want it. */
const MAINTAINER = `${Deno.env.get("DEBFULLNAME") ?? "The Causeway authors"} <${
  Deno.env.get("DEBEMAIL") ?? "causeway@localhost"
}>`;
const ARCHITECTURES = { x86_64: "amd64", aarch64: "arm64" } as const;
const architecture = ARCHITECTURES[Deno.build.arch as keyof typeof ARCHITECTURES];

if (import.meta.main) {
  const file = await makePackage(join(ROOT, "dist"), Deno.args.includes("--fast") ? "none" : "xz");
  // deno-lint-ignore no-console
  console.log(`deb: ${file} made`);
}

/** Makes the package in the folder, and returns its path. */
export async function makePackage(folder: string, compression: "none" | "xz"): Promise<string> {
  if (Deno.build.os !== "linux") {
    throw new Error("the package has this machine's Deno, so it needs Linux");
  }
  await Deno.mkdir(folder, { recursive: true });
  const root = await Deno.makeTempDir({ prefix: "causeway-deb-" });
  try {
    await Deno.chmod(root, 0o755);
    await layOut(root);
    await lay(root);
    const file = join(folder, `causeway_${version}_${architecture}.deb`);
    // Modification times are the same for the same commit.
    const epoch = await output("git", ["log", "-1", "--format=%ct"]).catch(() => "0");
    await output("dpkg-deb", ["--root-owner-group", `-Z${compression}`, "--build", root, file], {
      SOURCE_DATE_EPOCH: epoch.trim(),
    });
    return file;
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** All but the program. */
async function lay(root: string): Promise<void> {
  const write = async (path: string, content: string | Uint8Array, mode = 0o644) => {
    await Deno.mkdir(dirname(join(root, path)), { recursive: true });
    if (typeof content === "string") await Deno.writeTextFile(join(root, path), content);
    else await Deno.writeFile(join(root, path), content);
    await Deno.chmod(join(root, path), mode);
  };
  const from = (path: string) => Deno.readTextFile(join(ROOT, path));

  await write("usr/bin/causeway", launcher("/bin/causeway", "main.ts"), 0o755);
  await write(`${HOME}/prepare`, launcher("/lib/causeway/prepare", "all.ts"), 0o755);
  await write("etc/causeway/causeway.toml", await from("config.example.toml"));
  await write(
    "usr/lib/systemd/system/causeway.service",
    unit(await from("deploy/causeway.service")),
  );
  // For whoever enables it; docs/systemd.md says when.
  await write("usr/lib/systemd/system/causeway.socket", await from("deploy/causeway.socket"));
  await write("usr/share/man/man1/causeway.1.gz", gzip(commandManual()));
  await write("usr/share/man/man5/causeway.toml.5.gz", gzip(configurationManual()));
  const { packages } = await readParts();
  await write(
    "usr/share/doc/causeway/copyright",
    await copyright(await from("deploy/debian/copyright"), packages),
  );
  for (const { name } of Deno.readDirSync(join(ROOT, "docs"))) {
    if (name.endsWith(".md")) {
      await write(`usr/share/doc/causeway/${name}`, await from(`docs/${name}`));
    }
  }
  await write("usr/share/doc/causeway/changelog.gz", gzip(await changelog()));
  await write("usr/share/doc/causeway/NEWS.md.gz", gzip(await from("CHANGELOG.md")));

  await write(
    "usr/share/lintian/overrides/causeway",
    await from("deploy/debian/lintian-overrides"),
  );
  await write("DEBIAN/conffiles", "/etc/causeway/causeway.toml\n");
  const control = (await from("deploy/debian/control")).replaceAll(/^#.*\n/gm, "");
  const values = {
    VERSION: version,
    ARCHITECTURE: architecture,
    MAINTAINER,
    INSTALLED_SIZE: String(Math.ceil(await size(root) / 1024)),
  };
  await write("DEBIAN/control", filled(control, values));
  for (const script of ["postinst", "prerm", "postrm"]) {
    await write(`DEBIAN/${script}`, await from(`deploy/debian/${script}`), 0o755);
  }
}

/** A script below /usr that runs a file of the program. It finds the rest beside itself, also where the package was only unpacked. */
function launcher(path: string, main: string): string {
  return `#!/bin/sh
# Causeway, on the Deno that came with it, which looks for nothing elsewhere.
home=$(readlink -f "$0")
home=\${home%${path}}/lib/causeway
DENO_DIR=$home/cache DENO_NO_UPDATE_CHECK=1 exec "$home/deno" \\
  ${runArguments('"$home"', main).join(" \\\n  ")} "$@"
`;
}

/** The unit, with the executable where the package has it. */
function unit(text: string): string {
  const [local, packaged] = ["/usr/local/bin/causeway", "/usr/bin/causeway"];
  if (!text.includes(`ExecStart=${local} `)) throw new Error(`the unit does not start ${local}`);
  // The remark at its top is for those who copy it by hand.
  return text.replace(/^(#.*\n)+/, "# systemd unit of the Debian package.\n").replaceAll(
    local,
    packaged,
  );
}

async function copyright(
  text: string,
  packages: Awaited<ReturnType<typeof readParts>>["packages"],
): Promise<string> {
  const stanzas = await Promise.all(packages.map(async ({ name, localPath }) => {
    const manifest = JSON.parse(await Deno.readTextFile(join(localPath, "package.json")));
    const { license = "unknown", author = name } = manifest;
    const who = typeof author === "string" ? author : author.name;
    return `Files: ${HOME}/program/node_modules/${name}/*\n` +
      `Copyright: ${who}\nLicense: ${license}\n The licence is among these files, or named in package.json there.\n`;
  }));
  const [head, mit] = text.split(/(?=^License: Expat\n )/m) as [string, string];
  return `${head}${stanzas.join("\n")}\n${mit}`;
}

/** In the form that Debian has for them. */
async function changelog(): Promise<string> {
  const date = await output("git", ["log", "-1", "--format=%aD"]).catch(() =>
    new Date(0).toUTCString()
  );
  return `causeway (${version}) unstable; urgency=medium\n\n  * What is new is in NEWS.md.gz beside this file.\n\n` +
    ` -- ${MAINTAINER}  ${date.trim()}\n`;
}

function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/@([A-Z_]+)@/g, (_, name) => values[name] ?? "");
}

async function size(folder: string): Promise<number> {
  let bytes = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    bytes += isDirectory ? await size(path) : (await Deno.stat(path)).size;
  }
  return bytes;
}

/** As by `gzip -9n`: nothing of the time or the machine is in it. */
function gzip(text: string): Uint8Array {
  return new Uint8Array(gzipSync(text, { level: 9 }));
}
