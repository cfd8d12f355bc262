import assert from "node:assert/strict";
import { readFeatures } from "../../../src/protocol/stream/features.ts";
import type { Payload } from "../../../src/protocol/xml/payload.ts";
import { XmlTokenizer } from "../../../src/protocol/xml/tokenizer.ts";

const TLS = "urn:ietf:params:xml:ns:xmpp-tls";
const COMPRESS = "http://jabber.org/features/compress";

/** What becomes of features that a server sends inside a stream with these declarations. */
function read(features: string, declarations = ""): { startTls: boolean; shown: string } {
  const tokenizer = new XmlTokenizer({ payloadBytes: 10_000, depth: 10, attributes: 10 });
  tokenizer.feed(new TextEncoder().encode(
    `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'` +
      `${declarations}>${features}`,
  ));
  let payload: Payload | undefined;
  for (let item; (item = tokenizer.next());) if (item.type === "payload") payload = item.payload;
  assert.ok(payload, "the features are not complete");
  const { startTls, shown } = readFeatures(payload);
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
