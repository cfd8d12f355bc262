/**
 * How many megabytes of stanzas a tokenizer reads in a second, in a process of its own.
 *
 *     deno run -A tokenizers.ts
 *
 * Says `ready`, and then answers each line of its standard input (`ours 2`: ours, for two seconds)
 * with MB/s.
 */
import { documents, readers, STANZAS } from "./documents.ts";

const chunks = documents.get(STANZAS)!;
const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);

function measure(read: (chunks: readonly Uint8Array[]) => void, seconds: number): number {
  const began = performance.now();
  let length = 0;
  let count = 0;
  do {
    read(chunks);
    count++;
    length = performance.now() - began;
  } while (length < seconds * 1_000);
  return count * bytes / 1_000 / length;
}

const input = new Uint8Array(100);
const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
Deno.stdout.writeSync(encoder.encode("ready\n"));
for (let length; (length = Deno.stdin.readSync(input)) !== null;) {
  const [name, seconds] = decoder.decode(input.subarray(0, length)).split(" ");
  const rate = measure(readers[name!]!, Number(seconds));
  Deno.stdout.writeSync(encoder.encode(`${rate}\n`));
}
