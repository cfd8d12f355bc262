import assert from "node:assert/strict";
import { frame, readFrameHeader } from "../../../src/protocol/rfc6455/frame.ts";
import { type ClientFrame, clientFrame, serverFrames } from "../../support/rfc6455.ts";

const LENGTHS = [0, 1, 125, 126, 127, 128, 255, 256, 65_535, 65_536, 65_537];

Deno.test("a client's header is read at all sizes that a length has", () => {
  for (const declared of [...LENGTHS, 2 ** 31, 2 ** 32, 2 ** 40 + 1, 2 ** 53 - 1]) {
    for (const opcode of [0, 1, 2]) {
      for (const fin of [true, false]) {
        const header = read({ opcode, fin, declared, key: [1, 2, 3, 0xff] });
        const size = declared < 126 ? 6 : declared < 65_536 ? 8 : 14;
        assert.deepEqual(header, {
          fin,
          opcode,
          length: declared,
          mask: 1 | 2 << 8 | 3 << 16 | 0xff << 24,
          size,
        });
      }
    }
  }
});

Deno.test("a header is incomplete up to its last byte, wherever it begins", () => {
  for (const declared of [0, 125, 126, 65_535, 65_536]) {
    const bytes = clientFrame({ opcode: 2, declared });
    for (let end = 0; end < bytes.length; end++) {
      assert.equal(readFrameHeader(bytes.subarray(0, end), 0), undefined);
    }
    const behind = new Uint8Array([1, 2, 3, ...bytes]);
    assert.deepEqual(readFrameHeader(behind, 3), readFrameHeader(bytes, 0));
    assert.equal(readFrameHeader(behind.subarray(0, behind.length - 1), 3), undefined);
  }
});

Deno.test("what §5.2 and §5.5 forbid is said as soon as its byte is there", () => {
  const cases: [ClientFrame, number, RegExp][] = [
    ...[1, 2, 3, 4, 5, 6, 7].map((reserved): [ClientFrame, number, RegExp] => [
      { opcode: 1, reserved },
      1,
      /reserved bit/,
    ]),
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [ClientFrame, number, RegExp] => [
      { opcode },
      1,
      new RegExp(`opcode ${opcode} is reserved`),
    ]),
    ...[8, 9, 10].flatMap((opcode): [ClientFrame, number, RegExp][] => [
      [{ opcode, fin: false }, 1, /control frame is fragmented/],
      [{ opcode, declared: 126 }, 2, /more than 125 bytes/],
      [{ opcode, declared: 65_536 }, 2, /more than 125 bytes/],
      [{ opcode, declared: 5, lengthBytes: 2 }, 2, /more than 125 bytes/],
    ]),
    ...[0, 1, 2, 8, 9, 10].map((opcode): [ClientFrame, number, RegExp] => [
      { opcode, masked: false },
      2,
      /not masked/,
    ]),
    ...[0, 1, 125].map((declared): [ClientFrame, number, RegExp] => [
      { opcode: 1, declared, lengthBytes: 2 },
      4,
      /fewest bytes/,
    ]),
    ...[0, 125, 126, 65_535].map((declared): [ClientFrame, number, RegExp] => [
      { opcode: 1, declared, lengthBytes: 8 },
      10,
      /fewest bytes/,
    ]),
    [{ opcode: 1, declared: 1n << 63n }, 10, /63 bits/],
    [{ opcode: 1, declared: (1n << 64n) - 1n }, 10, /63 bits/],
  ];
  for (const [wrong, from, reason] of cases) {
    const bytes = clientFrame(wrong);
    assert.equal(readFrameHeader(bytes.subarray(0, from - 1), 0), undefined);
    for (let end = from; end <= bytes.length; end++) {
      assert.match(String(readFrameHeader(bytes.subarray(0, end), 0)), reason);
    }
  }
  assert.equal(typeof read({ opcode: 1, declared: (1n << 63n) - 1n }), "object");
});

Deno.test("frames are written unmasked, in the fewest bytes", () => {
  for (const length of LENGTHS) {
    const payload = new Uint8Array(length).map((_, i) => i * 7);
    for (const opcode of [1, 8, 9, 10]) {
      const bytes = frame(opcode, payload);
      assert.equal(bytes.length, length + (length < 126 ? 2 : length < 65_536 ? 4 : 10));
      assert.equal(bytes.buffer.byteLength, bytes.length);
      assert.deepEqual(serverFrames(bytes), [{ opcode, payload }]);
    }
  }
  const long = frame(1, new Uint8Array(0x10203));
  assert.deepEqual([...long.subarray(0, 10)], [0x81, 127, 0, 0, 0, 0, 0, 1, 2, 3]);
});

function read(what: ClientFrame): ReturnType<typeof readFrameHeader> {
  return readFrameHeader(clientFrame(what), 0);
}
