import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { XmlTokenizer } from "../xml/tokenizer.ts";
import { standalone } from "../xml/writer.ts";

/** What a server's `<stream:error/>` says (RFC 6120 §4.9). */
export interface ReceivedError {
  /** The defined condition's name; `undefined-condition` when there is none. */
  readonly condition: string;
  /** A sentence for people, with the server's own text if it sent one. */
  readonly reason: string;
}

const decoder = new TextDecoder();
/** Of the server's text, so much is passed on (characters). */
const TEXT_LENGTH = 200;

/** Reads a stream error; whatever it holds, there is an answer. */
export function readStreamError(error: Payload): ReceivedError {
  const document = standalone(error, NS.CLIENT);
  const tokenizer = new XmlTokenizer({ payloadBytes: document.length, depth: 32, attributes: 128 });
  tokenizer.feed(document);
  let condition = "undefined-condition";
  let text = "";
  for (let item; (item = tokenizer.next());) {
    if (item.type !== "payload" || item.payload.namespace !== NS.STREAM_ERRORS) continue;
    if (item.payload.name === "text") text ||= textOf(item.payload);
    else condition = item.payload.name;
  }
  const said = text === "" ? condition : `${condition}, ${text}`;
  return { condition, reason: `the XMPP server closed the stream: ${said}` };
}

function textOf({ bytes }: Payload): string {
  const source = decoder.decode(bytes);
  const content = source.slice(source.indexOf(">") + 1, Math.max(source.lastIndexOf("</"), 0));
  const text = content.replace(/&(lt|gt|amp|apos|quot);/g, (_, name) => ENTITIES[name] ?? "");
  return text.trim().slice(0, TEXT_LENGTH);
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  apos: "'",
  quot: '"',
};
