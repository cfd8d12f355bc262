import assert from "node:assert/strict";
import type { StreamOpening } from "../../../src/protocol/stream/c2s.ts";
import { headerBytes } from "../../../src/protocol/stream/header.ts";

function header(opening: Partial<StreamOpening>, encrypted = true): string {
  const bytes = headerBytes({ to: "example.test", version: "1.0", ...opening }, encrypted);
  return new TextDecoder().decode(bytes);
}

const BEGIN = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' to='example.test'";

Deno.test("U-001 the header has the usual prefix, the domain, the version and the language", () => {
  assert.equal(header({ lang: "de" }), `${BEGIN} version='1.0' xml:lang='de'>`);
  assert.equal(header({}), `${BEGIN} version='1.0'>`);
});

Deno.test("U-016 from is written on an encrypted stream only", () => {
  assert.equal(header({ from: "juliet@example.test" }, false), `${BEGIN} version='1.0'>`);
  assert.equal(
    header({ from: "juliet@example.test" }),
    `${BEGIN} from='juliet@example.test' version='1.0'>`,
  );
});

Deno.test("U-016 from is a bare JID of the domain, or is left out", () => {
  const withFrom = `${BEGIN} from='juliet@Example.TEST' version='1.0'>`;
  assert.equal(header({ from: "juliet@Example.TEST/balcony@example.test" }), withFrom);
  for (
    const from of ["juliet@other.test", "juliet@sub.example.test", "juliet@other.test/example.test"]
  ) {
    assert.equal(header({ from }), `${BEGIN} version='1.0'>`, from);
  }
});

Deno.test("values of the header cannot break out of their quotes", () => {
  assert.equal(
    header({ lang: `'"><&\n` }),
    `${BEGIN} version='1.0' xml:lang='&apos;&quot;&gt;&lt;&amp;&#xA;'>`,
  );
});

Deno.test("attributes that the client adds stand at the end, and cannot break out either", () => {
  assert.equal(
    header({ lang: "de", attributes: [["a", "1"], ["b", `'/><x y="`]] }),
    `${BEGIN} version='1.0' xml:lang='de' a='1' b='&apos;/&gt;&lt;x y=&quot;'>`,
  );
});
