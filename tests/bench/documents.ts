/** XML as an upstream's reads bring it, and who reads it beside us: for what measures tokenizers. */
import { SaxesParser } from "saxes";
import SaxLtx from "ltx/src/parsers/ltx.js";
import { XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";

const LIMITS = { payloadBytes: 1 << 20, depth: 100, attributes: 100 };
const TOTAL = 1 << 20;
const CHUNK = 4096;

const HEADER = "<stream:stream xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='example.org' version='1.0'>";

/** Stanzas of some 300 bytes. */
export const STANZAS = "stanzas of 300 bytes";

const DOCUMENTS: Readonly<Record<string, readonly string[]>> = {
  [STANZAS]: [
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

/** About a MiB of each kind, in chunks of 4 KiB. */
export const documents: ReadonlyMap<string, readonly Uint8Array[]> = new Map(
  Object.entries(DOCUMENTS).map(([name, stanzas]) => [name, chunksOf(stanzas)]),
);

/** How each reads all of a document. */
export const readers: Readonly<Record<string, (chunks: readonly Uint8Array[]) => void>> = {
  ours(chunks) {
    const tokenizer = new XmlTokenizer(LIMITS);
    for (const chunk of chunks) {
      tokenizer.feed(chunk);
      for (let item; (item = tokenizer.next()) !== undefined;) {
        if (item.type === "error") throw new Error(item.error.message);
      }
    }
  },
  saxes(chunks) {
    const parser = new SaxesParser({ xmlns: true });
    const decoder = new TextDecoder();
    parser.on("error", (error) => {
      throw error;
    });
    for (const chunk of chunks) parser.write(decoder.decode(chunk, { stream: true }));
  },
  /** As @xmpp/client has it, without the tree that it makes. It checks next to nothing. */
  ltx(chunks) {
    const parser = new SaxLtx();
    const decoder = new TextDecoder();
    parser.on("error", (error: Error) => {
      throw error;
    });
    for (const chunk of chunks) parser.write(decoder.decode(chunk, { stream: true }));
  },
};

function chunksOf(stanzas: readonly string[]): Uint8Array[] {
  let text = HEADER;
  for (let n = 0; text.length < TOTAL; n++) text += stanzas[n % stanzas.length];
  const bytes = new TextEncoder().encode(text);
  const chunks = [];
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(bytes.slice(at, at + CHUNK));
  return chunks;
}
