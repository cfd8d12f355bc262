/*
 * Invariant: any bytes of a WebSocket message are read or refused, never an exception; and what is
 * forwarded is one element that means in a client's stream what it meant alone (as saxes reads it).
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readMessage } from "../../src/protocol/websocket/framing.ts";
import { errorMessage } from "../../src/protocol/websocket/messages.ts";
import { NS } from "../../src/protocol/xml/names.ts";
import { XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";
import { fuzz } from "../support/fuzz_corpus.ts";
import { encode, mutants, NOT_UTF8, soups } from "../support/fuzz_inputs.ts";
import { documents } from "../support/xml_documents.ts";
import { canonical, hasPaddedNamespace, parseStream, parseXml } from "../support/xml_element.ts";

const tokenizer = new XmlTokenizer({ payloadBytes: 10_000, depth: 30, attributes: 30 });
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const START_TAG = `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.STREAMS}' ` +
  "to='example.test' from='a@example.test' xml:lang='en' version='1.0'>";
const MESSAGES = [
  `<open xmlns='${NS.FRAMING}' to='example.test' version='1.0'/>`,
  `<open xmlns="${NS.FRAMING}" to="" xml:lang="en" from="a@b">x</open>`,
  `<f:open xmlns:f='${NS.FRAMING}' to='example.test'/>`,
  `<close xmlns='${NS.FRAMING}' see-other-uri='wss://x'/>`,
  "<open xmlns='jabber:client'/>",
  START_TAG,
  START_TAG.replace(">", "/>"),
  START_TAG.replace("jabber:client", "jabber:server"),
  `${START_TAG}</stream:stream>`,
  "</stream:stream>",
  "</stream:stream \n>",
  "<message xmlns='jabber:client' to='a@b'><body>&lt;é</body></message>",
  "<message><a xmlns=''><b xml:lang='x'/></a></message>",
  "<p:a xmlns:p='urn:p' p:b=''><c/></p:a>",
  `<starttls xmlns='${NS.TLS}'/>`,
  `<compress xmlns='${NS.COMPRESS}'/>`,
  `<stream:features xmlns:stream='${NS.STREAMS}'/>`,
  "<stream:error/>",
  "<a/><b/>",
  "<a></a></stream>",
  "</stream>",
  "text",
  " ",
  "",
];
const BITS = [
  ...MESSAGES,
  ...[
    "<?xml version='1.0'?>",
    "<?xml version='1.0' encoding='latin1'?>",
    "<?xml",
    "?>",
    "\ufeff",
    " ",
  ],
  ...[
    "<",
    ">",
    "/>",
    "</",
    "'",
    '"',
    "&",
    "=",
    ":",
    "p:",
    " xmlns='u'",
    " xmlns:p='u'",
    "<!--",
    "-->",
  ],
  ...["<![CDATA[", "]]>", "&x;", "&#0;", "\0", "\n", ` xmlns='${NS.FRAMING}'`, "stream:stream"],
].map(encode).concat(NOT_UTF8);

const before = fc.constantFrom(
  "",
  "",
  "",
  "<?xml version='1.0'?>",
  "<?xml version='1.0'?>\n",
  "\n",
);
const messages = fc.tuple(
  before,
  fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...MESSAGES) }, documents()),
  fc.constantFrom("", "", "", "\n", " "),
).map((parts) => encode(parts.join("")));

fuzz("any bytes are a WebSocket message or refused, and one is forwarded as what it is", {
  target: "websocket_stanzas",
  inputs: fc.oneof(
    { weight: 3, arbitrary: messages },
    { weight: 6, arbitrary: mutants(messages, BITS) },
    { weight: 1, arbitrary: soups(BITS, 10) },
  ),
  runs: 2000,
  check(bytes) {
    const message = readMessage(bytes, tokenizer);
    if (message.type === "refused") {
      parseXml(decoder.decode(errorMessage(message.condition, message.reason)));
      return;
    }
    const text = decoder.decode(bytes);
    const alone = text.replace(/^<\?xml[ \t\r\n][^>]*>/, "");
    switch (message.type) {
      case "blank":
        assert.match(text, /^[ \t\r\n]+$/);
        return;
      case "close":
        if (message.framing === "draft") assert.match(alone.trim(), /^<\/stream:stream\s*>$/);
        else assert.deepEqual(nameOf(alone), [NS.FRAMING, "close"]);
        return;
      case "open": {
        const isDraft = message.framing === "draft";
        const whole = isDraft && !message.isEmpty ? `${alone}</stream:stream>` : alone;
        const name = isDraft ? [NS.STREAMS, "stream"] : [NS.FRAMING, "open"];
        assert.deepEqual(nameOf(whole), name);
        const { attributes } = parseXml(whole);
        assert.equal(message.to ?? "", attributes.get("to")?.value ?? "");
        assert.equal(message.from ?? "", attributes.get("from")?.value ?? "");
        assert.equal(message.lang ?? "", attributes.get("xml:lang")?.value ?? "");
        assert.equal(message.version, attributes.get("version")?.value);
        return;
      }
      case "answer":
        parseXml(message.failure);
        assert.ok(
          [`${NS.TLS} starttls`, `${NS.COMPRESS} compress`].includes(nameOf(alone).join(" ")),
        );
        return;
      case "payload": {
        if (hasPaddedNamespace(text)) return;
        // In the client's stream it is where it was: in jabber:client, unless it says otherwise.
        const [meant] = parseXml(`<x xmlns='jabber:client'>${alone}</x>`).children
          .filter((child) => typeof child !== "string");
        const [sent, ...more] = parseStream(decoder.decode(message.content));
        assert.deepEqual(more, []);
        assert.equal(canonical(sent!), canonical(meant!));
        assert.deepEqual([message.payload.namespace, message.payload.name], [
          sent!.namespace,
          sent!.name,
        ]);
        return;
      }
      default:
        message satisfies never;
    }
  },
});

function nameOf(text: string): string[] {
  const { namespace, name } = parseXml(text);
  return [namespace, name];
}
