import assert from "node:assert/strict";
import type { SessionRequest } from "../../../src/protocol/bosh/body.ts";
import { RequestWindow } from "../../../src/protocol/bosh/window.ts";

const encoder = new TextEncoder();

/** A window of two after rid 10, whose answers stand for themselves. */
function windowAfter(rid = 10, { requests = 2, mostKeptBytes = 1_000 } = {}) {
  const window = new RequestWindow(rid, requests, mostKeptBytes);
  const hold = (rid: number, request: number | undefined = rid, deadline = 1_000) =>
    window.hold({ rid, request, deadline, opens: undefined });
  /** Returns who is to be given the answer. */
  const answer = (text = "", now = 0) => {
    const { request, others = [] } = window.answer(now, encoder.encode(text));
    return request === undefined ? others : [...others, request];
  };
  /** Rids from 10 to 20 by where they stand. */
  const places = () =>
    Array.from({ length: 11 }, (_, i) => PLACES[window.place(rid + i).type]).join("");
  return { window, hold, answer, places };
}

const PLACES = { next: "n", early: "e", waiting: "w", held: "h", kept: "k", outside: "." } as const;

function early(rid: number): SessionRequest {
  const content = new Uint8Array(0);
  return { type: "continue", rid, size: 100, content, octets: undefined } as SessionRequest;
}

Deno.test("B-101 the window reaches 'requests' past the last processed one", () => {
  const { places, hold, answer } = windowAfter();
  hold(10);
  assert.equal(places(), "hne........");
  answer();
  assert.equal(places(), "kne........");
  hold(11);
  hold(12);
  assert.equal(places(), "khhne......");
  const wide = windowAfter(10, { requests: 3 });
  wide.hold(10);
  assert.equal(wide.places(), "hnee.......");
});

Deno.test("B-102 rids are exact to the last", () => {
  const { window, hold } = windowAfter(Number.MAX_SAFE_INTEGER - 2);
  hold(Number.MAX_SAFE_INTEGER - 2);
  assert.equal(window.place(Number.MAX_SAFE_INTEGER - 1).type, "next");
  assert.equal(window.place(Number.MAX_SAFE_INTEGER).type, "early");
});

Deno.test("B-097 B-100 as many answers are kept as the window is wide", () => {
  const { places, hold, answer, window } = windowAfter();
  for (let rid = 10; rid < 14; rid++) {
    hold(rid);
    answer(`answer ${rid}`);
  }
  assert.equal(places(), "..kkne.....");
  const place = window.place(12);
  assert.equal(place.type === "kept" && new TextDecoder().decode(place.response), "answer 12");
});

Deno.test("B-072 of a client that acknowledges all is kept that it lacks, up to a number and a size", () => {
  const { places, hold, answer, window } = windowAfter();
  hold(10);
  answer();
  window.acknowledge(10);
  for (let rid = 11; rid < 18; rid++) {
    hold(rid);
    answer();
  }
  assert.equal(places(), ".kkkkkkkne.");
  window.acknowledge(14);
  assert.equal(places(), ".....kkkne.");
  for (let rid = 18; rid < 118; rid++) {
    hold(rid);
    answer();
  }
  assert.equal(window.place(117 - 64).type, "outside");
  assert.equal(window.place(117 - 63).type, "kept");

  const large = windowAfter();
  large.hold(10);
  large.answer();
  large.window.acknowledge(10);
  for (let rid = 11; rid < 18; rid++) {
    large.hold(rid);
    large.answer("x".repeat(300));
  }
  assert.equal(large.places(), ".....kkkne.", "no more than a thousand bytes");
});

Deno.test("B-073 what was never answered is not acknowledged by saying so", () => {
  const { places, hold, answer, window } = windowAfter();
  hold(10);
  window.acknowledge(10);
  answer();
  hold(11);
  window.acknowledge(11);
  window.acknowledge(999);
  assert.equal(places(), "khne.......");
});

Deno.test("B-074 the first answer that is lacking is named with when it was given, while it is kept", () => {
  const { hold, answer, window } = windowAfter();
  hold(10);
  answer("", 5);
  hold(11);
  answer("", 7);
  assert.deepEqual(pick(window.firstUnacknowledged(9)), [10, 5]);
  assert.deepEqual(pick(window.firstUnacknowledged(10)), [11, 7]);
  assert.equal(window.firstUnacknowledged(11), undefined);
  assert.equal(window.firstUnacknowledged(3), undefined);
});

function pick(entry: { rid: number; sent: number } | undefined): [number, number] | undefined {
  return entry && [entry.rid, entry.sent];
}

Deno.test("B-056 B-099 early requests wait for their turn; the first body of a rid counts", () => {
  const { hold, window } = windowAfter();
  hold(10);
  const first = early(12);
  window.wait(0, 1, first);
  window.wait(0, 2, early(12));
  assert.equal(window.takeNext(), undefined);
  assert.ok(window.anyWaiting);
  hold(11);
  assert.deepEqual(window.takeNext(), { request: 2, others: [1], patience: 500, body: first });
  assert.ok(!window.anyWaiting);
});

Deno.test("B-078 a request whose client left is not live, but keeps its place and its payloads", () => {
  const { hold, answer, window } = windowAfter();
  hold(10, 1, 100);
  hold(11, 2, 200);
  window.wait(0, 3, early(13));
  assert.equal(window.deadline, 100);
  window.abandon(1);
  assert.equal(window.deadline, 200);
  assert.ok(!window.oldestIsLive);
  assert.ok(window.anyLive);
  assert.ok(!window.isDue(199));
  assert.ok(window.isDue(200));
  window.abandon(2);
  window.abandon(3);
  assert.ok(!window.anyLive);
  assert.equal(window.deadline, undefined);
  assert.ok(!window.isDue(9_999));
  assert.equal(window.heldCount, 2);
  window.rehold(0, 4, 10, 300);
  assert.equal(window.deadline, 300);
  window.rehold(0, 5, 10, 400);
  assert.deepEqual(answer(), [4, 5]);
  assert.deepEqual(answer(), [], "nobody to write it to");
  assert.equal(window.place(11).type, "kept");
  assert.deepEqual(window.takeWaiting(), []);
});

Deno.test("B-124 those that wait behind a gap are let go in the order of their rids", () => {
  const { hold, window } = windowAfter(10, { requests: 4 });
  hold(10);
  for (const rid of [14, 12, 13]) window.wait(0, rid, early(rid));
  window.wait(0, 15, early(13));
  assert.deepEqual(window.takeWaiting(), [12, 13, 15, 14]);
  assert.deepEqual(window.takeWaiting(), []);
});

Deno.test("B-099 of several connections for one rid the older ones wait half a second, or until one is lost", () => {
  const { answer, hold, window } = windowAfter();
  hold(10);
  window.rehold(100, 1, 10, 9_000);
  window.rehold(200, 2, 10, 9_000);
  assert.equal(window.deadline, 700);
  assert.deepEqual(window.takeReplaced(699), []);
  assert.deepEqual(window.takeReplaced(700), [10, 1]);
  assert.deepEqual(window.takeReplaced(700), []);
  assert.equal(window.deadline, 9_000);
  window.rehold(1_000, 3, 10, 9_000);
  window.abandon(3);
  assert.deepEqual(window.takeReplaced(2_000), [], "the one that is left is no longer replaced");
  assert.equal(window.deadline, 9_000);
  assert.deepEqual(answer(), [2]);
});
