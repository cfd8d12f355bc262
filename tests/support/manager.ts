import { type Appointment, type Clock, type Sleeper, systemClock } from "../../src/clock.ts";
import type { Config } from "../../src/config/config.ts";
import type { Controls } from "../../src/controls.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { ManagerEvent } from "../../src/events.ts";
import { ConnectionManager } from "../../src/manager.ts";
import type { Connector } from "../../src/upstream/connector.ts";
import { currentFront, type Front } from "./fronts.ts";

/** A configuration from TOML, for a test; the files that it names are these, or are read. */
export function configOf(toml: string, files: Readonly<Record<string, string>> = {}): Config {
  const file = "test.toml";
  const readFile = (path: string) =>
    path === file ? toml : files[path] ?? Deno.readTextFileSync(path);
  return loadConfig({ file, readFile });
}

/** A connection manager on a free port of loopback, or on a unix socket. */
export interface RunningManager extends AsyncDisposable {
  /** `http://127.0.0.1:port`, or `http+unix:path`. */
  readonly url: string;
  readonly manager: ConnectionManager;
  readonly events: readonly ManagerEvent[];
  /** Puts its clock forward by so many milliseconds. */
  jump(ms: number): void;
}

export interface ManagerOptions {
  readonly toml?: string;
  /** That it names, by their paths. */
  readonly files?: Readonly<Record<string, string>>;
  readonly controls?: Controls;
  readonly connector?: Connector;
  readonly unix?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Default: the front of the test. */
  readonly front?: Front;
}

/** Starts one; it listens as the first listener of `toml` does, but for its place and its front. */
export async function runManager(options: ManagerOptions = {}): Promise<RunningManager> {
  const config = configOf(options.toml ?? "", options.files);
  const events: ManagerEvent[] = [];
  const clock = new JumpingClock();
  const manager = new ConnectionManager({
    config,
    clock,
    onEvent: (event) => events.push(event),
    ...(options.connector ? { connector: options.connector } : {}),
    ...(options.controls ? { controls: options.controls } : {}),
  });
  const listener = await manager.listen({
    ...config.listen[0]!,
    at: options.unix === undefined
      ? { address: "127.0.0.1", port: options.port ?? 0 }
      : { unix: options.unix },
    server: options.front ?? currentFront(),
  });
  return {
    url: listener.url,
    manager,
    events,
    jump: (ms) => clock.jump(ms),
    async [Symbol.asyncDispose]() {
      const shutdown = manager.shutdown();
      // Clients that are between two requests would be waited for.
      clock.jump(10_000);
      await shutdown;
      await listener.close();
    },
  };
}

/** The system's clock, which can be put forward. */
export class JumpingClock implements Clock {
  #ahead = 0;
  readonly #timers = new Map<Appointment, { readonly at: number; readonly sleeper: Sleeper }>();

  now(): number {
    return systemClock.now() + this.#ahead;
  }

  after(ms: number, sleeper: Sleeper): Appointment {
    const wake = () => {
      this.#timers.delete(appointment);
      sleeper.wake();
    };
    const real = systemClock.after(ms, { wake });
    const cancel = () => {
      this.#timers.delete(appointment);
      real.cancel();
    };
    const appointment = { cancel };
    this.#timers.set(appointment, { at: this.now() + ms, sleeper });
    return appointment;
  }

  jump(ms: number): void {
    this.#ahead += ms;
    for (const [appointment, { at, sleeper }] of [...this.#timers]) {
      if (at > this.now()) continue;
      appointment.cancel();
      sleeper.wake();
    }
  }
}
