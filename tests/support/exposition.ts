/** Reads what a Prometheus server reads, by the rules of its text format 0.0.4 and of OpenMetrics 1.0.0. */
import type { Family, Labels } from "../../src/metrics/family.ts";

interface Read {
  name: string;
  type: Family["type"];
  help: string;
  samples: { name: string; labels: Labels; value: number }[];
}

/** Throws where a line is none of the format. */
export function readExposition(text: string, format: "prometheus" | "openmetrics"): Family[] {
  const isOpen = format === "openmetrics";
  if (isOpen) {
    if (!text.endsWith("\n# EOF\n")) throw new Error("it has no end");
    text = text.slice(0, -"# EOF\n".length);
  }
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families: Read[] = [];
  for (const line of text.slice(0, -1).split("\n")) {
    const [, word, name = "", rest = ""] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/s
      .exec(line) ?? [];
    if (word === "HELP") {
      families.push({ name, type: "gauge", help: unescaped(rest, isOpen), samples: [] });
      continue;
    }
    const family = families.at(-1);
    if (family === undefined) throw new Error(`before any family: ${line}`);
    if (word === "TYPE") {
      if (family.name !== name) throw new Error(`a type of something else: ${line}`);
      family.type = rest as Family["type"];
      if (isOpen && family.type === "counter") family.name += "_total";
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s.exec(line);
    if (sample === null) throw new Error(`no line of the format: ${line}`);
    const [, of = "", labels = "", value = ""] = sample;
    family.samples.push({ name: of, labels: readLabels(labels), value: readNumber(value) });
  }
  return families;
}

function readLabels(text: string): Labels {
  const labels: Record<string, string> = {};
  const pair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y;
  while (pair.lastIndex < text.length) {
    const found = pair.exec(text);
    if (found === null) throw new Error(`no labels: ${text}`);
    labels[found[1]!] = unescaped(found[2]!, true);
  }
  return labels;
}

/** In the help of Prometheus' own format a quote stands for itself. */
function unescaped(text: string, hasQuotes: boolean): string {
  return text.replace(/\\(.)/gs, (_, character: string) => {
    if (character === "n") return "\n";
    if (character === "\\" || (hasQuotes && character === '"')) return character;
    throw new Error(`an escape that there is none: ${text}`);
  });
}

function readNumber(text: string): number {
  if (text === "+Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  const value = Number(text);
  if (Number.isNaN(value)) throw new Error(`no number: ${text}`);
  return value;
}

/** The value of one sample, by its name and as much of its labels as tells it apart. */
export function valueOf(families: readonly Family[], name: string, labels: Labels = {}): number {
  const found = families.flatMap(({ samples }) => samples).filter((sample) =>
    sample.name === name &&
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  );
  if (found.length !== 1) {
    throw new Error(`${found.length} samples are ${name} ${JSON.stringify(labels)}`);
  }
  return found[0]!.value;
}
