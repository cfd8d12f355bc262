import assert from "node:assert/strict";
import { type Answer, writeAnswer } from "../../../src/protocol/http1/answer.ts";
import type { Turn } from "../../../src/protocol/http1/request.ts";
import { binary, NOW } from "../../support/http_codec.ts";

const TURN: Turn = { method: "POST", minorVersion: 1, persistent: true, upgrade: undefined };

function write(answer: Partial<Answer>, turn: Partial<Turn> = {}, closes = false): string {
  const whole = { status: 200, headers: {}, ...answer };
  const bytes = writeAnswer({ ...TURN, ...turn }, whole, { now: NOW, closes });
  assert.equal(bytes.byteLength, bytes.buffer.byteLength, "the array has the exact size");
  return binary(bytes);
}

Deno.test("B-003 an answer has its head and body in one array, and the length in octets", () => {
  const body = new TextEncoder().encode("<body>\u{1f600}</body>");
  assert.equal(
    write({ headers: { "content-type": "text/xml; charset=utf-8", "x-a": "caf\xe9" }, body }),
    `HTTP/1.1 200 OK\r\ndate: ${NOW}\r\ncontent-type: text/xml; charset=utf-8\r\nx-a: caf\xe9\r\n` +
      `Content-Length: 17\r\n\r\n${binary(body)}`,
  );
  assert.equal(
    write({ body: "\u{1f600}" }),
    write({ body: new TextEncoder().encode("\u{1f600}") }),
  );
});

Deno.test("B-003 an answer without a body has a length of 0", () => {
  assert.match(write({}), /\r\nContent-Length: 0\r\n\r\n$/);
});

Deno.test("HEAD is answered with the length of a body that does not come", () => {
  assert.match(write({ body: "hello" }, { method: "HEAD" }), /\r\nContent-Length: 5\r\n\r\n$/);
});

Deno.test("answers that have no body have no length", () => {
  for (const status of [204, 304]) {
    assert.match(
      write({ status, body: "hello" }),
      new RegExp(`^HTTP/1.1 ${status} [^]*GMT\r\n\r\n$`),
    );
  }
});

Deno.test("B-001 an answer says how the connection goes on where that is not plain", () => {
  assert.doesNotMatch(write({}), /Connection/);
  assert.match(write({}, {}, true), /\r\nConnection: close\r\n\r\n$/);
  assert.match(write({}, { minorVersion: 0 }), /\r\nConnection: keep-alive\r\n\r\n$/);
  assert.match(write({}, { minorVersion: 0 }, true), /\r\nConnection: close\r\n\r\n$/);
});

Deno.test("a status without a reason has none", () => {
  assert.match(write({ status: 299 }), /^HTTP\/1.1 299 \r\n/);
  assert.match(write({ status: 599 }), /^HTTP\/1.1 599 \r\n/);
});

Deno.test("S-016 no field gets out that is none, or not the caller's", () => {
  for (
    const headers of [
      { "x-a": "b\r\nset-cookie: c" },
      { "x-a": "b\nc" },
      { "x-a": "b\rc" },
      { "x-a": "b\0" },
      { "x-a": "\u010d\u010a" },
      { "x-a": "€" },
      { "x a": "b" },
      { "x-a:": "b" },
      { "x-a\r\nb": "c" },
      { "\u0178": "b" },
      { "": "b" },
      { "Content-Length": "5" },
      { "transfer-encoding": "chunked" },
      { "connection": "close" },
      { "Keep-Alive": "timeout=5" },
      { "date": NOW },
    ]
  ) {
    assert.throws(() => write({ headers }), TypeError, JSON.stringify(headers));
    assert.throws(() => write({ headers: Object.freeze(headers) }), TypeError);
  }
  const now = `${NOW}\r\nx: y`;
  assert.throws(
    () => writeAnswer(TURN, { status: 200, headers: {} }, { now, closes: false }),
    TypeError,
  );
});

Deno.test("a status that is not one of an answer is a mistake", () => {
  for (const status of [0, 100, 102, 199, 600, 200.5, NaN, -200, Infinity]) {
    assert.throws(() => write({ status }), TypeError, String(status));
  }
});

Deno.test("headers that can change are written anew, and frozen ones as they were", () => {
  const headers: Record<string, string> = { "x-a": "1" };
  assert.match(write({ headers }), /\r\nx-a: 1\r\n/);
  headers["x-a"] = "2";
  assert.match(write({ headers }), /\r\nx-a: 2\r\n/);
  Object.freeze(headers);
  assert.equal(write({ headers }), write({ headers }));
  assert.match(write({ headers, status: 404 }), /^HTTP\/1.1 404 Not Found[^]*\r\nx-a: 2\r\n/);
});
