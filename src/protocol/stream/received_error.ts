import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { textContent } from "../xml/text.ts";
import { XmlTokenizer } from "../xml/tokenizer.ts";
import { standalone } from "../xml/writer.ts";

/** What a server's `<stream:error/>` says (RFC 6120 §4.9). */
export interface ReceivedError {
  /** The defined condition's name; `undefined-condition` when there is none. */
  readonly condition: string;
  /** A sentence for people, with the server's own text if it sent one. */
  readonly reason: string;
  /** Of `see-other-host`: the host, with or without a port, as the server wrote it (§4.9.3.19). */
  readonly otherHost: string | undefined;
}

/** Of the server's text, so much is passed on (characters). */
const TEXT_LENGTH = 200;
/** The longest defined condition has 24 (characters); a server may make up others. */
const NAME_LENGTH = 64;

/** Reads a stream error; whatever it holds, there is an answer. */
export function readStreamError(error: Payload): ReceivedError {
  const document = standalone(error, NS.CLIENT);
  const tokenizer = new XmlTokenizer({ payloadBytes: document.length, depth: 32, attributes: 128 });
  tokenizer.feed(document);
  let condition = "undefined-condition";
  let text = "";
  let otherHost: string | undefined;
  for (let item; (item = tokenizer.next());) {
    if (item.type !== "payload" || item.payload.namespace !== NS.STREAM_ERRORS) continue;
    const content = textContent(item.payload.bytes)?.slice(0, TEXT_LENGTH) ?? "";
    if (item.payload.name === "text") {
      text ||= content;
    } else {
      condition = item.payload.name.slice(0, NAME_LENGTH);
      if (condition === "see-other-host") otherHost = content || undefined;
    }
  }
  const said = text === "" ? condition : `${condition}, ${text}`;
  return { condition, reason: `the XMPP server closed the stream: ${said}`, otherHost };
}
