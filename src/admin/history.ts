import type { InferOutput } from "valibot";
import type { Appointment, Clock, Sleeper } from "../clock.ts";
import type { EventSink } from "../events.ts";
import { memoryUse } from "../server/process_memory.ts";
import type { History as Answer } from "./schemas.ts";
import type { Metrics } from "./service.ts";
import type { Sessions } from "./sessions.ts";
import type { Times } from "./times.ts";

export type History = InferOutput<typeof Answer>;
type Entry = History["series"][number];

type Families = readonly Metrics["families"][number][];

/** Milliseconds between two entries. */
const INTERVAL = 10_000;
/** An hour. */
const MOST = 360;

/** What the numbers were in the last hour, so that a chart is full when somebody opens it. */
export class HistoryRing implements Sleeper {
  readonly #clock: Clock;
  readonly #times: Times;
  readonly #sessions: Sessions;
  readonly #families: () => Families;
  #entries: Entry[] = [];
  #before: Totals;
  #beganAt: number;
  #created = 0;
  #ended = 0;
  #appointment: Appointment | undefined;

  constructor(
    { clock, times, sessions, families }: {
      readonly clock: Clock;
      readonly times: Times;
      readonly sessions: Sessions;
      readonly families: () => Families;
    },
  ) {
    this.#clock = clock;
    this.#times = times;
    this.#sessions = sessions;
    this.#families = families;
    this.#before = totalsOf(families());
    this.#beganAt = clock.now();
    this.#appointment = clock.after(INTERVAL, this);
  }

  readonly watch: EventSink = ({ type }): void => {
    if (type === "session-created") this.#created++;
    else if (type === "session-ended") this.#ended++;
  };

  /** Of the last so many minutes. */
  list(minutes: number): History {
    const count = Math.ceil((minutes * 60_000) / INTERVAL);
    return { interval: INTERVAL / 1000, series: this.#entries.slice(-count) };
  }

  stop(): void {
    this.#appointment?.cancel();
  }

  /** For the clock. */
  wake(): void {
    const now = this.#clock.now();
    const totals = totalsOf(this.#families());
    const before = this.#before;
    const looks = totals.looks - before.looks;
    const seconds = Math.max(1, now - this.#beganAt) / 1000;
    const rate = (count: number) => Math.round(Math.max(0, count) / seconds * 1000) / 1000;
    const { bosh, websocket } = this.#sessions.byTransport();
    const { resident, heap } = memoryUse();
    if (this.#entries.length >= MOST) this.#entries.shift();
    this.#entries.push({
      at: this.#times.iso(now),
      sessions: { bosh, websocket },
      created: rate(this.#created),
      ended: rate(this.#ended),
      stanzasUp: rate(totals.stanzasUp - before.stanzasUp),
      stanzasDown: rate(totals.stanzasDown - before.stanzasDown),
      bytesUp: rate(totals.bytesUp - before.bytesUp),
      bytesDown: rate(totals.bytesDown - before.bytesDown),
      requests: rate(totals.requests - before.requests),
      held: totals.held,
      resident,
      heap,
      lag: looks > 0 ? Math.max(0, totals.lag - before.lag) / looks : 0,
    });
    this.#before = totals;
    this.#beganAt = now;
    this.#created = this.#ended = 0;
    this.#appointment = this.#clock.after(INTERVAL, this);
  }
}

/** Sums of what metrics say since the beginning; `held` is now. */
interface Totals {
  readonly stanzasUp: number;
  readonly stanzasDown: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly requests: number;
  readonly held: number;
  /** How late the event loop was (seconds), in how many looks. */
  readonly lag: number;
  readonly looks: number;
}

function totalsOf(families: Families): Totals {
  const byName = new Map(families.map((family) => [family.name, family.samples]));
  const sum = (family: string, labels: Readonly<Record<string, string>> = {}, name = family) => {
    let sum = 0;
    for (const sample of byName.get(family) ?? []) {
      if (sample.name !== name) continue;
      if (Object.entries(labels).every(([label, value]) => sample.labels[label] === value)) {
        sum += sample.value;
      }
    }
    return sum;
  };
  const lag = "causeway_event_loop_lag_seconds";
  return {
    stanzasUp: sum("causeway_stanzas_total", { direction: "up" }),
    stanzasDown: sum("causeway_stanzas_total", { direction: "down" }),
    bytesUp: sum("causeway_stanza_bytes_total", { direction: "up" }),
    bytesDown: sum("causeway_stanza_bytes_total", { direction: "down" }),
    requests: sum("causeway_requests_total"),
    held: sum("causeway_held_requests"),
    lag: sum(lag, {}, `${lag}_sum`),
    looks: sum(lag, {}, `${lag}_count`),
  };
}
