import assert from "node:assert/strict";
import { type Found, type LookupBound, LookupCache } from "../../../src/upstream/dns/cache.ts";
import { TestClock } from "../../support/test_clock.ts";

/** A cache, and lookups that are numbered and end when the test says so. */
class Stage {
  readonly clock = new TestClock();
  readonly cache: LookupCache<Found & { n: number }>;
  readonly lookups: {
    found(ttl: number): void;
    failed(): void;
    readonly signal: AbortSignal;
  }[] = [];

  constructor(bound?: LookupBound) {
    this.cache = new LookupCache(this.clock, bound);
  }

  get(key: string, signal = new AbortController().signal): Promise<number> {
    return this.cache.get(key, signal, (signal) => {
      const n = this.lookups.length + 1;
      const { promise, resolve, reject } = Promise.withResolvers<Found & { n: number }>();
      signal.addEventListener("abort", () => reject(signal.reason));
      this.lookups.push({
        found: (ttl) => resolve({ ttl, n }),
        failed: () => reject(new Error("failed")),
        signal,
      });
      return promise;
    }).then(({ n }) => n);
  }

  /** Looks up once, and returns the number of the lookup that it comes from. */
  async once(key: string, ttl: number): Promise<number> {
    const before = this.lookups.length;
    const result = this.get(key);
    if (this.lookups.length > before) this.lookups.at(-1)!.found(ttl);
    return await result;
  }
}

Deno.test("D-013 what was found holds for its time to live, and five minutes at most", async () => {
  const stage = new Stage();
  assert.equal(await stage.once("short", 10), 1);
  stage.clock.advance(9_999);
  assert.equal(await stage.once("short", 10), 1);
  stage.clock.advance(1);
  assert.equal(await stage.once("short", 10), 2);

  assert.equal(await stage.once("long", 2 ** 31 - 1), 3);
  stage.clock.advance(299_999);
  assert.equal(await stage.once("long", 10), 3);
  stage.clock.advance(1);
  assert.equal(await stage.once("long", 10), 4);
});

Deno.test("D-013 what holds for no time is not kept", async () => {
  const stage = new Stage();
  assert.equal(await stage.once("a", 0), 1);
  assert.equal(await stage.once("a", 0), 2);
});

Deno.test("D-013 a failure is kept for five seconds", async () => {
  const stage = new Stage();
  const first = assert.rejects(stage.get("a"), /failed/);
  stage.lookups[0]!.failed();
  await first;
  stage.clock.advance(4_999);
  await assert.rejects(stage.get("a"), /failed/);
  assert.equal(stage.lookups.length, 1);
  stage.clock.advance(1);
  assert.equal(await stage.once("a", 1), 2);
});

Deno.test("D-013 who asks the same at the same time shares one lookup, also one that is not kept", async () => {
  const stage = new Stage();
  const results = [stage.get("a"), stage.get("a"), stage.get("b")];
  assert.equal(stage.lookups.length, 2);
  stage.lookups.forEach((lookup) => lookup.found(0));
  assert.deepEqual(await Promise.all(results), [1, 1, 2]);
});

Deno.test("D-013 one who gives up leaves the lookup to the others; the last one ends it", async () => {
  const stage = new Stage();
  const [one, other, last] = [1, 2, 3].map(() => new AbortController());
  const first = assert.rejects(stage.get("a", one!.signal), /one/);
  const second = stage.get("a", other!.signal);
  one!.abort(new Error("one"));
  await first;
  assert.equal(stage.lookups[0]!.signal.aborted, false);
  stage.lookups[0]!.found(0);
  assert.equal(await second, 1);

  const third = assert.rejects(stage.get("a", last!.signal), /last/);
  last!.abort(new Error("last"));
  await third;
  assert.equal(stage.lookups[1]!.signal.aborted, true);
  // What was given up is no failure: the next one asks.
  assert.equal(await stage.once("a", 1), 3);
  await assert.rejects(stage.get("a", last!.signal), /last/);
});

Deno.test("D-013 there are a thousand entries at most, and those that are used stay", async () => {
  const stage = new Stage();
  for (let i = 0; i < 1_000; i++) await stage.once(`name ${i}`, 60);
  assert.equal(await stage.once("name 0", 60), 1);
  await stage.once("one more", 60);
  assert.equal(await stage.once("name 0", 60), 1);
  assert.equal(await stage.once("name 2", 60), 3);
  assert.equal(await stage.once("name 1", 60), 1_002);
});

Deno.test("S-007 so many lookups are under way and no more; what is known, or asked for already, is none", async () => {
  let met = 0;
  const stage = new Stage({ most: () => 2, met: () => met++ });
  assert.equal(await stage.once("known", 100), 1);
  const first = stage.get("a");
  const second = stage.get("b");
  await assert.rejects(stage.get("c"), /limits\.lookups/);
  assert.equal(met, 1);
  assert.equal(await stage.get("known"), 1);
  const shared = stage.get("a");
  stage.lookups[1]!.found(1);
  assert.equal(await first, 2);
  assert.equal(await shared, 2);
  const third = stage.get("c");
  stage.lookups[2]!.failed();
  await assert.rejects(second, /failed/);
  assert.equal(await stage.once("d", 1), 5, "one that failed is over too");
  stage.lookups[3]!.found(1);
  assert.equal(await third, 4);
  assert.equal(met, 1);
});
