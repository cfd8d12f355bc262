/** A release: whole, or nothing and a reason. */
import assert from "node:assert/strict";
import { makeExecutable } from "../../.ci/executable.ts";
import { checkVersion, type Making, release, ReleaseError, TARGETS } from "../../.ci/release.ts";
import { version } from "../../src/version.ts";
import { haveProgram } from "../support/programs.ts";

/** It makes of a target's name what should be an executable, but where there is none. */
function making(missing?: string): Making {
  return {
    targets: TARGETS,
    async make(file, target) {
      if (target === missing) return { as: "nothing", said: "no such base" };
      await Deno.writeTextFile(file, target, { mode: 0o755 });
      return { as: "executable" };
    },
    start: () => Promise.resolve(""),
  };
}

Deno.test({
  name: "a release has an archive for each machine, and their sums",
  ...haveProgram("tar", "sha256sum"),
  async fn() {
    const place = await Deno.makeTempDir();
    try {
      const folder = `${place}/causeway`;
      await release(folder, making());
      const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
      const archives = TARGETS.map((target) => `causeway-${version}-${target}.tar.gz`).sort();
      assert.deepEqual(names, ["SHA256SUMS", ...archives]);
      assert.deepEqual([...Deno.readDirSync(place)].map(({ name }) => name), ["causeway"]);
      await run(folder, "sha256sum", "--check", "--strict", "SHA256SUMS");
      const sums = await Deno.readTextFile(`${folder}/SHA256SUMS`);
      assert.equal(sums.trim().split("\n").length, TARGETS.length);
      for (const archive of archives) {
        const name = archive.replace(".tar.gz", "");
        const executable = `${name}/causeway${name.includes("windows") ? ".exe" : ""}`;
        const target = name.replace(`causeway-${version}-`, "");
        assert.equal(await run(folder, "tar", "-xzOf", archive, executable), target);
        assert.match(await run(folder, "tar", "-tvzf", archive), / 0\/0 .*\/LICENSE$/m);
      }
      // Again, in the place of the first one.
      await release(folder, making());
      assert.deepEqual([...Deno.readDirSync(place)].map(({ name }) => name), ["causeway"]);
    } finally {
      await Deno.remove(place, { recursive: true });
    }
  },
});

Deno.test({
  name:
    "without the base binary of one machine nothing of a release is left, nor is an older one lost",
  ...haveProgram("tar"),
  async fn() {
    const place = await Deno.makeTempDir();
    try {
      await Deno.mkdir(`${place}/causeway`);
      await Deno.writeTextFile(`${place}/causeway/older`, "");
      await assert.rejects(
        release(`${place}/causeway`, making(TARGETS[3])),
        (error) =>
          error instanceof ReleaseError &&
          /aarch64-apple-darwin.*\nno such base$/.test(error.message),
      );
      assert.deepEqual([...Deno.readDirSync(place)].map(({ name }) => name), ["causeway"]);
      assert.deepEqual([...Deno.readDirSync(`${place}/causeway`)].map(({ name }) => name), [
        "older",
      ]);
    } finally {
      await Deno.remove(place, { recursive: true });
    }
  },
});

Deno.test("where the base binary cannot be downloaded Deno says so, and a program that is wrong is another matter", async () => {
  const place = await Deno.makeTempDir();
  try {
    // Deno has its folder, but for what it has downloaded of the kind, and nobody is at the proxy.
    const { denoDir }: { denoDir: string } = JSON.parse(
      await run(place, Deno.execPath(), "info", "--json"),
    );
    for (const { name } of Deno.readDirSync(denoDir)) {
      if (name !== "dl") await Deno.symlink(`${denoDir}/${name}`, `${place}/${name}`);
    }
    const nowhere = "http://127.0.0.1:9";
    const env = { DENO_DIR: place, HTTPS_PROXY: nowhere, HTTP_PROXY: nowhere, NO_PROXY: "" };
    const made = await makeExecutable(`${place}/causeway`, "x86_64-pc-windows-msvc", env);
    assert.equal(made.as, "nothing");
    assert.deepEqual([...Deno.readDirSync(place)].filter(({ name }) => /^causeway/.test(name)), []);
    await assert.rejects(makeExecutable(`${place}/causeway`, "no-such-machine", env), {
      name: "ProgramError",
    });
  } finally {
    await Deno.remove(place, { recursive: true });
  }
});

Deno.test("a release has a section of the changelog, with its date, and one version", () => {
  const changelog = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-27\n\n## [1.2.2]\n";
  checkVersion("1.2.3", "1.2.3", changelog);
  assert.throws(() => checkVersion("1.2.3", "1.2.4", changelog), /1\.2\.3, and deno\.json 1\.2\.4/);
  assert.throws(() => checkVersion("1.2.4", "1.2.4", changelog), /no section "## \[1\.2\.4\]/);
  assert.throws(() => checkVersion("1.2.2", "1.2.2", changelog), /of when 1\.2\.2 is/);
});

async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
