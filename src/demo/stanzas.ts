import { NS } from "../protocol/xml/names.ts";
import { type Element, element } from "./element.ts";

/** RFC 6120 §8.3.3, as far as this server has a use for them, each with its type (§8.3.2). */
const ERROR_TYPES = {
  "bad-request": "modify",
  "forbidden": "auth",
  "item-not-found": "cancel",
  "jid-malformed": "modify",
  "not-allowed": "cancel",
  "remote-server-not-found": "cancel",
  "service-unavailable": "cancel",
} as const;

export type StanzaCondition = keyof typeof ERROR_TYPES;

/** Whether the stanza is an answer, which must never be answered by an error (RFC 6120 §8.3.1). */
export function isAnswer(stanza: Element): boolean {
  const type = stanza.attributes.get("type");
  return type === "error" || (stanza.name === "iq" && type === "result");
}

/** The answer that says why a stanza came to nothing. */
export function errorFor(stanza: Element, condition: StanzaCondition): Element {
  return reply(
    stanza,
    "error",
    element(
      "error",
      NS.CLIENT,
      { type: ERROR_TYPES[condition] },
      element(condition, "urn:ietf:params:xml:ns:xmpp-stanzas"),
    ),
  );
}

/** The answer to a request that was granted. */
export function resultFor(iq: Element, ...payload: Element[]): Element {
  return reply(iq, "result", ...payload);
}

/** RFC 6120 §8.1.3 and §8.2.3: an answer has the same id, and the addresses change places. */
function reply(stanza: Element, type: string, ...payload: Element[]): Element {
  const { attributes, name } = stanza;
  return element(
    name,
    NS.CLIENT,
    { type, id: attributes.get("id"), from: attributes.get("to"), to: attributes.get("from") },
    ...payload,
  );
}
