/** What the system and the platform say of this process. */
import { counter, type Family, gauge } from "./family.ts";

/**
 * `hasNode`: the platform's `node:` layer is loaded. Without it, its word on processor time would cost
 * 3.3 MiB; and what the system itself tells, only a program may read that may do everything (`-A`).
 */
export function processFamilies(hasNode: boolean): Family[] {
  const { rss, heapUsed, heapTotal, external } = Deno.memoryUsage();
  const families = [
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", rss),
    gauge(
      "process_start_time_seconds",
      "Start time of the process since unix epoch in seconds.",
      performance.timeOrigin / 1000,
    ),
  ];
  const cpu = processorTime(hasNode);
  if (cpu !== undefined) {
    const help = "Total user and system CPU time spent in seconds.";
    families.push(counter("process_cpu_seconds_total", help, cpu));
  }
  const descriptors = openDescriptors();
  if (descriptors !== undefined) {
    families.push(gauge("process_open_fds", "Number of open file descriptors.", descriptors));
  }
  families.push(
    gauge("causeway_heap_used_bytes", "Memory of V8's heap that objects take.", heapUsed),
    gauge("causeway_heap_size_bytes", "Memory of V8's heap.", heapTotal),
    gauge(
      "causeway_external_bytes",
      "Memory outside of V8's heap that its objects have.",
      external,
    ),
  );
  return families;
}

function processorTime(hasNode: boolean): number | undefined {
  if (hasNode) {
    const { user, system } = globalThis.process.cpuUsage();
    return (user + system) / 1e6;
  }
  const stat = permitted(() => Deno.readTextFileSync("/proc/self/stat"));
  // The name of the program stands in brackets and may be any; behind it come numbers.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields && (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** In a second, for whatever reads `/proc` (USER_HZ): the same on all that Deno runs on. */
const TICKS = 100;

function openDescriptors(): number | undefined {
  // The one that is open to count them is counted.
  return permitted(() => [...Deno.readDirSync("/proc/self/fd")].length - 1);
}

/** What may not be read, or is not there, is not told. */
function permitted<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
