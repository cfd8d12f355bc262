/*
 * Invariant: when the XMPP server's connection is cut, the client gets everything that came before
 * and then hears of it; what it does not come to fetch is reported undelivered, and nothing is both.
 */
import assert from "node:assert/strict";
import type { ManagerEvent } from "../../src/events.ts";
import type { Habits } from "../support/chaos_client.ts";
import { CALM, ChaosStage } from "../support/chaos_stage.ts";
import { stanza, type Story } from "../support/chaos_stanzas.ts";
import { onBothFronts } from "../support/fronts.ts";
import { until } from "../support/patience.ts";

const SESSIONS = 40;
const LENGTH = 60;
const seed = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

onBothFronts(
  "B-105 B-106 what came before the server's connection was cut is delivered or reported, none of it twice",
  async () => {
    const options = { sessions: SESSIONS, length: LENGTH, seed, weather: CALM };
    await using stage = await ChaosStage.set(options);
    stage.server.hangsUp = true;
    const clients = await stage.play(SESSIONS, (random): Habits => ({
      hold: random.pick([1, 2]),
      acks: "none",
      keys: false,
      pauses: false,
      pipelines: false,
      ...(random.chance(0.5) ? { leavesAfter: 5 + random.below(LENGTH - 20) } : {}),
    }));
    const ended = () =>
      stage.events.filter(({ type }) => type === "session-ended").length === SESSIONS;
    await until(() => ended() || undefined, `SEED=${seed}: all sessions are over`);
    let left = 0;
    for (const client of clients) {
      client.leave();
      const { story, condition } = client;
      const { failure } = story;
      const undelivered = reported(stage.eventsOf(client));
      if (condition !== undefined) {
        assert.equal(condition, "remote-connection-failed", `SEED=${seed}`);
        assert.equal(story.down.count, LENGTH, `SEED=${seed}: ${failure}`);
        assert.deepEqual(undelivered, []);
        continue;
      }
      left++;
      assert.equal(failure, undefined, `SEED=${seed}`);
      assert.deepEqual(undelivered, rest(story), `SEED=${seed}, session ${story.session}`);
    }
    assert.ok(left > 5 && left < SESSIONS - 5, `SEED=${seed}: ${left} clients left`);
  },
);

/** The ids of what was reported. */
function reported(events: readonly ManagerEvent[]): string[] {
  const decoder = new TextDecoder();
  return events.flatMap((event) =>
    event.type === "undelivered"
      ? event.payloads.map(({ bytes }) => idOf(decoder.decode(bytes)))
      : []
  );
}

/** The ids of what the client did not get. */
function rest({ session, length, down }: Story): string[] {
  return Array.from(
    { length: length - down.count },
    (_, i) => idOf(stanza(session, "down", down.count + i).toString()),
  );
}

function idOf(text: string): string {
  return / id='([^']*)'/.exec(text)?.[1] ?? text;
}
