import { joined } from "./bytes.ts";
import { type HiddenSasl, isHiddenMechanism } from "./features.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { readPayloads } from "../xml/read_payloads.ts";
import { XmlTokenizer } from "../xml/tokenizer.ts";

/** What a client sends before it is logged in. */
export interface Judged {
  /** What may go to the server. */
  readonly content: Uint8Array;
  /** What the client is answered for the rest. */
  readonly failures: readonly Payload[];
}

/**
 * Takes the attempts to log in by a hidden mechanism out of payloads that stand alone: not to show it
 * is no protection, for a client need not look at what it is shown. RFC 6120 §6.5.7.
 */
export function judgeLogins(content: Uint8Array, hidden: HiddenSasl): Judged {
  const document = joined([STREAM, content]);
  const tokenizer = new XmlTokenizer({
    payloadBytes: document.length,
    depth: Infinity,
    attributes: Infinity,
  });
  tokenizer.feed(document);
  const allowed: Uint8Array[] = [];
  const failures: Payload[] = [];
  let from = STREAM.length;
  for (let item; (item = tokenizer.next());) {
    // All of it was read before; what cannot be judged must not pass.
    if (item.type === "error") throw new Error(`payloads cannot be read: ${item.error.message}`);
    if (item.type !== "payload") continue;
    const { payload, start, end } = item;
    if (!isHiddenMechanism(mechanismOf(payload), hidden)) continue;
    failures.push(...readPayloads(
      `<failure xmlns='${payload.namespace}'><invalid-mechanism xmlns='${NS.SASL}'/></failure>`,
    ));
    allowed.push(document.subarray(from, start));
    from = end;
  }
  if (failures.length === 0) return { content, failures };
  return { content: joined([...allowed, document.subarray(from)]), failures };
}

/** The mechanism that a payload asks for; `""` when it begins no login. */
function mechanismOf({ name, namespace, bytes }: Payload): string {
  const begins = (namespace === NS.SASL && name === "auth") ||
    (namespace === NS.SASL2 && name === "authenticate");
  if (!begins) return "";
  const tokenizer = new XmlTokenizer({
    payloadBytes: bytes.length,
    depth: Infinity,
    attributes: Infinity,
  });
  tokenizer.feed(bytes);
  const element = tokenizer.next();
  return element?.type === "header" ? element.attributes.get("mechanism") ?? "" : "";
}

const STREAM = new TextEncoder().encode(
  `<stream:stream xmlns='${NS.CLIENT}' xmlns:stream='${NS.STREAMS}'>`,
);
