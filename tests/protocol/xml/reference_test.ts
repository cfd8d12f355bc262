import { assertAccepted, assertRefused } from "../../support/xml_items.ts";

const places = [
  (text: string) => `<a><b>${text}</b></a>`,
  (text: string) => `<a><b c='${text}'/></a>`,
  (text: string) => `<a c="${text}"/>`,
];

Deno.test("B-023 references to the five entities and to legal characters are accepted", () => {
  for (const at of places) {
    assertAccepted([
      at("&lt;&gt;&amp;&apos;&quot;"),
      at("&#9;&#xA;&#13;&#x20;"),
      at("&#x41;&#65;"),
      at("&#xD7FF;&#xE000;&#xFFFD;"),
      at("&#x10000;&#x1FFFE;&#x10FFFF;&#x10ffff;"),
      at("&#0000000000000000000000000000065;"),
      at("&#x0000000000000000000000000000041;"),
    ]);
  }
});

Deno.test("references to characters that XML forbids are refused", () => {
  for (const at of places) {
    assertRefused([
      [at("▸&#0;"), "not-well-formed"],
      [at("▸&#8;"), "not-well-formed"],
      [at("▸&#x1F;"), "not-well-formed"],
      [at("x▸&#xD800;"), "not-well-formed"],
      [at("▸&#xDFFF;"), "not-well-formed"],
      [at("▸&#xFFFE;"), "not-well-formed"],
      [at("▸&#65535;"), "not-well-formed"],
      [at("▸&#x110000;"), "not-well-formed"],
      [at("▸&#4294967361;"), "not-well-formed"],
      [at("▸&#x10000000000000000000041;"), "not-well-formed"],
    ]);
  }
});

Deno.test("B-022 references to any other entity are refused as restricted", () => {
  for (const at of places) {
    assertRefused([
      [at("▸&nbsp;"), "restricted-xml"],
      [at("▸&LT;"), "restricted-xml"],
      [at("▸&l;"), "restricted-xml"],
      [at("▸&ltt;"), "restricted-xml"],
      [at("▸&quott;"), "restricted-xml"],
      [at("▸&é;"), "restricted-xml"],
      [at("▸&a:b;"), "restricted-xml"],
      [at("▸&toString;"), "restricted-xml"],
    ]);
  }
});

Deno.test("references that are malformed are refused", () => {
  for (const at of places) {
    assertRefused([
      [at("&▸ "), "not-well-formed"],
      [at("&▸;"), "not-well-formed"],
      [at("&▸&amp;"), "not-well-formed"],
      [at("&▸1;"), "not-well-formed"],
      [at("&lt▸ ;"), "not-well-formed"],
      [at("&amp▸ "), "not-well-formed"],
      [at("&#▸;"), "not-well-formed"],
      [at("&#▸a;"), "not-well-formed"],
      [at("&#▸X41;"), "not-well-formed"],
      [at("&#x▸;"), "not-well-formed"],
      [at("&#x▸g;"), "not-well-formed"],
      [at("&#x4▸ 1;"), "not-well-formed"],
      [at("&#6▸a;"), "not-well-formed"],
      [at("&#▸-1;"), "not-well-formed"],
      [at("&#▸é;"), "not-well-formed"],
    ]);
  }
});
