import assert from "node:assert/strict";
import {
  CLASS,
  CLASSES,
  decodeChar,
  INCOMPLETE,
  INVALID,
  isChar,
  isNameChar,
  isNameStart,
  skipBeyondAscii,
  utf8Length,
} from "../../../src/protocol/xml/chars.ts";

/** XML 1.0 fifth edition §2.2 and §2.3, as they are written there, without the colon. */
const CHAR = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]$/u;
const NAME_START =
  /^[A-Z_a-z\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{2FF}\u{370}-\u{37D}\u{37F}-\u{1FFF}\u{200C}-\u{200D}\u{2070}-\u{218F}\u{2C00}-\u{2FEF}\u{3001}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{EFFFF}]$/u;
const NAME_REST = /^[-.0-9\u{B7}\u{300}-\u{36F}\u{203F}-\u{2040}]$/u;

Deno.test("characters are told apart as the productions of XML 1.0 do, every one of them", () => {
  for (let code = 0; code <= 0x10ffff; code++) {
    const char = String.fromCodePoint(code);
    const expected = [
      CHAR.test(char),
      NAME_START.test(char),
      NAME_START.test(char) || NAME_REST.test(char),
    ];
    const actual = [isChar(code), isNameStart(code), isNameChar(code)];
    if (String(actual) !== String(expected)) assert.deepEqual(actual, expected, code.toString(16));
  }
  for (const code of [INCOMPLETE, INVALID, 0x110000]) {
    assert.deepEqual([isChar(code), isNameStart(code), isNameChar(code)], [false, false, false]);
  }
});

const { STOPS_TEXT, STOPS_VALUE, STOPS_CDATA, SPACE, STARTS_NAME, IN_NAME } = CLASS;

Deno.test("the class of an ASCII byte says what the productions say", () => {
  for (let byte = 0; byte < 0x80; byte++) {
    const char = String.fromCharCode(byte);
    const stops = (markup: string) => !CHAR.test(char) || markup.includes(char);
    const expected = (stops("<&>") ? STOPS_TEXT : 0) |
      (stops("<&'\"\t\n\r") ? STOPS_VALUE : 0) |
      (stops(">") ? STOPS_CDATA : 0) |
      (" \t\n\r".includes(char) ? SPACE : 0) |
      (NAME_START.test(char) ? STARTS_NAME : 0) |
      (NAME_START.test(char) || NAME_REST.test(char) ? IN_NAME : 0);
    assert.equal(CLASSES[byte], expected, byte.toString(16));
  }
  for (let byte = 0x80; byte < 0x100; byte++) {
    assert.equal(CLASSES[byte], STOPS_TEXT | STOPS_VALUE | STOPS_CDATA, byte.toString(16));
  }
});

Deno.test("every character is decoded from its UTF-8, and called incomplete until it is whole", () => {
  const bytes = new Uint8Array(4);
  for (let code = 0; code <= 0x10ffff; code += code < 0x3000 ? 1 : 7) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const { written } = new TextEncoder().encodeInto(String.fromCodePoint(code), bytes);
    assert.equal(utf8Length(code), written);
    assert.equal(decodeChar(bytes, 0, written), code);
    const skipped = isChar(code) && code >= 0x80 ? written : 0;
    assert.equal(skipBeyondAscii(bytes, 0, written), skipped);
    for (let end = 1; end < written; end++) {
      assert.equal(decodeChar(bytes, 0, end), INCOMPLETE);
      assert.equal(skipBeyondAscii(bytes, 0, end), 0);
    }
  }
});

Deno.test("bytes are UTF-8 or not as a strict decoder says, and not as soon as it is certain", () => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const leads = [0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef];
  leads.push(0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff);
  const seconds = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xff];
  const others = [0x7f, 0x80, 0xbf, 0xc0];
  for (const first of leads) {
    for (const second of seconds) {
      for (const third of others) {
        for (const fourth of others) {
          const bytes = Uint8Array.of(first, second, third, fourth);
          const lengths = [1, 2, 3, 4];
          const whole = lengths.find((length) => decodes(decoder, bytes.subarray(0, length)));
          const last = lengths.map((end) => decodeChar(bytes, 0, end));
          if (whole === undefined) {
            assert(last.includes(INVALID), bytes.join());
            assert(last.slice(last.indexOf(INVALID)).every((code) => code === INVALID));
          } else {
            assert.deepEqual(last.slice(0, whole - 1).filter((code) => code !== INCOMPLETE), []);
            assert.equal(utf8Length(last[whole - 1]!), whole);
          }
        }
      }
    }
  }
});

Deno.test("characters beyond ASCII are skipped up to the first that is not one", () => {
  const bytes = new TextEncoder().encode("-é€𝄞é-");
  assert.equal(skipBeyondAscii(bytes, 1, bytes.length), bytes.length - 1);
  assert.equal(skipBeyondAscii(bytes, 1, bytes.length - 2), bytes.length - 3);
  assert.equal(skipBeyondAscii(bytes, 0, bytes.length), 0);
  const forbidden = new TextEncoder().encode("é\uffff");
  assert.equal(skipBeyondAscii(forbidden, 0, forbidden.length), 2);
});

function decodes(decoder: TextDecoder, bytes: Uint8Array): boolean {
  try {
    return [...decoder.decode(bytes)].length === 1;
  } catch {
    return false;
  }
}

Deno.test("bytes are skipped as one character only where they are one that XML allows", () => {
  const edges = [0x00, 0x3f, 0x40, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  for (let a = 0x80; a < 0x100; a++) {
    for (const b of edges) {
      for (const c of edges) {
        // A blank ends it, so that no more than one is skipped.
        const bytes = Uint8Array.of(a, b, c, 0x20);
        const code = decodeChar(bytes, 0, 4);
        const length = isChar(code) ? utf8Length(code) : 0;
        const rest = length === 2 && c >= 0x80 ? Uint8Array.of(a, b, 0x20) : bytes;
        assert.equal(skipBeyondAscii(rest, 0, rest.length), length, `${a} ${b} ${c}`);
      }
    }
  }
});
