/** Prometheus' own judgement of what is served, of the rules and of the dashboard. */
import assert from "node:assert/strict";
import type { Family } from "../../src/metrics/family.ts";
import { freePort } from "../support/free_port.ts";
import { runManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";
import { haveProgram, programPath } from "../support/programs.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const SERVED = '[[listen]]\nserve = ["bosh", "websocket", "discovery", "health", "metrics"]';

/** What Prometheus itself adds to all that it reads. */
const ADDED = ["job", "instance"];

async function promtool(args: readonly string[], input = ""): Promise<void> {
  const process = new Deno.Command(programPath("promtool"), {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await process.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  // Of what is lawful and unusual it says so, and is content.
  assert.deepEqual(
    [code, text(stderr).replace(/^.*SUCCESS.*$/gm, "").trim()],
    [0, ""],
    text(stdout),
  );
}

async function families(): Promise<readonly Family[]> {
  await using running = await runManager({ toml: SERVED, front: "sockets" });
  return (await running.manager.metrics()).families();
}

Deno.test({
  name: "promtool finds nothing amiss in the metrics of a busy program",
  ...haveProgram("promtool"),
  async fn() {
    for (const front of ["deno", "sockets"] as const) {
      await using running = await runManager({ toml: SERVED, front });
      const response = await fetch(`${running.url}/metrics`);
      await promtool(["check", "metrics"], await response.text());
    }
  },
});

Deno.test({
  name: "promtool finds the alert rules in order, and they fire when they should and only then",
  ...haveProgram("promtool"),
  async fn() {
    await promtool(["check", "rules", `${ROOT}deploy/alerts.yml`]);
    await promtool(["test", "rules", `${ROOT}tests/metrics/alerts.yml`]);
  },
});

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string }[];
  };
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] };
}

async function dashboard(): Promise<Dashboard> {
  return JSON.parse(await Deno.readTextFile(`${ROOT}deploy/grafana.json`));
}

function expressionsOf({ panels, annotations }: Dashboard): string[] {
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const marks = annotations.list.flatMap(({ expr }) => expr === undefined ? [] : [expr]);
  return [...queries, ...marks].map((expr) =>
    expr.replaceAll("$__rate_interval", "5m").replaceAll("$job", ".*").replaceAll("$instance", ".*")
  );
}

/** Metrics and the labels that expressions choose them by. */
function namesIn(expression: string): { readonly name: string; readonly labels: string[] }[] {
  const found = expression.matchAll(/\b((?:causeway|process)_\w+|up)\b(?:\{([^}]*)\})?/g);
  return [...found].map(([, name, selector = ""]) => ({
    name: name!,
    labels: [...selector.matchAll(/(\w+)\s*[=!]/g)].map(([, label]) => label!),
  }));
}

Deno.test("dashboard and rules ask for metrics and labels that there are", async () => {
  const labels = new Map<string, Set<string>>([["up", new Set()]]);
  for (const sample of (await families()).flatMap(({ samples }) => samples)) {
    const known = labels.get(sample.name) ?? new Set();
    for (const label of Object.keys(sample.labels)) known.add(label);
    labels.set(sample.name, known);
  }
  const rules = await Deno.readTextFile(`${ROOT}deploy/alerts.yml`);
  const expressions = expressionsOf(await dashboard());
  assert.ok(expressions.length > 30);
  for (
    const expression of [
      ...expressions,
      ...rules.matchAll(/expr: (?:\|\n\s+)?(.*\n(?:\s+[>)].*\n)?)/g),
    ]
  ) {
    const text = typeof expression === "string" ? expression : expression[1]!;
    const names = namesIn(text);
    assert.ok(names.length > 0, text);
    for (const { name, labels: chosen } of names) {
      const known = labels.get(name);
      assert.ok(known !== undefined, `${name} is no metric: ${text}`);
      for (const label of chosen) {
        assert.ok(known.has(label) || ADDED.includes(label), `${name} has no label ${label}`);
      }
    }
  }
});

Deno.test("docs/watching.md says of every metric what it is, and of no other, and of every alert", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/watching.md`);
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  const described = rows.flatMap((row) =>
    [...row.split("|")[1]!.matchAll(/`((?:causeway|process)_\w+)`/g)].map(([, name]) => name!)
  );
  const names = (await families()).map(({ name }) => name);
  assert.deepEqual(described.toSorted(), names.toSorted());
  const rules = await Deno.readTextFile(`${ROOT}deploy/alerts.yml`);
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
  const explained = rows.flatMap((row) => /^\| `(Causeway\w+)`/.exec(row)?.[1] ?? []);
  assert.deepEqual(explained.toSorted(), alerts.toSorted());
});

Deno.test("the dashboard can be imported: its source can be chosen, and no panel lies on another", async () => {
  const { schemaVersion, panels, templating } = await dashboard();
  assert.ok(schemaVersion >= 36);
  assert.ok(
    templating.list.some(({ name, type }) => name === "datasource" && type === "datasource"),
  );
  const taken = new Set<string>();
  for (const { title, type, targets, gridPos: { x, y, w, h } } of panels) {
    assert.ok(type === "row" || targets!.length > 0, title);
    assert.ok(x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        assert.ok(!taken.has(`${column} ${line}`), `${title} lies on another`);
        taken.add(`${column} ${line}`);
      }
    }
  }
});

Deno.test({
  name:
    "a Prometheus server reads what is served, in its own way, and answers all that the dashboard asks",
  ...haveProgram("prometheus"),
  async fn() {
    await using running = await runManager({ toml: SERVED, front: "sockets" });
    await using prometheus = await Prometheus.start(new URL(running.url).host);
    const version = await until(
      async () => (await prometheus.query("causeway_build_info"))[0],
      "the metrics have been read",
    );
    assert.equal(
      version.metric.version,
      JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`)).version,
    );
    // It asks for OpenMetrics first, and says what is wrong with it only here.
    const [target] = await prometheus.targets();
    assert.deepEqual([target?.health, target?.lastError], ["up", ""]);
    for (const expression of expressionsOf(await dashboard())) await prometheus.query(expression);
    const all = await prometheus.query(
      'count({job="causeway", __name__=~"causeway_.*|process_.*"})',
    );
    assert.ok(Number(all[0]?.value[1]) > 100);
  },
});

interface Vector {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** A server of its own, on loopback, that reads one target each second. */
class Prometheus implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #url: string;
  readonly #directory: string;

  private constructor(process: Deno.ChildProcess, url: string, directory: string) {
    this.#process = process;
    this.#url = url;
    this.#directory = directory;
  }

  static async start(target: string): Promise<Prometheus> {
    const directory = await Deno.makeTempDir();
    await Deno.writeTextFile(
      `${directory}/prometheus.yml`,
      `global: { scrape_interval: 1s }\nrule_files: [${ROOT}deploy/alerts.yml]\n` +
        `scrape_configs:\n  - job_name: causeway\n    static_configs: [{ targets: ["${target}"] }]\n`,
    );
    const port = freePort();
    const process = new Deno.Command(programPath("prometheus"), {
      args: [
        `--config.file=${directory}/prometheus.yml`,
        `--storage.tsdb.path=${directory}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    return new Prometheus(process, `http://127.0.0.1:${port}/api/v1`, directory);
  }

  /** Rejects when there is no such expression; an answer without anything where nobody answers yet. */
  async query(expression: string): Promise<readonly Vector[]> {
    const body = new URLSearchParams({ query: expression });
    let response;
    try {
      response = await fetch(`${this.#url}/query`, { method: "POST", body });
    } catch {
      return [];
    }
    const text = await response.text();
    if (response.status === 503) return [];
    assert.equal(response.status, 200, `${expression}: ${text}`);
    return JSON.parse(text).data.result;
  }

  async targets(): Promise<readonly { readonly health: string; readonly lastError: string }[]> {
    const response = await fetch(`${this.#url}/targets`);
    return (await response.json()).data.activeTargets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await Deno.remove(this.#directory, { recursive: true });
  }
}
