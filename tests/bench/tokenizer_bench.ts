/*
 * How fast XML goes through: stanzas of some 300 bytes in chunks of 4 KiB, as an upstream's
 * reads bring them, and text-heavy and tag-heavy ones beside them. saxes is the yardstick.
 */
import { SaxesParser } from "saxes";
import { XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";

const LIMITS = { payloadBytes: 1 << 20, depth: 100, attributes: 100 };
const TOTAL = 1 << 20;
const CHUNK = 4096;

const HEADER = "<stream:stream xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='example.org' version='1.0'>";

const DOCUMENTS = {
  "stanzas of 300 bytes": [
    "<message from='juliet@example.org/balcony' to='romeo@example.net/orchard' id='ktx72v49' " +
    "type='chat' xml:lang='en'><body>Art thou not Romeo, and a Montague?</body>" +
    "<active xmlns='http://jabber.org/protocol/chatstates'/>" +
    "<request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='de305d54'/></message>",
    "<iq from='romeo@example.net/orchard' to='juliet@example.org/balcony' id='info1' type='result'>" +
    "<query xmlns='http://jabber.org/protocol/disco#info'>" +
    "<identity category='client' type='pc' name='Gajim'/>" +
    "<feature var='http://jabber.org/protocol/muc'/><feature var='jabber:iq:time'/></query></iq>",
    "<presence from='romeo@example.net/orchard' to='juliet@example.org/balcony' id='p4'>" +
    "<show>away</show><status>be right back &amp; then some</status><priority>5</priority>" +
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://gajim.org' " +
    "ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>",
  ],
  "base64 of 16 KiB": [
    `<iq type='result' id='v1'><vCard xmlns='vcard-temp'><PHOTO><BINVAL>${
      "iVBORw0KGgoAAAANSUhEUgAA".repeat(683)
    }</BINVAL></PHOTO></vCard></iq>`,
  ],
  "Cyrillic text": [
    `<message to='a@b'><body>${
      "Съешь ещё этих мягких французских булок. ".repeat(5)
    }</body></message>`,
  ],
};

for (const [name, stanzas] of Object.entries(DOCUMENTS)) {
  const chunks = chunksOf(stanzas);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const group = `${name}, ${bytes} bytes`;
  Deno.bench({ name: `tokenizer: ${name}`, group, baseline: true, fn: () => tokenize(chunks) });
  Deno.bench({ name: `saxes: ${name}`, group, fn: () => parse(chunks) });
}

function tokenize(chunks: readonly Uint8Array[]): void {
  const tokenizer = new XmlTokenizer(LIMITS);
  for (const chunk of chunks) {
    tokenizer.feed(chunk);
    for (let item; (item = tokenizer.next()) !== undefined;) {
      if (item.type === "error") throw new Error(item.error.message);
    }
  }
}

function parse(chunks: readonly Uint8Array[]): void {
  const parser = new SaxesParser({ xmlns: true });
  const decoder = new TextDecoder();
  parser.on("error", (error) => {
    throw error;
  });
  for (const chunk of chunks) parser.write(decoder.decode(chunk, { stream: true }));
}

function chunksOf(stanzas: readonly string[]): Uint8Array[] {
  let text = HEADER;
  for (let n = 0; text.length < TOTAL; n++) text += stanzas[n % stanzas.length];
  const bytes = new TextEncoder().encode(text);
  const chunks = [];
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(bytes.slice(at, at + CHUNK));
  return chunks;
}
