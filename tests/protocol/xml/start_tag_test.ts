import assert from "node:assert/strict";
import { NS } from "../../../src/protocol/xml/names.ts";
import type { XmlHeader } from "../../../src/protocol/xml/tokenizer.ts";
import { assertAccepted, assertRefused, itemsOf, XML_LIMITS } from "../../support/xml_items.ts";

Deno.test("start tag gives the attributes in document order, with their namespaces", () => {
  const header = headerOf(
    `<body xmlns="${NS.HTTPBIND}" rid='7' xmlns:xmpp='${NS.XBOSH}' xmpp:version = "1.0"\n` +
      ` xml:lang='en' unknown=''/>`,
  );
  assert.deepEqual(header.attributes.list, [
    { name: "rid", namespace: "", prefix: "", value: "7" },
    { name: "version", namespace: NS.XBOSH, prefix: "xmpp", value: "1.0" },
    { name: "lang", namespace: NS.XML, prefix: "xml", value: "en" },
    { name: "unknown", namespace: "", prefix: "", value: "" },
  ]);
  assert.deepEqual(header.declarations, [
    { prefix: "", namespace: NS.HTTPBIND },
    { prefix: "xmpp", namespace: NS.XBOSH },
  ]);
  assert.equal(header.attributes.get("rid"), "7");
  assert.equal(header.attributes.get("version"), undefined);
  assert.equal(header.attributes.get("version", NS.XBOSH), "1.0");
});

Deno.test("start tag tells the root's name, prefix and namespace", () => {
  const of = (document: string) => {
    const { name, prefix, namespace } = headerOf(document);
    return [name, prefix, namespace];
  };
  assert.deepEqual(of("<a/>"), ["a", "", ""]);
  assert.deepEqual(of("<a xmlns=''/>"), ["a", "", ""]);
  assert.deepEqual(of("<a xmlns='u'/>"), ["a", "", "u"]);
  assert.deepEqual(of("<p:a xmlns='u' xmlns:p='v'/>"), ["a", "p", "v"]);
  assert.deepEqual(of("<p:a p:b='' xmlns:p='v'/>"), ["a", "p", "v"]);
  assert.deepEqual(of("<имя:é xmlns:имя='ß'/>"), ["é", "имя", "ß"]);
  assert.deepEqual(of("<xml:a/>"), ["a", "xml", NS.XML]);
});

Deno.test("start tag normalises white space in values and resolves references", () => {
  const value = (text: string) => headerOf(`<a b='${text}'/>`).attributes.get("b");
  assert.equal(value("x"), "x");
  assert.equal(value(" x  y "), " x  y ");
  assert.equal(value("\t|\n|\r|\r\n|\n\r"), " | | | |  ");
  assert.equal(value("&lt;&gt;&amp;&apos;&quot;"), "<>&'\"");
  assert.equal(value("&#9;&#10;&#13;&#x20;&#xD;&#xA;"), "\t\n\r \r\n");
  assert.equal(value("&#60;&#x3c;&#x03C;&#0000000038;"), "<<<&");
  assert.equal(value("&amp;lt;"), "&lt;");
  assert.equal(value("&#38;#60;"), "&#60;");
  assert.equal(value("&#x1F600;&#x10FFFF;"), "😀\u{10ffff}");
  assert.equal(value('"]]>\ufeffß'), '"]]>\ufeffß');
  assert.equal(value("\ufeff"), "\ufeff");
});

Deno.test("start tag takes a declared namespace as a normalised value", () => {
  const header = headerOf("<a xmlns='a&amp;b' xmlns:p='c&#32;\nd'/>");
  assert.equal(header.namespace, "a&b");
  assert.deepEqual(header.declarations[1], { prefix: "p", namespace: "c  d" });
});

Deno.test("start tag accepts attributes and declarations that may stand together", () => {
  assertAccepted([
    "<a b='' B=''/>",
    "<a b='' bb=''/>",
    "<a\nb=''\tc=''\r/>",
    "<a b = '\"' c\n=\n\"'\"/>",
    "<a b='>'/>",
    "<a xmlns:p='u' b='' p:b=''/>",
    "<a xmlns='u' xmlns:p='u' b='' p:b=''/>",
    "<a xmlns:p='u' xmlns:q='v' p:b='' q:b=''/>",
    "<a p:b='' xmlns:p='u'/>",
    `<a xmlns:xml='${NS.XML}' xml:lang='en'/>`,
    "<a xml:anything=''/>",
    "<a xmlns:XML='u' XML:b=''/>",
    "<a xmlns:xmlnsx='u' xmlnsx:b=''/>",
    "<a xmlnsx='' xml='' xm=''/>",
    "<a xmlns:p='u'><b xmlns:p='v'><p:c/></b><p:c/></a>",
    "<a><b xmlns:p='u'><c xmlns:p='v' p:d=''/><p:c/></b></a>",
    "<a xmlns='u'><b xmlns=''><c/></b></a>",
    `<a><b ${many((n) => `b${n}`)}/></a>`,
  ]);
});

Deno.test("start tag refuses attributes that are malformed", () => {
  assertRefused([
    ["<a b▸/>", "not-well-formed"],
    ["<a b▸>", "not-well-formed"],
    ["<a b ▸c=''/>", "not-well-formed"],
    ["<a b=▸/>", "not-well-formed"],
    ["<a b=▸c/>", "not-well-formed"],
    ["<a b=▸&quot;c&quot;/>", "not-well-formed"],
    ["<a b=''▸c=''/>", "not-well-formed"],
    ["<a b='▸<'/>", "not-well-formed"],
    ["<a ▸=''/>", "not-well-formed"],
    ["<a ▸'b'=''/>", "not-well-formed"],
    ["<a ▸1b=''/>", "not-well-formed"],
    ["<a/▸b=''>", "not-well-formed"],
    ["<a><b c='▸<'/></a>", "not-well-formed"],
  ]);
});

Deno.test("start tag refuses an attribute that stands twice", () => {
  assertRefused([
    ["<a b='' ▸b=''/>", "not-well-formed"],
    ["<a b='' c='' ▸b='' c=''/>", "not-well-formed"],
    ["<a><c b='' ▸b=''/></a>", "not-well-formed"],
    ["<a xml:lang='' ▸xml:lang=''/>", "not-well-formed"],
    ["<a xmlns='u' ▸xmlns='v'/>", "not-well-formed"],
    ["<a xmlns:p='u' ▸xmlns:p='u'/>", "not-well-formed"],
    // Two prefixes of one namespace (Namespaces in XML §6.3).
    ["<a xmlns:p='u' xmlns:q='u' p:b='' ▸q:b=''/>", "not-well-formed"],
    ["<a xmlns:p='u&#x31;' xmlns:q='u1' p:b='' ▸q:b=''/>", "not-well-formed"],
    ["<a xmlns:p='u'><b xmlns:q='u' q:c='' ▸p:c=''/></a>", "not-well-formed"],
    [`<a><b ${many((n) => `b${n}`)} ▸b3=''/></a>`, "not-well-formed"],
  ]);
});

Deno.test("start tag accepts attributes whose names look alike, and still finds the one that stands twice", () => {
  assertAccepted(["<a abc='' adc='' aec=''/>", "<a abc='' xml:c='' adc=''/>"]);
  assertRefused([["<a abc='' adc='' aec='' ▸adc=''/>", "not-well-formed"]]);
});

Deno.test("start tag refuses names with colons that divide nothing or too much", () => {
  assertRefused([
    ["<▸:a/>", "not-well-formed"],
    ["<▸:/>", "not-well-formed"],
    ["<a:▸/>", "not-well-formed"],
    ["<a:▸:b/>", "not-well-formed"],
    ["<a:▸1/>", "not-well-formed"],
    ["<a:b▸:c/>", "not-well-formed"],
    ["<a ▸:b=''/>", "not-well-formed"],
    ["<a b:▸=''/>", "not-well-formed"],
    ["<a xmlns:▸=''/>", "not-well-formed"],
    ["<a xmlns:b▸:c=''/>", "not-well-formed"],
    ["<a xml:▸-b=''/>", "not-well-formed"],
  ]);
});

Deno.test("U-014 start tag refuses prefixes that are not bound", () => {
  assertRefused([
    ["<▸p:a/>", "not-well-formed"],
    ["<a ▸p:b=''/>", "not-well-formed"],
    ["<a><▸p:b/></a>", "not-well-formed"],
    ["<a><b><c ▸p:d=''/></b></a>", "not-well-formed"],
    ["<a><b xmlns:p='u'/><▸p:b/></a>", "not-well-formed"],
    ["<a><b><c xmlns:p='u'></c><▸p:c/></b></a>", "not-well-formed"],
    ["<a><b><c xmlns:p='u'/><▸p:c/></b></a>", "not-well-formed"],
    ["<▸p:a xmlns:P='u'/>", "not-well-formed"],
    ["<▸xmlns:a/>", "not-well-formed"],
    ["<a><▸xmlns:b/></a>", "not-well-formed"],
  ]);
});

Deno.test("start tag refuses declarations that Namespaces in XML forbids", () => {
  assertRefused([
    ["<a ▸xmlns:p=''/>", "not-well-formed"],
    ["<a xmlns:p='u'><b ▸xmlns:p=''/></a>", "not-well-formed"],
    ["<a ▸xmlns:xmlns='u'/>", "not-well-formed"],
    [`<a ▸xmlns:xmlns='${NS.XMLNS}'/>`, "not-well-formed"],
    ["<a ▸xmlns:xml='u'/>", "not-well-formed"],
    [`<a ▸xmlns:p='${NS.XML}'/>`, "not-well-formed"],
    [`<a ▸xmlns:p='${NS.XMLNS}'/>`, "not-well-formed"],
    [`<a ▸xmlns='${NS.XML}'/>`, "not-well-formed"],
    [`<a ▸xmlns='${NS.XMLNS}'/>`, "not-well-formed"],
    [`<a><b><c ▸xmlns='${NS.XMLNS}'/></b></a>`, "not-well-formed"],
    [`<a><b><c ▸xmlns='&#104;${NS.XML.slice(1)}'/></b></a>`, "not-well-formed"],
    [`<a><b><c ▸xmlns:p='&#104;${NS.XML.slice(1)}'/></b></a>`, "not-well-formed"],
  ]);
});

Deno.test("start tag refuses more attributes than the limit, declarations among them", () => {
  const limits = { ...XML_LIMITS, attributes: 2 };
  assertAccepted(["<a b='' xmlns='u'/>", "<a><b c='' xmlns:p='u'/><b c='' d=''/></a>"], { limits });
  assertRefused([
    ["<a b='' xmlns='u' ▸c=''/>", "limit"],
    ["<a><b c='' xmlns:p='u' ▸d=''/></a>", "limit"],
    ["<a b='' c='' ▸d", "limit"],
  ], { limits });
});

function headerOf(document: string): XmlHeader {
  const header = itemsOf(document)[0];
  assert(header?.type === "header", JSON.stringify(header));
  return header;
}

/** More attributes than are compared pair by pair. */
function many(name: (n: number) => string): string {
  return Array.from({ length: 18 }, (_, n) => `${name(n)}=''`).join(" ");
}
