/*
 * Invariant: any bytes are a request or refused, never an exception; and what a request forwards is
 * well-formed in a client's stream and means there what it meant in the wrapper (as saxes reads it),
 * however script syntax cuts it.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { SaxesParser } from "saxes";
import { readBody, readScriptBody, type RefusedBody } from "../../src/protocol/bosh/body.ts";
import { ContentAssembler, payloadsOf } from "../../src/protocol/bosh/content_assembler.ts";
import { NS } from "../../src/protocol/xml/names.ts";
import { XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";
import { attribute } from "../../src/protocol/xml/writer.ts";
import { fuzz } from "../support/fuzz_corpus.ts";
import { concat, encode, mutants, NOT_UTF8, soups } from "../support/fuzz_inputs.ts";
import { documents, PREFIXES } from "../support/xml_documents.ts";
import { canonical, parseStream, parseXml } from "../support/xml_element.ts";

const LIMITS = { payloadBytes: 10_000, depth: 30, attributes: 30 };
/** As the endpoint has it: what some clients forget to declare. */
const ASSUMED = [{ prefix: "xmpp", namespace: NS.XBOSH }];
const tokenizer = new XmlTokenizer(LIMITS, ASSUMED);
const decoder = new TextDecoder();

// ——— What clients send

const ATTRIBUTES = [
  ...["rid='1573741820'", "rid='9007199254740991'", "rid='1'", "rid='0'", "rid=' 1'", "rid='1e3'"],
  ...["rid='9007199254740992'", "sid='SomeSID'", "sid='SomeSID'", "sid=''", "to='example.test'"],
  ...["to=''", "ack='1'", "ack='1573741810'", "key='ca393b51'", "newkey='bfb06a6f'", "wait='60'"],
  ...[
    "wait='-1'",
    "wait='4294967296'",
    "hold='1'",
    "hold='x'",
    "ver='1.6'",
    "ver='1.10'",
    "ver='1'",
  ],
  ...[
    "type='terminate'",
    "type='terminal'",
    "type='error'",
    "pause='120'",
    "pause=''",
    "stream='s1'",
  ],
  ...["xmpp:restart='true'", "xmpp:version='1.0'", "xmlns:xmpp='urn:xmpp:xbosh'", "xml:lang='en'"],
  ...["xmpp:restart='1'", "restart='true'", "route='xmpp:example.test:5222'", "secure='true'"],
  ...["from='a@example.test'", "content='text/xml; charset=utf-8'", "inactivity='30'", "ua='x'"],
  ...['stream_attrs=\'{"a":"b"}\'', 'stream_attrs=\'{"to":"b"}\'', "stream_attrs='[1]'"],
  ...['stream_attrs=\'{"__proto__":"b"}\'', 'stream_attrs=\'{"a":"&#1;"}\'', "stream_attrs='{'"],
  ...["xmlns:p='urn:p'", "xmlns:q='jabber:client'", "xmlns:стр='&apos;&lt;'", "xmlns:p=''"],
  `xmlns:p='${NS.HTTPBIND}'`,
  "xmlns:stream='http://etherx.jabber.org/streams'",
];
/** The wrapper's name and its namespace, the usual one first. */
const WRAPPERS: readonly (readonly [name: string, declarations: string])[] = [
  ["body", `xmlns='${NS.HTTPBIND}'`],
  ["b:body", `xmlns:b='${NS.HTTPBIND}'`],
  ["b:body", `xmlns:b='${NS.HTTPBIND}' xmlns='jabber:client'`],
  ["b:body", `xmlns='urn:other' xmlns:b="${NS.HTTPBIND}"`],
  ["b:body", `xmlns:b='${NS.HTTPBIND}' xmlns=''`],
  ["body", "xmlns='jabber:client'"],
  ["body", ""],
  ["message", `xmlns='${NS.HTTPBIND}'`],
];
const DECLARED = "xmlns:p='urn:p' xmlns:q='jabber:client' xmlns:стр='&apos;&lt;'";
const PAYLOADS = [
  "<message xmlns='jabber:client' to='a@b'><body>x &lt; y</body></message>",
  "<message to='a@b'><body>inherits</body></message>",
  "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
  "<presence xmlns=''/>",
  "<p:message><body/></p:message>",
  "<message q:a='b'><p:x xmlns:p='urn:mine'/><y xmlns='urn:y'><z q:c=''/></y></message>",
  "<xmpp:thing/>",
  "<message><a xmlns='http://jabber.org/protocol/httpbind'><b/></a></message>",
  "<b:message xmlns:b='urn:b'><b:body q:x='1'/></b:message>",
  "<message><![CDATA[</body>]]></message>",
  "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>",
  "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
  "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
  "<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>",
  "<p:starttls xmlns:p='urn:ietf:params:xml:ns:xmpp-tls'/>",
  ...["<presence/>", "<presence/>", " ", "\n", "text", "&#32;", "<b:message/>"],
];

/** The first one, or any of them. */
function mostly<T>(...all: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(all[0]!) }, fc.constantFrom(...all));
}

/** Requests, most of them sound. */
const requests: fc.Arbitrary<string> = fc.record({
  before: fc.constantFrom("", "", "", "<?xml version='1.0' encoding='UTF-8'?>\n", "\ufeff", " "),
  wrapper: mostly(...WRAPPERS),
  declared: mostly(DECLARED, "", "xmlns:p='urn:p'"),
  common: mostly("rid='5' sid='s'", "rid='5'", "rid='5'", ""),
  attributes: fc.uniqueArray(fc.constantFrom(...ATTRIBUTES), {
    maxLength: 3,
    selector: (text) => text.split("=")[0],
  }),
  payloads: fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...PAYLOADS) },
      documents(PREFIXES).map((text) => text.replace(/^\ufeff?(<\?xml[^>]*>)?/, "").trim()),
    ),
    { maxLength: 3 },
  ),
}).map(({ before, wrapper: [name, namespace], declared, common, attributes, payloads }) => {
  const given = [name, namespace, declared, common].filter((part) => part !== "").join(" ");
  const more = attributes.filter((text) => !given.includes(` ${text.split("=")[0]}=`));
  const tag = [given, ...more].join(" ");
  const content = payloads.join("");
  return content === "" ? `${before}<${tag}/>` : `${before}<${tag}>${content}</${name}>`;
});

const BITS = [
  ...[...ATTRIBUTES, DECLARED, ...WRAPPERS.map(([, declared]) => declared)].map((text) =>
    ` ${text}`
  ),
  ...PAYLOADS,
  ...["<", ">", "/>", "</body>", "<body>", "</", "'", '"', "&", ";", "<a>", "</a>", "p:", "xmlns"],
  ...["<![CDATA[", "]]>", "<!--", "<?", "&amp;", "&x;", "&#0;", "\u0000", "\ufffe", "=", "body"],
].map(encode).concat(NOT_UTF8);

const bytes = fc.oneof(
  { weight: 4, arbitrary: requests.map(encode) },
  { weight: 6, arbitrary: mutants(requests.map(encode), BITS) },
  { weight: 1, arbitrary: soups(BITS, 12) },
);

// ——— The fuzzers

fuzz("any bytes are a request or refused, and a request forwards what it holds", {
  target: "bosh_bodies",
  inputs: bytes,
  runs: 3000,
  check(bytes) {
    const body = readBody(bytes, tokenizer);
    const wrapper = readWrapper(bytes);
    if (body.type === "refused") {
      assertRefusal(body, wrapper);
      // Behind what is forbidden nothing is read.
      const isForbidden = /^(?:a comment|a processing|an entity)/.test(body.reason);
      assert.ok(body.session === undefined || isForbidden || wrapper?.isWhole, body.reason);
      return;
    }
    assert.ok(wrapper?.isWhole, "it is no document");
    assert.deepEqual([wrapper.name, wrapper.namespace], ["body", NS.HTTPBIND]);
    assert.equal(String(body.rid), wrapper.attributes["rid"]?.replace(/^0+/, ""));
    assert.ok(body.rid >= 1 && body.rid <= Number.MAX_SAFE_INTEGER);
    assert.equal(body.type === "continue" ? body.sid : undefined, wrapper.attributes["sid"]);
    if (wrapper.trims) return;
    const { forwarded, answered } = meaningOf(wrapper);
    assert.deepEqual(parseStream(decoder.decode(body.content)).map(canonical), forwarded);
    assert.equal(body.failures.length, answered);
    for (const failure of body.failures) parseXml(failure);
  },
});

fuzz("any bytes are a request of script syntax or refused, and what it forwards is well-formed", {
  target: "bosh_script_bodies",
  inputs: fc.array(bytes, { minLength: 1, maxLength: 4 }),
  check(requests) {
    const assembler = new ContentAssembler(new XmlTokenizer(LIMITS, ASSUMED));
    for (const bytes of requests) {
      const body = readScriptBody(bytes, tokenizer);
      if (body.type === "refused") {
        assertRefusal(body, readWrapper(bytes));
        continue;
      }
      const payloads = payloadsOf(body, assembler);
      // "After a refusal no more": the session is at its end.
      if (payloads.type === "refused") return assert.ok(CONDITIONS.has(payloads.condition));
      parseStream(decoder.decode(payloads.content));
      for (const failure of payloads.failures) parseXml(failure);
    }
  },
});

fuzz("a request means the same when script syntax spreads it over several", {
  target: "bosh_script_pieces",
  inputs: fc.record({
    request: requests,
    places: fc.array(fc.noBias(fc.nat(999_999)), { maxLength: 4 }),
  }),
  check({ request, places }) {
    const bytes = encode(request);
    const body = readBody(bytes, tokenizer);
    if (body.type === "refused") return;
    const whole = readScriptBody(bytes, tokenizer);
    assert.ok(whole.type !== "refused" && whole.octets !== undefined);
    const { startTag, content } = whole.octets;
    const cuts = places.map((place) => Math.floor(place * content.length / 1_000_000));
    const ends = [...cuts.sort((a, b) => a - b), content.length];
    const assembler = new ContentAssembler(new XmlTokenizer(LIMITS, ASSUMED));
    const parts: Uint8Array[] = [];
    const failures: string[] = [];
    for (const [index, end] of ends.entries()) {
      const piece = content.subarray(ends[index - 1] ?? 0, end);
      const payloads = assembler.add({ startTag, content: piece });
      assert.ok(payloads.type === "payloads", `${end}: ${JSON.stringify(payloads)}`);
      parts.push(payloads.content);
      failures.push(...payloads.failures);
    }
    assert.deepEqual(
      parseStream(decoder.decode(concat(...parts))).map(canonical),
      parseStream(decoder.decode(body.content)).map(canonical),
    );
    assert.deepEqual(failures, body.failures);
  },
});

const CONDITIONS = new Set(["bad-request", "policy-violation", "undefined-condition"]);

/** A session that is named is the one that the document names: no other must pay for it. */
function assertRefusal(body: RefusedBody, wrapper: Wrapper | undefined): void {
  assert.ok(CONDITIONS.has(body.condition), body.condition);
  assert.ok(body.reason.length > 0 && body.reason.length < 200);
  if (body.session === undefined) return;
  assert.equal(wrapper?.name, "body");
  assert.equal(body.session.sid, wrapper.attributes["sid"]);
  assert.equal(String(body.session.rid), wrapper.attributes["rid"]?.replace(/^0+/, ""));
}

// ——— What saxes makes of a request

interface Wrapper {
  readonly name: string;
  readonly namespace: string;
  /** Those without a prefix. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Without `xml`. */
  readonly declarations: Readonly<Record<string, string>>;
  /** What lies between its tags, if the document is well-formed. */
  readonly content: string;
  readonly isWhole: boolean;
  /** saxes takes white space from the ends of namespaces, and nobody else does. */
  readonly trims: boolean;
}

/** `undefined`: there is no start tag, or it is broken. */
function readWrapper(bytes: Uint8Array): Wrapper | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch {
    text = new TextDecoder().decode(bytes);
  }
  const parser = new SaxesParser({
    xmlns: true,
    defaultXMLVersion: "1.0",
    forceXMLVersion: true,
    additionalNamespaces: { xmpp: NS.XBOSH },
  });
  let found: Omit<Wrapper, "content" | "isWhole" | "trims"> | undefined;
  let isWhole = true;
  let trims = false;
  let start = 0;
  let isEmpty = false;
  parser.on("error", () => isWhole = false);
  parser.on("attribute", ({ name, prefix, value }) => {
    if ((name === "xmlns" || prefix === "xmlns") && value !== value.trim()) trims = true;
  });
  parser.on("opentag", ({ local, uri, attributes, ns, isSelfClosing }) => {
    if (found !== undefined || !isWhole) return;
    const own = Object.values(attributes).filter(({ prefix }) => prefix === "");
    found = {
      name: local,
      namespace: uri,
      attributes: Object.fromEntries(own.map(({ local, value }) => [local, value])),
      declarations: { ...ns },
    };
    start = parser.position;
    isEmpty = isSelfClosing;
  });
  parser.write(text).close();
  if (found === undefined) return undefined;
  const content = isEmpty ? "" : text.slice(start, text.lastIndexOf("</"));
  return { ...found, content, isWhole, trims };
}

/** What its payloads mean to the server, and how many of them are not the server's business. */
function meaningOf({ content, declarations }: Wrapper) {
  const { "": inherited = "", ...prefixes } = declarations;
  // XEP-0206 §2: stanzas are of the client's namespace, although few clients say so.
  const namespace = inherited === "" || inherited === NS.HTTPBIND ? NS.CLIENT : inherited;
  const known = Object.entries({ xmpp: NS.XBOSH, ...prefixes })
    .filter(([prefix]) => prefix !== "xml" && prefix !== "xmlns");
  const declared = known.map(([prefix, value]) => attribute(`xmlns:${prefix}`, value)).join("");
  const { children } = parseXml(`<x${attribute("xmlns", namespace)}${declared}>${content}</x>`);
  const payloads = children.filter((child) => typeof child !== "string");
  const forwarded = payloads.filter(({ name, namespace }) =>
    !(name === "starttls" && namespace === NS.TLS) &&
    !(name === "compress" && namespace === NS.COMPRESS)
  );
  return { forwarded: forwarded.map(canonical), answered: payloads.length - forwarded.length };
}
