import assert from "node:assert/strict";
import { ChunkedBody } from "../../../src/protocol/http1/chunks.ts";
import { STEP } from "../../../src/protocol/http1/field_lines.ts";
import { Input } from "../../../src/protocol/http1/input.ts";
import { binary, HTTP_LIMITS, octets } from "../../support/http_codec.ts";

const { chunkLineBytes, trailerBytes, fields } = HTTP_LIMITS;

/** The body, or its refusal's status; `undefined` while there is neither. */
function read(text: string, max = 1000): string | number | undefined {
  const body = new ChunkedBody(HTTP_LIMITS, max);
  const input = new Input();
  input.feed(octets(text));
  const step = body.read(input);
  if (step === STEP.REFUSED) return body.refusal!.status;
  return step === STEP.DONE ? `${binary(body.bytes)}|${binary(input.take())}` : undefined;
}

for (
  const [text, expected] of [
    ["5\r\nhello\r\n0\r\n\r\n", "hello|"],
    ["5\r\nhello\r\n0\r\n\r\nGET", "hello|GET"],
    ["0\r\n\r\n", "|"],
    ["000\r\n\r\n", "|"],
    ["1\r\na\r\n0A\r\n0123456789\r\n0\r\n\r\n", "a0123456789|"],
    ["b\r\n\r\n0\r\n\r\n1234\r\n0\r\n\r\n", "\r\n0\r\n\r\n1234|"],
    ['5;a;b=c;d="e";\r\nhello\r\n0;f\r\n\r\n', "hello|"],
    ["5\r\nhello\r\n0\r\nX: y\r\nZ:\r\n\r\n", "hello|"],
    ["5\r\nhello\r\n0\r\n", undefined],
    ["5\r\nhello\r\n0\r\n\r", undefined],
    ["5\r\nhello\r\n", undefined],
    ["5\r\nhell", undefined],
    ["", undefined],
  ] as const
) {
  Deno.test(`B-004 chunks ${JSON.stringify(text)} are ${JSON.stringify(expected)}`, () => {
    assert.equal(read(text), expected);
  });
}

Deno.test("B-019 a chunk that would make the body too long is refused by its size", () => {
  assert.equal(read("5\r\nhello\r\n0\r\n\r\n", 5), "hello|");
  assert.equal(read("6\r\n", 5), 413);
  assert.equal(read("5\r\nhello\r\n1\r\n", 5), 413);
  assert.equal(read("ffffffffffffffff\r\n", 5), 413);
  assert.equal(read("6;a", 5), 413);
});

Deno.test("a line that gives a size may be as long as the limit says", () => {
  const extension = (length: number) => `5${";".padEnd(length - 1, "a")}\r\nhello\r\n0\r\n\r\n`;
  assert.equal(read(extension(chunkLineBytes)), "hello|");
  assert.equal(read(extension(chunkLineBytes + 1)), 400);
});

Deno.test("all extensions together may be as long as the trailer", () => {
  const chunk = `1;${"a".repeat(19)}\r\nx\r\n`;
  assert.equal(read(`${chunk.repeat(trailerBytes / 20)}0\r\n\r\n`), "xxxxx|");
  assert.equal(read(`${chunk.repeat(trailerBytes / 20)}0;\r\n\r\n`), 400);
});

Deno.test("a trailer may be as long as the limit says, less what extensions took", () => {
  const trailer = (length: number) => `X: ${"y".repeat(length - 5)}\r\n`;
  assert.equal(read(`0\r\n${trailer(trailerBytes)}\r\n`), "|");
  assert.equal(read(`0\r\n${trailer(trailerBytes + 1)}\r\n`), 431);
  assert.equal(read(`0;a\r\n${trailer(trailerBytes - 2)}\r\n`), "|");
  assert.equal(read(`0;a\r\n${trailer(trailerBytes - 1)}\r\n`), 431);
  assert.equal(read(`0\r\nX: ${"y".repeat(trailerBytes)}`), 431);
});

Deno.test("a trailer may have as many fields as a head", () => {
  assert.equal(read(`0\r\n${"a:\r\n".repeat(fields)}\r\n`), "|");
  assert.equal(read(`0\r\n${"a:\r\n".repeat(fields + 1)}\r\n`), 431);
});
