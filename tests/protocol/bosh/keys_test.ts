import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { KeySequence } from "../../../src/protocol/bosh/keys.ts";

/** The keys of a sequence, in the order in which they are sent: the last one is the first `newkey`. */
function sequence(seed: string, length: number): string[] {
  const keys: string[] = [];
  for (let key = seed; keys.length < length;) keys.unshift(key = sha1(key));
  return keys;
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

Deno.test("B-107 the example of XEP-0124 §15 holds", () => {
  const keys = new KeySequence(sha1);
  assert.ok(keys.accepts(undefined, "ca393b51b682f61f98e7877d61146407f3d0a770"));
  assert.ok(keys.accepts("bfb06a6f113cd6fd3838ab9d300fdb4fe3da2f7d", undefined));
  assert.ok(keys.accepts("6f825e81f4532b2c5fa2d12457d8a1f22e8f838e", undefined));
  assert.ok(!keys.accepts("6f825e81f4532b2c5fa2d12457d8a1f22e8f838e", undefined), "only once");
});

Deno.test("B-107 the digest is of the key's text, not of the bytes it stands for", () => {
  const raw = (text: string) => createHash("sha1").update(text, "hex").digest("hex");
  const [first = "", second = ""] = sequence("seed", 2);
  assert.ok(new KeySequence(sha1).accepts(undefined, first));
  const keys = new KeySequence(raw);
  keys.accepts(undefined, first);
  assert.ok(!keys.accepts(second, undefined));
});

Deno.test("B-109 sequences of any length hand over to the next, again and again", () => {
  const keys = new KeySequence(sha1);
  let [next, ...rest] = sequence("seed 0", 4);
  assert.ok(keys.accepts(undefined, next));
  for (let round = 1; round <= 5; round++) {
    const [newkey, ...following] = sequence(`seed ${round}`, 1 + round);
    for (const [index, key] of rest.entries()) {
      assert.ok(keys.accepts(key, index === rest.length - 1 ? newkey : undefined));
    }
    [next, rest] = [newkey, following];
  }
});

Deno.test("B-108 a wrong key does not take the place of the right one", () => {
  const keys = new KeySequence(sha1);
  const [first, second, third] = sequence("seed", 3);
  keys.accepts(undefined, first);
  for (const wrong of [undefined, "", "x", third, first, second!.slice(1), `${second}0`]) {
    assert.ok(!keys.accepts(wrong, undefined), wrong);
    assert.ok(!keys.accepts(wrong, "a new key"), wrong);
  }
  assert.ok(keys.accepts(second, undefined));
  assert.ok(keys.accepts(third, undefined));
});

Deno.test("B-111 without a newkey any key is good; one with a stray key may begin a sequence", () => {
  const keys = new KeySequence(sha1);
  assert.ok(keys.accepts(undefined, undefined));
  assert.ok(keys.accepts("stray", undefined));
  const [first, second] = sequence("seed", 2);
  assert.ok(keys.accepts("stray", first));
  assert.ok(!keys.accepts("stray", undefined));
  assert.ok(keys.accepts(second, undefined));
});
