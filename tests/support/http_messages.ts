import fc from "fast-check";
import { octets } from "./http_codec.ts";

/** What a body is announced by, `N` for its length: right, wrong, and the tricks of smugglers. */
const LENGTHS = [
  "Content-Length: N",
  "content-length:N",
  "Content-Length:\tN \t",
  "Content-Length: 0N",
  "Content-Length: +N",
  "Content-Length: -N",
  "Content-Length: N, N",
  "Content-Length: N,",
  "Content-Length: 0xN",
  "Content-Length: N.0",
  "Content-Length: N N",
  "Content-Length: 1N",
  "Content-Length: 0",
  "Content-Length:",
  "Content-Length : N",
  "Content-Length: N\r\nContent-Length: N",
  "Content-Length: N\r\nContent-Length: 0",
  "Content-Length: 18446744073709551616",
  "Content-Length\0: N",
  "Content_Length: N",
  "Content-Length: N\n",
  "Content-Length: \r\n N",
  "X: y\nContent-Length: N",
  "X: y\rContent-Length: N",
];

const CODINGS = [
  "Transfer-Encoding: chunked",
  "transfer-encoding:CHUNKED",
  "Transfer-Encoding: Chunked \t",
  "Transfer-Encoding:\tchunked",
  "Transfer-Encoding:\vchunked",
  "Transfer-Encoding : chunked",
  " Transfer-Encoding: chunked",
  "X:\n Transfer-Encoding: chunked",
  "Transfer-Encoding\n: chunked",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding: chunked-false",
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: chunked;q=1",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, gzip",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding: chunked,",
  "Transfer-Encoding: ,chunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
  "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
  "Transfer-Encoding:",
  "Transfer-Encoding: \r\n chunked",
  "Transfer\u00adEncoding: chunked",
  "Transfer-Encoding: chunked\r\nContent-Length: 4",
  "X: y\nTransfer-Encoding: chunked",
  "X: y\rTransfer-Encoding: chunked",
];

const FIELDS = [
  ...["Accept: */*", "X-A: 1", "X-A: 2", "X-Empty:", "X-Latin: caf\u00e9", "Cookie: a=b; c=d"],
  ...[
    "Connection: keep-alive",
    "Connection: close",
    "Connection: Close, x",
    "connection: x, CLOSE",
  ],
  ...[
    "Expect: 100-continue",
    "Expect: 200-ok",
    "Keep-Alive: 5",
    "TE: trailers",
    "Host: b",
    "Host: b b",
  ],
  ...[
    "Connection: upgrade\r\nUpgrade: websocket",
    "Upgrade: h2c",
    "Connection: closed",
    "Trailer: x",
  ],
];

/** Bits that stand at the joints of messages. */
const BITS = [
  ..." \t\r\n\0\v:;,=*/?#+-0aZ\u007f\u0080\u00ff",
  ...[
    "\r\n",
    "\r\n\r\n",
    "\n\n",
    "\r\r\n",
    "0\r\n\r\n",
    "5\r\n",
    " HTTP/1.1",
    " HTTP/1.0",
    "chunked",
  ],
  ...[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
  ],
  ...["Connection: close\r\n", "Host: c\r\n", "http://d", "\u0016\u0003\u0001"],
];

/** One request or several behind each other, most of them sound. */
export function messages(): fc.Arbitrary<string> {
  return fc.array(message(), { minLength: 1, maxLength: 3 }).map((parts) => parts.join(""));
}

/** Such requests with a few octets changed, inserted or left out. */
export function mutants(): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  // Left to itself, fast-check prefers the ends.
  const place = fc.noBias(fc.integer({ min: 0, max: 999_999 }));
  const mutation = fc.oneof(
    fc.tuple(place, fc.constantFrom(0, 0, 1, 2), fc.constantFrom(...BITS)),
    fc.tuple(
      place,
      fc.constant(1),
      fc.integer({ min: 0, max: 255 }).map((o) => String.fromCharCode(o)),
    ),
    fc.tuple(place, fc.integer({ min: 1, max: 8 }), fc.constant("")),
  );
  return fc.tuple(messages(), fc.array(mutation, { maxLength: 3 })).map(([text, mutations]) => {
    for (const [place, length, inserted] of mutations) {
      const at = Math.floor(place * text.length / 1_000_000);
      text = text.slice(0, at) + inserted + text.slice(at + length);
    }
    return octets(text);
  });
}

/** Bits and octets of any kind, one after the other. */
export function soups(): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const octet = fc.integer({ min: 0, max: 255 }).map((octet) => String.fromCharCode(octet));
  const bit = fc.constantFrom(...BITS, ...LENGTHS, ...CODINGS, ...FIELDS);
  return fc.array(fc.oneof({ weight: 4, arbitrary: bit }, octet), { maxLength: 30 })
    .map((parts) => octets(parts.join("")));
}

function message(): fc.Arbitrary<string> {
  const line = fc.tuple(
    mostly("POST", "GET", "HEAD", "OPTIONS", "PUT", "get", "CONNECT", "PRI", "M-SEARCH"),
    mostly(
      "/http-bind",
      "/",
      "/a?b=c",
      "/a?",
      "*",
      "http://d/e?f",
      "http://d",
      "//x",
      "a",
      "/#f",
      "/a b",
    ),
    mostly(
      "HTTP/1.1",
      "HTTP/1.0",
      "HTTP/1.2",
      "HTTP/2.0",
      "HTTP/0.9",
      "http/1.1",
      "HTTP/1.10",
      "HTTP/11",
    ),
  ).map((parts) => parts.join(" "));
  const body = fc.oneof(
    fc.constant({ framing: "", octets: "" }),
    fc.tuple(mostly(...LENGTHS), content()).map(([framing, octets]) => ({
      framing: `${framing.replaceAll("N", String(octets.length))}\r\n`,
      octets,
    })),
    fc.tuple(mostly(...CODINGS), chunks()).map(([framing, octets]) => ({
      framing: `${framing}\r\n`,
      octets,
    })),
  );
  const fields = fc.array(fc.constantFrom(...FIELDS), { maxLength: 3 });
  return fc.tuple(
    mostly("", "\r\n", "\n", "\r\n\r\n"),
    line,
    mostly("Host: a\r\n", ""),
    fields,
    body,
  ).map(
    ([empty, line, host, fields, { framing, octets }]) =>
      `${empty}${line}\r\n${host}${
        fields.map((field) => `${field}\r\n`).join("")
      }${framing}\r\n${octets}`,
  );
}

/** What a body holds; some look like requests. */
function content(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[^\0-\xff]/g, "?")),
    fc.constantFrom("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", "0\r\n\r\n", "\r\n", "<body/>"),
  );
}

function chunks(): fc.Arbitrary<string> {
  const extension = mostly("", ";a", ";a=b", ';a="b"', " ;a", ";", ";a\n", ";\0", "; a", "\t");
  const size = mostly(
    "S",
    "0S",
    "000S",
    "+S",
    "-S",
    "0xS",
    " S",
    "S ",
    "SS",
    "",
    "S,",
    "fffffffffffffffff",
  );
  const end = mostly("\r\n", "\n", "\r", "", "x\r\n");
  const chunk = fc.tuple(size, extension, end, content(), end).map(
    ([size, extension, line, content, end]) =>
      `${size.replaceAll("S", content.length.toString(16))}${extension}${line}${content}${end}`,
  );
  const last = mostly(
    "0\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "00;a\r\n\r\n",
    "0\n\n",
    "0\r\n X\r\n\r\n",
    "0\r\n",
    "-0\r\n\r\n",
  );
  return fc.tuple(fc.array(chunk, { maxLength: 3 }), last).map(([parts, last]) =>
    parts.join("") + last
  );
}

/** The first, and now and then one of the others. */
function mostly(...[first, ...others]: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constant(first!) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
}
