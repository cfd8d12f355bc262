import assert from "node:assert/strict";
import {
  closeFrame,
  mayStandInFrame,
  readClosePayload,
} from "../../../src/protocol/rfc6455/close_code.ts";
import { bytesOf, concat, serverFrames } from "../../support/rfc6455.ts";

Deno.test("of all codes, those stand in a close frame that mean something", () => {
  const good = new Set([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]);
  for (let code = 0; code < 65_536; code++) {
    const expected = good.has(code) || code >= 3000 && code < 5000;
    assert.equal(mayStandInFrame(code), expected, `${code}`);
    const read = readClosePayload(Uint8Array.of(code >> 8, code));
    assert.equal(read.code, expected ? code : 1002);
    assert.equal("reason" in read, !expected);
  }
});

Deno.test("a close payload is nothing, or a code and a reason in UTF-8", () => {
  assert.deepEqual(readClosePayload(new Uint8Array(0)), { code: 1005 });
  assert.deepEqual(readClosePayload(Uint8Array.of(3)), { code: 1002, reason: "half a close code" });
  const code = Uint8Array.of(3, 0xe8);
  assert.deepEqual(readClosePayload(concat(code, bytesOf("Tschüß"))), { code: 1000 });
  for (const hex of ["ff", "c3", "eda080", "61e282"]) {
    const read = readClosePayload(concat(code, Uint8Array.fromHex(hex)));
    assert.equal(read.code, 1007, hex);
    assert.ok("reason" in read);
  }
});

Deno.test("a close frame says its code and why", () => {
  const said = (bytes: Uint8Array) =>
    serverFrames(bytes).map(({ opcode, payload }) => [
      opcode,
      payload.toHex(),
    ]);
  assert.deepEqual(said(closeFrame(1000)), [[8, "03e8"]]);
  assert.deepEqual(said(closeFrame(4999, "ab")), [[8, "13876162"]]);
  assert.deepEqual(said(closeFrame(1005)), [[8, ""]]);
});
