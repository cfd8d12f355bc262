/*
 * What the HTTP/1.1 codec costs: a BOSH request of 350 bytes with the fields that a browser sends, in
 * one chunk, in two and byte by byte; its answer; and what cannot be had for less (the copy of a
 * head, and an array for the answer).
 */
import { HttpCodec } from "../../src/protocol/http1/codec.ts";

const LIMITS = {
  headBytes: 16_384,
  targetBytes: 8192,
  fields: 100,
  chunkLineBytes: 256,
  trailerBytes: 4096,
  requests: 4,
};
const NOW = "Sun, 06 Nov 1994 08:49:37 GMT";

const BODY =
  "<body rid='1573741820' sid='7f3a-0b5e8c2d4a6f9e1b' xmlns='http://jabber.org/protocol/httpbind'>" +
  "<message to='juliet@example.org/balcony' type='chat' id='ktx72v49' xmlns='jabber:client'>" +
  "<body>Art thou not Romeo, and a Montague?</body>" +
  "<request xmlns='urn:xmpp:receipts'/><active xmlns='http://jabber.org/protocol/chatstates'/>" +
  "</message></body>";

const LIBRARY = request(["Host: example.org:5280", "Content-Type: text/xml; charset=utf-8"]);
const BROWSER = request([
  "Host: example.org:5280",
  "Connection: keep-alive",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Accept: */*",
  "Accept-Language: en-US,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Content-Type: text/xml; charset=UTF-8",
  "Origin: https://chat.example.org",
  "Referer: https://chat.example.org/",
  "Sec-Fetch-Mode: cors",
]);
const HALVES = [LIBRARY.subarray(0, 120), LIBRARY.subarray(120)];
const BYTES = Array.from(LIBRARY, (_, at) => LIBRARY.subarray(at, at + 1));
const HEAD_BYTES = LIBRARY.length - BODY.length;

const ANSWER = {
  status: 200,
  headers: Object.freeze({
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "access-control-allow-origin": "*",
    "content-type": "text/xml; charset=utf-8",
  }),
  body: new TextEncoder().encode(BODY),
};

const codec = new HttpCodec(LIMITS);

Deno.bench({ name: "request and answer", group: "library", fn: () => turn([LIBRARY]) });
Deno.bench({
  name: "the copies that it makes",
  group: "library",
  baseline: true,
  fn: () => copies(HEAD_BYTES, 700),
});
Deno.bench({ name: "request and answer", group: "browser", fn: () => turn([BROWSER]) });
Deno.bench({
  name: "the copies that it makes",
  group: "browser",
  baseline: true,
  fn: () => copies(BROWSER.length - BODY.length, 700),
});
Deno.bench({ name: "in two chunks", group: "cut", fn: () => turn(HALVES) });
Deno.bench({ name: "byte by byte", group: "cut", fn: () => turn(BYTES) });

function turn(chunks: readonly Uint8Array[]): void {
  let octets;
  for (const chunk of chunks) {
    codec.feed(chunk);
    for (let event; (event = codec.next()) !== undefined;) {
      if (event.type === "request") codec.readBody(event.request, 262_144);
      else if (event.type === "body") octets = codec.answer(event.request, ANSWER, NOW);
      else throw new Error(event.refusal.reason);
    }
  }
  if (octets === undefined) throw new Error("The request is not complete");
}

function copies(head: number, answer: number): void {
  const copy = LIBRARY.slice(0, head);
  const view = LIBRARY.subarray(0, head);
  const octets = new Uint8Array(answer);
  octets.set(ANSWER.body);
  if (copy.length !== view.length) throw new Error("No copy");
}

function request(fields: readonly string[]): Uint8Array {
  const length = new TextEncoder().encode(BODY).length;
  const head = ["POST /http-bind HTTP/1.1", ...fields, `Content-Length: ${length}`];
  return new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${BODY}`);
}
