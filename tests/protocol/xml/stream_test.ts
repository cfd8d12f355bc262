import assert from "node:assert/strict";
import { xmlStream, XmlStreamError } from "../../../src/protocol/xml/stream.ts";
import type { XmlItem } from "../../../src/protocol/xml/tokenizer.ts";
import { bytesOf, XML_LIMITS } from "../../support/xml_items.ts";

Deno.test("xml stream gives the items of what is written to it", async () => {
  const { items, error } = await read(["<a><b/", "> <c>d</c></", "a>\n"]);
  assert.equal(error, undefined);
  assert.deepEqual(items.map(({ type }) => type), ["header", "payload", "payload", "end"]);
});

Deno.test("xml stream gives payloads bytes of their own", async () => {
  const transform = xmlStream(XML_LIMITS);
  const writing = (async () => {
    const writer = transform.writable.getWriter();
    for (const text of ["<a><b/><c>", "</c></a>"]) {
      const chunk = bytesOf(text);
      await writer.write(chunk);
      chunk.fill(0);
    }
    await writer.close();
  })();
  const payloads = [];
  for await (const item of transform.readable) {
    if (item.type === "payload") payloads.push(item.payload.bytes);
  }
  await writing;
  const texts = payloads.map((bytes) => new TextDecoder().decode(bytes));
  assert.deepEqual(texts, ["<b/>", "<c></c>"]);
});

Deno.test("xml stream errors with what is wrong and where", async () => {
  const { items, error } = await read(["<a><b/>", "<!-- x -->"]);
  assert.deepEqual(items.map(({ type }) => type), ["header", "payload"]);
  assert(error instanceof XmlStreamError);
  assert.deepEqual([error.error.kind, error.error.offset], ["restricted-xml", 7]);
  assert.match(error.message, /^Cannot read XML: .* \(byte 7\)$/);
  assert.equal(error.name, "XmlStreamError");
});

Deno.test("xml stream errors when the input ends before its root", async () => {
  for (const text of ["", " ", "<a", "<a>", "<a><b/>", "<a><b>"]) {
    const { error } = await read([text]);
    assert(error instanceof XmlStreamError, text);
    assert.deepEqual([error.error.kind, error.error.offset], ["not-well-formed", text.length]);
  }
  assert.equal((await read(["<a/>"])).error, undefined);
});

Deno.test("xml stream takes new documents only when restarts are asked for", async () => {
  const documents = [
    "<a xmlns='u'><b/>",
    "<?xml version='1.0'?><a xmlns='u'>",
    "<a xmlns='u'><c/></a>",
  ];
  const { items, error } = await read(documents, { restarts: true });
  assert.equal(error, undefined);
  assert.deepEqual(items.map(({ type }) => type), [
    ...["header", "payload", "header", "header", "payload", "end"],
  ]);
  const without = await read(documents);
  assert(without.error instanceof XmlStreamError);
  assert.equal(without.error.error.kind, "restricted-xml");
});

async function read(
  texts: readonly string[],
  options?: { restarts: boolean },
): Promise<{ items: XmlItem[]; error: unknown }> {
  const items: XmlItem[] = [];
  try {
    const chunks = ReadableStream.from(texts.map(bytesOf));
    for await (const item of chunks.pipeThrough(xmlStream(XML_LIMITS, options))) items.push(item);
  } catch (error) {
    return { items, error };
  }
  return { items, error: undefined };
}
