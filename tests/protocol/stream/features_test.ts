import assert from "node:assert/strict";
import { type HiddenSasl, readFeatures } from "../../../src/protocol/stream/features.ts";
import type { Payload } from "../../../src/protocol/xml/payload.ts";
import { XmlTokenizer } from "../../../src/protocol/xml/tokenizer.ts";

const TLS = "urn:ietf:params:xml:ns:xmpp-tls";
const COMPRESS = "http://jabber.org/features/compress";

/** What becomes of features that a server sends inside a stream with these declarations. */
function read(
  features: string,
  declarations = "",
  hidden?: HiddenSasl,
): { startTls: boolean; shown: string } {
  const tokenizer = new XmlTokenizer({ payloadBytes: 10_000, depth: 10, attributes: 10 });
  tokenizer.feed(new TextEncoder().encode(
    `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'` +
      `${declarations}>${features}`,
  ));
  let payload: Payload | undefined;
  for (let item; (item = tokenizer.next());) if (item.type === "payload") payload = item.payload;
  assert.ok(payload, "the features are not complete");
  const { startTls, shown } = readFeatures(payload, hidden);
  assert.equal(shown.name, "features");
  assert.equal(shown.nameEnd, payload.nameEnd);
  return { startTls, shown: new TextDecoder().decode(shown.bytes) };
}

Deno.test("X-006 STARTTLS and compression are hidden, everything else stays byte for byte", () => {
  const before = ` \n<mechanisms  xmlns="urn:ietf:params:xml:ns:xmpp-sasl"\n><mechanism>PLAIN` +
    `</mechanism></mechanisms >\t`;
  const after = `<sm xmlns='urn:xmpp:sm:3'>é&#233;</sm>`;
  assert.deepEqual(
    read(
      `<stream:features a='1' >${before}<starttls xmlns='${TLS}'><required/></starttls>${after}` +
        `<compression xmlns='${COMPRESS}'><method>zlib</method></compression></stream:features>`,
    ),
    { startTls: true, shown: `<stream:features a='1' >${before}${after}</stream:features>` },
  );
});

Deno.test("X-006 STARTTLS is known by its namespace, whatever the prefix and wherever declared", () => {
  for (
    const [child, declarations] of [
      [`<t:starttls xmlns:t='${TLS}'/>`, ""],
      [`<t:starttls/>`, ` xmlns:t='${TLS}'`],
      [`<starttls xmlns='${TLS}'></starttls>`, ""],
    ] as const
  ) {
    assert.deepEqual(read(`<stream:features>${child}<a/></stream:features>`, declarations), {
      startTls: true,
      shown: "<stream:features><a/></stream:features>",
    });
  }
  assert.deepEqual(
    read(
      `<features xmlns='http://etherx.jabber.org/streams'><starttls xmlns='${TLS}'/></features>`,
    ),
    { startTls: true, shown: "<features xmlns='http://etherx.jabber.org/streams'></features>" },
  );
});

Deno.test("X-006 what merely resembles STARTTLS and compression stays", () => {
  const features = `<stream:features><starttls/><compression/><x xmlns='urn:x'>` +
    `<starttls xmlns='${TLS}'/></x><other xmlns='${TLS}'/></stream:features>`;
  assert.deepEqual(read(features), { startTls: false, shown: features });
});

Deno.test("U-025 SASL mechanisms and channel bindings pass unchanged", () => {
  const features = `<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>` +
    `<mechanism>SCRAM-SHA-1-PLUS</mechanism></mechanisms><sasl-channel-binding ` +
    `xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding>` +
    `</stream:features>`;
  assert.deepEqual(read(features), { startTls: false, shown: features });
});

Deno.test("empty features stay empty", () => {
  assert.deepEqual(read("<stream:features/>"), { startTls: false, shown: "<stream:features/>" });
});

const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
const SASL2 = "urn:xmpp:sasl:2";
const BINDING = "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>" +
  "<channel-binding type='tls-exporter'/></sasl-channel-binding>";

/** Features as Prosody has them, with both ways to log in. */
function features(list: string, binding: string): string {
  return `<stream:features><mechanisms xmlns='${SASL}'>${list}</mechanisms>` +
    `<authentication xmlns="${SASL2}">${list}<inline><bind xmlns='urn:xmpp:bind:0'/></inline>` +
    `</authentication>${binding}<hostname xmlns='urn:xmpp:domain-based-name:1'>x</hostname></stream:features>`;
}

const PLUS =
  `<mechanism a=">">\n SCRAM-SHA-256-PLUS\t</mechanism><mechanism>SCRAM-SHA-1-PLUS</mechanism>`;
const PLAIN = "<mechanism>SCRAM-SHA-1</mechanism> <mechanism >PLAIN</mechanism>";

Deno.test("U-025 SASL features pass unchanged unless channel binding is hidden, and then all of it", () => {
  const offered = features(PLUS + PLAIN, BINDING);
  assert.equal(read(offered).shown, offered);
  const other = { channelBinding: false, mechanisms: ["EXTERNAL"] };
  assert.equal(read(offered, "", other).shown, offered);
  const hidden = { channelBinding: true, mechanisms: [] };
  assert.equal(read(offered, "", hidden).shown, features(PLAIN, ""));
  const nothing = features(PLAIN, "");
  assert.equal(read(nothing, "", hidden).shown, nothing);
});

Deno.test("U-025 the list of binding types is hidden inside of <authentication/> too", () => {
  const offer = (inner: string) =>
    `<stream:features><authentication xmlns='${SASL2}'>${inner}</authentication></stream:features>`;
  const hidden = { channelBinding: true, mechanisms: [] };
  assert.equal(read(offer(BINDING), "", hidden).shown, offer(""));
});

Deno.test("U-030 S-012 single mechanisms are hidden by their whole name, whatever the prefix", () => {
  const hidden = { channelBinding: false, mechanisms: ["ANONYMOUS", "EXTERNAL"] };
  const offer = (...names: string[]) =>
    `<stream:features><s:mechanisms>${
      names.map((name) => `<s:mechanism>${name}</s:mechanism>`).join("")
    }</s:mechanisms></stream:features>`;
  const declared = ` xmlns:s='${SASL}'`;
  const all = offer("ANONYMOUS", "X-ANONYMOUS", "EXTERNAL", "EXTERNAL-PLUS", "&#65;NONYMOUS");
  assert.equal(read(all, declared, hidden).shown, offer("X-ANONYMOUS"));
  const elsewhere =
    "<stream:features><x xmlns='urn:x'><mechanism>ANONYMOUS</mechanism></x></stream:features>";
  assert.equal(read(elsewhere, "", hidden).shown, elsewhere);
});

Deno.test("X-006 what stands behind text among the features is not shown, for it cannot be judged", () => {
  const hidden = { channelBinding: true, mechanisms: ["ANONYMOUS"] };
  const mechanisms = (content: string) =>
    `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${content}</mechanisms>`;
  for (const text of ["x", "&#32;", "<![CDATA[]]>"]) {
    const features = `<a/>${text}<compression xmlns='${COMPRESS}'/>`;
    assert.deepEqual(read(`<stream:features>${features}</stream:features>`), {
      startTls: false,
      shown: "<stream:features><a/></stream:features>",
    });
    const offered = `<mechanism>PLAIN</mechanism>${text}<mechanism>ANONYMOUS</mechanism>`;
    assert.equal(
      read(`<stream:features>${mechanisms(offered)}<b/></stream:features>`, "", hidden).shown,
      `<stream:features>${mechanisms("<mechanism>PLAIN</mechanism>")}<b/></stream:features>`,
    );
  }
});

Deno.test("U-030 S-012 a mechanism that has children is hidden where any is", () => {
  const offers = "<mechanism><a/>ANONYMOUS</mechanism><mechanism>AN<a/>ONYMOUS</mechanism>";
  const mechanisms = (content: string) =>
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" +
    `${content}<mechanism>PLAIN</mechanism></mechanisms></stream:features>`;
  const hidden = { channelBinding: false, mechanisms: ["ANONYMOUS"] };
  assert.equal(read(mechanisms(offers), "", hidden).shown, mechanisms(""));
  assert.equal(read(mechanisms(offers)).shown, mechanisms(offers));
});
