import assert from "node:assert/strict";
import { readBody } from "../../../src/protocol/bosh/body.ts";
import { XmlTokenizer } from "../../../src/protocol/xml/tokenizer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const tokenizer = new XmlTokenizer({ payloadBytes: 4096, depth: 10, attributes: 32 });
const BIND = "xmlns='http://jabber.org/protocol/httpbind'";

function read(xml: string | Uint8Array) {
  return readBody(typeof xml === "string" ? encoder.encode(xml) : xml, tokenizer);
}

function refusal(xml: string | Uint8Array): string {
  const body = read(xml);
  assert.equal(body.type, "refused", `accepted: ${xml}`);
  return body.condition;
}

function content(attributes: string, inside: string): string {
  const body = read(`<body ${BIND} sid='S' rid='1' ${attributes}>${inside}</body>`);
  assert.equal(body.type, "continue", JSON.stringify(body));
  return decoder.decode(body.content);
}

Deno.test("B-020 only a body in httpbind is read, whatever its prefix", () => {
  for (const xml of ["<foo/>", "<body rid='1'/>", "<body xmlns='x' rid='1'/>", "nonsense", "<"]) {
    assert.equal(refusal(xml), "bad-request");
  }
  const prefixed = read("<b:body xmlns:b='http://jabber.org/protocol/httpbind' rid='7' to='a'/>");
  assert.equal(prefixed.type, "create");
});

Deno.test("B-022 comments, instructions, DTDs and entities are refused; an XML declaration is not", () => {
  const inside = ["<!-- -->", "<?php ?>", "<!DOCTYPE a>", "<a>&unknown;</a>"];
  for (const xml of inside) {
    assert.equal(refusal(`<body ${BIND} rid='1' to='a'>${xml}</body>`), "bad-request");
  }
  assert.equal(refusal(`<!DOCTYPE body><body ${BIND} rid='1'/>`), "bad-request");
  assert.equal(read(`<?xml version='1.0'?><body ${BIND} rid='1' to='a'/>`).type, "create");
});

Deno.test("B-023 CDATA, entities and references go up as they are", () => {
  const xml = "<m a='&#10;&amp;'><![CDATA[a<b&c]]>&lt;&#x1F600;</m>";
  assert.equal(content("", xml), xml);
});

Deno.test("B-024 white space between payloads is not forwarded, text is refused", () => {
  assert.equal(content("", "\n  <a/>\n  <b> x </b>\n"), "<a/><b> x </b>");
  assert.equal(refusal(`<body ${BIND} sid='S' rid='1'>x</body>`), "bad-request");
});

Deno.test("B-025 B-026 a broken document ends no session, a forbidden one ends its own", () => {
  const session = (xml: string) => {
    const body = read(xml);
    return body.type === "refused" ? body.session : assert.fail("accepted");
  };
  const open = `<body ${BIND} sid='S' rid='5'>`;
  assert.equal(session(`${open}<iq>`), undefined);
  assert.equal(session(`${open}<iq></body>`), undefined);
  assert.equal(session(`${open}</body><body/>`), undefined);
  assert.equal(session(`${open}</body>trailing`), undefined);
  assert.deepEqual(session(`${open}<iq><!-- --></iq></body>`), { sid: "S", rid: 5 });
  const deep = "<a>".repeat(20) + "</a>".repeat(20);
  assert.deepEqual(session(`${open}${deep}</body>`), { sid: "S", rid: 5 });
});

Deno.test("B-027 X-003 a payload takes along what it inherited from the wrapper, and nothing else", () => {
  assert.equal(
    content("xmlns:j='urn:j'", "<j:x j:a='1'><j:y/></j:x><plain/><j:z/>"),
    "<j:x xmlns:j='urn:j' j:a='1'><j:y/></j:x><plain/><j:z xmlns:j='urn:j'/>",
  );
  assert.equal(
    content("", "<message to='a'><body>x</body></message>"),
    "<message to='a'><body>x</body></message>",
  );
  const foreign = read(
    "<b:body xmlns:b='http://jabber.org/protocol/httpbind' xmlns='urn:f' sid='S' rid='1'>" +
      "<x/><y xmlns='jabber:client'/></b:body>",
  );
  assert.equal(foreign.type, "continue");
  assert.equal(decoder.decode(foreign.content), "<x xmlns='urn:f'/><y xmlns='jabber:client'/>");
});

Deno.test("one request's payloads are one view of its bytes", () => {
  const bytes = encoder.encode(`<body ${BIND} sid='S' rid='1'><a/><b/></body>`);
  const body = read(bytes);
  assert.equal(body.type, "continue");
  assert.equal(body.content.buffer, bytes.buffer);
});

Deno.test("B-028 only UTF-8 is read", () => {
  const bytes = encoder.encode(`<body ${BIND} rid='1' to='a'><a>??</a></body>`);
  const at = bytes.indexOf(0x3f);
  bytes.set([0xc3, 0x28], at);
  assert.equal(refusal(bytes), "bad-request");
  assert.equal(
    refusal(`<?xml version='1.0' encoding='ISO-8859-1'?><body ${BIND} rid='1'/>`),
    "bad-request",
  );
  assert.equal(read(`\ufeff<body ${BIND} rid='1' to='a'/>`).type, "create");
});

Deno.test("B-029 attributes that are not known are ignored", () => {
  const body = read(
    `<body ${BIND} xmlns:q='q' rid='1' to='a' window='5' ua='x' q:rid='2' secure='1'/>`,
  );
  assert.equal(body.type, "create");
  assert.equal(body.rid, 1);
});

Deno.test("B-030 B-102 rid is a whole number from 1 to 2^53 - 1", () => {
  for (const rid of ["1", "9007199254740991"]) {
    assert.equal(read(`<body ${BIND} rid='${rid}' to='a'/>`).type, "create");
  }
  for (const rid of ["0", "-1", "+1", "1.5", "0x10", "9007199254740992", "1e3", "", " 1"]) {
    assert.equal(refusal(`<body ${BIND} rid='${rid}' to='a'/>`), "bad-request");
  }
  assert.equal(refusal(`<body ${BIND} to='a'/>`), "bad-request");
});

Deno.test("B-031 B-035 B-036 wait, hold and ver may be missing, but not be nonsense", () => {
  const body = read(`<body ${BIND} rid='1' to='a'/>`);
  assert.equal(body.type, "create");
  assert.deepEqual([body.wait, body.hold, body.ver, body.stream.xmppVersion], [
    undefined,
    undefined,
    undefined,
    "1.0",
  ]);
  for (const wrong of ["-1", "1.5", "abc", ""]) {
    assert.equal(refusal(`<body ${BIND} rid='1' to='a' wait='${wrong}'/>`), "bad-request");
    assert.equal(refusal(`<body ${BIND} rid='1' to='a' hold='${wrong}'/>`), "bad-request");
  }
  for (const wrong of ["1", "1.", "a.b", "1.2.3", ""]) {
    assert.equal(refusal(`<body ${BIND} rid='1' to='a' ver='${wrong}'/>`), "bad-request");
  }
});

Deno.test("B-041 an empty sid is a sid", () => {
  assert.equal(read(`<body ${BIND} rid='1' sid='' to='a'/>`).type, "continue");
});

Deno.test("X-008 restart is known by its namespace, not by its prefix", () => {
  const restart = read(`<body ${BIND} xmlns:x='urn:xmpp:xbosh' sid='S' rid='1' x:restart='1'/>`);
  assert.equal(restart.type === "continue" && restart.ask.type, "restart");
  const other = read(`<body ${BIND} xmlns:xmpp='urn:other' sid='S' rid='1' xmpp:restart='true'/>`);
  assert.equal(other.type === "continue" && other.ask.type, "nothing");
});

Deno.test("a stream tag inside a body is refused", () => {
  const xml = "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'/>";
  assert.equal(refusal(`<body ${BIND} sid='S' rid='1'>${xml}</body>`), "bad-request");
});

Deno.test("S-007 a payload over its limit is a policy violation", () => {
  const xml = `<a>${"x".repeat(5000)}</a>`;
  assert.equal(refusal(`<body ${BIND} sid='S' rid='1'>${xml}</body>`), "policy-violation");
});

Deno.test("S-008 a long declaration is not repeated for ever", () => {
  const inside = "<p:a/>".repeat(1000);
  const wrapper = (length: number) =>
    `<body ${BIND} xmlns:p='${"u".repeat(length)}' sid='S' rid='1'>${inside}</body>`;
  assert.equal(read(wrapper(500)).type, "continue");
  assert.equal(refusal(wrapper(3000)), "bad-request");
});
