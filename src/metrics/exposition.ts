/**
 * The two texts that a Prometheus server reads: its own format 0.0.4, and OpenMetrics 1.0.0, which
 * differs in what counters are called, in what is escaped, and in an end that can be missed.
 */
import type { Family, Labels } from "./family.ts";

export type Format = "prometheus" | "openmetrics";

export const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

export function exposition(families: readonly Family[], format: Format): string {
  const isOpen = format === "openmetrics";
  let text = "";
  for (const { name, type, help, samples } of families) {
    // OpenMetrics: the family of a counter is called without the suffix that its samples have.
    const family = isOpen && type === "counter" ? name.replace(/_total$/, "") : name;
    text += `# HELP ${family} ${isOpen ? quoted(help) : escaped(help)}\n# TYPE ${family} ${type}\n`;
    for (const { name, labels, value } of samples) {
      text += `${name}${labelText(labels)} ${numberText(value)}\n`;
    }
  }
  return isOpen ? `${text}# EOF\n` : text;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${quoted(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function quoted(text: string): string {
  return escaped(text).replaceAll('"', '\\"');
}

function numberText(value: number): string {
  return value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
}

/** Which of the two an `Accept` header prefers (RFC 9110 §12.5.1); without one, Prometheus' own. */
export function formatFor(accept: string | undefined): Format {
  let best = 0;
  let format: Format = "prometheus";
  for (const part of (accept ?? "").toLowerCase().split(",")) {
    const [type = "", ...parameters] = part.split(";").map((text) => text.trim());
    const isOpen = type === "application/openmetrics-text";
    if (!isOpen && type !== "text/plain" && type !== "text/*" && type !== "*/*") continue;
    // Of versions that there may be one day nothing is known.
    if (isOpen && parameters.some((text) => /^version=(?!"?(?:1\.0\.0|0\.0\.1)"?$)/.test(text))) {
      continue;
    }
    const weight = parameters.map((text) => /^q=([01](?:\.\d{0,3})?)$/.exec(text)?.[1])
      .find((text) => text !== undefined);
    const quality = weight === undefined ? 1 : Number(weight);
    if (quality > best) {
      best = quality;
      format = isOpen ? "openmetrics" : "prometheus";
    }
  }
  return format;
}
