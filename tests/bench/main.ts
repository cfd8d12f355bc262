/**
 * `deno task bench`: measures Causeway beside the least that its platform can do, and prints the
 * tables of docs/performance.md.
 */
if (Deno.build.os !== "linux") {
  Deno.stderr.writeSync(
    new TextEncoder().encode(
      "The benchmark needs Linux: its clients call Linux, and CPU and memory are read from /proc.\n",
    ),
  );
  Deno.exit(1);
}
const { run } = await import("./run.ts");
Deno.exit(await run(Deno.args));
