/*
 * Invariant: whatever a network does to its connections, every stanza of a BOSH session arrives
 * once and in order, both ways, and the session does not end before its client ends it.
 *
 * Between clients and connection manager connections are cut at any byte, reset, closed, half
 * closed and stalled, answers get lost that had been written, and requests come twice, the later
 * first. Behind it what is written arrives in any pieces, and late. Clients recover as XEP-0124
 * §14.3 says; some acknowledge, sign, pause, poll, pipeline. What a network can do that ends a session
 * by the XEP itself is left out: a request that comes once more when its answer is not kept any longer.
 *
 * CHAOS_SESSIONS and CHAOS_STANZAS (of all sessions, both ways) say how much there is of it, SEED
 * where chance begins. Time is the system's, so one seed is one set of faults, not one course of events.
 */
import assert from "node:assert/strict";
import { ChaosStage, STORM } from "../support/chaos_stage.ts";
import { onBothFronts } from "../support/fronts.ts";
import { until } from "../support/patience.ts";

const sessions = Number(Deno.env.get("CHAOS_SESSIONS") ?? 80);
const stanzas = Number(Deno.env.get("CHAOS_STANZAS") ?? 8_000);
const seed = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
/** So many sessions are there at a time, for all of it is one process. */
const AT_ONCE = 100;

onBothFronts(
  "B-056 B-062 B-068 B-097 B-125 no stanza is lost, doubled or out of order in a bad network, and no session ends",
  async () => {
    const length = Math.ceil(stanzas / sessions / 2);
    say(`SEED=${seed}: ${sessions} sessions, ${2 * length * sessions} stanzas`);
    const start = performance.now();
    await using stage = await ChaosStage.set({ sessions, length, seed, weather: STORM });
    const { stories, events, before, behind } = stage;
    const clients = await stage.play(Math.min(sessions, AT_ONCE));
    const seconds = (performance.now() - start) / 1000;
    const sum = (of: "requests" | "repeats") => clients.reduce((all, one) => all + one[of], 0);
    say(
      `${seconds.toFixed(1)} s, ${sum("requests")} requests, ${sum("repeats")} of them again`,
      { before: sorted(before.done), behind: sorted(behind.done) },
    );
    const failed = clients.filter(({ story }) => story.failure !== undefined).map((client) => [
      client.story.failure,
      ...stage.eventsOf(client).map((event) => "reason" in event ? event.reason : event.type),
    ]);
    assert.deepEqual(failed, [], `SEED=${seed}`);
    await until(() => stories.every(({ isClosed }) => isClosed) || undefined, "all streams end");
    for (const event of events) {
      assert.notEqual(event.type, "fault", `SEED=${seed}`);
      // Of sessions whose clients never heard of them.
      if (event.type !== "undelivered") continue;
      assert.deepEqual(event.payloads.map(({ name }) => name), ["features"], `SEED=${seed}`);
    }
    for (const { up, down } of stories) {
      assert.deepEqual([up.count, down.count], [length, length], `SEED=${seed}`);
    }
    assert.ok(before.done.size > 10, "the network did nothing");
  },
);

function say(...words: unknown[]): void {
  // The seed is what a failure is found by, and the figures are what the big run is for.
  // deno-lint-ignore no-console
  console.log(...words);
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => a < b ? -1 : 1));
}
