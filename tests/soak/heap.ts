/** What is alive in this process: objects by class, as a snapshot of the heap has them. */
import { writeHeapSnapshot } from "node:v8";

export interface Heap {
  /** Objects that are alive, by the name of their class; only of the classes that were asked for. */
  readonly objects: ReadonlyMap<string, number>;
  /** Bytes in use. */
  readonly used: number;
  readonly fileDescriptors: number;
}

/** Collects garbage until nothing more goes, and counts. Wants `--expose-gc`. */
export async function inspectHeap(classes: ReadonlySet<string>): Promise<Heap> {
  const { gc } = globalThis as { readonly gc?: () => void };
  if (gc === undefined) throw new Error("start it with --v8-flags=--expose-gc");
  for (let used = Infinity, calm = 0; calm < 3;) {
    // What a finalizer lets go is garbage for the next round.
    await new Promise((resolve) => setTimeout(resolve, 20));
    gc();
    const now = Deno.memoryUsage().heapUsed;
    calm = now < used - 1_000 ? 0 : calm + 1;
    used = Math.min(used, now);
  }
  const used = Deno.memoryUsage().heapUsed;
  const fileDescriptors = [...Deno.readDirSync("/proc/self/fd")].length;
  return { objects: countObjects(classes), used, fileDescriptors };
}

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
    };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

function countObjects(classes: ReadonlySet<string>): Map<string, number> {
  const file = Deno.makeTempFileSync({ suffix: ".heapsnapshot" });
  try {
    writeHeapSnapshot(file);
    const { snapshot: { meta }, nodes, strings }: Snapshot = JSON.parse(
      Deno.readTextFileSync(file),
    );
    const size = meta.node_fields.length;
    const typeAt = meta.node_fields.indexOf("type");
    const nameAt = meta.node_fields.indexOf("name");
    const object = meta.node_types[0].indexOf("object");
    const counts = new Map<string, number>();
    for (let at = 0; at < nodes.length; at += size) {
      if (nodes[at + typeAt] !== object) continue;
      const name = strings[nodes[at + nameAt]!]!;
      if (classes.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  } finally {
    Deno.removeSync(file);
  }
}

/** The names of all classes of the program. */
export async function ownClasses(): Promise<Set<string>> {
  const names = new Set<string>();
  const look = async (folder: URL): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) await look(new URL(`${name}/`, folder));
      else if (name.endsWith(".ts")) {
        const text = await Deno.readTextFile(new URL(name, folder));
        for (const [, found] of text.matchAll(/^(?:export )?class (\w+)/gm)) names.add(found!);
      }
    }
  };
  await look(new URL("../../src/", import.meta.url));
  return names;
}
