/** What one core and 512 MiB carry, by the figures: the second table of docs/performance.md. */
import type { Figures } from "./scenarios.ts";
import { median } from "./statistics.ts";

/** KiB of the machine, and the part of it above which nobody new is served (`limits.memory`). */
const MEMORY = 512 * 1_024 * 0.7;
/** Part of the core that is for messages: the rest is for openings, for peaks, and for the system. */
const CORE = 0.5;

const HEAD = "| front, clients | sessions, plain upstream | sessions, STARTTLS upstream | " +
  "round trips a second | each of the plain ones, every |\n|---|---|---|---|---|\n";

/** In Markdown; empty while a figure is missing. */
export function capacity(figures: Figures): string {
  let lines = "";
  for (const front of ["deno", "sockets"]) {
    for (const [way, clients] of [["bosh", "BOSH"], ["ws", "WebSocket"]]) {
      const figure = (name: string) => median(figures[name]?.[`front ${front}`] ?? []);
      const rest = 1_024 * figure("rest");
      const each = figure(`${way}-idle`);
      const plain = (MEMORY - rest) / each;
      const secured = (MEMORY - rest) / (each + figure("starttls"));
      const trips = CORE * 1e6 / figure(`${way}-cpu`);
      const cells = [plain, secured, trips, plain / trips].map(rounded);
      if (cells.includes("NaN")) return "";
      lines += `| ${front}, ${clients} | ${cells.join(" | ")} s |\n`;
    }
  }
  return HEAD + lines;
}

/** To two digits: the figures are no better. */
function rounded(value: number): string {
  return Number(value.toPrecision(2)).toLocaleString("en");
}
