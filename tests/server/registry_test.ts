import assert from "node:assert/strict";
import type { BoshActor } from "../../src/server/bosh_actor.ts";
import { type Actor, type Epitaph, Registry } from "../../src/server/registry.ts";
import { SessionLimits } from "../../src/server/session_limits.ts";
import { configOf } from "../support/manager.ts";
import { TestClock } from "../support/test_clock.ts";

const EPITAPH: Epitaph = {
  condition: "remote-connection-failed",
  reason: "gone",
  isLegacy: false,
  isScript: false,
  contentType: undefined,
};
/** What a registry knows of a session: that it can be told of the end. */
const ACTOR = { shutdown() {} } as BoshActor;

function limits(clock: TestClock): SessionLimits {
  const memory = { isTight: false };
  const { limits } = configOf("");
  return new SessionLimits({ limits: () => limits, clock, memory, isExempt: () => true });
}

function buried(registry: Registry, sid: string): void {
  registry.add(ACTOR, "192.0.2.1");
  registry.name(sid, ACTOR);
  registry.bury(ACTOR, sid, EPITAPH);
}

Deno.test("B-105 why a session ended is remembered for five minutes, and then no more", () => {
  const clock = new TestClock();
  const registry = new Registry(limits(clock), clock);
  buried(registry, "a");
  assert.equal(registry.get("a"), undefined);
  assert.equal(registry.size, 0);
  clock.advance(299_999);
  assert.equal(registry.epitaph("a"), EPITAPH);
  clock.advance(1);
  assert.equal(registry.epitaph("a"), undefined);
  assert.equal(registry.epitaph("never was"), undefined);
});

Deno.test("B-105 S-007 so many ended sessions are remembered and no more, the newest", () => {
  const clock = new TestClock();
  const registry = new Registry(limits(clock), clock);
  for (let i = 0; i < 10_050; i++) buried(registry, `sid${i}`);
  let remembered = 0;
  for (let i = 0; i < 10_050; i++) if (registry.epitaph(`sid${i}`)) remembered++;
  assert.equal(remembered, 10_000);
  assert.equal(registry.epitaph("sid49"), undefined);
  assert.equal(registry.epitaph("sid50"), EPITAPH);
});

Deno.test("a shutdown tells every session, a hundred at a time, and settles when all are gone", async () => {
  const clock = new TestClock();
  const registry = new Registry(limits(clock), clock);
  let told = 0;
  for (let i = 0; i < 250; i++) {
    const actor: Actor = {
      name: `session-${i}`,
      transport: "bosh",
      tap: undefined,
      end() {},
      describe: () => assert.fail("nobody asks"),
      shutdown() {
        told++;
        registry.remove(actor);
      },
    };
    registry.add(actor, "192.0.2.1");
  }
  const over = registry.shutdown();
  assert.equal(told, 99);
  assert.equal(registry.refusal("192.0.2.1")?.condition, "system-shutdown");
  await over;
  assert.equal(told, 250);
  assert.equal(registry.size, 0);
});
