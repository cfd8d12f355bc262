/*
 * Invariant: whatever the bytes and however they are cut, the tokenizer never throws, finds the
 * same in all cuts, and accepts what another namespace-aware parser (saxes) accepts, no less and
 * no more, but for what XMPP forbids.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from "saxes";
import { NS } from "../../src/protocol/xml/names.ts";
import { type XmlItem, XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";
import { fuzz } from "../support/fuzz_corpus.ts";
import { cutBy, cuts, encode, mutants, NOT_UTF8, soups } from "../support/fuzz_inputs.ts";
import { documents } from "../support/xml_documents.ts";
import { cutInto, tokenize } from "../support/xml_items.ts";

const limits = { payloadBytes: 1 << 20, depth: 1000, attributes: 1000 };
const tight = { payloadBytes: 60, depth: 4, attributes: 3 };

const MARKUP = [
  ..."<>&;'\"/=:!?[]- \t\n-aé\u0000\u0001\ufffe\uffff\u{10ffff}",
  ...["<a>", "</a>", "<a/>", "<!--", "-->", "<?", "?>", "<![CDATA[", "]]>", "<!DOCTYPE a>", "&#"],
  ...["&lt;", "&x;", "&#0;", "&#xD800;", "&#xDFFF;", "&#xFFFE;", "&#x1f;", "&#x110000;", "&#9;"],
  ...[" a='' a=''", " xmlns='u'", " xmlns:p='u'", " xmlns:q='u' q:a='' p:a=''", " xmlns:p=''"],
  ...[" xmlns:xml='u'", " p:a=''", "p:", ":", "<p:a/>", "<q:b>", "<?xml version='1.0'?>"],
  ...[` xmlns='${NS.XML}'`, ` xmlns:q='${NS.XMLNS}'`, " xmlns:xmlns='u'", "xmlns:", "\ufeff"],
].map(encode);

const BITS = [...MARKUP, ...MARKUP, ...NOT_UTF8];
const bytes = fc.oneof(
  { weight: 3, arbitrary: mutants(documents().map(encode), BITS) },
  soups(BITS),
);

fuzz("tokenizer accepts what saxes accepts, and tells the same of it", {
  target: "xml_documents",
  inputs: documents(),
  check(document) {
    const items = tokenize([encode(document)], { limits });
    assertEnds(items);
    const seen = saxes(document);
    assert.equal(seen.fault, undefined);
    assert.deepEqual(outlineOf(items), seen.outline);
  },
});

fuzz("tokenizer refuses what saxes refuses, and what XMPP forbids besides", {
  target: "xml_bytes",
  inputs: bytes,
  runs: 2000,
  check(bytes) {
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
  },
});

/** What XML allows and RFC 6120 §11.1 forbids; `&mine;` is an entity that the document declares. */
const FORBIDDEN = [
  ...[
    "<!---->",
    "<!-- a -->",
    "<!--<a/>-->",
    "<?p?>",
    "<?p a='b'?>",
    "<?xml-stylesheet href='u'?>",
  ],
  ...["<!DOCTYPE a>", "<!DOCTYPE a SYSTEM 'u'>", "<!DOCTYPE a [<!ENTITY mine 'yours'>]>", "&mine;"],
];

fuzz("tokenizer refuses what XMPP forbids where it begins, wherever XML allows it", {
  target: "xml_forbidden",
  inputs: fc.record({
    document: documents(),
    place: fc.noBias(fc.nat(999_999)),
    forbidden: fc.constantFrom(...FORBIDDEN),
  }),
  check({ document, place, forbidden }) {
    const places = placesFor(forbidden, document);
    const at = places[Math.floor(place * places.length / 1_000_000)]!;
    const [before, after] = [document.slice(0, at), document.slice(at)];
    if (!isLegal(before + forbidden + after)) return;
    const last = tokenize([encode(before + forbidden + after)], { limits }).at(-1);
    assert(last?.type === "error", `it is accepted as ${last?.type}`);
    const { kind, offset, message } = last.error;
    assert.equal(offset, encode(before).length, message);
    // What is no stanza is refused between stanzas, whatever else it is.
    if (!message.includes("outside of any payload")) assert.equal(kind, "restricted-xml", message);
  },
});

fuzz("tokenizer finds the same however the bytes are cut", {
  target: "xml_cuts",
  inputs: fc.record({ bytes, isTight: fc.boolean(), restarts: fc.boolean(), sizes: cuts() }),
  check({ bytes, isTight, restarts, sizes }) {
    const options = { limits: isTight ? tight : limits, restarts };
    const whole = tokenize([bytes], options);
    assert.deepEqual(tokenize(cutInto(bytes, 1), options), whole);
    assert.deepEqual(tokenize(cutBy(bytes, sizes), options), whole);
    assertOrderly(whole, bytes);
  },
});

fuzz("tokenizer is as new after a reset, whatever it was given before", {
  target: "xml_resets",
  inputs: fc.record({
    inputs: fc.array(bytes, { minLength: 2, maxLength: 5 }),
    restarts: fc.boolean(),
  }),
  check({ inputs, restarts }) {
    const tokenizer = new XmlTokenizer(limits);
    for (const bytes of inputs) {
      tokenizer.reset();
      const items = tokenize(cutInto(bytes, 7), { tokenizer, restarts });
      assert.deepEqual(items, tokenize(cutInto(bytes, 7), { limits, restarts }));
    }
  },
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

/** Where it may be legal: most of them are where a tag ends, an entity may be in a value too. */
function placesFor(forbidden: string, document: string): number[] {
  if (forbidden.startsWith("<!D")) return [0, document.search(/<[^?]/)];
  const pattern = forbidden.startsWith("&") ? /[>'"x€]/g : /^|>/g;
  return [...document.matchAll(pattern)].map(({ index, 0: { length } }) => index + length);
}

/**
 * Is it a document in which something of {@link FORBIDDEN} stands for what it is, and not for the text of a
 * CDATA section?
 */
function isLegal(text: string): boolean {
  const parser = new SaxesParser({ xmlns: true, defaultXMLVersion: "1.0", forceXMLVersion: true });
  parser.ENTITIES.mine = "\ue000";
  let legal = true;
  let found = false;
  const find = () => void (found = true);
  parser.on("error", () => legal = false);
  parser.on("comment", find);
  parser.on("processinginstruction", find);
  parser.on("doctype", find);
  parser.on("text", (text) => text.includes("\ue000") && find());
  parser.on("attribute", ({ value }) => value.includes("\ue000") && find());
  parser.write(text).close();
  return legal && found;
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
