import assert from "node:assert/strict";
import { assertAccepted, assertRefused, itemsOf } from "../../support/xml_items.ts";

Deno.test("scanner accepts elements in every form that XML allows", () => {
  assertAccepted([
    "<a/>",
    "<a></a>",
    "<a ></a >",
    "<a\t\r\n/>",
    "<a></a\t\r\n>",
    " \t\r\n<a/>",
    "<a/> \t\r\n",
    "<a> \t\r\n</a>",
    "<a><b/></a>",
    "<a><b></b></a>",
    "<a><b><c/><d></d >text<e/></b><f/></a>",
    "<a><b><b><b></b></b></b></a>",
    "<a><bb><b></b></bb></a>",
    "<_/>",
    "<a-b.c_9/>",
    "<a><a></a></a>",
  ]);
});

Deno.test("scanner accepts names beyond ASCII, from the fifth edition of XML 1.0", () => {
  assertAccepted([
    "<é/>",
    "<имя><элемент цвет='синий'></элемент></имя>",
    "<名前><b/></名前>",
    "<a><\u{10000}\u{EFFFF}/></a>",
    "<a><\u{2F800}></\u{2F800}></a>",
    "<a·b\u0301‿/>",
    "<a><Ω Ω='1'/></a>",
    "<a><\u200c/></a>",
  ]);
});

Deno.test("scanner refuses names that XML does not allow", () => {
  assertRefused([
    ["<▸1/>", "not-well-formed"],
    ["<▸-a/>", "not-well-formed"],
    ["<▸.a/>", "not-well-formed"],
    ["<▸ a/>", "not-well-formed"],
    ["<▸=/>", "not-well-formed"],
    ["<▸>", "not-well-formed"],
    ["<▸<a/>", "not-well-formed"],
    ["<▸·a/>", "not-well-formed"],
    ["<▸\u0301a/>", "not-well-formed"],
    ["<▸×/>", "not-well-formed"],
    ["<▸÷/>", "not-well-formed"],
    ["<▸\u037e/>", "not-well-formed"],
    ["<▸\u2190/>", "not-well-formed"],
    ["<▸\u{F0000}/>", "not-well-formed"],
    ["<a▸×/>", "not-well-formed"],
    ["<a▸\u2003/>", "not-well-formed"],
    ["<a▸!/>", "not-well-formed"],
    ["<a▸</a>", "not-well-formed"],
    ["<a▸=''/>", "not-well-formed"],
    ["<a▸{00}/>", "not-well-formed"],
    ["<a><▸{00}/></a>", "not-well-formed"],
  ]);
});

Deno.test("scanner refuses tags that are malformed", () => {
  assertRefused([
    ["<a▸'/>", "not-well-formed"],
    ["<a/▸ >", "not-well-formed"],
    ["<a/▸/>", "not-well-formed"],
    ["<a><b/▸</a>", "not-well-formed"],
    ["<a></a ▸b>", "not-well-formed"],
    ["<a></▸ a>", "not-well-formed"],
    ["<a></a▸/>", "not-well-formed"],
    ["<a><b></b ▸/></a>", "not-well-formed"],
    ["▸</a>", "not-well-formed"],
    ["<a></▸>", "not-well-formed"],
  ]);
});

Deno.test("scanner refuses an end tag that does not match", () => {
  assertRefused([
    ["<a></▸b>", "not-well-formed"],
    ["<a><b></▸a></b>", "not-well-formed"],
    ["<a><bb></b▸></bb></a>", "not-well-formed"],
    ["<a><b></b▸b></b></a>", "not-well-formed"],
    ["<a><b></b▸é></b></a>", "not-well-formed"],
    ["<a><é></▸ê></a>", "not-well-formed"],
    ["<a><aé></a▸{C3}></a>", "bad-encoding"],
    ["<a><é></▸{C3}></a>", "bad-encoding"],
    ["<a><bé></b▸b></a>", "not-well-formed"],
    ["<a><Б></▸б></a>", "not-well-formed"],
    ["<a><B></▸b></B></a>", "not-well-formed"],
    ["<é></▸ê>", "not-well-formed"],
    ["<x:a xmlns:x='u'><x:b></▸b></x:a>", "not-well-formed"],
    ["<x:a xmlns:x='u'></▸a>", "not-well-formed"],
  ]);
});

Deno.test("scanner accepts text with everything that may stand in it", () => {
  assertAccepted([
    "<a><b>text \t\r\n text</b></a>",
    "<a><b>]]</b></a>",
    "<a><b>]] ></b></a>",
    "<a><b>]&gt;</b></a>",
    "<a><b>]]&gt;</b></a>",
    "<a><b>></b></a>",
    "<a><b>]></b></a>",
    "<a><b>'\"</b></a>",
    "<a><b>\u007f\u0080\u009f\u00a0\ud7ff\ue000\ufffd\u{10000}\u{1fffe}\u{10ffff}</b></a>",
    "<a><b>ß€𝄞</b></a>",
    "<a><b>\ufeff</b></a>",
  ]);
});

Deno.test("B-023 scanner accepts CDATA sections inside payloads", () => {
  assertAccepted([
    "<a><b><![CDATA[]]></b></a>",
    "<a><b><![CDATA[<c>&foo;</c>]]></b></a>",
    "<a><b><![CDATA[]]]></b></a>",
    "<a><b><![CDATA[]]]]></b></a>",
    "<a><b><![CDATA[>]>]] >]]></b></a>",
    "<a><b><![CDATA[é€𝄞]]></b></a>",
    "<a><b><![CDATA[x]]>></b></a>",
    "<a><b><![CDATA[x]]>]></b></a>",
    "<a><b><![CDATA[x]]><![CDATA[y]]></b></a>",
    "<a><b><![CDATA[x]]]]><![CDATA[>]]></b></a>",
  ]);
});

Deno.test("scanner refuses ]]> in text and characters that XML forbids", () => {
  assertRefused([
    ["<a><b>▸]]></b></a>", "not-well-formed"],
    ["<a><b>]▸]]></b></a>", "not-well-formed"],
    ["<a><b>x▸]]>", "not-well-formed"],
    ["<a><b><![CDATA[]]>▸]]></b></a>", "not-well-formed"],
    ["<a><b>▸{00}</b></a>", "not-well-formed"],
    ["<a><b>▸{0B}</b></a>", "not-well-formed"],
    ["<a><b>x▸{1F}</b></a>", "not-well-formed"],
    ["<a><b>▸\ufffe</b></a>", "not-well-formed"],
    ["<a><b>▸\uffff</b></a>", "not-well-formed"],
    ["<a><b><![CDATA[▸{08}]]></b></a>", "not-well-formed"],
    ["<a><b><![CDATA[x▸\uffff]]></b></a>", "not-well-formed"],
    ["<a><b c='▸{01}'/></a>", "not-well-formed"],
    ["<a><b c='▸\ufffe'/></a>", "not-well-formed"],
  ]);
});

Deno.test("B-028 scanner refuses what is not UTF-8, wherever it stands", () => {
  assertRefused([
    ["<a><b>▸{C3}{28}</b></a>", "bad-encoding"],
    ["<a><b>é▸{80}</b></a>", "bad-encoding"],
    ["<a><b>▸{C0}{80}</b></a>", "bad-encoding"],
    ["<a><b>▸{C1}{BF}</b></a>", "bad-encoding"],
    ["<a><b>▸{E0}{9F}{BF}</b></a>", "bad-encoding"],
    ["<a><b>▸{F0}{8F}{BF}{BF}</b></a>", "bad-encoding"],
    ["<a><b>▸{ED}{A0}{80}</b></a>", "bad-encoding"],
    ["<a><b>▸{ED}{BF}{BF}</b></a>", "bad-encoding"],
    ["<a><b>▸{F4}{90}{80}{80}</b></a>", "bad-encoding"],
    ["<a><b>▸{F5}{80}{80}{80}</b></a>", "bad-encoding"],
    ["<a><b>▸{FF}</b></a>", "bad-encoding"],
    ["<a><b>▸{E2}{82}</b></a>", "bad-encoding"],
    ["<a><b>▸{F0}{9D}{84}</b></a>", "bad-encoding"],
    ["<a><b><![CDATA[▸{C3}]]></b></a>", "bad-encoding"],
    ["<a b='▸{C3}'/>", "bad-encoding"],
    ["<a▸{C3}/>", "bad-encoding"],
    ["<▸{E9}/>", "bad-encoding"],
    ["<a ▸{E9}=''/>", "bad-encoding"],
    ["<a b▸{E9}=''/>", "bad-encoding"],
    ["<a b=▸{FE}/>", "bad-encoding"],
    ["<a b▸{C3} =''/>", "bad-encoding"],
    ["<a/▸{C3}>", "bad-encoding"],
    ["<a>▸{C3}{28}</a>", "bad-encoding"],
    ["<a/>▸{C3}{28}", "bad-encoding"],
    ["▸{C3}{28}", "bad-encoding"],
    ["▸{FF}{FE}<{00}a{00}", "bad-encoding"],
    ["▸{FE}{FF}{00}<{00}a", "bad-encoding"],
    ["▸{EF}{BB}<a/>", "bad-encoding"],
    ["<a><b>&▸{C3}{28};</b></a>", "bad-encoding"],
    ["<a><b>&#▸{C3}{28};</b></a>", "bad-encoding"],
    ["<a></a▸{C3}{28}>", "bad-encoding"],
  ]);
});

Deno.test("B-022 W-010 U-013 scanner refuses comments, instructions, document types and entities", () => {
  assertRefused([
    ["▸<!-- x --><a/>", "restricted-xml"],
    ["<a>▸<!-- x --></a>", "restricted-xml"],
    ["<a><b>▸<!-- x --></b></a>", "restricted-xml"],
    ["<a><b>▸<!x></b></a>", "restricted-xml"],
    ["<a><b>▸<![INCLUDE[x]]></b></a>", "restricted-xml"],
    ["<a><b>▸<![cdata[x]]></b></a>", "restricted-xml"],
    ["<a><b>▸<![CDATA x]]></b></a>", "restricted-xml"],
    ["▸<!DOCTYPE a><a/>", "restricted-xml"],
    ["▸<!DOCTYPE a [<!ENTITY b 'bb'>]><a>&b;</a>", "restricted-xml"],
    ["<a>▸<!DOCTYPE a></a>", "restricted-xml"],
    ["▸<?php x?><a/>", "restricted-xml"],
    ["<a>▸<?php x?></a>", "restricted-xml"],
    ["<a><b>▸<?php x?></b></a>", "restricted-xml"],
    ["<a><b>▸<?xml version='1.0'?></b></a>", "restricted-xml"],
    ["<a>▸<?xml version='1.0'?></a>", "restricted-xml"],
    ["<a><b>▸&b;</b></a>", "restricted-xml"],
    ["<a b='▸&b;'/>", "restricted-xml"],
  ]);
});

Deno.test("B-024 B-025 scanner allows nothing but white space outside of payloads", () => {
  assertRefused([
    ["▸x<a/>", "not-well-formed"],
    [" ▸x<a/>", "not-well-formed"],
    ["<a>▸x</a>", "not-well-formed"],
    ["<a> ▸x</a>", "not-well-formed"],
    ["<a><b/>▸x</a>", "not-well-formed"],
    ["<a>▸&#32;</a>", "not-well-formed"],
    ["<a>▸&lt;</a>", "not-well-formed"],
    ["<a>▸<![CDATA[ ]]></a>", "not-well-formed"],
    ["▸<![CDATA[ ]]><a/>", "not-well-formed"],
    ["<a>▸]]></a>", "not-well-formed"],
    ["<a>▸é</a>", "not-well-formed"],
    ["<a>▸\u00a0</a>", "not-well-formed"],
    ["<a>▸{00}</a>", "not-well-formed"],
    ["<a/>▸x", "not-well-formed"],
    ["<a></a>▸<a/>", "not-well-formed"],
    ["<a></a> ▸<!-- x -->", "not-well-formed"],
    ["<a></a>▸</a>", "not-well-formed"],
    ["<a/>▸é", "not-well-formed"],
    ["<a/>▸\ufeff", "not-well-formed"],
  ]);
});

Deno.test("scanner asks for more while a document is incomplete", () => {
  for (
    const document of ["", " ", "<", "<a", "<a b", "<a b=", "<a b='", "<a b=''", "<a/", "\ufeff"]
  ) {
    assert.deepEqual(itemsOf(document), [], document);
  }
  for (
    const rest of ["", "<", "</", "</a", "<b", "<b>", "<b>x", "<b>]]", "<b>&", "<b>&#x", "<b><!"]
  ) {
    assert.deepEqual(itemsOf(`<a>${rest}`).map(({ type }) => type), ["header"], rest);
  }
  for (
    const rest of ["{C3}", "{F0}{9D}{84}", "<{E2}", "<b {C3}", "<b c='{EF}{BF}", "<b><![CDATA[]]"]
  ) {
    assert.deepEqual(itemsOf(`<a><b>${rest}`).map(({ type }) => type), ["header"], rest);
  }
});
