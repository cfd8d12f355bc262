/** What the handbook shows of the running program, and the configurations of balancers in it. */
import assert from "node:assert/strict";
import { until } from "./support/patience.ts";
import { haveProgram, programPath } from "./support/programs.ts";
import { ServeProcess } from "./support/serve_process.ts";

const DOCS = new URL("../docs/", import.meta.url);

Deno.test("docs/install.md: the first start goes as it says", async () => {
  const page = await Deno.readTextFile(new URL("install.md", DOCS));
  const [, first = ""] = page.split("## The first start");
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  try {
    await Deno.writeTextFile(file, blockOf(first, "toml"));
    await using program = new ServeProcess(["serve", "--config", file, "--listen", "127.0.0.1:0"]);
    const url = await program.url;
    const shown = blockOf(first, "console").split("\n");
    assert.ok(shown.length >= 6);
    for (let at = 0; at < shown.length; at += 2) {
      const [, path] = /^\$ curl http:\/\/127\.0\.0\.1:5280(\/\S+)$/.exec(shown[at]!)!;
      assert.equal((await (await fetch(url + path)).text()).trimEnd(), shown[at + 1]);
    }
    const { code, stdout } = await program.terminate();
    assert.equal(code, 0);
    const ready = (line: string) => line.trim().replace(/\d+\.\d+\.\d+ /, "").replace(/:\d+$/, "");
    assert.equal(ready(stdout), ready(blockOf(first, "text")));
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("docs/run.md: a reload and the end are told as it says", async () => {
  const page = await Deno.readTextFile(new URL("run.md", DOCS));
  const [, stopping = "", reload = ""] = page.split(/^## (?:Stopping|Reload)$/m);
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  const write = (port: number, sessions: number, connect: string) =>
    Deno.writeTextFile(
      file,
      `limits.sessions = ${sessions}\n[[listen]]\nport = ${port}\n` +
        `[domains."example.org"]\nconnect = "${connect}"\n`,
    );
  try {
    await write(0, 10, "xmpp://127.0.0.1:1");
    await using program = new ServeProcess(["serve", "--config", file]);
    await program.url;
    await write(1, 11, "xmpp://127.0.0.1:2");
    program.hangUp();
    const shown = blockOf(reload, "text").split("\n").map(withoutTime);
    await until(
      () => shown.every((line) => program.stderr.includes(line)) || undefined,
      "the reload is told",
    );
    const { code, stderr } = await program.terminate();
    assert.equal(code, 0);
    const end = /```text\n([^]*?)```/.exec(stopping)![1]!.trim().split(/\n\s*/).map(withoutTime);
    const messages = end.map((line) => line.replace(/(?: \w+=\S+)+$/, ""));
    const told = stderr.trim().split("\n").slice(-2).map(withoutTime);
    assert.deepEqual(told.map((line) => line.replace(/(?: \w+=\S+)+$/, "")), messages);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test({
  name: "docs/run.md: nginx takes what it shows of several nodes",
  ...haveProgram("nginx"),
  fn: async () => {
    const upstream = blockOf(await Deno.readTextFile(new URL("run.md", DOCS)), "nginx");
    const server = "server { listen 127.0.0.1:1; location / { proxy_pass http://causeway; } }";
    await accepts("nginx", (file) => ["-t", "-e", "stderr", "-c", file], [
      ...["pid /dev/null;", "events {}", "http {", "access_log off;"],
      ...[upstream, server, "}"],
    ]);
  },
});

Deno.test({
  name: "docs/run.md: HAProxy takes what it shows of several nodes",
  ...haveProgram("haproxy"),
  fn: async () => {
    const backend = blockOf(await Deno.readTextFile(new URL("run.md", DOCS)), "haproxy");
    const defaults = ["defaults", "mode http", ...timeouts(["connect", "client", "server"])];
    const frontend = ["frontend f", "bind 127.0.0.1:1", "default_backend causeway"];
    await accepts("haproxy", (file) => ["-c", "-f", file], [...defaults, ...frontend, backend]);
  },
});

function withoutTime(line: string): string {
  return line.replace(/^\S+Z /, "");
}

function timeouts(names: readonly string[]): string[] {
  return names.map((name) => `timeout ${name} 90s`);
}

/** Has a program look at a configuration of its own. */
async function accepts(
  program: string,
  args: (file: string) => string[],
  lines: readonly string[],
): Promise<void> {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, `${lines.join("\n")}\n`);
    const { code, stderr } = await new Deno.Command(programPath(program), { args: args(file) })
      .output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(file);
  }
}

/** The first block of this kind. */
function blockOf(text: string, kind: string): string {
  const match = new RegExp(`^\`\`\`${kind}\\n([^]*?)\\n\`\`\`$`, "m").exec(text);
  assert.ok(match, kind);
  return match[1]!;
}
