import assert from "node:assert/strict";
import { readStreamAttributes } from "../../../src/protocol/stream/stream_attributes.ts";

Deno.test("stream_attrs is a JSON object whose members are attributes", () => {
  assert.equal(readStreamAttributes(undefined), undefined);
  assert.deepEqual(readStreamAttributes("{}"), []);
  assert.deepEqual(readStreamAttributes('{"a":"1","_b-c.d2":"\'<&\\" ü\\t"}'), [
    ["a", "1"],
    ["_b-c.d2", "'<&\" ü\t"],
  ]);
});

Deno.test("stream_attrs that is something else is refused", () => {
  for (
    const text of [
      "",
      "a",
      "[]",
      "null",
      "1",
      '"a"',
      '["a"]',
      '{"a":1}',
      '{"a":null}',
      '{"a":{}}',
      '{"a":"1"',
    ]
  ) assert.equal(readStreamAttributes(text), null, text);
});

Deno.test("stream_attrs cannot say what the header says itself, nor write what is no attribute", () => {
  for (
    const name of [
      "to",
      "from",
      "id",
      "version",
      "xmlns",
      "xmlns:x",
      "xml:lang",
      "x:y",
      "",
      "1a",
      "a b",
      "a='b",
      "a>",
      "ü",
      "a".repeat(65),
    ]
  ) assert.equal(readStreamAttributes(JSON.stringify({ [name]: "x" })), null, name);
});

Deno.test("stream_attrs holds characters that XML can hold, and not too many", () => {
  for (const value of ["\u0000", "\u001b", "\ufffe", "\ud800", "x".repeat(1025)]) {
    assert.equal(readStreamAttributes(JSON.stringify({ a: value })), null);
  }
  assert.ok(readStreamAttributes(JSON.stringify({ a: `${"x".repeat(1022)}😀` })));
  const many = (count: number) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, ""])));
  assert.equal(readStreamAttributes(many(16))?.length, 16);
  assert.equal(readStreamAttributes(many(17)), null);
});

Deno.test("a name that objects have by nature is a name like any other", () => {
  assert.deepEqual(readStreamAttributes('{"__proto__":"a","constructor":"b"}'), [
    ["__proto__", "a"],
    ["constructor", "b"],
  ]);
});
