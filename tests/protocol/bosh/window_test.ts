import assert from "node:assert/strict";
import type { SessionRequest } from "../../../src/protocol/bosh/body.ts";
import { RequestWindow } from "../../../src/protocol/bosh/window.ts";

const encoder = new TextEncoder();

/** A window of two after rid 10, whose answers stand for themselves. */
function windowAfter(rid = 10, { requests = 2, mostKeptBytes = 1_000 } = {}) {
  const window = new RequestWindow(rid, requests, mostKeptBytes);
  const hold = (rid: number, request: number | undefined = rid, deadline = 1_000) =>
    window.hold({ rid, request, deadline, opens: undefined });
  const answer = (text = "", now = 0) => window.answer(now, encoder.encode(text));
  /** Rids from 10 to 20 by where they stand. */
  const places = () =>
    Array.from({ length: 11 }, (_, i) => PLACES[window.place(rid + i).type]).join("");
  return { window, hold, answer, places };
}

const PLACES = { next: "n", early: "e", held: "h", kept: "k", outside: "." } as const;

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
  assert.equal(window.wait(1, first), undefined);
  assert.equal(window.wait(2, early(12)), 1, "the connection that is replaced");
  assert.equal(window.takeNext(), undefined);
  assert.ok(window.anyWaiting);
  hold(11);
  assert.deepEqual(window.takeNext(), { request: 2, body: first });
  assert.ok(!window.anyWaiting);
});

Deno.test("B-078 a request whose client left is not live, but keeps its place and its payloads", () => {
  const { hold, answer, window } = windowAfter();
  hold(10, 1, 100);
  hold(11, 2, 200);
  window.wait(3, early(13));
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
  assert.equal(window.rehold(10, 4, 300), undefined);
  assert.equal(window.deadline, 300);
  assert.equal(window.rehold(10, 5, 400), 4);
  assert.equal(answer(), 5);
  assert.equal(answer(), undefined, "nobody to write it to");
  assert.equal(window.place(11).type, "kept");
  assert.deepEqual(window.takeWaiting(), []);
});

Deno.test("B-124 those that wait behind a gap are let go in the order of their rids", () => {
  const { hold, window } = windowAfter(10, { requests: 4 });
  hold(10);
  for (const rid of [14, 12, 13]) window.wait(rid, early(rid));
  assert.deepEqual(window.takeWaiting(), [12, 13, 14]);
  assert.deepEqual(window.takeWaiting(), []);
});
