import { contactsOf } from "./accounts.ts";
import { type Element, element, elements } from "./element.ts";
import { bareJid } from "./jid.ts";
import { errorFor, resultFor } from "./stanzas.ts";

const ROSTER = "jabber:iq:roster";
const SESSION = "urn:ietf:params:xml:ns:xmpp-session";
const PING = "urn:xmpp:ping";
const DISCO_INFO = "http://jabber.org/protocol/disco#info";
const DISCO_ITEMS = "http://jabber.org/protocol/disco#items";

/** Answers an iq request that the server itself, or the account it came from, is asked. */
export function answer(iq: Element, local: string): Element {
  const [query, ...more] = elements(iq);
  // RFC 6120 §8.2.3: a request has exactly one child.
  if (query === undefined || more.length > 0) return errorFor(iq, "bad-request");
  const set = iq.attributes.get("type") === "set";
  switch (query.namespace) {
    case ROSTER:
      // What the friends of a demo are is not for its users to change.
      return set ? errorFor(iq, "not-allowed") : resultFor(iq, roster(local));
    case SESSION:
      // RFC 3921 §3, which clients of its time still send.
      return resultFor(iq);
    case PING:
      return resultFor(iq);
    case DISCO_INFO:
      return disco(iq, query, [
        element("identity", DISCO_INFO, { category: "server", type: "im", name: "Causeway demo" }),
        ...[DISCO_INFO, DISCO_ITEMS, PING, ROSTER].map((feature) =>
          element("feature", DISCO_INFO, { var: feature })
        ),
      ]);
    case DISCO_ITEMS:
      return disco(iq, query, []);
    default:
      return errorFor(iq, "service-unavailable");
  }
}

function roster(local: string): Element {
  return element(
    "query",
    ROSTER,
    {},
    ...contactsOf(local).map((contact) =>
      element("item", ROSTER, { jid: bareJid(contact), name: contact, subscription: "both" })
    ),
  );
}

function disco(iq: Element, query: Element, children: readonly Element[]): Element {
  // XEP-0030 §3.2: there are no nodes here, and saying so is better than answering for the server.
  if (query.attributes.has("node")) return errorFor(iq, "item-not-found");
  return resultFor(iq, element("query", query.namespace, {}, ...children));
}
