import { NS } from "./names.ts";
import type { Payload } from "./payload.ts";
import { XmlTokenizer } from "./tokenizer.ts";

/**
 * The payloads that a text holds, as a server would send them in a client's stream: those without a
 * namespace are in `jabber:client`, and the prefix `stream` is bound. For connectors that make up
 * what they deliver; what comes off the network is read by {@link XmlTokenizer} as it arrives.
 *
 * @throws {SyntaxError} the text is not a row of complete elements that XMPP allows (RFC 6120 §11.1)
 */
export function readPayloads(xml: string): Payload[] {
  const bytes = encoder.encode(`${STREAM}${xml}</stream:stream>`);
  const tokenizer = new XmlTokenizer({
    payloadBytes: bytes.length + 1,
    depth: Infinity,
    attributes: Infinity,
  });
  tokenizer.feed(bytes);
  const payloads: Payload[] = [];
  for (;;) {
    const item = tokenizer.next();
    switch (item?.type) {
      case "payload":
        payloads.push(item.payload);
        break;
      case "header":
        break;
      case "end":
        if (item.end === bytes.length) return payloads;
        throw new SyntaxError("Cannot read payloads: an end tag stands where none is open");
      case "error":
        throw new SyntaxError(`Cannot read payloads: ${item.error.message}`);
      case undefined:
        throw new SyntaxError("Cannot read payloads: the last one does not end");
    }
  }
}

const encoder = new TextEncoder();
const STREAM = `<stream:stream xmlns='${NS.CLIENT}' xmlns:stream='${NS.STREAMS}'>`;
