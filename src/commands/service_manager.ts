import type { Log } from "../log.ts";

/** What a service manager is reached by: the process's environment. */
export interface Environment {
  /** Where it listens: a path, or `@name` of an abstract address. */
  readonly NOTIFY_SOCKET?: string | undefined;
  /** Microseconds within which it wants to hear from us, time and again. */
  readonly WATCHDOG_USEC?: string | undefined;
  /** Who is to be heard from. */
  readonly WATCHDOG_PID?: string | undefined;
}

/** Milliseconds between two looks at what the status is now. */
const STATUS_PERIOD = 10_000;

/** Milliseconds that the end of the process takes beyond what was announced. */
const LAST_TOUCHES = 5_000;

/**
 * Tells systemd, or whoever takes its place, what state the service is in (sd_notify(3)): `READY=1`,
 * `RELOADING=1`, `STOPPING=1`, `STATUS=…`, and `WATCHDOG=1` from a timer, so that a process whose event loop hangs
 * is ended and started anew. What cannot be told is logged once, and no call throws.
 */
export class ServiceManager {
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.UnixAddr;
  readonly #log: Log;
  /** What every beat says to the watchdog; empty where there is none. */
  readonly #beat: readonly string[];
  readonly #period: number;
  #describe: () => string = () => "";
  #status = "";
  #timer: ReturnType<typeof setInterval> | undefined;
  /** What is to be told; the first of it is being sent. */
  readonly #waiting: string[] = [];
  #isOver = false;
  #hasFailed = false;

  /** `undefined` without a `NOTIFY_SOCKET`, and with one that cannot be used, which is logged. */
  static connect(environment: Environment, log: Log): ServiceManager | undefined {
    const { NOTIFY_SOCKET: socket } = environment;
    if (socket === undefined || socket === "") return undefined;
    if (!/^[/@]./.test(socket)) {
      log.warn("NOTIFY_SOCKET is neither a path nor an abstract address", { socket });
      return undefined;
    }
    try {
      return new ServiceManager(socket, watchdogOf(environment), log);
    } catch (error) {
      log.warn("the service manager cannot be reached", { socket, error: String(error) });
      return undefined;
    }
  }

  private constructor(socket: string, watchdog: number | undefined, log: Log) {
    // An address is needed to send from; an abstract one leaves no file behind.
    const path = `\0causeway-${crypto.randomUUID()}`;
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path });
    this.#to = { transport: "unixpacket", path: socket.replace(/^@/, "\0") };
    this.#beat = watchdog === undefined ? [] : ["WATCHDOG=1"];
    this.#period = Math.min(STATUS_PERIOD, (watchdog ?? Infinity) / 2);
    this.#log = log;
  }

  /** Every listener accepts. `describe` makes the status line; it is asked now and then. */
  ready(describe: () => string): void {
    this.#describe = describe;
    this.#tell(["READY=1", ...this.#news(), ...this.#beat]);
    const timer = setInterval(() => this.#tick(), this.#period);
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  /** The configuration is read anew from here on, until {@link reloaded}. */
  reloading(): void {
    this.#tell(["RELOADING=1", ...monotonicTime()]);
  }

  /** What came of it is in force. */
  reloaded(): void {
    this.#tell(["READY=1", ...this.#news()]);
  }

  /** The end has begun and takes `most` milliseconds; systemd's own patience may be shorter. */
  stopping(most: number): void {
    const microseconds = Math.ceil((most + LAST_TOUCHES) * 1_000);
    this.#tell(["STOPPING=1", `EXTEND_TIMEOUT_USEC=${microseconds}`, ...this.#news()]);
  }

  /** Nothing more is told, but for what was. */
  close(): void {
    clearInterval(this.#timer);
    this.#isOver = true;
    if (this.#waiting.length === 0) this.#socket.close();
  }

  #tick(): void {
    // One that does not take what it is sent need not be sent more.
    if (this.#waiting.length === 0) this.#tell([...this.#beat, ...this.#news()]);
  }

  /** The status, when it is another than was told last. */
  #news(): string[] {
    const status = this.#describe();
    if (status === this.#status) return [];
    this.#status = status;
    return [`STATUS=${status}`];
  }

  #tell(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#waiting.push(lines.join("\n"));
    if (this.#waiting.length === 1) this.#send();
  }

  /** One after the other: the platform refuses a second send while one is under way. */
  async #send(): Promise<void> {
    for (let text; (text = this.#waiting[0]) !== undefined; this.#waiting.shift()) {
      try {
        await this.#socket.send(new TextEncoder().encode(text), this.#to);
      } catch (error) {
        this.#failed(text, error);
      }
    }
    if (this.#isOver) this.#socket.close();
  }

  #failed(text: string, error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const [what] = text.split("\n");
    this.#log.warn("the service manager cannot be told", { what, error: String(error) });
  }
}

/** Milliseconds within which the watchdog wants to hear from this process. */
function watchdogOf({ WATCHDOG_USEC, WATCHDOG_PID }: Environment): number | undefined {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(Deno.pid)) return undefined;
  const milliseconds = Number(WATCHDOG_USEC) / 1_000;
  return milliseconds > 0 ? milliseconds : undefined;
}

/**
 * The time by CLOCK_MONOTONIC, by which systemd tells the answer to its own signal (`Type=notify-reload`) from a reload
 * before it. The platform shows that clock to nobody; what it does show is never behind it and at most a second
 * before it, but for the time that the machine was suspended.
 */
function monotonicTime(): string[] {
  try {
    return [`MONOTONIC_USEC=${Deno.osUptime() * 1_000_000}`];
  } catch {
    // An embedder's process may lack the permission `--allow-sys=osUptime`.
    return [];
  }
}
