import assert from "node:assert/strict";
import { LimitReports } from "../../src/server/limit_reports.ts";
import { MemoryCeiling } from "../../src/server/memory_guard.ts";
import { controlGroupCeiling, memoryUse } from "../../src/server/process_memory.ts";
import { BodyRoom } from "../../src/server/body_room.ts";
import { SessionLimits } from "../../src/server/session_limits.ts";
import { configOf } from "../support/manager.ts";
import { TestClock } from "../support/test_clock.ts";

function limitsOf(toml: string, clock = new TestClock(), memory = { isTight: false }) {
  const { limits } = configOf(`[limits]\n${toml}`);
  const isExempt = (address: string) => address === "127.0.0.1";
  return new SessionLimits({ limits: () => limits, clock, memory, isExempt });
}

Deno.test("S-007 sessions of one address are counted, of an IPv6 /64 together; others are not touched", () => {
  const limits = limitsOf("sessions_per_address = 2");
  for (const address of ["192.0.2.1", "2001:db8:0:1::1"]) {
    limits.opened(address);
    assert.equal(limits.refusal(address, 0), undefined);
    limits.opened(address);
    const refusal = limits.refusal(address, 0)!;
    assert.equal(refusal.limit, "limits.sessions_per_address");
    assert.match(refusal.reason, /limits\.sessions_per_address/);
  }
  assert.ok(limits.refusal("2001:db8:0:1:ffff::2", 0), "the same /64");
  assert.equal(limits.refusal("2001:db8:0:2::1", 0), undefined, "another one");
  assert.equal(limits.refusal("192.0.2.2", 0), undefined);
  limits.ended("192.0.2.1");
  assert.equal(limits.refusal("192.0.2.1", 0), undefined);
});

Deno.test("S-007 an address may open so many sessions in a minute, and more as time passes", () => {
  const clock = new TestClock();
  const limits = limitsOf("new_sessions_per_minute = 60", clock);
  const open = () => {
    if (limits.refusal("192.0.2.1", 0)) return false;
    limits.opened("192.0.2.1");
    limits.ended("192.0.2.1");
    return true;
  };
  for (let i = 0; i < 60; i++) assert.ok(open());
  assert.ok(!open());
  assert.equal(limits.refusal("192.0.2.1", 0)?.limit, "limits.new_sessions_per_minute");
  assert.equal(limits.refusal("192.0.2.1", 0)?.status, 429);
  clock.advance(999);
  assert.ok(!open());
  clock.advance(1);
  assert.ok(open());
  assert.ok(!open());
  clock.advance(600_000);
  for (let i = 0; i < 60; i++) assert.ok(open());
  assert.ok(!open(), "nobody saves up more than a minute's worth");
});

Deno.test("S-007 a trusted proxy that names nobody has only the limits of all", () => {
  const memory = { isTight: false };
  const limits = limitsOf(
    "sessions = 1_000\nsessions_per_address = 1\nnew_sessions_per_minute = 1",
    new TestClock(),
    memory,
  );
  for (let i = 0; i < 10; i++) {
    assert.equal(limits.refusal("127.0.0.1", i), undefined);
    limits.opened("127.0.0.1");
  }
  assert.equal(limits.refusal("127.0.0.1", 1_000)?.limit, "limits.sessions");
  memory.isTight = true;
  assert.equal(limits.refusal("127.0.0.1", 10)?.limit, "limits.memory");
  assert.equal(limits.refusal("127.0.0.1", 10)?.status, 503);
});

Deno.test("S-007 the pace of a great many addresses is not remembered for ever", () => {
  const clock = new TestClock();
  const limits = limitsOf("new_sessions_per_minute = 1", clock);
  const address = (i: number) =>
    `2001:db8:${(i >> 16).toString(16)}:${(i & 0xffff).toString(16)}::1`;
  for (let i = 0; i < 100_002; i++) {
    limits.opened(address(i));
    limits.ended(address(i));
  }
  assert.equal(limits.refusal(address(0), 0), undefined, "the oldest is forgotten");
  assert.ok(limits.refusal(address(100_001), 0), "the newest is not");
  clock.advance(60_000);
  assert.equal(limits.refusal(address(100_001), 0), undefined);
});

Deno.test("a limit is told at once, and then at most every ten seconds with how often it has bitten", () => {
  const clock = new TestClock();
  const told: unknown[] = [];
  const reports = new LimitReports(clock, (event) => told.push(event));
  for (let i = 0; i < 5; i++) reports.met("limits.sessions", "192.0.2.1");
  reports.met("limits.lookups");
  clock.advance(10_000);
  reports.met("limits.sessions", "192.0.2.2");
  const type = "limit-reached";
  assert.deepEqual(told, [
    { type, limit: "limits.sessions", address: "192.0.2.1", count: 1 },
    { type, limit: "limits.lookups", address: "", count: 1 },
    { type, limit: "limits.sessions", address: "192.0.2.2", count: 5 },
  ]);
  assert.deepEqual([...reports.totals], [["limits.sessions", 6], ["limits.lookups", 1]]);
});

Deno.test("S-007 memory is tight above the ceiling, and until a twentieth of it is free again", () => {
  const clock = new TestClock();
  const use = { resident: 900, heap: 10, heapLimit: 100 };
  let measured = 0;
  const memory = new MemoryCeiling({
    ceiling: () => 1_000,
    clock,
    measure: () => (measured++, { ...use }),
  });
  const isTight = () => (clock.advance(250), memory.isTight);
  assert.equal(isTight(), false);
  use.resident = 1_001;
  assert.equal(isTight(), true);
  use.resident = 960;
  assert.equal(isTight(), true);
  use.resident = 950;
  assert.equal(isTight(), false);
  use.heap = 86;
  assert.equal(isTight(), true, "V8 would end the process");
  use.heap = 80;
  assert.equal(isTight(), false);
  measured = 0;
  for (let i = 0; i < 100; i++) void memory.isTight;
  assert.equal(measured, 2, "it is measured now and then, and before a crowd is let in");
});

Deno.test("S-007 what a process has of memory can be read here", () => {
  const { resident, heap, heapLimit } = memoryUse();
  assert.ok(resident > 1e6 && heap > 1e6 && heapLimit > heap);
  assert.ok(controlGroupCeiling()(1e9) > 1e6);
  assert.equal(controlGroupCeiling(() => 1_000)(1e9), 700);
  assert.equal(controlGroupCeiling(() => 0)(1e9), Infinity, "a system without control groups");
  let asked = 0;
  const ceiling = controlGroupCeiling(() => (asked++, 1e9));
  assert.equal(ceiling(60e6), Infinity);
  assert.equal(asked, 0, "to ask takes memory itself");
  assert.equal(ceiling(80e6), 0.7e9);
  assert.equal(ceiling(90e6), 0.7e9);
  assert.equal(asked, 1);
});

Deno.test("S-007 there is so much room for bodies that are being read; small ones need none", () => {
  const room = new BodyRoom(100_000);
  assert.ok(room.take(60_000));
  assert.ok(!room.take(40_001));
  assert.ok(room.take(4_096));
  assert.ok(room.take(40_000));
  assert.equal(room.taken, 100_000);
  room.giveBack(60_000);
  room.giveBack(4_096);
  assert.equal(room.taken, 40_000);
});
