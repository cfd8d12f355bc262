import assert from "node:assert/strict";
import { Downlink, type Final } from "../../../src/protocol/bosh/downlink.ts";
import { outgoingText } from "../../../src/protocol/bosh/response.ts";

const GONE: Final = { condition: "remote-connection-failed", reason: "gone", payloads: [] };

/** A queue of `a1 a2 b1 a!`: payloads by stream, the end of a stream with an exclamation mark. */
function queue(entries: string): Downlink {
  const downlink = new Downlink();
  for (const entry of entries.split(" ")) {
    if (entry.endsWith("!")) downlink.end(entry[0]!, GONE);
    else downlink.push(entry[0]!, outgoingText(entry));
  }
  return downlink;
}

/** What is taken, in the same notation. */
function taken(batch: ReturnType<Downlink["take"]>): string {
  if (batch === undefined) return "";
  if (batch.type === "final") return `${batch.stream}!`;
  return batch.payloads.map(({ payload }) => new TextDecoder().decode(payload.bytes)).join(" ");
}

Deno.test("B-061 B-062 what waits is taken together and in order", () => {
  const downlink = queue("a1 a2 a3");
  assert.equal(downlink.bytes, 6);
  assert.equal(taken(downlink.take()), "a1 a2 a3");
  assert.equal(downlink.bytes, 0);
  assert.ok(downlink.isEmpty);
  assert.equal(downlink.take(), undefined);
});

Deno.test("B-114 a batch is of one stream, up to where another one's begins", () => {
  const downlink = queue("a1 a2 b1 a3");
  assert.equal(taken(downlink.take()), "a1 a2");
  assert.equal(taken(downlink.take()), "b1");
  assert.equal(taken(downlink.take()), "a3");
});

Deno.test("B-113 a request that opens a stream is given that stream's, past what is another's", () => {
  const downlink = queue("a1 b1 b2 a2 b3");
  assert.equal(taken(downlink.take("c")), "");
  assert.equal(taken(downlink.take("b")), "b1 b2");
  assert.equal(taken(downlink.take("b")), "b3");
  assert.equal(taken(downlink.take("b")), "");
  assert.equal(taken(downlink.take()), "a1 a2");
});

Deno.test("B-096 X-016 the end of a stream comes behind its payloads, and by itself", () => {
  const downlink = queue("a1 a! b1 b!");
  assert.equal(taken(downlink.take()), "a1");
  assert.equal(taken(downlink.takePayloads()), "", "an end is no payload");
  assert.equal(taken(downlink.takePayloads("b")), "b1");
  assert.equal(taken(downlink.take()), "a!");
  assert.equal(taken(downlink.take()), "b!");
  assert.ok(downlink.isEmpty);
});

Deno.test("B-063 a batch ends where it has become large, but one payload is never too large", () => {
  const downlink = new Downlink();
  for (const size of [200_000, 100_000, 1, 600_000, 2]) {
    downlink.push("a", outgoingText("x".repeat(size)));
  }
  const sizes = () => {
    const batch = downlink.takePayloads();
    return batch?.payloads.map(({ size }) => size);
  };
  assert.deepEqual(sizes(), [200_000, 100_000]);
  assert.deepEqual(sizes(), [1, 600_000]);
  assert.equal(downlink.bytes, 2);
  assert.deepEqual(sizes(), [2]);
});

Deno.test("X-020 what nobody took is given back once, without the ends", () => {
  const downlink = queue("a1 b1 a!");
  assert.deepEqual(downlink.takeUndelivered().map(({ stream }) => stream), ["a", "b"]);
  assert.deepEqual(downlink.takeUndelivered(), []);
  assert.equal(downlink.bytes, 0);
});
