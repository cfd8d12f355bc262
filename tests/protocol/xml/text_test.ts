import assert from "node:assert/strict";
import { NS } from "../../../src/protocol/xml/names.ts";
import {
  isPredefined,
  sameBytes,
  textContent,
  textOf,
  valueOf,
} from "../../../src/protocol/xml/text.ts";
import { bytesOf } from "../../support/xml_items.ts";

Deno.test("textOf gives the text of a stretch of bytes, common or not", () => {
  for (
    const text of ["", "a", "iq", "iqs", "message", "é", "\ufeffx", "urn:x", ...Object.values(NS)]
  ) {
    const bytes = bytesOf(`..${text}..`);
    assert.equal(textOf(bytes, 2, bytes.length - 2), text);
  }
  // Of the length of a common one, and like it at the places that are looked at first.
  assert.equal(textOf(bytesOf("nessage"), 0, 7), "nessage");
});

Deno.test("valueOf resolves references once, after white space was normalised", () => {
  const of = (text: string) => valueOf(bytesOf(text), 0, bytesOf(text).length);
  assert.equal(of("a\r\nb\tc&#13;&#10;d"), "a b c\r\nd");
  assert.equal(of("&amp;#38;&#38;amp;"), "&#38;&amp;");
});

Deno.test("isPredefined knows the five entities and no other", () => {
  const of = (text: string) => isPredefined(bytesOf(text), 0, text.length);
  for (const name of ["lt", "gt", "amp", "apos", "quot"]) assert.equal(of(name), true, name);
  for (const name of ["", "l", "LT", "apo", "quott", "iq", "constructor"]) {
    assert.equal(of(name), false);
  }
});

Deno.test("sameBytes compares as many bytes as it is told", () => {
  const a = bytesOf("xabcd");
  const b = bytesOf("abce");
  assert.equal(sameBytes(a, 1, b, 0, 3), true);
  assert.equal(sameBytes(a, 1, b, 0, 4), false);
  assert.equal(sameBytes(a, 0, b, 0, 0), true);
});

Deno.test("the text of an element is its character data, CDATA sections and references resolved", () => {
  const cases: [string, string | undefined][] = [
    ["<a>x</a>", "x"],
    ["<a/>", ""],
    ["<a b='>' c=\"/>'\" > x y\n</a >", "x y"],
    ["<a>&lt;&#x41;&amp;</a>", "<A&"],
    [
      "<a>1<![CDATA[&#x99999999; &foo; <b>]]>2<![CDATA[]]><![CDATA[]]]]>3</a>",
      "1&#x99999999; &foo; <b>2]]3",
    ],
    ["<a>x<b>y</b></a>", undefined],
    ["<a><b/>x</a>", undefined],
  ];
  for (const [element, text] of cases) {
    assert.equal(textContent(new TextEncoder().encode(element)), text, element);
  }
});
