import assert from "node:assert/strict";
import { Activity } from "../../../src/protocol/bosh/activity.ts";
import type { Ask, SessionRequest } from "../../../src/protocol/bosh/body.ts";
import type { Granted } from "../../../src/protocol/bosh/negotiation.ts";

const GRANTED: Granted = {
  wait: 60_000,
  hold: 1,
  requests: 2,
  inactivity: 30_000,
  polling: 5_000,
  maxPause: undefined,
  acks: false,
  ver: "1.6",
  isPolling: false,
};
const POLLING: Granted = { ...GRANTED, hold: 0, isPolling: true };

function asking(ask: Ask, content = ""): SessionRequest {
  return {
    type: "continue",
    size: 0,
    sid: "SID",
    rid: 1,
    key: undefined,
    newkey: undefined,
    content: new TextEncoder().encode(content),
    count: 0,
    failures: [],
    octets: undefined,
    stream: undefined,
    ack: undefined,
    namesDomain: false,
    ask,
  };
}

const EMPTY = asking({ type: "nothing" });
const FULL = asking({ type: "nothing" }, "<message/>");

Deno.test("B-084 strict: the last of 'requests' unanswered ones may not be empty and in a hurry", () => {
  const strict = () => {
    const activity = new Activity(GRANTED, true);
    assert.equal(activity.request(0, EMPTY, 1), undefined);
    return activity;
  };
  assert.match(strict().request(4_499, EMPTY, 2)!, /too quickly/);
  assert.equal(strict().request(4_500, EMPTY, 2), undefined, "half a second is forgiven");
  assert.equal(strict().request(10, EMPTY, 1), undefined, "nothing else is held");
  const lenient = new Activity(GRANTED, false);
  for (let i = 0; i < 100; i++) assert.equal(lenient.request(i, EMPTY, 2), undefined);
});

Deno.test("B-086 requests with something to say, pauses, restarts and ends are never too many", () => {
  const activity = new Activity(GRANTED, true);
  const polling = new Activity(POLLING, true);
  const asks: Ask[] = [
    { type: "pause", duration: 1 },
    { type: "restart", attributes: undefined },
    { type: "terminate" },
  ];
  for (const request of [FULL, ...asks.map((ask) => asking(ask)), FULL, FULL]) {
    assert.equal(activity.request(0, request, 5), undefined);
    assert.equal(polling.request(0, request, 5), undefined);
  }
});

Deno.test("B-089 a client that polls may not ask for nothing twice within 'polling'", () => {
  const second = (gap: number) => {
    const activity = new Activity(POLLING, false);
    assert.equal(activity.request(0, EMPTY, 1), undefined);
    return activity.request(gap, EMPTY, 1);
  };
  assert.match(second(0)!, /polls more often/);
  assert.match(second(4_499)!, /polls more often/);
  assert.equal(second(4_500), undefined);
});

Deno.test("B-090 unless the first was answered with payloads, or one of them carried some", () => {
  const got = new Activity(POLLING, false);
  got.request(0, EMPTY, 1);
  got.delivered();
  assert.equal(got.request(10, EMPTY, 1), undefined);
  assert.match(got.request(20, EMPTY, 1)!, /polls/, "which counts once");
  const said = new Activity(POLLING, false);
  said.request(0, EMPTY, 1);
  assert.equal(said.request(10, FULL, 1), undefined);
  assert.equal(said.request(20, EMPTY, 1), undefined);
  assert.match(said.request(30, EMPTY, 1)!, /polls/);
});

Deno.test("B-087 one rid may be repeated ten times, another one ten times more", () => {
  const activity = new Activity(GRANTED, false);
  for (const rid of [7, 8, 7]) {
    for (let i = 0; i < 10; i++) assert.equal(activity.repeat(0, rid), undefined);
  }
  assert.match(activity.repeat(999, 7)!, /repeats one request/);
});

Deno.test("B-087 and once more in each second", () => {
  const activity = new Activity(GRANTED, false);
  for (let i = 0; i < 13; i++) assert.equal(activity.repeat(i * 300, 7), undefined);
  assert.match(activity.repeat(3_900, 7)!, /repeats one request/);
  for (let i = 0; i < 100; i++) assert.equal(activity.repeat(10_000 + i * 1_000, 8), undefined);
});
