import assert from "node:assert/strict";
import {
  asRequest,
  HTTP_LIMITS,
  octets,
  readHttp,
  type ReadOptions,
} from "../../support/http_codec.ts";

/** What is said of a head: the request line as it was understood, or the refusal's status. */
function verdict(text: string, options?: ReadOptions): string | number | undefined {
  const [first] = readHttp([octets(text)], options);
  return first?.type === "refusal" ? first.status : first?.line;
}

function reason(text: string): string | undefined {
  const [first] = readHttp([octets(text)]);
  return first?.type === "refusal" ? first.reason : undefined;
}

for (
  const [line, expected] of [
    ["GET /http-bind HTTP/1.1", "GET /http-bind 1.1"],
    ["GET /http-bind/ HTTP/1.0", "GET /http-bind/ 1.0"],
    ["M-SEARCH / HTTP/1.1", "M-SEARCH / 1.1"],
    ["get / HTTP/1.1", "get / 1.1"],
    ["GET  / HTTP/1.1", 400],
    ["GET /  HTTP/1.1", 400],
    ["GET\t/\tHTTP/1.1", 400],
    [" GET / HTTP/1.1", 400],
    ["GET / HTTP/1.1 ", 400],
    ["GET / HTTP/1.10", 400],
    ["GET / HTTP/1.", 400],
    ["GET / HTTP/11", 400],
    ["GET / HTTP 1.1", 400],
    ["GET / http/1.1", 400],
    ["GET / HTTPS/1.1", 400],
    ["GET / ", 400],
    ["GET /", 400],
    ["GET", 400],
    ["G(T / HTTP/1.1", 400],
    ["G\u00cbT / HTTP/1.1", 400],
    ["GET / HTTP/0.9", 505],
    ["GET / HTTP/1.2", 505],
    ["GET / HTTP/2.0", 505],
    ["GET / HTTP/3.0", 505],
    [`${"A".repeat(41)} / HTTP/1.1`, 501],
    ["CONNECT example.org:443 HTTP/1.1", 501],
    ["CONNECT / HTTP/1.1", 501],
  ] as const
) {
  Deno.test(`S-016 request line ${JSON.stringify(line)} is ${expected}`, () => {
    assert.equal(verdict(`${line}\r\nHost: a\r\n\r\n`), expected);
  });
}

Deno.test("S-016 a client that begins with HTTP/2 is told that it is not spoken", () => {
  assert.equal(verdict("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
});

Deno.test("S-016 a TLS handshake on a plain port is refused at its first octet", () => {
  assert.equal(verdict("\x16"), 400);
  assert.equal(verdict("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), 400);
});

Deno.test("one empty line may come before a request line, and no more", () => {
  const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  assert.equal(verdict(`\r\n${request}`), "GET / 1.1");
  assert.equal(verdict(`\r\n\r\n${request}`), 400);
  assert.equal(verdict(`\n${request}`), 400);
  assert.equal(verdict(`\r${request}`), 400);
  assert.equal(readHttp([octets(`${request}\r\n${request}\r\n${request}`)]).length, 3);
});

for (
  const [name, fields, expected] of [
    ["obs-fold", "X: a\r\n b\r\n", "a field goes on in the next line"],
    ["a blank before the first field", " X: a\r\n", "a field goes on in the next line"],
    ["a bare LF behind a value", "X: a\nY: b\r\n", "a line ends without a carriage return"],
    ["a bare LF for the empty line", "\n", "a line ends without a carriage return"],
    ["a bare CR in a value", "X: a\rb\r\n", "a carriage return stands inside a line"],
    ["two CRs", "X: a\r\r\n", "a carriage return stands inside a line"],
    ["NUL in a value", "X: a\0b\r\n", "a field's value holds a control character"],
    ["ESC in a value", "X: a\x1bb\r\n", "a field's value holds a control character"],
    ["DEL in a value", "X: a\x7fb\r\n", "a field's value holds a control character"],
    [
      "a blank before the colon",
      "X : a\r\n",
      "a field's name is not a token with a colon behind it",
    ],
    ["an empty name", ": a\r\n", "a field's name is not a token with a colon behind it"],
    ["no colon", "X\r\n", "a field's name is not a token with a colon behind it"],
    ["a name in brackets", "(X): a\r\n", "a field's name is not a token with a colon behind it"],
    [
      "a name beyond ASCII",
      "\u00dc: a\r\n",
      "a field's name is not a token with a colon behind it",
    ],
    ["NUL in a name", "X\0: a\r\n", "a field's name is not a token with a colon behind it"],
  ] as const
) {
  Deno.test(`S-016 ${name} is refused`, () => {
    assert.equal(reason(`GET / HTTP/1.1\r\n${fields}Host: a\r\n\r\n`), expected);
  });
}

Deno.test("B-002 a field's value is what stands between the white space around it", () => {
  const text =
    "GET / HTTP/1.1\r\nHost:a\r\nX-Empty:\r\nX-White: \t \r\nX-Latin:\t caf\xe9 \t au lait \t\r\n\r\n";
  const [request] = readHttp([octets(text)], {
    fields: ["host", "x-empty", "x-white", "x-latin", "x-none"],
  });
  assert.deepEqual(asRequest(request).fields, {
    "host": "a",
    "x-empty": "",
    "x-white": "",
    "x-latin": "caf\xe9 \t au lait",
  });
});

Deno.test("B-002 several fields of one name are one, in their order, in any letters", () => {
  const text = "GET / HTTP/1.1\r\nhOST: a\r\nX-A: 1\r\nx-b: 0\r\nx-a: 2\r\nX-A:\r\nX-ZA: 3\r\n\r\n";
  const [request] = readHttp([octets(text)], { fields: ["host", "x-a", "x-za"] });
  assert.deepEqual(asRequest(request).fields, { "host": "a", "x-a": "1, 2, ", "x-za": "3" });
});

// Limits: as much as they say passes, and one octet more does not.

Deno.test("a head may have as many octets as the limit says", () => {
  const head = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const fits = head + "x".repeat(HTTP_LIMITS.headBytes - head.length - 4) + "\r\n\r\n";
  assert.equal(fits.length, HTTP_LIMITS.headBytes);
  assert.equal(verdict(fits), "GET / 1.1");
  assert.equal(verdict(fits.replace("x", "xx")), 431);
  // No need to wait for its end.
  assert.equal(verdict(head + "x".repeat(HTTP_LIMITS.headBytes)), 431);
});

Deno.test("an empty line before does not count", () => {
  const head = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const fits = head + "x".repeat(HTTP_LIMITS.headBytes - head.length - 4) + "\r\n\r\n";
  assert.equal(verdict(`\r\n${fits}`), "GET / 1.1");
});

Deno.test("a request target may have as many octets as the limit says", () => {
  const path = `/${"a".repeat(HTTP_LIMITS.targetBytes - 1)}`;
  assert.equal(verdict(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`), `GET ${path} 1.1`);
  assert.equal(verdict(`GET ${path}a HTTP/1.1\r\nHost: a\r\n\r\n`), 414);
  assert.equal(verdict(`GET ${path}a`), 414);
});

Deno.test("a request line that fills the whole head is too long", () => {
  const limits = { ...HTTP_LIMITS, headBytes: 100 };
  assert.equal(verdict(`GET /${"a".repeat(100)}`, { limits }), 414);
});

Deno.test("a head may have as many fields as the limit says", () => {
  const fields = "X: y\r\n".repeat(HTTP_LIMITS.fields - 1);
  assert.equal(verdict(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`), "GET / 1.1");
  assert.equal(verdict(`GET / HTTP/1.1\r\nHost: a\r\n${fields}X: y\r\n\r\n`), 431);
});
