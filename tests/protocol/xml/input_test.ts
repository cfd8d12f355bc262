import assert from "node:assert/strict";
import { Input } from "../../../src/protocol/xml/input.ts";
import { bytesOf } from "../../support/xml_items.ts";

Deno.test("input gives an item that lies in one chunk as a view of it", () => {
  const input = new Input(100);
  const chunk = bytesOf("..abc.");
  input.feed(chunk);
  input.open(2);
  input.pos = 5;
  const view = input.close();
  assert.equal(textOf(view), "abc");
  assert.equal(view.buffer, chunk.buffer);
  assert.deepEqual([input.item, input.pos, input.end, input.unread], [-1, 5, 6, 1]);
});

Deno.test("input puts the parts of an item side by side and goes on behind it in the chunk", () => {
  const input = new Input(100);
  input.feed(bytesOf("..ab"));
  input.open(2);
  input.pos = 4;
  assert.equal(input.offset(input.item), 2);
  assert.equal(input.more(), false);
  assert.equal(input.unread, 0);
  for (const text of ["c", "", "de"]) {
    input.feed(bytesOf(text));
    assert.equal(input.more(), text !== "");
    assert.equal(input.more(), false);
    input.pos = input.end;
  }
  input.feed(bytesOf("f.."));
  assert.equal(input.more(), true);
  assert.equal(input.offset(input.item), 2);
  input.pos += 1;
  assert.equal(input.unread, 2);
  assert.equal(textOf(input.close()), "abcdef");
  assert.deepEqual([input.pos, input.end, input.unread, input.offset(input.pos)], [1, 3, 2, 8]);
});

Deno.test("input gathers an item of any size, a piece at a time", () => {
  const input = new Input(1 << 20);
  const chunk = bytesOf("0123456789".repeat(1000));
  input.feed(chunk);
  input.open(9_999);
  input.pos = input.end;
  assert.equal(input.more(), false);
  for (let n = 0; n < 20; n++) {
    input.feed(chunk);
    while (input.more()) input.pos = input.end;
  }
  input.feed(chunk);
  input.more();
  input.pos += 5;
  assert.equal(textOf(input.close()), "9" + textOf(chunk).repeat(20) + "01234");
  assert.equal(input.unread, 9_995);
  assert.equal(textOf(input.bytes.subarray(input.pos, input.pos + 3)), "567");
});

Deno.test("input shows no more of an item than the limit, in one chunk and in many", () => {
  const input = new Input(4);
  input.feed(bytesOf("..abcdef"));
  input.open(2);
  assert.deepEqual([input.end, input.full], [6, true]);
  input.pos = 6;
  input.drop();
  assert.deepEqual([input.end, input.full], [8, false]);
  input.open(6);
  input.pos = 8;
  assert.deepEqual([input.full, input.more()], [false, false]);
  input.feed(bytesOf("ghi"));
  assert.equal(input.more(), true);
  assert.deepEqual([textOf(input.bytes.subarray(0, input.end)), input.full], ["efgh", true]);
});

Deno.test("inputs that gather at the same time keep their bytes to themselves, also those that were given out", () => {
  const inputs = Array.from({ length: 20 }, () => new Input(5_000));
  const chunk = (n: number) => bytesOf(String.fromCharCode(0x61 + n).repeat(1_000));
  const views: Uint8Array[] = [];
  inputs.forEach((input, n) => {
    input.feed(chunk(n));
    input.open(0);
    input.pos = input.end;
    assert.equal(input.more(), false);
  });
  inputs.forEach((input, n) => {
    input.feed(chunk(n));
    while (input.more()) input.pos = input.end;
    // Half of them outgrow what they began in.
    if (n % 2 === 0) input.feed(chunk(n));
    while (input.more()) input.pos = input.end;
    views.push(input.close());
  });
  views.forEach((view, n) => {
    assert.equal(textOf(view), textOf(chunk(n)).repeat(n % 2 === 0 ? 3 : 2));
  });
});

Deno.test("input holds nothing between items", () => {
  const input = new Input(100);
  input.feed(bytesOf("ab"));
  input.open(0);
  input.pos = 2;
  input.more();
  input.feed(bytesOf("c"));
  input.more();
  input.pos = 3;
  input.close();
  assert.equal(input.more(), false);
  assert.equal(input.bytes.buffer.byteLength, 0);
  assert.equal(input.offset(input.pos), 3);
});

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
