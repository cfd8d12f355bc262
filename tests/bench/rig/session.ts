/** What carries a session's XML. */
export interface Transport {
  /** Says something; its answer, or the next thing that comes, goes to `received`. */
  send(xml: string): void;
  /** Begins the stream anew, after authentication. */
  restart(): void;
  /** What came was not all that was waited for. */
  waitOn(): void;
  /** Waits as an idle client does. */
  hold(): void;
  /** Ends the session, with good manners. */
  end(): void;
}

export interface SessionEvents {
  /** Logged in. */
  opened(session: Session): void;
  /** What {@link Session.ask} wanted is here. */
  answered(session: Session): void;
  /** Ended as it was asked to; the connection is closed. */
  ended(session: Session): void;
  /** Anything else. */
  failed(session: Session, reason: string): void;
}

const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
const BIND_REQUEST = "<iq xmlns='jabber:client' type='set' id='bind1'>" +
  "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";

type State = "features" | "success" | "bind feature" | "jid" | "idle" | "asking" | "ending";

/** One client that logs in and sends messages to itself; reads by looking for what must be in the text. */
export class Session {
  /** When it asked (milliseconds). */
  askedAt = 0;
  readonly transport: Transport;
  readonly #events: SessionEvents;
  #state: State = "features";
  #jid = "";
  #mark = "";
  #asked = 0;

  constructor(connect: (session: Session) => Transport, events: SessionEvents) {
    this.#events = events;
    this.transport = connect(this);
  }

  /** A message to itself, until one is back with its id; `prefix` begins that. */
  ask(text: string, prefix: string): void {
    this.#state = "asking";
    this.#mark = `rt-${this.#asked++}-`;
    this.askedAt = performance.now();
    this.transport.send(
      `<message xmlns='jabber:client' to='${this.#jid}' type='chat' id='${prefix}${this.#mark}'><body>${text}</body></message>`,
    );
  }

  /** Nothing is awaited. */
  get isIdle(): boolean {
    return this.#state === "idle";
  }

  end(): void {
    this.#state = "ending";
    this.transport.end();
  }

  /** The body of an answer, or a message of a WebSocket. */
  received(xml: string): void {
    if (this.#state === "asking") {
      if (!xml.includes(this.#mark)) return this.#insist(xml);
      this.#state = "idle";
      this.#events.answered(this);
    } else {
      this.#logIn(xml);
    }
  }

  /** The connection is closed. */
  lost(): void {
    if (this.#state === "ending") this.#events.ended(this);
    else this.#events.failed(this, `lost while waiting for ${this.#state}`);
  }

  #logIn(xml: string): void {
    switch (this.#state) {
      case "features":
        if (!xml.includes("</mechanisms>")) return this.#insist(xml);
        this.#state = "success";
        return this.transport.send(AUTH);
      case "success":
        if (!xml.includes("<success")) return this.#insist(xml);
        this.#state = "bind feature";
        return this.transport.restart();
      case "bind feature":
        if (!xml.includes("xmpp-bind")) return this.#insist(xml);
        this.#state = "jid";
        return this.transport.send(BIND_REQUEST);
      case "jid": {
        const begin = xml.indexOf("<jid>");
        if (begin < 0) return this.#insist(xml);
        this.#jid = xml.slice(begin + 5, xml.indexOf("</jid>"));
        this.#state = "idle";
        return this.#events.opened(this);
      }
      default:
        // An idle session is told nothing that matters; one that ends hears the last of it.
    }
  }

  #insist(xml: string): void {
    if (xml.includes("<failure") || xml.includes("type='terminate'") || xml.includes("error")) {
      this.#events.failed(this, `waiting for ${this.#state}: ${xml.slice(0, 300)}`);
    } else {
      this.transport.waitOn();
    }
  }
}
