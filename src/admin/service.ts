import type { InferOutput } from "valibot";
import type { Clock } from "../clock.ts";
import type { Config, LogLevel } from "../config/config.ts";
import type { Controls, ReloadReport } from "../controls.ts";
import type { EventSink, ManagerEvent } from "../events.ts";
import type { Meter } from "../meter.ts";
import type { BodySource } from "../server/exchange.ts";
import { memoryUse } from "../server/process_memory.ts";
import type { Registry } from "../server/registry.ts";
import { version } from "../version.ts";
import { configurationView, type View } from "./configuration.ts";
import { type Errors, ErrorTable } from "./errors.ts";
import { type History, HistoryRing } from "./history.ts";
import { Notes } from "./notes.ts";
import { Problem } from "./problem.ts";
import type { Metrics, Status } from "./schemas.ts";
import { type SessionDetails, Sessions } from "./sessions.ts";
import { Times } from "./times.ts";
import { Traces } from "./traces.ts";
import { type Upstreams, UpstreamTable } from "./upstreams.ts";

export type Status = InferOutput<typeof Status>;
export type Metrics = InferOutput<typeof Metrics>;

/** What is looked at and done by operators. */
export interface ServiceOptions {
  /** What is in force. */
  readonly config: () => Config;
  readonly clock: Clock;
  readonly registry: Registry;
  /** Missing: the program around the manager has none to offer. */
  readonly controls: Controls | undefined;
  /** Tells of what operators do. */
  readonly emit: EventSink;
  readonly listeners: Status["listeners"];
  /** Counts requests. */
  readonly meter: Meter;
  /** All metrics; missing: there are none. */
  readonly families?: () => readonly Metrics["families"][number][];
}

/** What a client is told whose session an operator ends without a reason. */
const ENDED = "ended by the operator";

/** Everything that REST and GraphQL answer, once for both. What cannot be done throws a {@link Problem}. */
export class AdminService {
  readonly sessions: Sessions;
  readonly #options: ServiceOptions;
  readonly #times: Times;
  readonly #families: () => readonly Metrics["families"][number][];
  readonly #notes: Notes;
  readonly #traces: Traces;
  readonly #history: HistoryRing;
  readonly #upstreams: UpstreamTable;
  readonly #errors: ErrorTable;
  readonly #started: number;

  constructor(options: ServiceOptions) {
    const { clock, registry, emit, families = () => [] } = options;
    this.#options = options;
    const times = new Times(clock);
    this.#times = times;
    this.#started = clock.now() - performance.now();
    this.#notes = new Notes(registry);
    this.sessions = new Sessions(registry, this.#notes, times);
    this.#traces = new Traces({ clock, times, registry, emit });
    this.#families = families;
    this.#history = new HistoryRing({ clock, times, sessions: this.sessions, families });
    this.#upstreams = new UpstreamTable(times);
    this.#errors = new ErrorTable(times);
  }

  /** To be told of all that happens. */
  readonly watch: EventSink = (event: ManagerEvent): void => {
    this.#notes.watch(event);
    this.#history.watch(event);
    this.#upstreams.watch(event);
    this.#errors.watch(event);
  };

  /** Nothing is counted any more. */
  stop(): void {
    this.#history.stop();
  }

  // ---- looking

  status(): Status {
    const { resident, heap } = memoryUse();
    const { controls, listeners } = this.#options;
    return {
      version,
      state: controls?.state ?? "serving",
      started: this.#times.iso(this.#started),
      uptime: this.#times.since(this.#started),
      sessions: this.sessions.byTransport(),
      memory: { resident, heap },
      logLevel: this.logLevel,
      listeners,
    };
  }

  session(name: string): SessionDetails {
    const actor = this.sessions.named(name);
    return this.sessions.details(actor, this.#traces.of(actor));
  }

  metrics(): Metrics {
    return { families: [...this.#families()] };
  }

  history(minutes: number): History {
    return this.#history.list(minutes);
  }

  async upstreams(): Promise<Upstreams> {
    return this.#upstreams.list(await this.sessions.openByDomain());
  }

  errors(minutes: number): Errors {
    return this.#errors.list(minutes);
  }

  configuration(): View {
    return configurationView(this.#options.config());
  }

  // ---- doing; `address` is the operator's

  trace(name: string, address: string): BodySource {
    const source = this.#traces.begin(this.sessions.named(name));
    this.#tell("began to read a session's trace", address, name);
    return source;
  }

  /** Returns what the client is told. */
  end(name: string, reason = ENDED, address: string): string {
    const actor = this.sessions.named(name);
    this.#tell("ended a session", address, name);
    actor.end(reason);
    return reason;
  }

  drain(address: string): Controls["state"] {
    const controls = this.#controls();
    this.#tell("drains", address);
    controls.drain();
    return controls.state;
  }

  undrain(address: string): Controls["state"] {
    const controls = this.#controls();
    this.#tell("takes back the drain", address);
    controls.undrain();
    return controls.state;
  }

  get logLevel(): LogLevel {
    return this.#options.controls?.logLevel ?? this.#options.config().log.level;
  }

  setLogLevel(level: LogLevel, address: string): LogLevel {
    const controls = this.#controls();
    controls.logLevel = level;
    this.#tell(`set the log level to ${level}`, address);
    return controls.logLevel;
  }

  reload(address: string): Promise<ReloadReport> {
    const controls = this.#controls();
    this.#tell("reloads the configuration", address);
    return controls.reload();
  }

  #controls(): Controls {
    const { controls } = this.#options;
    if (controls !== undefined) return controls;
    throw new Problem(
      501,
      "the program that embeds this connection manager has no controls; hand some to it as the option controls",
    );
  }

  #tell(action: string, address: string, session?: string): void {
    this.#options.emit({ type: "operator-acted", action, address, session });
  }
}
