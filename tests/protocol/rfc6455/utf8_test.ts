import assert from "node:assert/strict";
import { skipCharacters } from "../../../src/protocol/rfc6455/utf8.ts";
import { INVALID } from "../../../src/protocol/xml/chars.ts";
import { INVALID_UTF8 } from "../../support/rfc6455.ts";

Deno.test("characters are skipped whole, those that are cut are left, all the rest is invalid", () => {
  const text = "κόσμε \u0000\u007f\u0080\u07ff\u0800\ud7ff\ue000\ufffd\uffff\u{10000}\u{10ffff} é";
  const bytes = new TextEncoder().encode(text);
  const starts = new Set([0]);
  for (const char of text) {
    starts.add(Math.max(...starts) + new TextEncoder().encode(char).length);
  }
  for (let end = 0; end <= bytes.length; end++) {
    const expected = Math.max(...[...starts].filter((start) => start <= end));
    assert.equal(skipCharacters(bytes, 0, end), expected);
    assert.equal(skipCharacters(bytes, expected, end), expected);
  }
  for (const [what, hex, possible] of INVALID_UTF8) {
    const wrong = Uint8Array.fromHex(hex);
    for (let end = 0; end <= wrong.length; end++) {
      assert.equal(skipCharacters(wrong, 0, end), end > possible ? INVALID : 0, what);
    }
  }
});
