/** The Debian package: what is in it, and that the program runs from it alone. */
import assert from "node:assert/strict";
import { makePackage } from "../../.ci/deb.ts";
import { version } from "../../src/version.ts";
import { haveNamespaces } from "../support/namespaces.ts";
import { haveProgram, programPath } from "../support/programs.ts";

const needs = haveProgram("dpkg-deb", "ip", "man", "unshare");

Deno.test({
  name:
    "the Debian package has program, unit, configuration and manual, and serves without a network",
  ignore: needs.ignore || Deno.build.os !== "linux",
  async fn(t) {
    const folder = await Deno.makeTempDir();
    try {
      const file = await makePackage(folder, "none");
      const root = `${folder}/root`;
      await run("dpkg-deb", ["--extract", file, root]);

      await t.step("what it says of itself", async () => {
        const field = async (name: string) =>
          (await run("dpkg-deb", ["--field", file, name])).trim();
        assert.equal(await field("Package"), "causeway");
        assert.equal(await field("Version"), version);
        const architecture = await field("Architecture");
        assert.equal(file, `${folder}/causeway_${version}_${architecture}.deb`);
        assert.match(await field("Depends"), /\blibc6 \(>= /);
        assert.equal(
          await run("dpkg-deb", ["--info", file, "conffiles"]),
          "/etc/causeway/causeway.toml\n",
        );
        for (const script of ["postinst", "prerm", "postrm"]) {
          const text = await run("dpkg-deb", ["--info", file, script]);
          assert.doesNotMatch(text, /@[A-Z_]+@/);
          await Deno.writeTextFile(`${folder}/${script}`, text);
          await run("sh", ["-n", `${folder}/${script}`]);
        }
      });

      await t.step("all in it is root's, and only what is run is executable", async () => {
        const lines = (await run("dpkg-deb", ["--contents", file])).trim().split("\n");
        const files = lines.map((line) => line.split(/\s+/)).filter(([mode]) =>
          mode!.startsWith("-")
        );
        assert.deepEqual(files.filter(([, owner]) => owner !== "root/root"), []);
        const executable = files.filter(([mode]) => mode!.includes("x")).map((words) =>
          words.at(-1)
        );
        const inHome = ["deno", "prepare"].map((name) => `./usr/lib/causeway/${name}`);
        assert.deepEqual(executable, ["./usr/bin/causeway", ...inHome]);
        assert.ok(!files.some((words) => /playwright|fast-check/.test(words.at(-1)!)));
      });

      await t.step("unit, configuration and manual are those of the source", async () => {
        const read = (path: string) => Deno.readTextFile(path);
        const source = new URL("../../", import.meta.url).pathname;
        assert.equal(
          await read(`${root}/etc/causeway/causeway.toml`),
          await read(`${source}config.example.toml`),
        );
        const unit = await read(`${root}/usr/lib/systemd/system/causeway.service`);
        assert.match(unit, /^ExecStart=\/usr\/bin\/causeway serve /m);
        assert.doesNotMatch(unit, /\/usr\/local\//);
        for (const [, page] of unit.matchAll(/^Documentation=file:\/\/(\S+)/gm)) {
          assert.ok((await Deno.stat(`${root}${page}`)).isFile, page);
        }
        const manual = async (path: string) =>
          await run("man", ["--warnings", "--local-file", `${root}/usr/share/man/${path}`]);
        assert.match(await manual("man1/causeway.1.gz"), /doctor DOMAIN/);
        assert.match(await manual("man5/causeway.toml.5.gz"), /max_wait = 60/);
      });

      await t.step("the program says its version and judges the configuration", async () => {
        const causeway = `${root}/usr/bin/causeway`;
        assert.equal(await run(causeway, ["--version"]), `causeway ${version}\n`);
        // What the installation does once, so that each start has less to do.
        const home = `${root}/usr/lib/causeway`;
        assert.equal(await run(`${home}/prepare`, ["--version"]), `causeway ${version}\n`);
        const notes = [...Deno.readDirSync(`${home}/cache`)].map(({ name }) => name);
        assert.ok(notes.includes("gen") && notes.some((name) => /^v8_code_cache/.test(name)));
        assert.match(
          await run(causeway, ["check", `${root}/etc/causeway/causeway.toml`]),
          /: ok\n/,
        );
      });

      const name = "a session is served without a network";
      await t.step({
        name,
        ...haveNamespaces(),
        fn: async () => {
          const session = new URL("offline_session.ts", import.meta.url).pathname;
          const deno = [Deno.execPath(), "run", "-A", "--no-check", session, root];
          const said = await run("unshare", ["--map-root-user", "--net", ...deno]);
          assert.equal(said, "a session was served\n");
        },
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

async function run(program: string, args: readonly string[]): Promise<string> {
  const path = program.startsWith("/") ? program : programPath(program);
  const { code, stdout, stderr } = await new Deno.Command(path, { args: [...args] }).output();
  const said = new TextDecoder().decode(stderr);
  assert.equal(code, 0, `${program}: ${said}`);
  if (program === "man") assert.equal(said, "");
  return new TextDecoder().decode(stdout);
}
