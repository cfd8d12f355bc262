/** What the kernel tells of processes, and which cores there are. Linux only. */

/** CPU time is told in these, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;

/** Seconds of CPU that these processes have used so far, all their threads, user and system. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // Behind the name, which may have blanks in it, utime is the 12th field and stime the 13th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

/** Bytes of memory that these processes have resident. */
export function residentBytes(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    kilobytes += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
  }
  return kilobytes * 1024;
}

/** Cores that this process may use, by number. */
export function cores(): number[] {
  const list = /^Cpus_allowed_list:\s+(\S+)/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
  return (list ?? "").split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  });
}
