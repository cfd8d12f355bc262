import assert from "node:assert/strict";
import { CLASS, CLASSES } from "../../../src/protocol/xml/chars.ts";
import { skipLongText } from "../../../src/protocol/xml/long_text.ts";

const LENGTH = 150;

Deno.test("long text ends at every byte that ends text, and at no other, wherever it lies", () => {
  for (let byte = 0; byte < 0x100; byte++) {
    const stops = (CLASSES[byte]! & CLASS.STOPS_TEXT) !== 0;
    for (let offset = 0; offset < 4; offset++) {
      const bytes = new Uint8Array(new ArrayBuffer(offset + LENGTH), offset).fill(0x61);
      for (let at = 0; at < LENGTH; at += byte < 0x80 ? 1 : 7) {
        bytes[at] = byte;
        assert.equal(skipLongText(bytes, 0, LENGTH), stops ? at : LENGTH, `${byte} at ${at}`);
        bytes[at] = 0x61;
      }
    }
  }
});

Deno.test("long text is looked at from where it begins to where it ends, and not beyond", () => {
  const bytes = new Uint8Array(LENGTH).fill(0x3c);
  for (let start = 0; start < 8; start++) {
    for (let end = start; end <= LENGTH; end++) {
      bytes.fill(0x61, start, end);
      bytes.fill(0x3c, end);
      assert.equal(skipLongText(bytes, start, end), end);
      assert.equal(skipLongText(bytes, start, LENGTH), end);
    }
    bytes[start] = 0x3c;
  }
});

Deno.test("long text goes on behind bytes that only look like an end, and stops at the first that is one", () => {
  const bytes = new TextEncoder().encode("=?\r\n\t".repeat(30) + "<\x00<");
  for (let start = 0; start < 150; start++) {
    assert.equal(skipLongText(bytes, start, bytes.length), 150);
  }
});
