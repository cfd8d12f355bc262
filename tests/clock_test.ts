import assert from "node:assert/strict";
import { Alarm } from "../src/clock.ts";
import { TestClock } from "./support/test_clock.ts";

Deno.test("an alarm rings once, when its deadline has come", () => {
  const clock = new TestClock();
  const rings: number[] = [];
  const alarm = new Alarm(clock, () => rings.push(clock.now()));
  alarm.set(100);
  clock.advance(99);
  assert.deepEqual(rings, []);
  clock.advance(1000);
  assert.deepEqual(rings, [100]);
});

Deno.test("moving a deadline later arms no timer, moving it earlier does", () => {
  const clock = new TestClock();
  const rings: number[] = [];
  const alarm = new Alarm(clock, () => rings.push(clock.now()));
  for (let deadline = 100; deadline <= 1000; deadline++) alarm.set(deadline);
  assert.equal(clock.timers, 1);
  clock.advance(999);
  assert.deepEqual(rings, []);
  clock.advance(1);
  assert.deepEqual(rings, [1000]);
  alarm.set(5000);
  alarm.set(2000);
  clock.advance(1000);
  assert.deepEqual(rings, [1000, 2000]);
});

Deno.test("a deadline that is taken away does not ring, and a stopped alarm leaves no timer", () => {
  const clock = new TestClock();
  const alarm = new Alarm(clock, () => assert.fail("rang"));
  alarm.set(100);
  alarm.set(undefined);
  clock.advance(200);
  alarm.set(300);
  alarm.stop();
  assert.equal(clock.timers, 0);
  clock.advance(1000);
});
