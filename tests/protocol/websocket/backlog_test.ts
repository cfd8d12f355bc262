import assert from "node:assert/strict";
import { Backlog } from "../../../src/protocol/websocket/backlog.ts";

Deno.test("W-040 above the limit the upstream is read no more, at half of it again", () => {
  const backlog = new Backlog(1000);
  assert.equal(backlog.look(0, 1000), undefined);
  assert.equal(backlog.deadline, undefined);
  assert.equal(backlog.look(0, 1001), "stop");
  assert.equal(backlog.deadline, 10);
  assert.equal(backlog.look(10, 1001), undefined);
  assert.equal(backlog.deadline, 30, "later and later, while nothing moves");
  assert.equal(backlog.look(1000, 1001), undefined);
  assert.equal(backlog.deadline, 1250);
  assert.equal(backlog.look(1250, 501), undefined);
  assert.equal(backlog.deadline, 1260);
  assert.equal(backlog.look(1260, 500), "resume");
  assert.equal(backlog.deadline, undefined);
  assert.equal(backlog.look(1260, 501), undefined);
  assert.equal(backlog.look(1260, 1001), "stop");
});

Deno.test("W-040 a client that takes nothing for a minute is lost, a slow one is not", () => {
  const slow = new Backlog(1000);
  slow.look(0, 5000);
  for (let now = 59_999, bytes = 4999; now < 600_000; now += 59_999) {
    assert.equal(slow.look(now, bytes--), undefined);
  }
  const stalled = new Backlog(1000);
  stalled.look(0, 5000);
  assert.equal(stalled.look(30_000, 6000), undefined, "what was on its way still comes");
  assert.equal(stalled.look(59_999, 6000), undefined);
  assert.equal(stalled.look(60_000, 6000), "lost");
});
