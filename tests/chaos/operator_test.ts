/*
 * Invariant: whatever an operator does to the program while sessions are at work, short of ending them, no
 * stanza is lost, doubled or out of order and no session ends; and when he ends it, every client hears
 * why, and nothing is left unsent.
 */
import assert from "node:assert/strict";
import type { Habits } from "../support/chaos_client.ts";
import { CALM, ChaosStage, STORM } from "../support/chaos_stage.ts";
import { onBothFronts } from "../support/fronts.ts";
import { until } from "../support/patience.ts";

const sessions = Number(Deno.env.get("CHAOS_SESSIONS") ?? 20);
const stanzas = Number(Deno.env.get("CHAOS_STANZAS") ?? 1_600);
const seed = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const length = Math.ceil(stanzas / sessions / 2);

onBothFronts(
  "no stanza is lost and no session ends while configurations come and go and nobody new is served",
  async () => {
    await using stage = await ChaosStage.set({ sessions, length, seed, weather: STORM });
    const { manager } = stage;
    const playing = stage.play(sessions);
    // Who is not there yet is one of those that are not served.
    await until(() => stage.areAllThere || undefined, `SEED=${seed}: all are there`);
    const first = manager.config;
    let reloads = 0;
    const operator = setInterval(() => {
      reloads++;
      manager.drain();
      manager.reconfigure({
        ...first,
        http: { ...first.http, trustedProxies: reloads % 2 === 0 ? ["127.0.0.1/32"] : [] },
        limits: {
          ...first.limits,
          depth: 50 + reloads,
          sessions: 1,
          queuedBytes: 900_000 + reloads,
        },
        domains: reloads % 2 === 0 ? first.domains : new Map([["other", first.upstream]]),
        log: { ...first.log, trace: reloads % 3 === 0 ? ["127.0.0.0/8"] : [] },
      });
      if (reloads % 3 === 0) manager.undrain();
    }, 10);
    const clients = await playing;
    clearInterval(operator);
    const failed = clients.filter(({ story }) => story.failure !== undefined).map((client) => [
      client.story.failure,
      ...stage.eventsOf(client).map((event) => "reason" in event ? event.reason : event.type),
    ]);
    assert.deepEqual(failed, [], `SEED=${seed}`);
    assert.ok(reloads > 20, `SEED=${seed}: it was over after ${reloads} reloads`);
    for (const { story: { up, down } } of clients) {
      assert.deepEqual([up.count, down.count], [length, length], `SEED=${seed}`);
    }
  },
);

onBothFronts(
  "B-122 everybody is told of the end, at the edge of a stanza, and nothing is left unsent",
  async () => {
    // Longer than they will have time for.
    const options = { sessions, length: length * 20, seed, weather: CALM };
    await using stage = await ChaosStage.set(options);
    const { manager, events } = stage;
    const playing = stage.play(sessions, (random): Habits => ({
      hold: random.pick([0, 1, 2]),
      acks: random.pick(["none", "always"] as const),
      keys: random.chance(0.3),
      pauses: false,
      pipelines: false,
    }));
    await until(() => stage.areAllThere || undefined, `SEED=${seed}: all are there`);
    await manager.shutdown();
    const clients = await playing;
    for (const { story, condition } of clients) {
      const { failure = "none" } = story;
      const session = `SEED=${seed}, session ${story.session}: ${failure}`;
      // The client hears it first, or the server hears the closing tag, between two stanzas.
      if (condition === undefined) {
        assert.match(failure, /byte [01] of \d+\) came other bytes: <?\//, session);
      } else {
        assert.equal(condition, "system-shutdown", session);
        assert.match(failure, /the connection manager is shutting down/, session);
      }
    }
    assert.ok(clients.some(({ condition }) => condition !== undefined), `SEED=${seed}`);
    const kinds = new Set(events.map(({ type }) => type));
    assert.ok(!kinds.has("unsent") && !kinds.has("fault"), `SEED=${seed}: ${[...kinds]}`);
  },
);
