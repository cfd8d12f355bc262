import assert from "node:assert/strict";
import { NS } from "../../../src/protocol/xml/names.ts";
import type { Payload } from "../../../src/protocol/xml/payload.ts";
import { type XmlItem, type XmlLimits, XmlTokenizer } from "../../../src/protocol/xml/tokenizer.ts";
import {
  assertAccepted,
  assertRefused,
  bytesOf,
  cutInto,
  itemsOf,
  tokenize,
  XML_LIMITS,
} from "../../support/xml_items.ts";

const HEADER = `<stream:stream xmlns='${NS.CLIENT}' xmlns:stream='${NS.STREAMS}' xmlns:f='urn:f'>`;

Deno.test("U-014 tokenizer gives header, payloads and end with their offsets in the input", () => {
  const document = `<?xml version='1.0'?>${HEADER} <iq/>\n<message>é</message></stream:stream>\n`;
  const items = itemsOf(document);
  assert.deepEqual(items.map(({ type }) => type), ["header", "payload", "payload", "end"]);
  const bytes = bytesOf(document);
  const parts = items.map((item) =>
    item.type === "error" ? "" : textOf(bytes.subarray(item.start, item.end))
  );
  assert.deepEqual(parts, [HEADER, "<iq/>", "<message>é</message>", "</stream:stream>"]);
  for (const item of items) {
    if (item.type !== "payload") continue;
    assert.deepEqual(item.payload.bytes, bytes.slice(item.start, item.end));
  }
});

Deno.test("tokenizer gives an empty root a header and an end of no length", () => {
  const items = itemsOf("<a b='c'/> ");
  assert.deepEqual(items.map(({ type }) => type), ["header", "end"]);
  assert.deepEqual(items[1], { type: "end", start: 10, end: 10 });
});

Deno.test("tokenizer tells a payload's name, namespace and where a declaration can be spliced in", () => {
  const of = (payload: string) => {
    const { name, namespace, nameEnd, declaresDefault, bytes } = payloadOf(payload);
    return [name, namespace, textOf(bytes.subarray(0, nameEnd)), declaresDefault];
  };
  assert.deepEqual(of("<message to='x'/>"), ["message", NS.CLIENT, "<message", false]);
  assert.deepEqual(of("<iq></iq>"), ["iq", NS.CLIENT, "<iq", false]);
  assert.deepEqual(of("<a xmlns='u'/>"), ["a", "u", "<a", true]);
  assert.deepEqual(of("<a xmlns=''/>"), ["a", "", "<a", true]);
  assert.deepEqual(of("<a><b xmlns='u'/></a>"), ["a", NS.CLIENT, "<a", false]);
  assert.deepEqual(of("<f:a/>"), ["a", "urn:f", "<f:a", false]);
  assert.deepEqual(of("<f:a xmlns='u'/>"), ["a", "urn:f", "<f:a", true]);
  assert.deepEqual(of("<f:a xmlns:f='urn:g'/>"), ["a", "urn:g", "<f:a", false]);
  assert.deepEqual(of("<a xmlns='x&amp;y'><b/></a>"), ["a", "x&y", "<a", true]);
  assert.deepEqual(of("<stream:features/>"), [
    "features",
    NS.STREAMS,
    "<stream:features",
    false,
  ]);
});

Deno.test("tokenizer puts a payload in no namespace when the root declares none", () => {
  const [, item] = itemsOf("<p:a xmlns:p='u'><b/></p:a>");
  assert(item?.type === "payload");
  assert.equal(item.payload.namespace, "");
});

Deno.test("B-027 X-004 tokenizer names the root's prefixes that a payload uses, each once", () => {
  const of = (payload: string) => payloadOf(payload).inherits.map(({ prefix }) => prefix);
  assert.deepEqual(of("<a/>"), []);
  assert.deepEqual(of("<a xml:lang='en'/>"), []);
  assert.deepEqual(of("<f:a/>"), ["f"]);
  assert.deepEqual(of("<a f:b=''/>"), ["f"]);
  assert.deepEqual(of("<a><b><f:c/><f:d f:e=''/></b></a>"), ["f"]);
  assert.deepEqual(of("<a><stream:b/><f:c/></a>").sort(), ["f", "stream"]);
  assert.deepEqual(of("<a xmlns:f='u'><f:b/></a>"), []);
  assert.deepEqual(of("<a><b xmlns:f='u'><f:c/></b></a>"), []);
  assert.deepEqual(of("<a><b xmlns:f='u'><f:c/></b><f:d/></a>"), ["f"]);
  assert.deepEqual(of("<a><f:b/><c xmlns:f='u'><f:d/></c></a>"), ["f"]);
  assert.deepEqual(payloadOf("<f:a/>").inherits, [{ prefix: "f", namespace: "urn:f" }]);
  assert.equal(payloadOf("<a/>").inherits, payloadOf("<b/>").inherits);
  assert(Object.isFrozen(payloadOf("<a/>").inherits));
});

Deno.test("tokenizer does not carry what one payload inherits into the next", () => {
  const items = itemsOf(`${HEADER}<f:a/><b/><f:c/>`);
  const inherited = items.slice(1).map((item) =>
    item.type === "payload" ? item.payload.inherits.length : undefined
  );
  assert.deepEqual(inherited, [1, 0, 1]);
});

Deno.test("tokenizer gives a payload that lies in one chunk as a view of the chunk", () => {
  const tokenizer = new XmlTokenizer(XML_LIMITS);
  const chunk = bytesOf(`${HEADER}<a/><b>`);
  tokenizer.feed(chunk);
  tokenizer.next();
  const whole = tokenizer.next();
  assert(whole?.type === "payload");
  assert.equal(whole.payload.bytes.buffer, chunk.buffer);
  assert.equal(tokenizer.next(), undefined);
  const rest = bytesOf("</b><c/>");
  tokenizer.feed(rest);
  const cut = tokenizer.next();
  const last = tokenizer.next();
  assert(cut?.type === "payload" && last?.type === "payload");
  assert.equal(last.payload.bytes.buffer, rest.buffer);
  // Both are good until the next chunk.
  assert.equal(textOf(cut.payload.bytes), "<b></b>");
  assert.equal(textOf(last.payload.bytes), "<c/>");
});

Deno.test("tokenizer needs a cut payload's chunk no longer than until it asks for more", () => {
  const tokenizer = new XmlTokenizer(XML_LIMITS);
  const chunk = bytesOf("<a><b c='d'");
  tokenizer.feed(chunk);
  assert.equal(tokenizer.next()?.type, "header");
  assert.equal(tokenizer.next(), undefined);
  chunk.fill(0);
  tokenizer.feed(bytesOf("/>"));
  const item = tokenizer.next();
  assert(item?.type === "payload");
  assert.equal(textOf(item.payload.bytes), "<b c='d'/>");
});

Deno.test("U-005 tokenizer counts what lies behind the last item as unread", () => {
  for (const cut of [0, 3, 20, HEADER.length, HEADER.length + 1, HEADER.length + 8]) {
    const tokenizer = new XmlTokenizer(XML_LIMITS);
    const bytes = bytesOf(`${HEADER}<proceed/> <message/>`);
    if (cut > 0) {
      tokenizer.feed(bytes.slice(0, cut));
      while (tokenizer.next() !== undefined);
      assert.equal(tokenizer.unread, 0);
    }
    tokenizer.feed(bytes.slice(cut));
    const unread = [];
    while (tokenizer.next() !== undefined) unread.push(tokenizer.unread);
    const expected = ["<proceed/> <message/>".length, " <message/>".length, 0];
    assert.deepEqual(unread, cut >= HEADER.length ? expected.slice(1) : expected, `cut at ${cut}`);
    assert.equal(tokenizer.unread, 0);
  }
});

Deno.test("tokenizer says nothing more once it has refused a document", () => {
  const tokenizer = new XmlTokenizer(XML_LIMITS);
  tokenizer.feed(bytesOf("<a>x<b/>"));
  assert.equal(tokenizer.next()?.type, "header");
  assert.equal(tokenizer.next()?.type, "error");
  assert.equal(tokenizer.next(), undefined);
  tokenizer.feed(bytesOf("<b/></a>"));
  assert.equal(tokenizer.next(), undefined);
});

Deno.test("tokenizer is as new after a reset, whatever came before", () => {
  const expected = tokenize([bytesOf(`<?xml version='1.0'?>${HEADER}<f:a/>`)]);
  for (
    const before of ["", "<a", "<a><b>&#", "<a/>", "<a>x", "<b>{C3}", HEADER, `${HEADER}<f:b>`]
  ) {
    const tokenizer = new XmlTokenizer(XML_LIMITS);
    tokenizer.feed(bytesOf(before));
    // All items but an empty root's end, which must be forgotten too.
    while (tokenizer.next() !== undefined && before !== "<a/>");
    tokenizer.expectRestart();
    tokenizer.reset();
    assert.equal(tokenizer.unread, 0);
    tokenizer.feed(bytesOf(`<?xml version='1.0'?>${HEADER}<f:a/>`));
    assert.deepEqual([tokenizer.next(), tokenizer.next()], expected, before);
    tokenizer.feed(bytesOf("<?xml version='1.0'?>"));
    assert.equal(tokenizer.next()?.type, "error", "a restart is no longer expected");
  }
});

Deno.test("U-021 tokenizer takes an XML declaration as a new document when a restart is expected", () => {
  const second = `<?xml version='1.0'?> <x xmlns='u'>`;
  const items = itemsOf(`${HEADER}<iq/>${second}<a/></x>`, { restarts: true });
  assert.deepEqual(items.map(({ type }) => type), [
    "header",
    "payload",
    "header",
    "payload",
    "end",
  ]);
  const header = items[2];
  assert(header?.type === "header");
  assert.equal(header.start, HEADER.length + "<iq/><?xml version='1.0'?> ".length);
  const payload = items[3];
  assert(payload?.type === "payload");
  assert.equal(payload.payload.namespace, "u");
});

Deno.test("U-021 tokenizer takes a start tag of the root's name as a new document when a restart is expected", () => {
  const same = [
    HEADER,
    `<s:stream xmlns='${NS.CLIENT}' xmlns:s='${NS.STREAMS}' xmlns:f='urn:f'>`,
    `<stream xmlns='${NS.STREAMS}' xmlns:f='urn:f'>`,
    `<stream:stream xmlns:stream='&#104;${NS.STREAMS.slice(1)}' xmlns:f='urn:f'>`,
  ];
  for (const second of same) {
    const types = itemsOf(`${HEADER}<a/>${second}<b/><f:c/>`, { restarts: true }).map(({ type }) =>
      type
    );
    assert.deepEqual(types, ["header", "payload", "header", "payload", "payload"], second);
  }
  const empty = itemsOf(`${HEADER}${HEADER.replace(">", "/>")} `, { restarts: true });
  assert.deepEqual(empty.map(({ type }) => type), ["header", "header", "end"]);
});

Deno.test("tokenizer takes other start tags as payloads when a restart is expected", () => {
  const others = [
    // Its prefix is bound by the old document only.
    `<stream:stream></stream:stream>`,
    `<stream:stream xmlns:stream='u'></stream:stream>`,
    `<stream></stream>`,
    `<stream:streams xmlns:stream='${NS.STREAMS}'></stream:streams>`,
    `<stream:a xmlns:stream='${NS.STREAMS}'><stream:stream xmlns:stream='${NS.STREAMS}'/></stream:a>`,
  ];
  for (const other of others) {
    const types = itemsOf(`${HEADER}${other}${HEADER}`, { restarts: true }).map(({ type }) => type);
    assert.deepEqual(types, ["header", "payload", "header"], other);
  }
  const [, nested] = itemsOf("<a><p:a xmlns:p=''/></a>", { restarts: true });
  assert.equal(nested?.type, "error");
});

Deno.test("tokenizer forgets the old document's scopes and depth at a restart", () => {
  const bare = `<stream xmlns='${NS.STREAMS}'>`;
  assertRefused([
    [`${HEADER}${bare}<▸f:a/>`, "not-well-formed"],
    [`${HEADER}${bare.replace(">", " ▸f:a=''>")}`, "not-well-formed"],
    [`${HEADER}${bare}</stream▸:stream>`, "not-well-formed"],
    [`${HEADER}<?xml version='1.0'?>▸</stream:stream>`, "not-well-formed"],
    [`${HEADER}<?xml version='1.0'?>▸<?xml version='1.0'?>`, "restricted-xml"],
    [`${HEADER}▸<?xml version='1.0' encoding='x'?>`, "bad-encoding"],
    [`${HEADER}▸<?xml-x?>`, "restricted-xml"],
    [`${HEADER}<a>▸<?xml version='1.0'?>`, "restricted-xml"],
    [`${HEADER}</stream:stream>▸<?xml version='1.0'?>`, "not-well-formed"],
    [`${HEADER}</stream:stream>▸${HEADER}`, "not-well-formed"],
  ], { restarts: true });
  const [, , payload] = itemsOf(`${HEADER}<p:stream xmlns:p='${NS.STREAMS}'><a/>`, {
    restarts: true,
  });
  assert(payload?.type === "payload");
  assert.equal(payload.payload.namespace, "");
  const limits = { ...XML_LIMITS, depth: 2 };
  assertAccepted([`${HEADER}<a/>${HEADER}<b/></stream:stream>`], { restarts: true, limits });
  assertAccepted([`${HEADER}${HEADER}</stream:stream>`], {
    restarts: true,
    limits: { ...limits, depth: 1 },
  });
});

Deno.test("tokenizer expects a restart until one has come, and then no more", () => {
  const tokenizer = new XmlTokenizer(XML_LIMITS);
  const typesOf = (text: string) => {
    tokenizer.feed(bytesOf(text));
    const types = [];
    for (let item; (item = tokenizer.next()) !== undefined;) types.push(item.type);
    return types;
  };
  // Asked for before there is a document: the first one is no restart.
  tokenizer.expectRestart();
  assert.deepEqual(typesOf(`<?xml version='1.0'?>${HEADER}`), ["header"]);
  assert.deepEqual(typesOf("<a/><b>"), ["payload"]);
  assert.deepEqual(typesOf(`</b>${HEADER}<c/>`), ["payload", "header", "payload"]);
  assert.deepEqual(typesOf(`${HEADER}<d/></stream:stream>`), ["payload"]);
  assert.deepEqual(typesOf("<?xml version='1.0'?>"), ["error"]);
});

Deno.test("tokenizer without an expected restart takes a nested stream as a payload", () => {
  const items = itemsOf(`${HEADER}${HEADER}<a/></stream:stream>`);
  assert.deepEqual(items.map(({ type }) => type), ["header", "payload"]);
});

Deno.test("tokenizer accepts what is as large as the limit, and refuses one byte more", () => {
  const limits: XmlLimits = { ...XML_LIMITS, payloadBytes: 30 };
  const root = `<a b='${"x".repeat(22)}'>`;
  assert.equal(root.length, 30);
  const payload = `<b>${"x".repeat(23)}</b>`;
  assert.equal(payload.length, 30);
  const declaration = "<?xml version='1.0'         ?>";
  assert.equal(declaration.length, 30);
  assertAccepted([
    `${" ".repeat(99)}${root}${" ".repeat(99)}${payload}${payload}</a>${" ".repeat(99)}`,
    `${declaration}<a></a${" ".repeat(26)}>`,
  ], { limits });
  assertRefused([
    [`${root.slice(0, -1)} ▸>`, "limit"],
    [`<a>${payload.slice(0, -1)} ▸>`, "limit"],
    [`<a><b>${"x".repeat(27)}▸x`, "limit"],
    [`<a><b>${"x".repeat(27)}▸&`, "limit"],
    [`<a><b>${"x".repeat(27)}▸`, "limit"],
    [`<a><b>${"x".repeat(26)}{C3}▸`, "limit"],
    [`<a><b><![CDATA[${"]".repeat(18)}▸`, "limit"],
    [`<a><b>&#${"0".repeat(25)}▸`, "limit"],
    [`<a><b>${"<c>".repeat(9)}▸`, "limit"],
    [`<a></a${" ".repeat(27)}▸ >`, "limit"],
    [`${declaration.slice(0, -2)} ?▸>`, "limit"],
    [`<a><b xmlns='${"u".repeat(20)}▸`, "limit"],
  ], { limits });
  assertRefused([["<b{F0}▸{9D}", "limit"]], { limits: { ...limits, payloadBytes: 3 } });
});

Deno.test("tokenizer accepts as many open elements as the limit, and refuses one more", () => {
  const limits: XmlLimits = { ...XML_LIMITS, depth: 3 };
  assertAccepted(["<a><b><c/><c></c></b><b><c/></b></a>"], { limits });
  assertRefused([
    ["<a><b><c>▸<d></d></c></b></a>", "limit"],
    ["<a><b><c>▸<d/></c></b></a>", "limit"],
  ], { limits });
  assertAccepted(["<a/>", "<a></a>"], { limits: { ...limits, depth: 1 } });
  assertRefused([["<a>▸<b/></a>", "limit"]], { limits: { ...limits, depth: 1 } });
});

Deno.test("S-008 tokenizer refuses a megabyte of start tags at the depth limit", () => {
  const bytes = bytesOf("<a>".repeat(350_000));
  const items = tokenize([bytes], { limits: { payloadBytes: 1 << 21, depth: 100, attributes: 1 } });
  assert.deepEqual(items.map(({ type }) => type), ["header", "error"]);
  const error = items[1];
  assert(error?.type === "error");
  assert.deepEqual([error.error.kind, error.error.offset], ["limit", 300]);
});

Deno.test("S-008 tokenizer reads a payload of a megabyte whatever the chunks", () => {
  const limits = { payloadBytes: 1 << 21, depth: 100, attributes: 100 };
  const text = "x]]é> ".repeat(30_000);
  const value = ">".repeat(262_144);
  const document = bytesOf(
    `<a><b c='${value}'><![CDATA[${text}${value}]]>${"<d/>".repeat(80_000)}</b><e/></a>`,
  );
  const whole = tokenize([document], { limits });
  assert.deepEqual(whole.map(({ type }) => type), ["header", "payload", "payload", "end"]);
  const payload = whole[1];
  assert(payload?.type === "payload" && payload.payload.bytes.length > 1_000_000);
  for (const size of [1, 7, 4096]) {
    assertSame(tokenize(cutInto(document, size), { limits }), whole);
  }
});

Deno.test("S-008 tokenizer resolves thousands of prefixes in scope", () => {
  const depth = 90;
  let document = "<a>";
  for (let level = 0; level < depth; level++) {
    const declared = Array.from({ length: 99 }, (_, n) => ` xmlns:p${level}-${n}='u'`);
    document += `<b${declared.join("")}>`;
  }
  document += `<p0-0:c/>`.repeat(50_000) + "</b>".repeat(depth) + "</a>";
  const items = tokenize([bytesOf(document)], {
    limits: { payloadBytes: 1 << 22, depth: 100, attributes: 100 },
  });
  assert.deepEqual(items.map(({ type }) => type), ["header", "payload", "end"]);
});

Deno.test("tokenizer swallows white space between payloads for ever, holding nothing", () => {
  const tokenizer = new XmlTokenizer({ ...XML_LIMITS, payloadBytes: 16 });
  tokenizer.feed(bytesOf("<a>"));
  assert.equal(tokenizer.next()?.type, "header");
  for (let keepalive = 0; keepalive < 10_000; keepalive++) {
    tokenizer.feed(bytesOf(" "));
    assert.equal(tokenizer.next(), undefined);
  }
  tokenizer.feed(bytesOf("<b/>"));
  assert.deepEqual(offsetsOf(tokenizer.next()), [10_003, 10_007]);
});

Deno.test("tokenizer does not mind empty chunks", () => {
  const tokenizer = new XmlTokenizer(XML_LIMITS);
  const types = [];
  for (const text of ["", "<a", "", "", "><", "", "b/", "", ">", "", "</a>", ""]) {
    tokenizer.feed(bytesOf(text));
    for (let item; (item = tokenizer.next()) !== undefined;) types.push(item.type);
  }
  assert.deepEqual(types, ["header", "payload", "end"]);
});

function payloadOf(payload: string): Payload {
  const item = itemsOf(`${HEADER}${payload}`)[1];
  assert(item?.type === "payload", JSON.stringify(item));
  return item.payload;
}

function offsetsOf(item: XmlItem | undefined): [number, number] | undefined {
  return item === undefined || item.type === "error" ? undefined : [item.start, item.end];
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** As `assert.deepEqual`, for items of a megabyte. */
function assertSame(actual: readonly XmlItem[], expected: readonly XmlItem[]): void {
  const bare = (items: readonly XmlItem[]) =>
    items.map((item) =>
      item.type === "payload"
        ? { ...item, payload: { ...item.payload, bytes: textOf(item.payload.bytes) } }
        : item
    );
  assert(JSON.stringify(bare(actual)) === JSON.stringify(bare(expected)));
}
