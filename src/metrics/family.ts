/** Families of metrics, as Prometheus has them, in plain objects. */
import type { Histogram } from "../meter.ts";

/** One metric, with all that is told apart by labels. */
export interface Family {
  /** Of counters with `_total`, as samples have it. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** A sentence for people. */
  readonly help: string;
  readonly samples: Sample[];
}

export interface Sample {
  /** The family's; of a histogram with `_bucket`, `_sum` or `_count`. */
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

export type Labels = Readonly<Record<string, string>>;

/** Numbers by their labels; a number without any by itself. */
export type Values<T> = T | readonly (readonly [Labels, T])[];

export function counter(name: string, help: string, values: Values<number>): Family {
  return { name, type: "counter", help, samples: samplesOf(name, values) };
}

export function gauge(name: string, help: string, values: Values<number>): Family {
  return { name, type: "gauge", help, samples: samplesOf(name, values) };
}

export function histogram(name: string, help: string, values: Values<Histogram>): Family {
  const samples = byLabels(values).flatMap(([labels, histogram]) =>
    bucketsOf(name, labels, histogram)
  );
  return { name, type: "histogram", help, samples };
}

function samplesOf(name: string, values: Values<number>): Sample[] {
  return byLabels(values).map(([labels, value]) => ({ name, labels, value }));
}

/** Each bucket counts those below it too, and the last one all. */
function bucketsOf(name: string, labels: Labels, { bounds, counts, sum }: Histogram): Sample[] {
  const samples: Sample[] = [];
  let count = 0;
  for (const [at, of] of counts.entries()) {
    count += of;
    const le = at < bounds.length ? floatText(bounds[at]!) : "+Inf";
    samples.push({ name: `${name}_bucket`, labels: { ...labels, le }, value: count });
  }
  samples.push({ name: `${name}_sum`, labels, value: sum });
  samples.push({ name: `${name}_count`, labels, value: count });
  return samples;
}

/** OpenMetrics: bounds "MUST" be canonical numbers, and those have a point. */
function floatText(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function byLabels<T>(values: Values<T>): readonly (readonly [Labels, T])[] {
  return Array.isArray(values) ? values : [[{}, values as T]];
}
