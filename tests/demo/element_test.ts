import assert from "node:assert/strict";
import {
  element,
  readElement,
  textOf,
  withAttributes,
  writeElement,
} from "../../src/demo/element.ts";

const CLIENT = [{ prefix: "", namespace: "jabber:client" }, { prefix: "s", namespace: "urn:s" }];

function read(xml: string) {
  return readElement(new TextEncoder().encode(xml), CLIENT);
}

Deno.test("readElement resolves namespaces, inherited and declared, of elements and attributes", () => {
  assert.deepEqual(
    read(
      `<message xml:lang='en' s:flag = "1" to='b'><s:x xmlns:s='urn:t'/><y xmlns='urn:u'><z/></y></message>`,
    ),
    element(
      "message",
      "jabber:client",
      { "{http://www.w3.org/XML/1998/namespace}lang": "en", "{urn:s}flag": "1", to: "b" },
      element("x", "urn:t"),
      element("y", "urn:u", {}, element("z", "urn:u")),
    ),
  );
});

Deno.test("readElement resolves references, CDATA and line ends", () => {
  const body = read(
    "<body a='1\\t2&#9;3&#xA;' b=\"'>'\">a&lt;b&amp;amp;\r\n<![CDATA[<&]]>&#x1F600;</body>"
      .replace("\\t", "\t"),
  );
  assert.equal(textOf(body), "a<b&amp;\n<&\u{1F600}");
  assert.equal(body.attributes.get("a"), "1 2\t3\n");
  assert.equal(body.attributes.get("b"), "'>'");
});

Deno.test("writeElement writes what readElement reads again", () => {
  for (
    const xml of [
      "<presence/>",
      "<message to='a&amp;b' s:flag='&#xA;&quot;&apos;'><body>x &lt; y ]]&gt; \r\n</body></message>",
      "<iq xml:lang='de'><q xmlns='urn:q'><item xmlns='jabber:client'/>text<none xmlns=''/></q></iq>",
      "<s:odd><under.score-d\u00e9/></s:odd>",
    ]
  ) {
    const once = read(xml);
    assert.deepEqual(read(writeElement(once, "jabber:client")), once, xml);
  }
});

Deno.test("writeElement declares a namespace only where it changes", () => {
  const query = element("query", "urn:q", {}, element("item", "urn:q"));
  assert.equal(
    writeElement(
      element("iq", "jabber:client", { id: undefined, type: "get" }, query),
      "jabber:client",
    ),
    "<iq type='get'><query xmlns='urn:q'><item/></query></iq>",
  );
});

Deno.test("withAttributes replaces and adds, and leaves the rest", () => {
  const stanza = withAttributes(element("iq", "", { id: "1", to: "a" }), { to: "b", from: "c" });
  assert.deepEqual(Object.fromEntries(stanza.attributes), { id: "1", to: "b", from: "c" });
});
