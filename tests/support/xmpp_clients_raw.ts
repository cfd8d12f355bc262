/**
 * Sessions of strings, for what no library does: several tries to log in, credentials that are
 * sent too early, a connection that goes away without a word.
 */
import assert from "node:assert/strict";
import { auth, response, saslData, scramAnswer } from "./raw_client.ts";
import { Inbox, patiently } from "./patience.ts";

export type Transport = "bosh" | "websocket";
export const transports: readonly Transport[] = ["bosh", "websocket"];

export interface RawSession {
  /** What came for the opening: up to the features, or to the end of the session. */
  readonly opening: string;
  /** Sends it and returns what comes until there is what is wanted. */
  ask(xml: string, wanted: RegExp): Promise<string>;
  /** Returns what comes until there is what is wanted. */
  expect(wanted: RegExp): Promise<string>;
  /** Begins the stream anew after SASL and returns what comes up to the features. */
  restart(): Promise<string>;
  /** Ends it in good order and returns what comes up to the end. */
  close(): Promise<string>;
  /** Goes away without a word. */
  drop(): void;
}

/** Opens a session for `example.test`; `early` is sent at once, before there can be an answer. */
export function openRaw(transport: Transport, url: string, early = ""): Promise<RawSession> {
  return transport === "bosh" ? RawBosh.open(url, early) : RawWebSocketSession.open(url, early);
}

/** One try to authenticate with SCRAM-SHA-1; returns the server's last word. */
export async function scram(session: RawSession, user: string, password: string): Promise<string> {
  const first = `n=${user},r=${crypto.randomUUID()}`;
  const challenge = await session.ask(auth("SCRAM-SHA-1", `n,,${first}`), /<\/challenge>/);
  const { clientFinal } = scramAnswer(password, first, saslData(challenge));
  return await session.ask(response(clientFinal), /<\/(success|failure)>/);
}

/** Makes it a session with a resource. */
export async function bind(session: RawSession, resource: string): Promise<string> {
  return await session.ask(
    "<iq xmlns='jabber:client' type='set' id='bind'>" +
      `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
    /<\/iq>/,
  );
}

const OPENED = /<\/stream:features>|<close |type='terminate'/;
const NO_FEATURES = "there are no features; what came";

class RawBosh implements RawSession {
  opening = "";
  readonly #url: string;
  readonly #abort = new AbortController();
  #rid = 1_000_000;
  #sid = "";

  private constructor(url: string) {
    this.#url = `${url}/http-bind`;
  }

  static async open(url: string, early: string): Promise<RawSession> {
    const session = new RawBosh(url);
    session.opening = await session.#post(
      " to='example.test' from='romeo@example.test' ver='1.11' wait='10' hold='1'" +
        " xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'",
      early,
    );
    assert.match(session.opening, OPENED, NO_FEATURES);
    session.#sid = / sid='([^']+)'/.exec(session.opening)?.[1] ?? "";
    return session;
  }

  async ask(xml: string, wanted: RegExp): Promise<string> {
    return await patiently(this.#until(wanted, xml), `${wanted} has come`);
  }

  expect(wanted: RegExp): Promise<string> {
    return this.ask("", wanted);
  }

  restart(): Promise<string> {
    return this.#post(" xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'", "");
  }

  close(): Promise<string> {
    return this.#post(" type='terminate'", "");
  }

  drop(): void {
    this.#abort.abort();
  }

  async #until(wanted: RegExp, xml: string): Promise<string> {
    let came = await this.#post("", xml);
    while (!wanted.test(came)) {
      assert.doesNotMatch(came, /type='terminate'/);
      came += await this.#post("", "");
    }
    return came;
  }

  async #post(attributes: string, payloads: string): Promise<string> {
    const sid = this.#sid === "" ? "" : ` sid='${this.#sid}'`;
    const response = await fetch(this.#url, {
      method: "POST",
      body: `<body xmlns='http://jabber.org/protocol/httpbind' rid='${this
        .#rid++}'${sid}${attributes}>${payloads}</body>`,
      signal: this.#abort.signal,
    });
    return await response.text();
  }
}

class RawWebSocketSession implements RawSession {
  opening = "";
  readonly #socket: WebSocket;
  readonly #messages = new Inbox<string>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#messages.put(data);
  }

  static async open(url: string, early: string): Promise<RawSession> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/xmpp-websocket`, "xmpp");
    const session = new RawWebSocketSession(socket);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("there is no WebSocket"));
    });
    socket.send(OPEN);
    if (early !== "") socket.send(early);
    session.opening = await session.#until(OPENED);
    return session;
  }

  async ask(xml: string, wanted: RegExp): Promise<string> {
    this.#socket.send(xml);
    return await this.#until(wanted);
  }

  expect(wanted: RegExp): Promise<string> {
    return this.#until(wanted);
  }

  restart(): Promise<string> {
    this.#socket.send(OPEN);
    return this.#until(OPENED);
  }

  async close(): Promise<string> {
    this.#socket.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
    const came = await this.#until(/<close /);
    // RFC 7395 §3.6: the WebSocket is closed by who has sent <close/> first, or else by the other.
    this.#socket.close();
    return came;
  }

  drop(): void {
    this.#socket.close();
  }

  async #until(wanted: RegExp): Promise<string> {
    let came = "";
    while (!wanted.test(came)) came += await this.#messages.take();
    return came;
  }
}

const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test'" +
  " from='romeo@example.test' version='1.0'/>";
