/*
 * Invariant: whatever a client, a network and a server do, every request is answered exactly once
 * or abandoned, in rid order, and every stanza is delivered once, in order, or reported undelivered.
 *
 * In full; the messages of failures begin with these numbers:
 *  1. Every request id gets exactly one answer, which fits what it asked; one that was abandoned
 *     gets none. When the session is over, none is left.
 *  2. Distinct rids get their first answers in ascending order. A rid that is repeated gets the
 *     same bytes again: certainly if it is one of the last `requests` answered ones, or was not
 *     acknowledged by a client that acknowledges.
 *  3. What the client sends goes upstream in rid order, once, to the streams that it means.
 *  4. The payloads in the first answers, in rid order, and then those reported undelivered, are
 *     stream by stream what the server sent, to the byte but for the declarations spliced in.
 *     One body is of one stream; of each stream's end the client is told once, behind its
 *     stanzas. No more waits than may, and the upstream is read while little waits.
 *  5. What arrived behind a gap is not answered, and does nothing, until the gap closes.
 *  6. The deadline is not in the past; woken at it, the session moves on. A request is answered
 *     by the end of its wait; with nobody there to listen, the session ends when its inactivity
 *     period or its pause is over, and not sooner.
 *  7. `ended` comes once and last, for a reason; every stream that is open then is closed before.
 *     Nothing is asked of a stream that is not open.
 *  8. No more than `hold` requests are held, but for the creation request; while an upstream is
 *     backed up, no more than `requests`, and none is answered for being too many. A held request is
 *     answered at once when there is something to tell, unless it opens a stream and waits for
 *     its features; it is not answered with nothing but for a reason.
 *  9. Every answer is one well-formed document, an unprefixed `<body/>` in its namespace.
 *
 * MODEL_RUNS, or else FUZZ_RUNS, says how many games are played, SEED which is the first. A failure
 * prints the game; SEED=n MODEL_RUNS=1 plays it again.
 */
import assert from "node:assert/strict";
import { play } from "../support/bosh_model/player.ts";

const runs = Number(Deno.env.get("MODEL_RUNS") ?? Deno.env.get("FUZZ_RUNS") ?? 100_000);
const first = Number(Deno.env.get("SEED") ?? 1);

Deno.test(`BOSH session keeps its promises in ${runs} random games`, () => {
  let inputs = 0;
  for (let seed = first; seed < first + runs; seed++) {
    try {
      inputs += play(seed);
    } catch (error) {
      assert.fail(`SEED=${seed}\n${transcript(seed)}\n${error}`);
    }
  }
  assert(inputs > runs * 5, "the games are too short to show anything");
});

function transcript(seed: number): string {
  const lines: string[] = [];
  try {
    play(seed, (line) => lines.push(line));
  } catch {
    // It is the failure whose story is told.
  }
  return lines.join("\n");
}
