/** What the doctor found, step by step, and how it is written. */

/** One step, and what came of it. */
export interface Check {
  /** What was looked at: `srv`, `tcp`, `tls`, `cors` … */
  readonly step: string;
  /** Where: a name, `host:port (address)`, or an address of the web. */
  readonly target: string;
  /** `bad`: it does not work; `warning`: it does, and something is to be known; `skipped`: it was not tried. */
  readonly result: "ok" | "warning" | "bad" | "skipped";
  /** What was found, in words. */
  readonly detail: string;
  /** What to do about it. */
  readonly cure?: string;
  /** Milliseconds that it took. */
  readonly ms?: number;
}

/** Takes each check as soon as it is known. */
export type Report = (check: Check) => void;

const SIGN = { ok: "ok     ", warning: "WARNING", bad: "BAD    ", skipped: "skipped" } as const;

/** A line for people; a second one says what to do. */
export function textOf({ step, target, result, detail, cure, ms }: Check): string {
  const time = ms === undefined ? "" : ` (${ms} ms)`;
  const line = `${SIGN[result]} ${step} ${target}: ${printable(detail)}${time}`;
  return cure === undefined ? line : `${line}\n        → ${printable(cure)}`;
}

/** A line for programs. */
export function jsonOf(check: Check): string {
  const { step, target, result, detail, cure, ms } = check;
  return JSON.stringify({ step, target, result, detail, cure, ms });
}

/** What a stranger's server says may hold anything, also what a terminal obeys. */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+/g, " ");
}

/** Milliseconds as seconds, for people. */
export function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}

/**
 * Whether that is all of so many seconds. A connection manager answers a little before they are over, so that
 * the answer is there in time: Causeway 200 ms.
 */
export function isNearly(ms: number, wait: number): boolean {
  return ms >= wait * 900 - 250;
}
