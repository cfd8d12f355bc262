import type { StreamHeader, StreamOpening } from "./c2s.ts";
import { NS } from "../xml/names.ts";
import type { XmlHeader } from "../xml/tokenizer.ts";
import { attribute } from "../xml/writer.ts";

const encoder = new TextEncoder();
/** Characters of all namespaces that a server's header declares; real ones have some hundred. */
const MOST_DECLARED = 2_048;

/** The header of our stream (RFC 6120 §4.7), with the prefix that everybody expects. */
export function headerBytes(opening: StreamOpening, encrypted: boolean): Uint8Array {
  return encoder.encode(
    `<?xml version='1.0'?><stream:stream xmlns='${NS.CLIENT}' xmlns:stream='${NS.STREAMS}'` +
      attribute("to", opening.to) +
      // §4.7.1: who the client is stays private until the stream is encrypted.
      attribute("from", encrypted ? claimedAddress(opening) : undefined) +
      attribute("version", opening.version) +
      attribute("xml:lang", opening.lang) +
      (opening.attributes ?? []).map(([name, value]) => attribute(name, value)).join("") +
      ">",
  );
}

/** What the server says of itself. */
export function readHeader({ attributes }: XmlHeader): StreamHeader {
  return {
    id: attributes.get("id"),
    from: attributes.get("from"),
    lang: attributes.get("lang", NS.XML),
    version: attributes.get("version"),
  };
}

/** Why the server's header is not one of a client's stream, with the stream error that says so. */
export function checkHeader(
  header: XmlHeader,
): { readonly reason: string; readonly condition: string } | undefined {
  if (header.name !== "stream" || header.namespace !== NS.STREAMS) {
    return {
      reason: "the server did not answer with an XMPP stream",
      condition: "invalid-namespace",
    };
  }
  // What a header declares is repeated with every payload that uses it.
  const declared = header.declarations.reduce((sum, { namespace }) => sum + namespace.length, 0);
  if (declared > MOST_DECLARED) {
    return { reason: "the server's stream declares too much", condition: "policy-violation" };
  }
  const content = header.declarations.find(({ prefix }) => prefix === "");
  if (content?.namespace !== NS.CLIENT) {
    return { reason: "the server's stream is not one for clients", condition: "invalid-namespace" };
  }
  // §4.7.5: without a version the server speaks what was before XMPP 1.0 and knows no features.
  if (!/^[1-9][0-9]*\.[0-9]+$/.test(header.attributes.get("version") ?? "")) {
    return {
      reason: "the server does not speak XMPP 1.0",
      condition: "unsupported-version",
    };
  }
  return undefined;
}

/** The bare JID that the client claims, if it is one of the domain: a server refuses any other. */
function claimedAddress({ from, to }: StreamOpening): string | undefined {
  const bare = from?.split("/", 1)[0];
  const domain = bare?.slice(bare.indexOf("@") + 1);
  return domain?.toLowerCase() === to.toLowerCase() ? bare : undefined;
}
