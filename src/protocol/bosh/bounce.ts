import type { Outgoing } from "./response.ts";
import type { SessionStream } from "./streams.ts";
import { NS } from "../xml/names.ts";
import type { Payload } from "../xml/payload.ts";
import { XmlTokenizer } from "../xml/tokenizer.ts";
import { attribute, standalone } from "../xml/writer.ts";

const encoder = new TextEncoder();

/**
 * What a stream's server is sent for the stanzas that the client never got (XEP-0206 §7). With
 * stream management it knows of them, and takes care of them itself.
 */
export function returnsFor(
  stream: SessionStream,
  undelivered: readonly { readonly stream: string; readonly out: Outgoing }[],
): Uint8Array {
  if (stream.hasStreamManagement) return new Uint8Array(0);
  const ours = undelivered.filter((entry) => entry.stream === stream.name);
  return encoder.encode(ours.map(({ out }) => bounce(out.payload) ?? "").join(""));
}

/**
 * What a stanza that never reached its client is answered with (XEP-0206 §7); `undefined` for
 * stanzas that are not answered: presence, errors, results, and what was sent to many.
 */
function bounce(payload: Payload): string | undefined {
  const { name, namespace } = payload;
  if (namespace !== NS.CLIENT || (name !== "iq" && name !== "message")) return undefined;
  const document = standalone(payload, NS.CLIENT);
  const tokenizer = new XmlTokenizer({
    payloadBytes: document.length,
    depth: 2,
    attributes: 128,
  });
  tokenizer.feed(document);
  const stanza = tokenizer.next();
  if (stanza?.type !== "header") return undefined;
  const { attributes } = stanza;
  const sender = attributes.get("from");
  if (sender === undefined) return undefined;
  const type = attributes.get("type");
  const answered = name === "iq"
    ? type === "get" || type === "set"
    : type === undefined || type === "normal" || type === "chat";
  if (!answered) return undefined;
  // RFC 6120 §8.3.2: `cancel` is "do not retry", `wait` is "retry after waiting".
  const error = name === "iq"
    ? `<error type='cancel'><service-unavailable xmlns='${NS.STANZA_ERRORS}'/></error>`
    : `<error type='wait'><recipient-unavailable xmlns='${NS.STANZA_ERRORS}'/></error>`;
  return `<${name} xmlns='${NS.CLIENT}' type='error'${attribute("id", attributes.get("id"))}` +
    `${attribute("to", sender)}>${error}</${name}>`;
}
