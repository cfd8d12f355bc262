import assert from "node:assert/strict";
import { ErrorTable } from "../../src/admin/errors.ts";
import { HistoryRing } from "../../src/admin/history.ts";
import { Notes } from "../../src/admin/notes.ts";
import type { Metrics } from "../../src/admin/service.ts";
import type { Sessions } from "../../src/admin/sessions.ts";
import { Times } from "../../src/admin/times.ts";
import { UpstreamTable } from "../../src/admin/upstreams.ts";
import type { ManagerEvent } from "../../src/events.ts";
import type { Registry } from "../../src/server/registry.ts";
import { TestClock } from "../support/test_clock.ts";

const client = { address: "192.0.2.1", port: 1, transport: "bosh" } as const;

function ended(condition: string | undefined, session = "a"): ManagerEvent {
  return {
    type: "session-ended",
    session,
    domain: "example.test",
    client,
    condition,
    reason: "so it was",
    duration: 5,
  };
}

function failed(domain: string, retrying = false): ManagerEvent {
  const target = "127.0.0.1:1";
  return {
    type: "upstream-failed",
    session: "a",
    domain,
    client,
    target,
    phase: "tls",
    reason: "no",
    retrying,
  };
}

function connected(domain: string, session = "a"): ManagerEvent {
  return {
    type: "upstream-connected",
    session,
    domain,
    client,
    target: "127.0.0.1:2",
    tls: "none",
  };
}

Deno.test("what went wrong is counted for an hour, by the minute", () => {
  const clock = new TestClock();
  const table = new ErrorTable(new Times(clock, () => 0));
  table.watch(ended("item-not-found"));
  table.watch(ended(undefined));
  table.watch({ type: "limit-reached", limit: "limits.sessions", address: "", count: 7 });
  clock.advance(10 * 60_000);
  table.watch(ended("item-not-found"));
  table.watch(failed("example.test"));
  const { recent, ...all } = table.list(60);
  assert.deepEqual(all, {
    ended: { "item-not-found": 2 },
    limits: { "limits.sessions": 7 },
    upstream: { tls: 1 },
  });
  assert.deepEqual(recent.map(({ at, text }) => [at, text.split(" session=")[0]]), [
    ["1970-01-01T00:10:00.000Z", "upstream failed"],
    ["1970-01-01T00:10:00.000Z", "session ended"],
    ["1970-01-01T00:00:00.000Z", "limit reached limit=limits.sessions times=7"],
    ["1970-01-01T00:00:00.000Z", "session ended"],
  ]);
  assert.deepEqual(table.list(5).ended, { "item-not-found": 1 });
  clock.advance(55 * 60_000);
  assert.deepEqual(table.list(60).ended, { "item-not-found": 1 });
});

Deno.test("S-004 S-007 of what went wrong a hundred lines are kept, as the log has them, and a hundred conditions a minute", () => {
  const clock = new TestClock();
  const table = new ErrorTable(new Times(clock, () => 0));
  for (let i = 0; i < 5_000; i++) table.watch(ended(`condition-${i}`));
  // Strangers can make these come as often as they like, and they would hide the others.
  for (let i = 0; i < 100; i++) {
    table.watch({ type: "handshake-failed", address: "192.0.2.1", reason: "no" });
  }
  const { recent, ended: counts } = table.list(60);
  assert.ok(recent.every(({ text }) => text.startsWith("session ended")));
  assert.equal(recent.length, 100);
  assert.equal(Object.keys(counts).length, 101);
  assert.equal(counts["others"], 4_900);
  table.watch({ type: "fault", session: "a", error: new Error("a secret in a message") });
  const text = table.list(1).recent[0]!.text;
  assert.match(text, /^fault in Causeway.* session=a /);
  assert.ok(!text.includes("secret") && !text.includes("\n") && text.length <= 1_000);
});

Deno.test("S-007 the servers of 500 domains are remembered; those that were heard of last, first", () => {
  const clock = new TestClock();
  const table = new UpstreamTable(new Times(clock, () => 0));
  for (let i = 0; i < 600; i++) table.watch(connected(`d${i}.test`));
  clock.advance(1_000);
  table.watch(failed("d100.test", true));
  const one = () => table.list(new Map([["d100.test", 3]])).upstreams[0]!;
  assert.deepEqual(one(), {
    domain: "d100.test",
    target: "127.0.0.1:1",
    open: 3,
    // Another place is tried.
    health: "ok",
    lastConnected: "1970-01-01T00:00:00.000Z",
    lastFailed: "1970-01-01T00:00:01.000Z",
    failuresInARow: 0,
    phase: "tls",
    reason: "no",
  });
  table.watch(failed("d100.test"));
  table.watch(failed("d100.test"));
  assert.deepEqual([one().health, one().failuresInARow], ["failing", 2]);
  table.watch(connected("d100.test"));
  assert.deepEqual([one().health, one().failuresInARow], ["ok", 0]);
  const { upstreams } = table.list(new Map());
  assert.equal(upstreams.length, 500);
  assert.ok(!upstreams.some(({ domain }) => domain === "d99.test"));
  table.watch(failed("new.test", true));
  assert.equal(table.list(new Map()).upstreams[0]!.health, "unknown");
});

Deno.test("the history has an hour in steps of ten seconds, counters as rates", () => {
  const clock = new TestClock();
  const sessions = { byTransport: () => ({ bosh: 3, websocket: 4, total: 7 }) } as Sessions;
  let count = 0;
  const family = (name: string, labels: Record<string, string>, value: number, sample = name) => ({
    name,
    type: "counter",
    help: "",
    samples: [{ name: sample, labels, value }],
  });
  const lag = "causeway_event_loop_lag_seconds";
  const families = (): Metrics["families"] => [
    {
      ...family("causeway_stanzas_total", {}, 0),
      samples: ["up", "down"].flatMap((direction) =>
        ["bosh", "websocket"].map((transport) => ({
          name: "causeway_stanzas_total",
          labels: { direction, transport },
          value: direction === "up" ? count : 2 * count,
        }))
      ),
    },
    family("causeway_stanza_bytes_total", { direction: "up" }, 100 * count),
    family("causeway_requests_total", { endpoint: "bosh" }, 5 * count),
    family("causeway_held_requests", {}, 9),
    {
      ...family(lag, {}, 0),
      samples: [
        { name: `${lag}_sum`, labels: {}, value: count / 100 },
        { name: `${lag}_count`, labels: {}, value: count },
      ],
    },
  ];
  const history = new HistoryRing({ clock, times: new Times(clock, () => 0), sessions, families });
  history.watch(ended("x"));
  count = 20;
  clock.advance(10_000);
  const [{ resident, heap, ...entry }] = history.list(60).series as [
    ReturnType<typeof history.list>["series"][0],
  ];
  assert.ok(resident > heap);
  assert.deepEqual(entry, {
    at: "1970-01-01T00:00:10.000Z",
    sessions: { bosh: 3, websocket: 4 },
    created: 0,
    ended: 0.1,
    stanzasUp: 4,
    stanzasDown: 8,
    bytesUp: 200,
    bytesDown: 0,
    requests: 10,
    held: 9,
    lag: 0.01,
  });
  clock.advance(2 * 3_600_000);
  assert.equal(history.list(60).series.length, 360);
  assert.equal(history.list(1).series.length, 6);
  assert.deepEqual([history.list(1).series[5]!.ended, history.list(1).series[5]!.lag], [0, 0]);
  history.stop();
  assert.equal(clock.timers, 0);
});

Deno.test("S-007 what events tell of sessions is forgotten with them, also when it comes late", () => {
  const names = Array.from({ length: 10 }, (_, at) => `session-${at}`);
  const registry = { size: 10, actors: names.map((name) => ({ name })) } as unknown as Registry;
  const notes = new Notes(registry);
  notes.watch({
    type: "session-created",
    session: "session-1",
    domain: "d",
    client,
    userAgent: "u".repeat(500),
  });
  notes.watch(connected("d", "session-1"));
  assert.deepEqual(notes.get("session-1"), { userAgent: "u".repeat(200), target: "127.0.0.1:2" });
  for (let i = 0; i < 5_000; i++) notes.watch(connected("d", `gone-${i}`));
  const left = Array.from({ length: 5_000 }, (_, at) => notes.get(`gone-${at}`)).filter((note) =>
    note
  );
  assert.ok(left.length <= 1_010, String(left.length));
  assert.ok(notes.get("session-1") !== undefined);
  notes.watch(ended(undefined, "session-1"));
  assert.equal(notes.get("session-1"), undefined);
});
