/*
 * Invariant: whatever the octets and however they are cut, the codec never throws, finds the same in
 * all cuts, holds no more than its limits, and where another parser (llhttp, in Node) accepts a
 * request as well, both see the same one end at the same place.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { HttpCodec } from "../../src/protocol/http1/codec.ts";
import { REFUSALS } from "../../src/protocol/http1/refusals.ts";
import type { Request } from "../../src/protocol/http1/request.ts";
import { fuzz, fuzzSlowly } from "../support/fuzz_corpus.ts";
import { cutBy, cuts } from "../support/fuzz_inputs.ts";
import { HTTP_LIMITS, NOW, octets, readHttp } from "../support/http_codec.ts";
import { messages, mutants, soups } from "../support/http_messages.ts";
import { type Llhttp, LlhttpProcess } from "../support/llhttp.ts";
import { haveProgram } from "../support/programs.ts";
import { cutInto } from "../support/xml_items.ts";

const FIELDS = ["host", "x-a", "connection", "content-length", "transfer-encoding"];
const TIGHT = {
  headBytes: 90,
  targetBytes: 12,
  fields: 4,
  chunkLineBytes: 6,
  trailerBytes: 8,
  requests: 2,
};

const octetsOfAnyKind = fc.oneof(
  { weight: 4, arbitrary: mutants() },
  { weight: 4, arbitrary: soups() },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  { weight: 2, arbitrary: endless() },
);

fuzz("S-016 requests are the same however their octets are cut", {
  target: "http1_cuts",
  inputs: fc.record({
    bytes: fc.oneof(mutants(), soups()),
    isTight: fc.boolean(),
    answers: fc.boolean(),
    sizes: cuts(),
  }),
  check({ bytes, isTight, answers, sizes }) {
    const limits = isTight ? TIGHT : HTTP_LIMITS;
    const options = { limits, answers, maxBody: isTight ? 10 : 1000, fields: FIELDS };
    const whole = readHttp([bytes], options);
    assert.deepEqual(readHttp(cutInto(bytes, 1), options), whole);
    assert.deepEqual(readHttp(cutBy(bytes, sizes), options), whole);
  },
});

const DOCUMENTED = new Set(
  Object.values(REFUSALS).map(({ status, reason }) => `${status} ${reason}`),
);

fuzz("S-016 any octets are requests or one documented refusal, and what is held is bounded", {
  target: "http1_octets",
  inputs: octetsOfAnyKind,
  check(bytes) {
    const { headBytes, trailerBytes } = HTTP_LIMITS;
    const seen = readHttp(cutInto(bytes, 7), {
      watch(codec) {
        assert(codec.waiting === "answer" || codec.unread <= Math.max(headBytes, trailerBytes));
      },
    });
    for (const [index, item] of seen.entries()) {
      if (item.type !== "refusal") continue;
      assert.equal(index, seen.length - 1, "nothing comes behind a refusal");
      assert(DOCUMENTED.has(`${item.status} ${item.reason}`), item.reason);
    }
  },
});

Deno.test({
  name: "S-016 requests that llhttp accepts too are the same to it, and end at the same place",
  ...haveProgram("node"),
  async fn() {
    await using llhttp = new LlhttpProcess();
    let agreed = 0;
    await fuzzSlowly({
      target: "http1_octets",
      inputs: fc.oneof({ weight: 3, arbitrary: mutants() }, messages().map(octets)),
      runs: 10_000,
      async check(bytes) {
        agreed += compare(readOurs(bytes), await llhttp.read(bytes));
      },
    });
    assert(agreed > 0, "nothing was compared");
  },
});

interface Ours {
  readonly requests: { readonly request: Request; body: Uint8Array; complete: boolean }[];
  refused: boolean;
  /** What was left where another protocol begins; `undefined` when none does. */
  rest: Uint8Array | undefined;
}

/** What the codec sees, and does when every request is answered, and every upgrade accepted. */
function readOurs(bytes: Uint8Array): Ours {
  const codec = new HttpCodec({ ...HTTP_LIMITS, headBytes: 10_000 });
  const ours: Ours = { requests: [], refused: false, rest: undefined };
  const answer = (request: Request) => {
    const status = request.upgrade === undefined ? 200 : 101;
    codec.answer(request, { status, headers: {} }, NOW);
  };
  codec.feed(bytes);
  for (let event; (event = codec.next()) !== undefined;) {
    if (event.type === "refusal") {
      ours.refused = true;
    } else if (event.type === "request") {
      const { request } = event;
      const complete = request.length === 0;
      ours.requests.push({ request, body: new Uint8Array(0), complete });
      if (complete) answer(request);
      else codec.readBody(request, 1_000_000);
    } else {
      const last = ours.requests.at(-1)!;
      last.body = event.bytes;
      last.complete = true;
      answer(event.request);
    }
  }
  if (codec.upgraded) ours.rest = codec.rest();
  return ours;
}

/** How many requests both have accepted; throws where they see them differently. */
function compare(ours: Ours, theirs: Llhttp): number {
  const count = Math.min(ours.requests.length, theirs.requests.length);
  for (let index = 0; index < count; index++) {
    const { request, body, complete } = ours.requests[index]!;
    const other = theirs.requests[index]!;
    assert.equal(request.method, other.method);
    assert.equal(`1.${request.minorVersion}`, other.version);
    assert.equal(pathAndQuery(request), originForm(other.target));
    assert.equal(request.fieldCount, other.fields.length / 2);
    for (const [name, value] of valuesByName(other.fields)) {
      if (name === "host" && !other.target.startsWith("/")) continue;
      assert.equal(request.header(name), value);
    }
    const refusedHere = ours.refused && index === ours.requests.length - 1 && !complete;
    const refusedThere = theirs.error !== undefined && index === theirs.requests.length - 1 &&
      !other.complete;
    if (refusedHere || refusedThere) return index;
    assert.equal(complete, other.complete, "one sees the end of a body, and the other does not");
    if (complete) assert.equal(body.toBase64(), other.body);
  }
  const last = count > 0 && count === ours.requests.length && count === theirs.requests.length;
  if (last && ours.rest !== undefined && theirs.error === undefined) {
    assert.equal(ours.rest.toBase64(), theirs.rest);
  }
  return count;
}

function pathAndQuery({ path, query }: Request): string {
  return query === "" ? path : `${path}?${query}`;
}

/** A target without what `Request` has elsewhere, or does not tell apart. */
function originForm(target: string): string {
  const origin = target.replace(/^https?:\/\/[^/?]*/i, "").replace(/^([^?]*)\?$/, "$1");
  return origin === "" || origin.startsWith("?") ? `/${origin}` : origin;
}

function valuesByName(fields: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!.toLowerCase();
    const before = values.get(name);
    values.set(name, before === undefined ? fields[at + 1]! : `${before}, ${fields[at + 1]!}`);
  }
  return values;
}

/** What goes on and on: targets, fields, extensions, trailers, bodies. */
function endless(): fc.Arbitrary<Uint8Array> {
  const chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  return fc.tuple(
    fc.constantFrom(
      ["", "\r\n"],
      ["", "A"],
      ["GET /", "a"],
      ["GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n"],
      ["GET / HTTP/1.1\r\nHost: a\r\nX:", " "],
      ["GET / HTTP/1.1\r\nHost: a\r\nX", "x"],
      ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1", "0"],
      [chunked, "0"],
      [`${chunked}5;`, "a"],
      [chunked, "1;aaaaaa\r\nx\r\n"],
      [chunked, "1\r\nx\r\n"],
      [`${chunked}0\r\n`, "X: y\r\n"],
      [`${chunked}0\r\nX:`, "y"],
      [`${chunked}ffffffff\r\n`, "z"],
    ),
    fc.integer({ min: 1000, max: 3000 }),
  ).map(([[start, more], times]) => octets(start! + more!.repeat(times)));
}
