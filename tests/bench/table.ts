/** The table: what was measured beside what it should be, as docs/performance.md has it. */
import type { Figures } from "./scenarios.ts";
import { median } from "./statistics.ts";

/** Of both fronts: a multiple of the yardstick, or no more than so much. */
interface Target {
  readonly times?: readonly [number, number];
  readonly most?: readonly [number | undefined, number];
}

interface Row extends Target {
  readonly title: string;
  /** In {@link Figures}. */
  readonly figure: string;
  readonly unit: string;
  readonly digits: number;
  /** In place of the floors. */
  readonly yardstick?: string;
}

const ROWS: readonly Row[] = [
  cpu("CPU of a BOSH round trip, 100 sessions", "bosh-cpu", [1.6, 1.4]),
  cpu("CPU of a WebSocket round trip, 100 sessions", "ws-cpu", [1.5, 1.3]),
  cpu("the same, messages of 4 KiB, BOSH", "bosh-4k", [1.6, 1.5]),
  cpu("the same, messages of 4 KiB, WebSocket", "ws-4k", [1.6, 1.5]),
  cpu("the same, 50 stanzas down for one up, BOSH", "bosh-burst", [1.6, 1.5]),
  cpu("the same, 50 stanzas down for one up, WebSocket", "ws-burst", [1.6, 1.5]),
  cpu("CPU to open, log in and end a session, BOSH", "bosh-open", [2, 2]),
  cpu("CPU to open, log in and end a session, WebSocket", "ws-open", [2, 2]),
  {
    title: "memory of an idle BOSH session, one request held",
    figure: "bosh-idle",
    unit: "KiB",
    digits: 1,
    most: [38, 18],
  },
  {
    title: "memory of an idle WebSocket session",
    figure: "ws-idle",
    unit: "KiB",
    digits: 1,
    most: [38, 18],
  },
  {
    title: "the same, more, when the upstream is STARTTLS",
    figure: "starttls",
    unit: "KiB",
    digits: 1,
    most: [45, 45],
  },
  {
    title: "memory at rest, nothing connected",
    figure: "rest",
    unit: "MiB",
    digits: 1,
    most: [45, 48],
  },
  {
    title: "time from start to the ready line",
    figure: "start",
    unit: "ms",
    digits: 0,
    times: [3, 3],
  },
  {
    title: "10,000 idle BOSH sessions",
    figure: "bosh-many",
    unit: "MiB",
    digits: 0,
    most: [undefined, 250],
  },
  {
    title: "their CPU, of a core",
    figure: "bosh-many-cpu",
    unit: "%",
    digits: 1,
    most: [undefined, 1],
  },
  {
    title: "10,000 idle WebSocket sessions",
    figure: "ws-many",
    unit: "MiB",
    digits: 0,
    most: [undefined, 250],
  },
  {
    title: "their CPU, of a core",
    figure: "ws-many-cpu",
    unit: "%",
    digits: 1,
    most: [undefined, 1],
  },
  {
    title: "p99 of 1,000 BOSH sessions, a message a second each",
    figure: "bosh-p99",
    unit: "ms",
    digits: 2,
    times: [2, 2],
  },
  {
    title: "p99 of 1,000 WebSocket sessions, a message a second each",
    figure: "ws-p99",
    unit: "ms",
    digits: 2,
    times: [2, 2],
  },
  {
    ...cpu("CPU of a round trip with Prosody, beside its own BOSH", "bosh-prosody", [0.5, 0.5]),
    yardstick: "Prosody",
  },
  {
    ...cpu("CPU of a round trip with Prosody, beside its own WebSocket", "ws-prosody", [0.6, 0.6]),
    yardstick: "Prosody",
  },
];

/** At least so many times as many MB/s. */
const TOKENIZER_TARGETS = { saxes: 5, ltx: 2 } as const;

const HEAD =
  `| figure | floor: deno | front: deno | floor: sockets | front: sockets | target | met | spread |
|---|---|---|---|---|---|---|---|
`;
const TOKENIZER_HEAD = `| tokenizer | saxes | ltx | ours | target | met | spread |
|---|---|---|---|---|---|---|
`;

/** All that was measured, in Markdown, and what has missed its target. */
export function table(figures: Figures): { readonly text: string; readonly missed: string[] } {
  const missed: string[] = [];
  const lines = ROWS.filter(({ figure }) => figures[figure] !== undefined)
    .map((row) => line(row, figures[row.figure]!, missed));
  const parts = [];
  if (lines.length > 0) parts.push(HEAD + lines.join(""));
  if (figures["tokenizer"]) {
    parts.push(TOKENIZER_HEAD + tokenizerLine(figures["tokenizer"], missed));
  }
  return { text: parts.join("\n"), missed };
}

function line(row: Row, samples: Samples, missed: string[]): string {
  const { title, unit, digits } = row;
  const cells: string[] = [];
  const mets: string[] = [];
  for (const [i, front] of (["deno", "sockets"] as const).entries()) {
    const own = samples[`front ${front}`];
    const yard = samples[row.yardstick ?? `floor ${front}`];
    cells.push(
      yard ? `${row.yardstick ? `${row.yardstick} ` : ""}${number(median(yard), digits)}` : "–",
    );
    if (!own) {
      cells.push("–");
      continue;
    }
    const ratio = yard && row.times ? ratioOf(own, yard) : undefined;
    cells.push(number(median(own), digits) + (ratio ? ` (${ratio.toFixed(2)} ×)` : ""));
    const [value, limit] = ratio ? [ratio, row.times?.[i]] : [median(own), row.most?.[i]];
    if (limit === undefined) mets.push("–");
    else {
      // As it is shown, so that nobody reads "1.60 ×, not met".
      const isMet = Number(value.toFixed(ratio ? 2 : digits)) <= limit;
      mets.push(isMet ? "yes" : "**no**");
      if (!isMet) missed.push(`${title}, front ${front}`);
    }
  }
  const met = new Set(mets).size === 1 ? mets[0]! : mets.join(", ");
  return `| ${title} (${unit}) | ${cells.join(" | ")} | ${targetOf(row)} | ${met} | ${
    spread(samples)
  } |\n`;
}

function tokenizerLine(samples: Samples, missed: string[]): string {
  const { saxes = [], ltx = [], ours = [] } = samples;
  const ratios = { saxes: ratioOf(ours, saxes), ltx: ratioOf(ours, ltx) };
  const mets = Object.entries(TOKENIZER_TARGETS).map(([name, least]) => {
    const isMet = Number(ratios[name as "saxes" | "ltx"].toFixed(1)) >= least;
    if (!isMet) missed.push(`tokenizer beside ${name}`);
    return isMet ? "yes" : "**no**";
  });
  const value = (of: readonly number[]) => number(median(of), 0);
  return `| stanzas of 300 bytes in chunks of 4 KiB (MB/s) | ${value(saxes)} | ${value(ltx)} | ` +
    `${value(ours)} (${ratios.saxes.toFixed(1)} × saxes, ${ratios.ltx.toFixed(1)} × ltx) | ` +
    `≥ ${TOKENIZER_TARGETS.saxes} × saxes, ${TOKENIZER_TARGETS.ltx} × ltx | ` +
    `${new Set(mets).size === 1 ? mets[0] : mets.join(", ")} | ${spread(samples)} |\n`;
}

type Samples = Figures[string];

/** The median of the rounds' own ratios: what slows a whole round down is in none of them. */
function ratioOf(own: readonly number[], yard: readonly number[]): number {
  return median(own.map((value, round) => value / yard[round]!));
}

/** Of the party whose rounds differ most: how far they do, in per cent of its median. */
function spread(samples: Samples): string {
  if (Object.values(samples).every(({ length }) => length < 2)) return "–";
  const most = Math.max(
    ...Object.values(samples).map((values) =>
      (Math.max(...values) - Math.min(...values)) / median(values)
    ),
  );
  return Number.isFinite(most) ? `${Math.round(100 * most)} %` : "–";
}

function targetOf({ times, most }: Row): string {
  const [deno, sockets] = (times ?? most)!;
  const one = (limit: number | undefined) =>
    limit === undefined ? "–" : times ? `${limit} ×` : String(limit);
  return deno === sockets ? `≤ ${one(deno)}` : `≤ ${one(deno)}, ${one(sockets)}`;
}

function number(value: number, digits: number): string {
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function cpu(title: string, figure: string, times: readonly [number, number]): Row {
  return { title, figure, unit: "µs", digits: figure.endsWith("open") ? 0 : 1, times };
}
