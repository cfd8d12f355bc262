import assert from "node:assert/strict";
import fc from "fast-check";
import { Alarm, type Appointment, systemClock } from "../src/clock.ts";
import { TestClock } from "./support/test_clock.ts";

Deno.test("an alarm rings once, when its deadline has come", () => {
  const clock = new TestClock();
  const rings: number[] = [];
  const alarm = new Alarm(clock, { wake: () => rings.push(clock.now()) });
  alarm.set(100);
  clock.advance(99);
  assert.deepEqual(rings, []);
  clock.advance(1000);
  assert.deepEqual(rings, [100]);
});

Deno.test("moving a deadline later arms no timer, moving it earlier does", () => {
  const clock = new TestClock();
  const rings: number[] = [];
  const alarm = new Alarm(clock, { wake: () => rings.push(clock.now()) });
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
  const alarm = new Alarm(clock, { wake: () => assert.fail("rang") });
  alarm.set(100);
  alarm.set(undefined);
  clock.advance(200);
  alarm.set(300);
  alarm.stop();
  assert.equal(clock.timers, 0);
  clock.advance(1000);
});

// A failure prints its seed. Invariant: whoever is not cancelled is woken, once, in the order of the times and never early.
Deno.test("the system's clock wakes in order whoever was not cancelled", async () => {
  const delays = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.boolean()), {
    maxLength: 60,
  });
  await fc.assert(
    fc.asyncProperty(delays, async (appointments) => {
      const woken: { readonly earliest: number; latest: number }[] = [];
      const cancelled: Appointment[] = [];
      let wanted = 0;
      for (const [ms, isCancelled] of appointments) {
        // The clock may have gone on before it looked at itself.
        const at = { earliest: systemClock.now() + ms, latest: Infinity };
        const appointment = systemClock.after(ms, {
          wake: () => {
            assert.ok(systemClock.now() >= at.earliest);
            assert.ok(!isCancelled);
            woken.push(at);
          },
        });
        at.latest = systemClock.now() + ms;
        if (isCancelled) cancelled.push(appointment);
        else wanted++;
      }
      for (const appointment of cancelled) appointment.cancel();
      await new Promise<void>((resolve) => systemClock.after(45, { wake: resolve }));
      assert.equal(woken.length, wanted);
      woken.reduce((last, { earliest, latest }) => {
        assert.ok(latest >= last, `${last} before ${latest}`);
        return Math.max(last, earliest);
      }, 0);
      // Late and twice.
      for (const appointment of cancelled) appointment.cancel();
    }),
    { numRuns: 15 },
  );
});

Deno.test("the system's clock wakes those together who sleep long, and none of them early", async () => {
  // Each of these turns of the event loop has the process woken once.
  const turns = new Set<number>();
  let turn = 0;
  await Promise.all(Array.from({ length: 100 }, (_, index) => {
    const ms = 1_000 + index / 4;
    const at = systemClock.now() + ms;
    return new Promise<void>((resolve) => {
      systemClock.after(ms, {
        wake() {
          assert.ok(systemClock.now() >= at);
          turns.add(turn);
          queueMicrotask(() => turn++);
          resolve();
        },
      });
    });
  }));
  assert.ok(turns.size <= 2, `woken in ${turns.size} turns`);
});
