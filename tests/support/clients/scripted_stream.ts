import { Inbox, patiently } from "../patience.ts";
import { auth, response, saslData, scramAnswer } from "../raw_client.ts";
import type { XmlElement } from "../xml_element.ts";
import { type ChatMessage, type Credentials, LoginError, type Presence } from "./client.ts";

/** How an XMPP stream reaches its server. */
export interface StreamWay {
  say(content: string): void;
  /** Begins the stream anew. */
  restart(): Promise<unknown>;
}

/** The XMPP of a client of ours: it logs in by SCRAM-SHA-1, and writes each stanza by hand. */
export class ScriptedStream {
  jid = "";
  readonly messages = new Inbox<ChatMessage & { readonly from: string }>();
  readonly presences = new Inbox<Presence>();
  readonly #way: StreamWay;
  readonly #negotiation = new Inbox<XmlElement>();
  readonly #answers = new Map<string, (answer: XmlElement) => void>();

  constructor(way: StreamWay) {
    this.#way = way;
  }

  /** What has come. */
  receive(payload: XmlElement): void {
    const { name } = payload;
    const from = valueOf(payload, "from");
    const id = valueOf(payload, "id");
    const type = valueOf(payload, "type");
    if (name === "message") {
      this.messages.put({ from, id, body: textOf(payload, "body") });
    } else if (name === "presence") {
      if (from === this.jid) return;
      this.presences.put({ from, available: type === "", status: textOf(payload, "status") });
    } else if (name === "iq") {
      this.#answers.get(id)?.(payload);
      this.#answers.delete(id);
    } else {
      this.#negotiation.put(payload);
    }
  }

  /** Up to a bound resource, once the features are there. */
  async logIn({ user, password, resource }: Credentials): Promise<void> {
    await this.#expect("features");
    const first = `n=${user},r=${crypto.randomUUID()}`;
    this.#way.say(auth("SCRAM-SHA-1", `n,,${first}`));
    const challenge = await this.#expect("challenge");
    const { clientFinal, serverFinal } = scramAnswer(password, first, dataOf(challenge));
    this.#way.say(response(clientFinal));
    if (dataOf(await this.#expect("success")) !== serverFinal) {
      throw new LoginError("the server does not know the password");
    }
    await this.#way.restart();
    await this.#expect("features");
    const bound = await this.ask(
      "set",
      `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind>`,
    );
    const bind = bound.children[0] as XmlElement;
    this.jid = textOf(bind, "jid");
  }

  send(to: string, { id, body }: ChatMessage): void {
    this.#way.say(
      `<message xmlns='jabber:client' to='${escape(to)}' id='${escape(id)}' type='chat'>` +
        `<body>${escape(body)}</body></message>`,
    );
  }

  /** Tells that it is there, or that it is not. */
  show(status = "", type = ""): void {
    this.#way.say(presence(status, type));
  }

  async ping(): Promise<string> {
    return valueOf(await this.ask("get", "<ping xmlns='urn:xmpp:ping'/>"), "type");
  }

  async ask(type: "get" | "set", content: string): Promise<XmlElement> {
    const id = crypto.randomUUID();
    const answer = new Promise<XmlElement>((resolve) => this.#answers.set(id, resolve));
    this.#way.say(`<iq xmlns='jabber:client' type='${type}' id='${id}'>${content}</iq>`);
    return await patiently(answer, `the iq ${content} is answered`);
  }

  async #expect(name: string): Promise<XmlElement> {
    const payload = await this.#negotiation.take();
    if (payload.name === name) return payload;
    const [condition] = payload.children;
    throw new LoginError(typeof condition === "object" ? condition.name : payload.name);
  }
}

export function presence(status = "", type = ""): string {
  return `<presence xmlns='jabber:client'${type === "" ? "" : ` type='${type}'`}>` +
    `${status === "" ? "" : `<status>${escape(status)}</status>`}</presence>`;
}

function dataOf(element: XmlElement): string {
  return saslData(`<x>${element.children.join("")}</x>`);
}

function valueOf(element: XmlElement, name: string): string {
  return element.attributes.get(name)?.value ?? "";
}

/** The text in a child, empty where there is none. */
function textOf(element: XmlElement, name: string): string {
  const child = element.children.find((child) => typeof child === "object" && child.name === name);
  return typeof child === "object" ? child.children.join("") : "";
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll("'", "&apos;").replaceAll('"', "&quot;");
}
