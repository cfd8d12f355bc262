import { get } from "./api.js";
import { Charts } from "./charts.js";
import { find } from "./dom.js";
import { bytes, count, figure } from "./words.js";

const perMinute = (number) => `${figure(number)}/min`;
const perSecond = (number) => `${figure(number)}/s`;
const bytesPerSecond = (number) => `${bytes(number)}/s`;
const MIB = 1_048_576;

const KINDS = [
  {
    id: "sessions",
    title: "Sessions",
    isStacked: true,
    format: count,
    least: 5,
    lines: [
      { name: "BOSH", of: ({ sessions }) => sessions.bosh },
      { name: "WebSocket", of: ({ sessions }) => sessions.websocket },
    ],
  },
  {
    id: "turnover",
    title: "Opened and ended",
    isPeak: true,
    format: perMinute,
    lines: [
      { name: "opened", of: ({ created }) => created * 60 },
      { name: "ended", of: ({ ended }) => ended * 60 },
    ],
  },
  {
    id: "stanzas",
    title: "Stanzas",
    format: perSecond,
    lines: [
      { name: "up", of: ({ stanzasUp }) => stanzasUp },
      { name: "down", of: ({ stanzasDown }) => stanzasDown },
    ],
  },
  {
    id: "traffic",
    title: "Bytes",
    format: bytesPerSecond,
    unit: 1024,
    least: 1024,
    lines: [
      { name: "up", of: ({ bytesUp }) => bytesUp },
      { name: "down", of: ({ bytesDown }) => bytesDown },
    ],
  },
  {
    id: "requests",
    title: "HTTP requests",
    format: perSecond,
    lines: [{ name: "answered", of: ({ requests }) => requests }],
  },
  {
    id: "held",
    title: "Held requests",
    format: count,
    least: 5,
    lines: [{ name: "held", of: ({ held }) => held }],
  },
  {
    id: "memory",
    title: "Memory",
    format: bytes,
    unit: 1024,
    least: 10 * MIB,
    lines: [
      { name: "resident", of: ({ resident }) => resident },
      { name: "heap", of: ({ heap }) => heap },
    ],
  },
  {
    id: "lag",
    title: "Event-loop lag",
    format: (ms) => ms < 1000 ? `${figure(ms)} ms` : `${figure(ms / 1000)} s`,
    least: 10,
    isPeak: true,
    lines: [{ name: "late by", of: ({ lag }) => lag * 1000 }],
  },
];

/** The charts, and the history behind them. */
export class Load {
  #charts = new Charts(find("[data-charts]"), find("[data-moment]"), KINDS);
  #range = find("[data-range]");
  /** By time. */
  #points = new Map();
  #interval = 5_000;
  /** When there was an answer, by this machine's clock, which need not be Causeway's. */
  #looked = -Infinity;

  /** `onRange` is called when another span of time is chosen. */
  constructor(onRange) {
    this.#range.addEventListener("change", onRange);
  }

  get minutes() {
    return Number(this.#range.value);
  }

  /** The span of time in words. */
  get words() {
    return this.minutes === 60 ? "the last hour" : `the last ${this.minutes} minutes`;
  }

  /** Asks for what is new, or for all of the last hour when there is none of it, or a hole. */
  async look() {
    const now = performance.now();
    const minutes = now - this.#looked < 50_000 ? 1 : 60;
    const { interval, series } = await get("history", { minutes });
    this.#looked = now;
    this.#interval = interval * 1000;
    for (const point of series) {
      const time = new Date(point.at).getTime();
      this.#points.set(time, { ...point, time });
    }
    this.#show();
  }

  #show() {
    // The clock of the server, for this one may be wrong.
    const to = Math.max(...this.#points.keys());
    for (const time of this.#points.keys()) {
      if (time < to - 3_600_000) this.#points.delete(time);
    }
    const points = [...this.#points.values()].sort((one, other) => one.time - other.time);
    const { words } = this;
    const interval = this.#interval;
    const from = to - this.minutes * 60_000;
    if (points.length > 0) this.#charts.show(points, { from, to, interval, words });
  }
}
