/*
 * How fast XML goes through: stanzas of some 300 bytes in chunks of 4 KiB, as an upstream's
 * reads bring them, and text-heavy and tag-heavy ones beside them. saxes, which is strict, and
 * ltx, which is quick, are the yardsticks.
 */
import { documents, readers } from "./documents.ts";

for (const [name, chunks] of documents) {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const group = `${name}, ${bytes} bytes`;
  for (const [reader, read] of Object.entries(readers)) {
    const baseline = reader === "ours";
    Deno.bench({ name: `${reader}: ${name}`, group, baseline, fn: () => read(chunks) });
  }
}
