import assert from "node:assert/strict";
import { Families } from "../../src/upstream/families.ts";
import { TestClock } from "../support/test_clock.ts";

const HOST = ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"];

Deno.test("D-010 a family that was silent comes last for five minutes", () => {
  const clock = new TestClock();
  const families = new Families(clock);
  assert.deepEqual(families.arrange(HOST), HOST);
  families.silent("2001:db8::1");
  const ipv4First = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];
  assert.deepEqual(families.arrange(HOST), ipv4First);
  clock.advance(299_999);
  assert.deepEqual(families.arrange(HOST), ipv4First);
  clock.advance(1);
  assert.deepEqual(families.arrange(HOST), HOST);
});

Deno.test("D-010 an address gets a part of the time only while there is hope for the other family", () => {
  const families = new Families(new TestClock());
  assert.equal(families.patience(HOST, 10_000), 2_500);
  assert.equal(families.patience(["192.0.2.1"], 10_000), 10_000);
  assert.equal(families.patience(["192.0.2.1", "192.0.2.2"], 10_000), 10_000);
  families.silent("2001:db8::1");
  assert.equal(families.patience(families.arrange(HOST), 10_000), 10_000);
  assert.equal(families.patience(HOST, 10_000), 2_500);
});
