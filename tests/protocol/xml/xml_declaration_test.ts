import assert from "node:assert/strict";
import { assertAccepted, assertRefused, itemsOf } from "../../support/xml_items.ts";

Deno.test("B-022 W-009 an XML declaration is accepted at the very start, behind a byte order mark too", () => {
  assertAccepted([
    "<?xml version='1.0'?><a/>",
    '<?xml version="1.0"?>\n<a/>',
    "<?xml version='1.1'?><a/>",
    "<?xml version='1.0' encoding='UTF-8'?><a/>",
    "<?xml version='1.0' encoding=\"utf-8\"?><a/>",
    "<?xml version='1.0' encoding='Utf-8' standalone='yes' ?><a/>",
    "<?xml version='1.0' standalone='no'?><a/>",
    "<?xml\n\tversion = '1.0'\r\nencoding\n=\n'UTF-8'\nstandalone = \"yes\"\n?><a/>",
    "\ufeff<?xml version='1.0'?><a/>",
    "\ufeff<a/>",
    "\ufeff <a/>",
  ]);
});

Deno.test("B-028 an XML declaration with an encoding other than UTF-8 is refused", () => {
  assertRefused([
    ["▸<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "bad-encoding"],
    ["▸<?xml version='1.0' encoding='UTF-16'?><a/>", "bad-encoding"],
    ["▸<?xml version='1.0' encoding='utf8'?><a/>", "bad-encoding"],
    ["\ufeff▸<?xml version='1.0' encoding='x' standalone='no'?><a/>", "bad-encoding"],
  ]);
});

Deno.test("an XML declaration that is malformed is refused", () => {
  assertRefused([
    ["▸<?xml?><a/>", "not-well-formed"],
    ["▸<?xml ?><a/>", "not-well-formed"],
    ["▸<?xml version='2.0'?><a/>", "not-well-formed"],
    ["▸<?xml version='1.'?><a/>", "not-well-formed"],
    ["▸<?xml version='1.0\"?><a/>", "not-well-formed"],
    ["▸<?xml version=1.0?><a/>", "not-well-formed"],
    ["▸<?xml encoding='UTF-8'?><a/>", "not-well-formed"],
    ["▸<?xml version='1.0'encoding='UTF-8'?><a/>", "not-well-formed"],
    ["▸<?xml version='1.0' encoding=''?><a/>", "not-well-formed"],
    ["▸<?xml version='1.0' encoding='8'?><a/>", "not-well-formed"],
    ["▸<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>", "not-well-formed"],
    ["▸<?xml version='1.0' standalone='maybe'?><a/>", "not-well-formed"],
    ["▸<?xml version='1.0' other='x'?><a/>", "not-well-formed"],
    ["▸<?xml version='1.0'><a/>", "not-well-formed"],
    ["▸<?xml version='1.0'? ><a/>", "not-well-formed"],
    ["<?xml version='1.0' ▸<a/>", "not-well-formed"],
    ["<?xml▸<a/>", "not-well-formed"],
    ["<?xml version='1.0' ▸é?><a/>", "not-well-formed"],
    ["<?xml version='1.0' ▸{01}", "not-well-formed"],
    ["<?xml version='1.0' ▸{C3}{28}", "bad-encoding"],
  ]);
});

Deno.test("an XML declaration anywhere else, and other instructions, are refused as restricted", () => {
  assertRefused([
    [" ▸<?xml version='1.0'?><a/>", "restricted-xml"],
    ["\ufeff\n▸<?xml version='1.0'?><a/>", "restricted-xml"],
    ["<?xml version='1.0'?>▸<?xml version='1.0'?><a/>", "restricted-xml"],
    ["<a>▸<?xml version='1.0'?></a>", "restricted-xml"],
    ["▸<?xml-stylesheet href='x'?><a/>", "restricted-xml"],
    ["▸<?xmlx?><a/>", "restricted-xml"],
    ["▸<?xml:x?><a/>", "restricted-xml"],
    ["▸<?xmlé?><a/>", "restricted-xml"],
    ["▸<?XML version='1.0'?><a/>", "restricted-xml"],
    ["▸<??><a/>", "restricted-xml"],
  ]);
  assertRefused([
    ["\ufeff▸\ufeff<a/>", "not-well-formed"],
    [" ▸\ufeff<a/>", "not-well-formed"],
    ["▸\uff01<a/>", "not-well-formed"],
  ]);
});

Deno.test("a header tells its own start, behind mark, declaration and white space", () => {
  const start = (document: string) => {
    const header = itemsOf(document)[0];
    return header?.type === "header" ? header.start : undefined;
  };
  assert.equal(start("<a/>"), 0);
  assert.equal(start("  <a/>"), 2);
  assert.equal(start("\ufeff<a/>"), 3);
  assert.equal(start("<?xml version='1.0'?>\n<a/>"), 22);
});
