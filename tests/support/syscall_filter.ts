import { programPath } from "./programs.ts";

const decoder = new TextDecoder();

/**
 * The filter of system calls that systemd makes of a unit's `SystemCallFilter`, `SystemCallErrorNumber=EPERM`,
 * `SystemCallArchitectures=native` and `RestrictAddressFamilies`, as a program of classic BPF for seccomp(2). The
 * groups are those of the systemd that is installed, the numbers those of the C compiler's headers.
 */
export function syscallFilter(
  calls: readonly string[],
  families: readonly string[],
): Uint8Array<ArrayBuffer> {
  const numbers = syscallNumbers();
  const groups = syscallGroups();
  const members = (name: string): string[] => groups.get(name)?.flatMap(members) ?? [name];
  const allowed = new Set(members("@default"));
  for (const line of calls) {
    const isTaken = line.startsWith("~");
    for (const name of line.replace("~", "").split(" ").flatMap(members)) {
      if (isTaken) allowed.delete(name);
      else allowed.add(name);
    }
  }
  const socket = numbers.get("socket")!;
  const program: Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [IF_EQUAL, 1, 0, NATIVE[Deno.build.arch]],
    [RETURN, 0, 0, KILL],
    [LOAD, 0, 0, NUMBER],
    // Numbers of the other interface that x86-64 has.
    [IF_NOT_LESS, 0, 1, 0x40000000],
    [RETURN, 0, 0, error(1)],
    [IF_EQUAL, 0, 2 + 2 * families.length, socket],
    [LOAD, 0, 0, FIRST_ARGUMENT],
    ...families.flatMap((family): Instruction[] => [
      [IF_EQUAL, 0, 1, FAMILIES[family]!],
      [RETURN, 0, 0, ALLOW],
    ]),
    [RETURN, 0, 0, error(97)],
    ...[...allowed].flatMap((name): Instruction[] => {
      const number = numbers.get(name);
      // Many are of other architectures.
      if (number === undefined || number === socket) return [];
      return [[IF_EQUAL, 0, 1, number], [RETURN, 0, 0, ALLOW]];
    }),
    [RETURN, 0, 0, error(1)],
  ];
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, yes, no, value]] of program.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, yes);
    view.setUint8(index * 8 + 3, no);
    view.setUint32(index * 8 + 4, value, true);
  }
  return bytes;
}

/** Code, how many to skip when it is so and when it is not, value. */
type Instruction = readonly [number, number, number, number];

// Of linux/filter.h, linux/seccomp.h and linux/audit.h.
const [LOAD, IF_EQUAL, IF_NOT_LESS, RETURN] = [0x20, 0x15, 0x35, 0x06];
const [NUMBER, ARCHITECTURE, FIRST_ARGUMENT] = [0, 4, 16];
const [KILL, ALLOW] = [0x80000000, 0x7fff0000];
const NATIVE = { x86_64: 0xc000003e, aarch64: 0xc00000b7 };

/** Of linux/socket.h. */
const FAMILIES: Readonly<Record<string, number>> = { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10 };

function error(number: number): number {
  return 0x00050000 | number;
}

/** What each group has: system calls, and groups. */
function syscallGroups(): Map<string, string[]> {
  const { stdout } = new Deno.Command(programPath("systemd-analyze"), {
    args: ["--no-pager", "syscall-filter"],
  }).outputSync();
  const groups = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of decoder.decode(stdout).split("\n")) {
    if (/^@[a-z-]+$/.test(line)) groups.set(line, members = []);
    else if (/^ +[@a-z]/.test(line)) members.push(line.trim());
  }
  return groups;
}

/** The numbers of this machine's system calls. */
function syscallNumbers(): Map<string, number> {
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `echo '#include <sys/syscall.h>' | "$0" -E -dM -`, programPath("gcc")],
  }).outputSync();
  const defined = decoder.decode(stdout).matchAll(/^#define __NR_(\w+) (\d+)$/gm);
  return new Map([...defined].map(([, name, number]) => [name!, Number(number)]));
}
