import { NotifySocket } from "./notify_socket.ts";
import { patiently } from "./patience.ts";
import { haveProgram, programPath } from "./programs.ts";
import { syscallFilter } from "./syscall_filter.ts";
import type { UnitFile } from "./unit_file.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** Options of a test that needs a sandbox: not every kernel lets everybody make one. */
export function canSandbox(): { readonly ignore: boolean } {
  const { ignore } = haveProgram("bwrap", "gcc", "systemd-analyze");
  if (ignore || Deno.env.get("CI") === "true") return { ignore };
  const args = ["--unshare-user", "--ro-bind", "/", "/", "true"];
  return { ignore: !new Deno.Command(programPath("bwrap"), { args }).outputSync().success };
}

/**
 * The program in what a unit's lines come to where systemd is not process 1: bubblewrap makes the namespaces and
 * mounts, and our own translation the filter of system calls.
 */
export class SandboxedService implements AsyncDisposable {
  /** Its directories, as they are seen from outside. */
  readonly credentials: string;
  readonly runtime: string;
  readonly notify = new NotifySocket("abstract");
  /** All that it has said to standard error. */
  stderr = "";
  readonly #directory: string;
  readonly #unit: UnitFile;
  #process: Deno.ChildProcess | undefined;
  #said: Promise<void> | undefined;

  constructor(unit: UnitFile) {
    this.#unit = unit;
    this.#directory = Deno.makeTempDirSync();
    this.credentials = `${this.#directory}/credentials`;
    this.runtime = `${this.#directory}/runtime`;
    for (const directory of [this.credentials, this.runtime]) Deno.mkdirSync(directory);
  }

  /** Starts the program with this configuration, and waits until it says that it is ready. */
  async start(configuration: string): Promise<void> {
    await Deno.writeTextFile(`${this.#directory}/causeway.toml`, configuration);
    const flags = ["--cached-only", "--no-check", "-P"];
    const main = ["/opt/causeway/main.ts", "serve", "--config", "/etc/causeway.toml"];
    this.#process = this.#command(["/opt/deno", "run", ...flags, ...main]).spawn();
    this.#said = this.#listen(this.#process);
    const ready = await Promise.race([this.notify.until("READY=1"), this.#process.status]);
    if (!Array.isArray(ready)) throw new Error(`It has ended: ${this.stderr}`);
  }

  /** What another program says to standard error in the same sandbox. */
  async run(...command: readonly string[]): Promise<string> {
    const { stdout, stderr } = await this.#command(command).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  }

  /** Lines of /proc/PID/status, by their names. */
  async status(): Promise<ReadonlyMap<string, string>> {
    const text = await Deno.readTextFile(`/proc/${await this.#pid()}/status`);
    return new Map(
      text.split("\n").map((line) => [
        line.split(":")[0]!,
        line.slice(line.indexOf(":") + 1).trim(),
      ]),
    );
  }

  async kill(signal: Deno.Signal): Promise<void> {
    Deno.kill(await this.#pid(), signal);
  }

  /** Settles with the exit status. */
  async ended(): Promise<number> {
    const { code } = await patiently(this.#process!.status, "the program has ended");
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process?.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#process?.status;
    await this.#said;
    this.notify[Symbol.dispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }

  /** The program's own process: the one below bubblewrap's. */
  async #pid(): Promise<number> {
    const { pid } = this.#process!;
    const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
    return Number(children.trim().split(" ")[0]);
  }

  #command(command: readonly string[]): Deno.Command {
    const unit = this.#unit;
    const filter = `${this.#directory}/filter`;
    const families = unit.the("RestrictAddressFamilies").split(" ");
    Deno.writeFileSync(filter, syscallFilter(unit.all("SystemCallFilter"), families));
    const cache = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
    const { npmCache } = JSON.parse(new TextDecoder().decode(cache.stdout));
    const args = [
      ...["--ro-bind", "/", "/", "--dev", "/dev"],
      ...["--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--tmpfs", "/run", "--tmpfs", "/home"],
      ...["--tmpfs", "/root", "--tmpfs", "/opt", "--tmpfs", "/etc"],
      ...["passwd", "group", "hosts", "nsswitch.conf", "resolv.conf", "ld.so.cache"].flatMap(
        (name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`],
      ),
      ...["--bind", this.runtime, "/run/causeway"],
      ...["--ro-bind", this.credentials, "/run/credentials"],
      ...["--ro-bind", `${this.#directory}/causeway.toml`, "/etc/causeway.toml"],
      ...["--ro-bind", ROOT, "/opt/causeway", "--ro-bind", Deno.execPath(), "/opt/deno"],
      ...["--ro-bind", npmCache, "/opt/cache/npm", "--remount-ro", "/opt", "--remount-ro", "/etc"],
      ...["--unshare-user", "--uid", "61234", "--gid", "61234", "--disable-userns"],
      ...["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL"],
      ...["--die-with-parent", "--new-session", "--seccomp", "9"],
    ];
    const script = `ulimit -c ${unit.the("LimitCORE")}; umask ${unit.the("UMask")}; filter=$1;
      shift; exec "$0" "$@" 9<"$filter"`;
    return new Deno.Command("sh", {
      args: ["-c", script, programPath("bwrap"), filter, ...args, "--", ...command],
      env: {
        PATH: Deno.env.get("PATH") ?? "",
        NO_COLOR: "1",
        DENO_DIR: "/opt/cache",
        DENO_NO_UPDATE_CHECK: "1",
        NOTIFY_SOCKET: this.notify.address,
        WATCHDOG_USEC: "1000000",
      },
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  async #listen({ stdout, stderr }: Deno.ChildProcess): Promise<void> {
    const said = stdout.text();
    for await (const piece of stderr.pipeThrough(new TextDecoderStream())) this.stderr += piece;
    await said;
  }
}
