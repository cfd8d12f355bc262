import assert from "node:assert/strict";
import { readBody, readScriptBody } from "../../../src/protocol/bosh/body.ts";
import { ContentAssembler, payloadsOf } from "../../../src/protocol/bosh/content_assembler.ts";
import { XmlTokenizer } from "../../../src/protocol/xml/tokenizer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const LIMITS = { payloadBytes: 4096, depth: 10, attributes: 32 };
const BIND = "xmlns='http://jabber.org/protocol/httpbind'";
const tokenizer = new XmlTokenizer(LIMITS);

function bytesOf(document: string | Uint8Array): Uint8Array {
  return typeof document === "string" ? encoder.encode(document) : document;
}

/** What each piece completes; a refusal ends it. Pieces are buffers of their own, used again. */
function assembled(pieces: readonly (string | Uint8Array)[], wrapper = `<body ${BIND}>`): string[] {
  const assembler = new ContentAssembler(new XmlTokenizer(LIMITS));
  const startTag = encoder.encode(wrapper);
  const completed: string[] = [];
  for (const piece of pieces) {
    const content = bytesOf(piece).slice();
    const result = assembler.add({ startTag, content });
    content.fill(0x21);
    if (result.type === "refused") return [...completed, result.condition];
    completed.push(decoder.decode(result.content) + result.failures.join());
  }
  return completed;
}

Deno.test("J-003 a payload is forwarded with the piece that completes it", () => {
  assert.deepEqual(assembled(["<message>h", "i</mess", "age><iq", "/>"]), [
    "",
    "",
    "<message>hi</message>",
    "<iq/>",
  ]);
  assert.deepEqual(assembled(["<a/> \n <b/>", "", "<c/>"]), ["<a/><b/>", "", "<c/>"]);
});

Deno.test("J-003 wherever the octets are cut, the same payloads come out", () => {
  const xml = "<message to='ü'><body>😀 &amp; <![CDATA[<x>]]></body></message> <iq a=\"'\"/>\n" +
    "<x:y xmlns:x='urn:x'><x:z/></x:y>";
  const whole = assembled([xml]).join("");
  assert.equal(whole, xml.replace(/\s(?=<iq|<x:y)/g, ""));
  const bytes = encoder.encode(xml);
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second += 7) {
      const cut = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
      assert.equal(assembled(cut).join(""), whole, `cut at ${first} and ${second}`);
    }
  }
  assert.equal(assembled([...bytes].map((byte) => new Uint8Array([byte]))).join(""), whole);
});

Deno.test("J-003 B-027 a payload takes along what the wrapper declares that it began in", () => {
  const assembler = new ContentAssembler(new XmlTokenizer(LIMITS));
  const add = (declarations: string, content: string) => {
    const startTag = encoder.encode(`<body ${BIND} ${declarations}>`);
    const result = assembler.add({ startTag, content: encoder.encode(content) });
    return result.type === "payloads" ? decoder.decode(result.content) : result.condition;
  };
  assert.equal(add("xmlns:p='urn:1'", "<p:a/><p:b>"), "<p:a xmlns:p='urn:1'/>");
  assert.equal(
    add("xmlns:p='urn:2'", "<p:c/></p:b><p:d/><e/>"),
    "<p:b xmlns:p='urn:1'><p:c/></p:b><p:d xmlns:p='urn:2'/><e/>",
  );
  assert.equal(add("", "<p:f/>"), "bad-request", "nobody declares it any more");
});

Deno.test("J-003 a wrapper with another default namespace gives it to its payloads", () => {
  const wrapper = "<b:body xmlns:b='http://jabber.org/protocol/httpbind' xmlns='urn:f'>";
  assert.deepEqual(assembled(["<x", "/><y xmlns='jabber:client'/>"], wrapper), [
    "",
    "<x xmlns='urn:f'/><y xmlns='jabber:client'/>",
  ]);
});

Deno.test("J-003 X-006 what belongs to the connection manager is answered or refused, also in pieces", () => {
  const tls = "urn:ietf:params:xml:ns:xmpp-tls";
  assert.deepEqual(assembled([`<a/><starttls xmlns='${tls}'`, "/><b/>"]), [
    "<a/>",
    `<b/><failure xmlns='${tls}'/>`,
  ]);
  const streams = "http://etherx.jabber.org/streams";
  assert.deepEqual(assembled(["<a/>", `<s:stream xmlns:s='${streams}'>`, "</s:stream>"]), [
    "<a/>",
    "",
    "bad-request",
  ]);
});

Deno.test("J-003 B-022 B-024 what XMPP forbids is refused with the piece that shows it", () => {
  for (
    const pieces of [
      ["<a>", "</b>"],
      ["<a/>", "text"],
      ["<a><!", "-- --></a>"],
      ["</bo", "dy>"],
      ["<a>&un", "known;</a>"],
      ["<a>", new Uint8Array([0xc3, 0x28])],
      ["<?x", "ml version='1.0'?>"],
    ]
  ) {
    assert.equal(assembled(pieces).at(-1), "bad-request", String(pieces[0]));
  }
});

Deno.test("J-003 S-007 what is held of an unfinished payload is bounded", () => {
  const pieces = ["<a>", ...Array<string>(50).fill("x".repeat(100)), "</a>"];
  assert.equal(assembled(pieces).at(-1), "policy-violation");
  assert.equal(assembled(["<a>".repeat(20)]).at(-1), "policy-violation");
});

Deno.test("J-003 only the wrapper's tags of a piece are read, whatever lies between them", () => {
  const content = (document: string | Uint8Array) => {
    const body = readScriptBody(bytesOf(document), tokenizer);
    return body.type === "refused" ? body.condition : decoder.decode(body.content);
  };
  const start = `<body ${BIND} sid='S' rid='5'`;
  assert.equal(content(`${start}/>`), "");
  assert.equal(content(`${start} /> \r\n`), "");
  assert.equal(content(`${start}></body>`), "");
  assert.equal(content(`${start}>half <a b='</body \t> \n`), "half <a b='");
  assert.equal(content(`${start}></a></body></body>`), "</a></body>");
  const prefixed = "<b:body xmlns:b='http://jabber.org/protocol/httpbind' sid='S' rid='5'>";
  assert.equal(content(`${prefixed}x</b:body>`), "x");
  for (
    const broken of [
      `${start}/>x`,
      `${start}/></body>`,
      `${start}>`,
      `${start}>x`,
      `${start}></body>x`,
      `${start}></bodyx`,
      `${start}></body`,
      `${start}></body x>`,
      `${start}><body>`,
      `${start}></b:body>`,
      `${start}></ body>`,
      `${prefixed}</body>`,
      "<body/>",
      "",
      `<body ${BIND} sid='S'/>`,
    ]
  ) assert.equal(content(broken), "bad-request", broken);
});

Deno.test("a request by POST is no piece of anything", () => {
  const body = readBody(encoder.encode(`<body ${BIND} sid='S' rid='5'><a/></body>`), tokenizer);
  assert.equal(body.type, "continue");
  const payloads = payloadsOf(body, undefined);
  assert.equal(payloads.type === "payloads" && decoder.decode(payloads.content), "<a/>");
});
