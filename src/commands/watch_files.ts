import { type Appointment, type Clock, type Sleeper, systemClock } from "../clock.ts";

/** How often the files are looked at (milliseconds). */
const INTERVAL = 1_000;

/** For how long files that do not fit together are taken for half written (milliseconds). */
const PATIENCE = 10_000;

/**
 * Takes what the files hold now. `false`: it is not whole, such as a certificate without its key, and it is
 * asked again, until `isFinal`: nothing better has come, so what is wrong is to be told.
 */
export type TakeFiles = (isFinal: boolean) => boolean;

/**
 * Watches files, absolute paths that are asked for each time, and has them taken when some of them have changed and none has changed since
 * for a second. They may be written anew, renamed into place, or lie behind symbolic links, of theirs or
 * of their folders, that point elsewhere now (certbot, Kubernetes); they may be away for a while.
 *
 * They are looked at every second, for that sees all of these, on every file system; the system's own
 * notifications (inotify) tell of folders, and not of what their links lead to.
 */
export function watchFiles(
  paths: () => readonly string[],
  take: TakeFiles,
  clock: Clock = systemClock,
): { close(): void } {
  return new Watch(paths, take, clock);
}

class Watch implements Sleeper {
  readonly #paths: () => readonly string[];
  readonly #take: TakeFiles;
  readonly #clock: Clock;
  #seen: string;
  /** When that changed which has not been taken. */
  #changed: number | undefined;
  #appointment: Appointment;

  constructor(paths: () => readonly string[], take: TakeFiles, clock: Clock) {
    this.#paths = paths;
    this.#take = take;
    this.#clock = clock;
    this.#seen = this.#look();
    this.#appointment = clock.after(INTERVAL, this);
  }

  close(): void {
    this.#appointment.cancel();
  }

  /** For the clock. */
  wake(): void {
    this.#appointment = this.#clock.after(INTERVAL, this);
    const seen = this.#look();
    const isQuiet = seen === this.#seen;
    this.#seen = seen;
    if (!isQuiet) this.#changed ??= this.#clock.now();
    if (this.#changed === undefined) return;
    const isFinal = this.#clock.now() - this.#changed >= PATIENCE;
    if (!isQuiet && !isFinal) return;
    if (this.#take(isFinal) || isFinal) this.#changed = undefined;
  }

  /** What tells one content of the files from another. */
  #look(): string {
    return this.#paths().map((path) => {
      try {
        const { dev, ino, size, mtime, ctime } = Deno.statSync(path);
        return [path, dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(" ");
      } catch {
        return path;
      }
    }).join("\n");
  }
}
