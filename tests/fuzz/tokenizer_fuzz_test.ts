/*
 * Invariant: whatever the bytes and however they are cut, the tokenizer never throws, finds the
 * same in all cuts, and accepts what another namespace-aware parser (saxes) accepts, no less and
 * no more, but for what XMPP forbids.
 *
 * FUZZ_RUNS says how many inputs each property tries. A failure prints its seed.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from "saxes";
import { NS } from "../../src/protocol/xml/names.ts";
import { type XmlItem, XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";
import { documents } from "../support/xml_documents.ts";
import { cutInto, tokenize } from "../support/xml_items.ts";

const numRuns = Number(Deno.env.get("FUZZ_RUNS") ?? 1000);
const limits = { payloadBytes: 1 << 20, depth: 1000, attributes: 1000 };

Deno.test("tokenizer accepts what saxes accepts, and tells the same of it", () => {
  fc.assert(
    fc.property(documents(), (document) => {
      const items = tokenize([encode(document)], { limits });
      assertEnds(items);
      const seen = saxes(document);
      assert.equal(seen.fault, undefined);
      assert.deepEqual(outlineOf(items), seen.outline);
    }),
    { numRuns },
  );
});

Deno.test("tokenizer refuses what saxes refuses, and what XMPP forbids besides", () => {
  fc.assert(
    fc.property(mutants(), (bytes) => {
      const items = tokenize([bytes], { limits });
      const text = decodeOrUndefined(bytes);
      const last = items.at(-1);
      if (last?.type !== "error") {
        assert(text !== undefined, "bytes that are not UTF-8 are refused");
        const { fault, outline, trims } = saxes(text);
        if (trims) return;
        assert.equal(last?.type === "end", fault === undefined, `saxes: ${fault}`);
        if (fault === undefined) assert.deepEqual(outlineOf(items), outline);
        return;
      }
      const { kind, offset, message } = last.error;
      const found = new TextDecoder().decode(bytes.subarray(offset, offset + 2));
      switch (kind) {
        case "restricted-xml":
          assert(found === "<!" || found === "<?" || found.startsWith("&"), message);
          return;
        case "bad-encoding":
          // RFC 6120 §11.6 allows UTF-8 alone; saxes is given text and cannot mind.
          if (found !== "<?") assert.equal(text, undefined, message);
          return;
        case "not-well-formed":
          if (text === undefined) return;
          if (message.includes("outside of any payload") && opensRoot(bytes.subarray(0, offset))) {
            // RFC 6120 §11.7 and XEP-0124 §6 allow only white space between payloads; XML does not mind.
            return;
          }
          // Each part of a name must begin like a name (Namespaces in XML §4); saxes looks at the first.
          if (message.includes("cannot begin") && bytes[offset - 1] === 0x3a) return;
          assert(saxes(text).fault !== undefined || saxes(text).trims, message);
          return;
        case "limit":
          return assert.fail("nothing here is that large");
        default:
          kind satisfies never;
      }
    }),
    { numRuns },
  );
});

Deno.test("tokenizer finds the same however the bytes are cut", () => {
  const tight = { payloadBytes: 60, depth: 4, attributes: 3 };
  fc.assert(
    fc.property(
      fc.oneof(mutants(), soups()),
      fc.constantFrom(limits, tight),
      fc.boolean(),
      fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 20 }),
      (bytes, limits, restarts, sizes) => {
        const whole = tokenize([bytes], { limits, restarts });
        assert.deepEqual(tokenize(cutInto(bytes, 1), { limits, restarts }), whole);
        assert.deepEqual(tokenize(cutBy(bytes, sizes), { limits, restarts }), whole);
        assertOrderly(whole, bytes);
      },
    ),
    { numRuns },
  );
});

Deno.test("tokenizer is as new after a reset, whatever it was given before", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(mutants(), soups()), { minLength: 2, maxLength: 5 }),
      fc.boolean(),
      (inputs, restarts) => {
        const tokenizer = new XmlTokenizer(limits);
        for (const bytes of inputs) {
          tokenizer.reset();
          const items = tokenize(cutInto(bytes, 7), { tokenizer, restarts });
          assert.deepEqual(items, tokenize(cutInto(bytes, 7), { limits, restarts }));
        }
      },
    ),
    { numRuns },
  );
});

/** Items in the order of their bytes, each where it says, and nothing behind an error. */
function assertOrderly(items: readonly XmlItem[], bytes: Uint8Array): void {
  let from = 0;
  for (const [index, item] of items.entries()) {
    if (item.type === "error") {
      assert.equal(index, items.length - 1);
      assert(item.error.offset >= from && item.error.offset <= bytes.length);
      continue;
    }
    assert(item.start >= from && item.start <= item.end && item.end <= bytes.length);
    if (item.type === "payload") {
      assert.deepEqual(item.payload.bytes, bytes.slice(item.start, item.end));
    }
    from = item.end;
  }
}

function assertEnds(items: readonly XmlItem[]): void {
  const last = items.at(-1);
  assert.equal(last?.type, "end", JSON.stringify(last));
}

// ——— What saxes makes of a document

interface Outline {
  readonly root: unknown;
  readonly payloads: { readonly name: string; readonly namespace: string; inherits: string[] }[];
}

interface Verdict {
  readonly fault: string | undefined;
  readonly outline: Outline;
  /**
   * A declared namespace begins or ends with white space, which saxes takes away before it
   * compares. A namespace name is the attribute's normalised value (Namespaces in XML §3), and
   * without a DTD to give it another type normalisation keeps that white space (XML 1.0 §3.3.3).
   */
  readonly trims: boolean;
}

function saxes(text: string): Verdict {
  // The rules of 1.0 hold for every version 1.x that a declaration names (XML 1.0 fifth edition §2.8).
  const parser = new SaxesParser({ xmlns: true, defaultXMLVersion: "1.0", forceXMLVersion: true });
  let fault: string | undefined;
  let trims = false;
  let root: unknown;
  const payloads: Outline["payloads"] = [];
  const open: SaxesTagNS[] = [];
  const rootBinds = (prefix: string) =>
    prefix !== "" && prefix !== "xml" && prefix !== "xmlns" &&
    open.findLastIndex(({ ns }) => Object.hasOwn(ns, prefix)) === 0;
  parser.on("error", (error) => fault ??= error.message);
  parser.on("attribute", ({ name, prefix, value }) => {
    if ((name === "xmlns" || prefix === "xmlns") && value !== value.trim()) trims = true;
  });
  parser.on("opentag", (tag) => {
    const attributes = Object.values(tag.attributes) as SaxesAttributeNS[];
    open.push(tag);
    if (open.length === 1) root = rootOf(tag, attributes);
    if (open.length === 2) payloads.push({ name: tag.local, namespace: tag.uri, inherits: [] });
    if (open.length === 1) return;
    const { inherits } = payloads.at(-1)!;
    for (const prefix of [tag.prefix, ...attributes.map(({ prefix }) => prefix)]) {
      if (rootBinds(prefix) && !inherits.includes(prefix)) inherits.push(prefix);
    }
  });
  parser.on("closetag", () => void open.pop());
  parser.write(text).close();
  for (const payload of payloads) payload.inherits.sort();
  return { fault, outline: { root, payloads }, trims };
}

function rootOf(tag: SaxesTagNS, attributes: readonly SaxesAttributeNS[]): unknown {
  return {
    name: tag.local,
    prefix: tag.prefix,
    namespace: tag.uri,
    attributes: attributes
      .filter(({ uri }) => uri !== NS.XMLNS)
      .map(({ local, uri, prefix, value }) => ({ name: local, namespace: uri, prefix, value })),
    declarations: attributes
      .filter(({ uri }) => uri === NS.XMLNS)
      .map(({ prefix, local, value }) => ({
        prefix: prefix === "" ? "" : local,
        namespace: value,
      })),
  };
}

function outlineOf(items: readonly XmlItem[]): Outline {
  let root: unknown;
  const payloads: Outline["payloads"] = [];
  for (const item of items) {
    if (item.type === "header") {
      const { name, prefix, namespace, attributes, declarations } = item;
      root = { name, prefix, namespace, attributes: attributes.list, declarations };
    } else if (item.type === "payload") {
      const { name, namespace, inherits } = item.payload;
      payloads.push({ name, namespace, inherits: inherits.map(({ prefix }) => prefix).sort() });
    }
  }
  return { root, payloads };
}

/** Does saxes find nothing wrong with this beginning, and its root still open? */
function opensRoot(bytes: Uint8Array): boolean {
  const parser = new SaxesParser({ xmlns: true, defaultXMLVersion: "1.0", forceXMLVersion: true });
  let depth = 0;
  let good = true;
  parser.on("error", () => good = false);
  parser.on("opentag", () => void depth++);
  parser.on("closetag", () => void depth--);
  parser.write(new TextDecoder().decode(bytes));
  return good && depth === 1;
}

const MARKUP = [
  ..."<>&;'\"/=:!?[]- \t\n-aé\u0000\u0001\ufffe\uffff\u{10ffff}",
  ...[
    "<a>",
    "</a>",
    "<a/>",
    "<!--",
    "-->",
    "<?",
    "?>",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE a>",
    "&#",
    "&lt;",
  ],
  ...[
    "&x;",
    "&#0;",
    "&#xD800;",
    " a='' a=''",
    " xmlns='u'",
    " xmlns:p='u'",
    " xmlns:q='u' q:a='' p:a=''",
  ],
  ...[
    " xmlns:p=''",
    " xmlns:xml='u'",
    " p:a=''",
    "p:",
    ":",
    "<p:a/>",
    "<q:b>",
    "<?xml version='1.0'?>",
  ],
  ...[` xmlns='${NS.XML}'`, ` xmlns:q='${NS.XMLNS}'`, " xmlns:xmlns='u'", "xmlns:", "\ufeff"],
].map(encode);

/** Documents with a few bytes changed, inserted or left out. */
function mutants(): fc.Arbitrary<Uint8Array> {
  // Left to itself, fast-check prefers the ends.
  const place = fc.noBias(fc.integer({ min: 0, max: 999_999 }));
  const mutation = fc.oneof(
    fc.tuple(place, fc.constantFrom(0, 0, 1, 2), fc.constantFrom(...MARKUP)),
    fc.tuple(
      place,
      fc.constant(1),
      fc.integer({ min: 0, max: 255 }).map((byte) => Uint8Array.of(byte)),
    ),
    fc.tuple(place, fc.integer({ min: 1, max: 8 }), fc.constant(new Uint8Array(0))),
  );
  return fc.tuple(documents(), fc.array(mutation, { maxLength: 3 })).map(
    ([document, mutations]) => {
      let bytes = encode(document);
      for (const [place, length, inserted] of mutations) {
        const at = Math.floor(place * bytes.length / 1_000_000);
        bytes = Uint8Array.from([
          ...bytes.subarray(0, at),
          ...inserted,
          ...bytes.subarray(at + length),
        ]);
      }
      return bytes;
    },
  );
}

/** Bits of markup and bytes of any kind, one after the other. */
function soups(): fc.Arbitrary<Uint8Array> {
  const byte = fc.integer({ min: 0, max: 255 }).map((byte) => Uint8Array.of(byte));
  return fc.array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...MARKUP) }, byte), {
    maxLength: 30,
  })
    .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));
}

function* cutBy(bytes: Uint8Array, sizes: readonly number[]): Iterable<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The text, but for a character that the end cuts off; `undefined` when it is not UTF-8. */
function decodeOrUndefined(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, {
      stream: true,
    });
  } catch {
    return undefined;
  }
}
