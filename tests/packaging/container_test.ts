/** The container image: its files, and what deploy/Containerfile does with them. */
import assert from "node:assert/strict";
import { layOutImage } from "../../.ci/container.ts";
import { runArguments, runEnvironment } from "../../.ci/program.ts";
import { parseArguments } from "../../src/commands/arguments.ts";
import { version } from "../../src/version.ts";
import { haveNamespaces } from "../support/namespaces.ts";
import { haveProgram } from "../support/programs.ts";
import { configOf } from "../support/manager.ts";

const file = new URL("../../deploy/Containerfile", import.meta.url);
const text = (await Deno.readTextFile(file)).replaceAll("\\\n", "");

function instruction(name: string): string {
  return new RegExp(`^${name} (.*)$`, "m").exec(text)![1]!;
}

Deno.test("the container runs the program as it is run elsewhere, as nobody in particular", () => {
  const home = "/usr/lib/causeway";
  const run = [`${home}/deno`, ...runArguments(home)];
  assert.deepEqual(JSON.parse(instruction("ENTRYPOINT")), run);
  const prepared = [`${home}/deno`, ...runArguments(home, "all.ts"), "--version"];
  assert.deepEqual(JSON.parse(instruction("RUN")), prepared);
  for (const [name, value] of Object.entries(runEnvironment(home))) {
    assert.ok(instruction("ENV").includes(`${name}=${value}`));
  }
  assert.equal(parseArguments(JSON.parse(instruction("CMD"))).command, "serve");
  assert.match(instruction("USER"), /^[1-9]\d*:[1-9]\d*$/);
  assert.equal(instruction("STOPSIGNAL"), "SIGTERM");
});

Deno.test("its configuration listens where the image says, and health is asked for there", async () => {
  const toml = await Deno.readTextFile(new URL("../../deploy/container.toml", import.meta.url));
  const [listener] = configOf(`domains."example.org".tls = "required"\n${toml}`).listen;
  const port = Number(instruction("EXPOSE"));
  assert.deepEqual(listener!.at, { address: "0.0.0.0", port });
  assert.ok(listener!.serve.includes("health"));
  assert.ok(instruction("ENV").includes(`HEALTH_URL=http://127.0.0.1:${port}/health/live`));
});

Deno.test({
  name:
    "the files of the image are all that the program needs: it starts where there is nothing else",
  ignore: haveProgram("ldd", "unshare", "chroot").ignore || haveNamespaces().ignore,
  async fn() {
    const root = await Deno.makeTempDir();
    try {
      await layOutImage(root);
      const run = (args: readonly string[]) =>
        new Deno.Command("unshare", { args: [...args] }).output();
      // Deno looks at its own maps.
      await Deno.mkdir(`${root}/proc`);
      const inOwn = ["--map-root-user", "--mount", "--pid", "--fork", "sh", "-c"];
      const mount = 'mount -t proc proc "$0/proc"';
      const inside = [
        ...inOwn,
        `${mount} && exec chroot "$0" "$@"`,
        root,
        "/usr/lib/causeway/deno",
      ];
      const { stdout, stderr } = await run([
        ...inside,
        ...runArguments("/usr/lib/causeway"),
        "--version",
      ]);
      const decoder = new TextDecoder();
      assert.equal(decoder.decode(stdout), `causeway ${version}\n`, decoder.decode(stderr));
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
});
