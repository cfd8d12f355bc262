/** What the program loads when it starts: memory and time that every operator pays for, used or not. */
import assert from "node:assert/strict";

const ROOT = new URL("../..", import.meta.url);

interface Dependency {
  /** Missing: it is for its types only. */
  readonly code?: { readonly specifier?: string };
  readonly isDynamic?: boolean;
}

/** What each module of the program imports, and how; a path below the root for each of ours. */
async function imports(program: string): Promise<ReadonlyMap<string, readonly Dependency[]>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", program],
    cwd: ROOT,
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: { specifier: string; dependencies?: Dependency[] }[];
  };
  return new Map(modules.map((module) => [short(module.specifier), module.dependencies ?? []]));
}

/** Whatever these modules import, directly or not, by imports that are `followed`. */
async function reached(
  modules: readonly string[],
  followed: (dependency: Dependency) => boolean,
  program = "main.ts",
): Promise<ReadonlySet<string>> {
  const dependencies = await imports(program);
  const found = new Set<string>();
  const waiting = [...modules];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    for (const dependency of dependencies.get(next) ?? []) {
      const specifier = dependency.code?.specifier;
      if (specifier !== undefined && followed(dependency)) waiting.push(short(specifier));
    }
  }
  return found;
}

function short(specifier: string): string {
  return specifier.replace(ROOT.href, "");
}

Deno.test("a program that serves reads nothing of the demo, of other commands, nor of the admin API", async () => {
  // Deno reads all that is imported by name, also where the import is not run.
  const read = await reached(["main.ts"], () => true);
  assert.ok(read.has("src/commands/serve.ts") && read.has("src/server/front_sockets.ts"));
  const foreign = [...read].filter((module) =>
    /^src\/(?:admin\/|demo\/|commands\/(?:proxies\/|doctor\/|(?:check|demo|doctor|proxy)\.ts))|strophe|hono|graphql|valibot/
      .test(module)
  );
  assert.deepEqual(foreign, []);
});

const SERVING = ["main.ts", "src/commands/serve.ts"];
const isRun = ({ isDynamic = false }: Dependency) => !isDynamic;

Deno.test("where Deno's server listens, neither our codecs nor anything of the platform's node layer is loaded", async () => {
  const loaded = await reached(SERVING, isRun);
  for (const module of ["server/front_deno", "upstream/tcp_connector", "protocol/bosh/session"]) {
    assert.ok(loaded.has(`src/${module}.ts`), module);
  }
  const needless = [...loaded].filter((module) =>
    /^src\/protocol\/(?:http1|rfc6455)\/|front_sockets|tls_layer|dial_node|browser_page\.ts/.test(
      module,
    ) ||
    module.startsWith("node:")
  );
  assert.deepEqual(needless, []);
});

Deno.test("what TLS and lookups alone need is loaded when there are any", async () => {
  const loaded = await reached([...SERVING, "src/server/front_sockets.ts"], isRun);
  assert.ok(loaded.has("src/protocol/http1/codec.ts") && loaded.has("node:net"));
  const needless = [...loaded].filter((module) =>
    /dial_node|dns\/exchange|tls_layer|node:(?:crypto|d|tls)/.test(module)
  );
  assert.deepEqual(needless, []);
});

Deno.test("the admin API has Hono, and GraphQL and the page are loaded when somebody asks by them", async () => {
  const main = "src/admin/admin.ts";
  const read = [...await reached([main], () => true, main)];
  const has = (library: string) =>
    read.some((module) => module.replace(/^npm:\/?/, "").startsWith(`${library}@`));
  assert.ok(has("hono") && has("valibot"), read.join(" "));
  assert.ok(!has("graphql") && !has("graphql-http") && !read.includes("src/admin/graphql.ts"));
  assert.ok(read.includes("src/admin/page/page.ts") && !read.includes("src/admin/page/assets.ts"));
});
