import assert from "node:assert/strict";
import type { ManagerEvent } from "../src/events.ts";
import { elapsed, Histogram, Meter } from "../src/meter.ts";
import { TestClock } from "./support/test_clock.ts";

const WHO = {
  session: "a",
  domain: "example.test",
  client: { address: "192.0.2.1", port: 1, transport: "websocket" },
} as const;

Deno.test("events are counted by what they say", () => {
  const meter = new Meter(new TestClock());
  const events: ManagerEvent[] = [
    { type: "session-created", ...WHO },
    { type: "session-ended", ...WHO, condition: undefined, reason: "", duration: 1 },
    { type: "session-ended", ...WHO, condition: "connection-lost", reason: "", duration: 1 },
    { type: "session-ended", ...WHO, condition: "x".repeat(64), reason: "", duration: 1 },
    { type: "upstream-failed", ...WHO, target: "t", phase: "tls", reason: "", retrying: true },
    { type: "unsent", ...WHO, to: "client", bytes: 5 },
    { type: "unsent", ...WHO, to: "server", bytes: 7 },
    { type: "handshake-failed", address: "192.0.2.1", reason: "" },
    { type: "fault", session: undefined, error: undefined },
    { type: "responses-acknowledged", ...WHO, rid: 1 },
  ];
  for (const event of events) meter.note(event);
  const { created, ended } = meter.websocket;
  assert.equal(created, 1);
  assert.deepEqual(
    [ended.get("none"), ended.get("connection-lost"), ended.get("other")],
    [1, 1, 1],
  );
  assert.ok(ended.size < 40);
  assert.equal(meter.bosh.created, 0);
  assert.deepEqual([meter.dials.tls.failed, meter.dials.tls.succeeded], [1, 0]);
  assert.deepEqual([meter.unsentToClients, meter.unsentToServers], [5, 7]);
  assert.deepEqual([meter.handshakeFailures, meter.faults], [1, 1]);
});

Deno.test("times are right also where their clock turns over", () => {
  const clock = new TestClock();
  const meter = new Meter(clock);
  assert.equal(meter.now(), 0);
  meter.times();
  clock.advance(2 ** 31 / 1_000 - 5);
  const began = meter.now();
  clock.advance(1_000);
  assert.equal(elapsed(began, meter.now()).toFixed(3), "1.000");
  clock.advance(3_600_000);
  assert.equal(elapsed(began, meter.now()).toFixed(3), "3601.000");
});

Deno.test("what is beyond all bounds of a histogram is in its last bucket", () => {
  const histogram = new Histogram([1]);
  histogram.observe(1);
  histogram.observe(1.1);
  assert.deepEqual(histogram.counts, [1, 1]);
});
