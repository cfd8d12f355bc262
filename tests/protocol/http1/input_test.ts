import assert from "node:assert/strict";
import { Input } from "../../../src/protocol/http1/input.ts";
import { binary, octets } from "../../support/http_codec.ts";

Deno.test("a chunk is read where it is", () => {
  const input = new Input();
  const chunk = octets("hello");
  input.feed(chunk);
  assert.equal(input.bytes, chunk);
  assert.deepEqual([input.start, input.pos, input.end], [0, 0, 5]);
});

Deno.test("what is left of a chunk is joined to what follows", () => {
  const input = new Input();
  const chunk = octets("hello");
  input.feed(chunk);
  input.advance(2);
  input.pos = 4;
  input.keep();
  chunk.fill(0);
  for (const text of [" w", "", "or", "ld".repeat(2000)]) input.feed(octets(text));
  assert.equal(input.pos - input.start, 2);
  assert.equal(binary(input.take()), `llo wor${"ld".repeat(2000)}`);
  assert.equal(input.end, 0);
});

Deno.test("a view of what was joined stays as it is", () => {
  const input = new Input();
  input.feed(octets("ab"));
  input.keep();
  input.feed(octets("cd"));
  const view = input.bytes.subarray(input.start, input.end);
  input.advance(input.end);
  input.keep();
  input.feed(octets("ef"));
  input.keep();
  input.feed(octets("gh"));
  assert.equal(binary(view), "abcd");
});

Deno.test("nothing is held when all has been read", () => {
  const input = new Input();
  input.feed(octets("hello"));
  input.advance(5);
  input.keep();
  assert.equal(input.bytes.length, 0);
});
