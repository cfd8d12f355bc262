import assert from "node:assert/strict";
import { NetworkError, within } from "../../src/upstream/failure.ts";
import { TestClock } from "../support/test_clock.ts";

/** Work that is done when its signal fires, and not before. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true })
  );
}

Deno.test("work that is done in time has its result and leaves no timer", async () => {
  const clock = new TestClock();
  assert.equal(await within({ clock, timeout: 10 }, "nothing", () => Promise.resolve(7)), 7);
  assert.equal(clock.timers, 0);
});

Deno.test("work that takes too long is given up with what was missing", async () => {
  const clock = new TestClock();
  const work = within({ clock, timeout: 10_000 }, "no answer", untilAborted);
  clock.advance(9_999);
  clock.advance(1);
  await assert.rejects(work, new NetworkError("no answer within 10 s"));
});

Deno.test("work that fails by itself fails as it is", async () => {
  const clock = new TestClock();
  const error = new TypeError("a bug");
  await assert.rejects(within({ clock, timeout: 10 }, "x", () => Promise.reject(error)), error);
  assert.equal(clock.timers, 0);
});

Deno.test("work is given up when it is cancelled, before it began too", async () => {
  const clock = new TestClock();
  const cancel = new AbortController();
  const bounds = { clock, timeout: 10, cancelled: cancel.signal };
  const work = within(bounds, "x", untilAborted);
  cancel.abort();
  await assert.rejects(work, new NetworkError("given up"));
  await assert.rejects(
    within(
      bounds,
      "x",
      (signal) => signal.aborted ? Promise.reject(signal.reason) : untilAborted(signal),
    ),
    new NetworkError("given up"),
  );
  assert.equal(clock.timers, 0);
});
