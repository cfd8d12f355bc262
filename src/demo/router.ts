import { contactsOf } from "./accounts.ts";
import { childOf, type Element, element, textOf, withAttributes } from "./element.ts";
import { bareJid, DOMAIN, parseJid } from "./jid.ts";
import { NS } from "../protocol/xml/names.ts";
import { answer } from "./services.ts";
import { errorFor, isAnswer, type StanzaCondition } from "./stanzas.ts";

/** The connection of a session, as the router sees it. Neither call throws or waits. */
export interface Client {
  deliver(stanza: Element): void;
  /** Closes the stream with a stream error. */
  end(condition: "conflict"): void;
}

/** One bound resource. */
export class Session {
  readonly local: string;
  readonly resource: string;
  readonly client: Client;
  /** The last available presence that it broadcast; `undefined` while it is unavailable. */
  presence: Element | undefined;
  /** Those who were told of its presence by name, and must be told when it goes. */
  readonly directed = new Set<string>();

  constructor(local: string, resource: string, client: Client) {
    this.local = local;
    this.resource = resource;
    this.client = client;
  }

  get jid(): string {
    return `${bareJid(this.local)}/${this.resource}`;
  }
}

/** Names that a session may direct presence to before it has to make do without the goodbye. */
const MAX_DIRECTED = 100;

/** Knows who is there, and brings stanzas to them (RFC 6121 §8, RFC 6120 §10). */
export class Router {
  /** Sessions by local part, then by resource. */
  readonly #sessions = new Map<string, Map<string, Session>>();

  /**
   * Binds a resource; a session that already has it must give way. RFC 6120 §7.7.2.2
   * leaves the choice to the server, and to a client that reconnects the old one is dead.
   */
  bind(local: string, resource: string, client: Client): Session {
    const old = this.#sessions.get(local)?.get(resource);
    if (old !== undefined) {
      this.unbind(old);
      old.client.end("conflict");
    }
    const session = new Session(local, resource, client);
    let resources = this.#sessions.get(local);
    if (resources === undefined) this.#sessions.set(local, resources = new Map());
    resources.set(resource, session);
    return session;
  }

  /** Forgets a session and tells those who saw it; doing so twice is harmless. */
  unbind(session: Session): void {
    const resources = this.#sessions.get(session.local);
    if (resources?.get(session.resource) !== session) return;
    resources.delete(session.resource);
    if (resources.size === 0) this.#sessions.delete(session.local);
    this.#leave(session, presence("unavailable"));
  }

  /** Takes a stanza from a session to wherever it belongs. */
  route(session: Session, received: Element): void {
    // RFC 6120 §8.1.2.1: the server stamps the sender's full JID, whatever the client wrote.
    const stanza = withAttributes(received, { from: session.jid });
    switch (stanza.name) {
      case "message":
        return this.#message(session, stanza);
      case "presence":
        return this.#presence(session, stanza);
      default:
        return this.#iq(session, stanza);
    }
  }

  #message(session: Session, stanza: Element): void {
    // RFC 6121 §8.1.1.1: without an address it is for the sender's own account.
    const to = this.#addressee(session, stanza);
    if (typeof to === "string") return refuse(session, stanza, to);
    const type = stanza.attributes.get("type") ?? "normal";
    const exact = to.resource === "" ? undefined : this.#session(to.local, to.resource);
    if (exact !== undefined) return exact.client.deliver(stanza);
    // RFC 6121 §8.5: what is meant for the person reaches every resource that is willing to
    // have it, also when the resource that was named has gone.
    const willing = type === "groupchat" || type === "error"
      ? []
      : this.#available(to.local).filter(isWilling);
    for (const each of willing) each.client.deliver(stanza);
    if (willing.length === 0 && type !== "headline") refuse(session, stanza, "service-unavailable");
  }

  #iq(session: Session, stanza: Element): void {
    const type = stanza.attributes.get("type");
    const isRequest = type === "get" || type === "set";
    const hasId = stanza.attributes.has("id");
    if (!hasId || !(isRequest || isAnswer(stanza))) return refuse(session, stanza, "bad-request");
    const to = this.#addressee(session, stanza);
    if (typeof to === "string") return refuse(session, stanza, to);
    if (to.resource !== "") {
      const exact = this.#session(to.local, to.resource);
      if (exact !== undefined) exact.client.deliver(stanza);
      else refuse(session, stanza, "service-unavailable");
    } else if (!isRequest) {
      return;
    } else if (to.local === "" || to.local === session.local) {
      session.client.deliver(answer(stanza, session.local));
    } else refuse(session, stanza, "service-unavailable");
  }

  #presence(session: Session, stanza: Element): void {
    const type = stanza.attributes.get("type");
    if (stanza.attributes.has("to")) return this.#directedPresence(session, stanza, type);
    if (type === "unavailable") return this.#leave(session, stanza);
    if (type !== undefined) return;
    const isNew = session.presence === undefined;
    session.presence = stanza;
    const audience = this.#audience(session);
    for (const each of audience) tell(each, stanza);
    if (!isNew) return;
    // RFC 6121 §4.2.2: initial presence makes the server probe on the client's behalf.
    for (const each of audience) {
      if (each !== session && each.presence !== undefined) tell(session, each.presence);
    }
  }

  #directedPresence(session: Session, stanza: Element, type: string | undefined): void {
    const to = this.#addressee(session, stanza);
    if (typeof to === "string") return refuse(session, stanza, to);
    if (type === "probe") {
      if (to.local !== session.local && !contactsOf(session.local).includes(to.local)) return;
      for (const { presence } of this.#available(to.local)) {
        if (presence !== undefined) tell(session, presence);
      }
      return;
    }
    // The rosters are fixed: who asks to subscribe is either subscribed already or never will be.
    if (type !== undefined && type !== "unavailable") return;
    const name = stanza.attributes.get("to") ?? "";
    if (type === "unavailable") session.directed.delete(name);
    else if (session.directed.size < MAX_DIRECTED) session.directed.add(name);
    for (const each of this.#addressed(name)) each.client.deliver(stanza);
  }

  /** RFC 6121 §4.5.2 and §4.6.3: those who saw it come hear that it goes. */
  #leave(session: Session, goodbye: Element): void {
    const stanza = withAttributes(goodbye, { from: session.jid });
    const audience = new Set(session.presence === undefined ? [] : this.#audience(session));
    for (const name of session.directed) {
      for (const each of this.#addressed(name)) audience.add(each);
    }
    session.presence = undefined;
    session.directed.clear();
    for (const each of audience) tell(each, stanza);
  }

  /** Available resources of the account and of its contacts. */
  #audience(session: Session): Session[] {
    return [session.local, ...contactsOf(session.local)].flatMap((local) => this.#available(local));
  }

  #available(local: string): Session[] {
    return [...this.#sessions.get(local)?.values() ?? []].filter((each) =>
      each.presence !== undefined
    );
  }

  #addressed(name: string): Session[] {
    const to = parseJid(name);
    if (to === undefined || to.domain !== DOMAIN) return [];
    if (to.resource === "") return this.#available(to.local);
    const exact = this.#session(to.local, to.resource);
    return exact === undefined ? [] : [exact];
  }

  #session(local: string, resource: string): Session | undefined {
    return this.#sessions.get(local)?.get(resource);
  }

  /** Whom a stanza is for, or why it is for nobody. */
  #addressee(
    session: Session,
    stanza: Element,
  ): { readonly local: string; readonly resource: string } | StanzaCondition {
    const to = stanza.attributes.get("to");
    if (to === undefined) return { local: session.local, resource: "" };
    const jid = parseJid(to);
    if (jid === undefined) return "jid-malformed";
    return jid.domain === DOMAIN ? jid : "remote-server-not-found";
  }
}

function refuse(session: Session, stanza: Element, condition: StanzaCondition): void {
  if (!isAnswer(stanza)) session.client.deliver(errorFor(stanza, condition));
}

function tell(session: Session, stanza: Element): void {
  session.client.deliver(withAttributes(stanza, { to: session.jid }));
}

function presence(type: string): Element {
  return element("presence", NS.CLIENT, { type });
}

/** RFC 6121 §8.5.2.1.1: a resource of negative priority gets nothing that is for the bare JID. */
function isWilling({ presence }: Session): boolean {
  const priority = presence && childOf(presence, "priority", NS.CLIENT);
  return priority === undefined || !(Number(textOf(priority)) < 0);
}
