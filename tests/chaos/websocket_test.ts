/*
 * Invariant: whatever a network does to a WebSocket, it ends the session and does nothing else: what
 * has arrived has arrived once and in order, both ways, and neither the server nor the log is told
 * that the client went in good order.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Random } from "../support/bosh_model/random.ts";
import { hello } from "../support/chaos_server.ts";
import { ChaosStage, STORM } from "../support/chaos_stage.ts";
import { stanza, type Story } from "../support/chaos_stanzas.ts";
import { onBothFronts } from "../support/fronts.ts";
import { until } from "../support/patience.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";

const SESSIONS = 60;
/** More than there is time for. */
const LENGTH = 100_000;
/** Bytes of a handshake, at the most: there is no session before. */
const HANDSHAKE = 400;
/** Milliseconds after which a client goes without a word, if it has not been cut off before. */
const PATIENCE = 1_500;
const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>";
const seed = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

onBothFronts(
  "W-030 T-39 a bad network ends a WebSocket session uncleanly, and loses nothing in the middle, doubles and reorders nothing",
  async () => {
    const weather = { ...STORM, spares: HANDSHAKE };
    const options = { sessions: SESSIONS, length: LENGTH, seed, weather };
    await using stage = await ChaosStage.set(options);
    const { stories, events, before, random } = stage;
    await Promise.all(stories.map((story) => talk(story, before.port, random)));
    const begun = stories.filter(({ isKnown }) => isKnown);
    await until(
      () => begun.every(({ isGone }) => isGone) || undefined,
      `SEED=${seed}: the server is left`,
    );
    for (const { failure, isClosed, session } of stories) {
      assert.equal(failure, undefined, `SEED=${seed}`);
      assert.ok(!isClosed, `SEED=${seed}: the stream of session ${session} was closed`);
    }
    const created = events.filter(({ type }) => type === "session-created");
    const ended = () => events.filter((event) => event.type === "session-ended");
    await until(() => ended().length === created.length || undefined, `SEED=${seed}: all are over`);
    for (const { condition } of ended()) assert.equal(condition, "connection-lost", `SEED=${seed}`);
    assert.deepEqual(events.filter(({ type }) => type === "fault"), [], `SEED=${seed}`);
    const arrived = stories.reduce((sum, { up, down }) => sum + up.count + down.count, 0);
    assert.ok(begun.length > SESSIONS / 4 && arrived > 100, `${begun.length}, ${arrived}`);
  },
);

/** A client that says and hears as much as it can. */
async function talk(story: Story, port: number, random: Random): Promise<void> {
  const socket = await RawWebSocket.connect(`http://127.0.0.1:${port}/xmpp-websocket`);
  const leaving = setTimeout(() => socket.destroy(), PATIENCE);
  let next = 0;
  let talking: ReturnType<typeof setInterval> | undefined;
  try {
    socket.text(OPEN);
    for (let message; (message = await socket.message()) !== undefined;) {
      if (message.startsWith("<open")) continue;
      if (!message.startsWith("<stream:features")) {
        story.attempt(() => story.down.take(Buffer.from(message), LENGTH));
        continue;
      }
      socket.text(hello(story.session));
      talking = setInterval(() => {
        for (let more = random.below(4); more > 0; more--) {
          socket.text(stanza(story.session, "up", next++).toString());
        }
      }, 5);
    }
  } catch {
    // It is cut off.
  } finally {
    clearTimeout(leaving);
    clearInterval(talking);
    socket.destroy();
  }
}
