/*
 * The ways that are known to make two servers see different requests, each in a request that would
 * pass without the trick. RFC 9112 §11.2; the names are those of the literature.
 */
import assert from "node:assert/strict";
import { asRequest, octets, readHttp, type Seen } from "../../support/http_codec.ts";

const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

interface Trick {
  readonly name: string;
  /** What stands between the Host field and the empty line. */
  readonly fields: string;
  readonly body?: string;
  readonly status: number;
}

const CHUNKED_BODY = `5\r\nhello\r\n0\r\n\r\n`;

const TRICKS: readonly Trick[] = [
  // CL.TE and TE.CL: one believes the length, the other the coding.
  {
    name: "CL.TE",
    fields: "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
    body: "0\r\n\r\nG",
    status: 400,
  },
  {
    name: "TE.CL",
    fields: "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    body: `5e\r\n${SMUGGLED}`,
    status: 400,
  },
  {
    name: "TE.0 with a length of 0",
    fields: "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    body: CHUNKED_BODY,
    status: 400,
  },
  // TE.TE: one of two does not recognize the coding.
  ...[
    ["a letter before", "Transfer-Encoding: xchunked\r\n", 400],
    ["a letter behind", "Transfer-Encoding: chunkedx\r\n", 400],
    ["quoted", 'Transfer-Encoding: "chunked"\r\n', 400],
    ["apostrophes", "Transfer-Encoding: 'chunked'\r\n", 400],
    ["with a parameter", "Transfer-Encoding: chunked;a=b\r\n", 400],
    ["nothing", "Transfer-Encoding:\r\n", 400],
    ["identity", "Transfer-Encoding: identity\r\n", 400],
    ["another coding alone", "Transfer-Encoding: gzip\r\n", 400],
    ["chunked not last", "Transfer-Encoding: chunked, gzip\r\n", 400],
    ["chunked twice", "Transfer-Encoding: chunked, chunked\r\n", 400],
    ["chunked in two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400],
    [
      "chunked, then identity",
      "Transfer-Encoding: chunked\r\nTransfer-encoding: identity\r\n",
      400,
    ],
    ["chunked, then nothing", "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", 400],
    [
      "identity, then chunked",
      "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
      501,
    ],
    ["a coding before", "Transfer-Encoding: gzip, chunked\r\n", 501],
    ["a comma before", "Transfer-Encoding: ,chunked\r\n", 501],
    ["a comma behind", "Transfer-Encoding: chunked,\r\n", 400],
    ["white space before the colon", "Transfer-Encoding : chunked\r\n", 400],
    ["a tab before the colon", "Transfer-Encoding\t: chunked\r\n", 400],
    ["a tab behind", "Transfer-Encoding: chunked\t\r\n", 400],
    ["a blank behind", "Transfer-Encoding: chunked \r\n", 400],
    ["a vertical tab", "Transfer-Encoding:\vchunked\r\n", 400],
    ["a form feed", "Transfer-Encoding: \fchunked\r\n", 400],
    ["NUL behind", "Transfer-Encoding: chunked\0\r\n", 400],
    ["a no-break space", "Transfer-Encoding: \u00a0chunked\r\n", 400],
    ["white space before the name", "X: y\r\n Transfer-Encoding: chunked\r\n", 400],
    ["a bare LF before", "X: y\nTransfer-Encoding: chunked\r\n", 400],
    ["a bare CR before", "X: y\rTransfer-Encoding: chunked\r\n", 400],
    ["a line end in the name", "Transfer-Encoding\r\n: chunked\r\n", 400],
    ["a folded value", "Transfer-Encoding:\r\n chunked\r\n", 400],
    ["a folded value, by tab", "Transfer-Encoding: \r\n\tchunked\r\n", 400],
  ].map(([name, fields, status]) => ({
    name: `TE.TE, ${name}`,
    fields: fields as string,
    body: CHUNKED_BODY,
    status: status as number,
  })),
  // Lengths that two may read differently.
  ...[
    ["a list of equal numbers", "Content-Length: 5, 5\r\n"],
    ["a list of different numbers", "Content-Length: 5, 40\r\n"],
    ["equal fields", "Content-Length: 5\r\nContent-Length: 5\r\n"],
    ["different fields", "Content-Length: 5\r\nContent-Length: 40\r\n"],
    ["different fields, in other letters", "Content-Length: 0\r\ncontent-length: 40\r\n"],
    ["plus", "Content-Length: +5\r\n"],
    ["minus", "Content-Length: -5\r\n"],
    ["minus zero", "Content-Length: -0\r\n"],
    ["hexadecimal", "Content-Length: 0x5\r\n"],
    ["hexadecimal without saying so", "Content-Length: 5a\r\n"],
    ["an exponent", "Content-Length: 5e0\r\n"],
    ["a fraction", "Content-Length: 5.0\r\n"],
    ["an underscore", "Content-Length: 5_0\r\n"],
    ["white space inside", "Content-Length: 4 0\r\n"],
    ["quoted", 'Content-Length: "5"\r\n'],
    ["nothing", "Content-Length:\r\n"],
    ["white space alone", "Content-Length: \t\r\n"],
    ["a comma", "Content-Length: 5,\r\n"],
    ["a semicolon", "Content-Length: 5;\r\n"],
    ["a vertical tab", "Content-Length: \v5\r\n"],
    ["NUL", "Content-Length: 5\0\r\n"],
    ["other digits", "Content-Length: \u00b2\r\n"],
    ["white space before the colon", "Content-Length : 5\r\n"],
    ["white space before the name", "X: y\r\n Content-Length: 5\r\n"],
    ["a folded value", "Content-Length:\r\n 5\r\n"],
    ["a bare LF before", "X: y\nContent-Length: 5\r\n"],
    ["a bare CR before", "X: y\rContent-Length: 5\r\n"],
    ["a bare LF behind", "Content-Length: 5\nX: y\r\n"],
  ].map(([name, fields]) => ({ name: `CL, ${name}`, fields: fields!, body: "hello", status: 400 })),
  ...["9007199254740992", "18446744073709551621", "9".repeat(400)].map((length) => ({
    name: `CL, ${length.length} digits`,
    fields: `Content-Length: ${length}\r\n`,
    status: 413,
  })),
];

for (const { name, fields, body = "", status } of TRICKS) {
  Deno.test(`S-016 ${name} is refused, and nothing behind it is read`, () => {
    const head = `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
    const seen = readHttp([octets(`${head}${body}${SMUGGLED}`)]);
    assert.deepEqual(seen.map(statusOf), [status]);
  });
}

Deno.test("S-016 a transfer coding in HTTP/1.0 is refused", () => {
  const text = `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED_BODY}`;
  assert.deepEqual(readHttp([octets(text)]).map(statusOf), [400]);
});

for (
  const [name, chunks] of [
    ["no size", "\r\nhello\r\n0\r\n\r\n"],
    ["no size where the last chunk could be", "\r\n\r\n"],
    ["an extension and no size where the last chunk could be", ";a\r\n\r\n"],
    ["an extension without a size", ";a\r\nhello\r\n0\r\n\r\n"],
    ["plus", "+5\r\nhello\r\n0\r\n\r\n"],
    ["minus", "-5\r\nhello\r\n0\r\n\r\n"],
    ["0x", "0x5\r\nhello\r\n0\r\n\r\n"],
    ["white space before the size", " 5\r\nhello\r\n0\r\n\r\n"],
    ["white space behind the size", "5 \r\nhello\r\n0\r\n\r\n"],
    ["white space before an extension", "5 ;a\r\nhello\r\n0\r\n\r\n"],
    ["an underscore", "0_5\r\nhello\r\n0\r\n\r\n"],
    ["many digits", "00000000000000005\r\nhello\r\n0\r\n\r\n"],
    ["more than 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"],
    ["a bare LF behind the size", "5\nhello\r\n0\r\n\r\n"],
    ["a bare CR behind the size", "5\rhello\r\n0\r\n\r\n"],
    ["TERM.EXT: a bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n"],
    ["EXT.TERM: a bare CR in an extension", "5;a\rhello\r\n0\r\n\r\n"],
    ["NUL in an extension", "5;a\0\r\nhello\r\n0\r\n\r\n"],
    ["a quoted line end", '5;a="\r\n"\r\nhello\r\n0\r\n\r\n'],
    ["a bare LF behind the data", "5\r\nhello\n0\r\n\r\n"],
    ["SPILL: two octets behind the data", "5\r\nhelloXX0\r\n\r\n"],
    ["more data than the size", "5\r\nhello!\r\n0\r\n\r\n"],
    ["less data than the size", "5\r\nhell\r\n0\r\n\r\n"],
    ["a bare LF behind the last chunk", "5\r\nhello\r\n0\n\r\n"],
    ["a bare LF at the end", "5\r\nhello\r\n0\r\n\n"],
    ["white space in the last chunk", "5\r\nhello\r\n0 \r\n\r\n"],
    ["a folded trailer", "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n"],
    ["a trailer line without a colon", "5\r\nhello\r\n0\r\nX\r\n\r\n"],
    ["a bare LF behind a trailer field", "5\r\nhello\r\n0\r\nX: y\n\r\n"],
  ] as const
) {
  Deno.test(`S-016 chunks, ${name}: refused, and nothing behind it is read`, () => {
    const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const seen = readHttp([octets(`${head}${chunks}${SMUGGLED}`)]);
    assert.equal(seen.length, 2);
    assert.deepEqual(seen.map(statusOf), [undefined, 400]);
    assert.equal(asRequest(seen[0]).body, undefined, "there is no body");
  });
}

Deno.test("S-016 trailer fields change nothing", () => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const trailer = "Content-Length: 40\r\nHost: b\r\nConnection: close\r\n";
  const [first, second] = readHttp(
    [octets(`${head}5\r\nhello\r\n0\r\n${trailer}\r\n${SMUGGLED}`)],
    {
      fields: ["host", "content-length", "connection"],
    },
  );
  assert.deepEqual(first, {
    type: "request",
    line: "POST / 1.1",
    persistent: true,
    fields: { host: "a" },
    body: "hello",
  });
  assert.equal(asRequest(second).line, "GET /smuggled 1.1");
});

Deno.test("S-016 a body that looks like a request is a body", () => {
  const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n`;
  const [first, second, ...more] = readHttp([octets(`${head}${SMUGGLED}${SMUGGLED}`)]);
  assert.equal(asRequest(first).body, SMUGGLED);
  assert.equal(asRequest(second).line, "GET /smuggled 1.1");
  assert.deepEqual(more, []);
});

function statusOf(item: Seen): number | undefined {
  return item.type === "refusal" ? item.status : undefined;
}
