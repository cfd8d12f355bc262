import type { Session, Transport } from "./session.ts";
import { close, connect, type Listener, write } from "./sockets.ts";

/** Where and as what a client connects. */
export interface Target {
  /** Of 127.0.0.1. */
  readonly port: number;
  readonly path: string;
  readonly domain: string;
}

const HTTPBIND = "xmlns='http://jabber.org/protocol/httpbind'";
const XBOSH = "xmlns:xmpp='urn:xmpp:xbosh'";

/** BOSH on one connection: one request at a time, as a client does that has nothing to say meanwhile. */
export class Bosh implements Transport, Listener {
  readonly #session: Session;
  readonly #target: Target;
  readonly #head: string;
  readonly #fd: number;
  #sid = "";
  #rid = 1 + Math.floor(Math.random() * 2 ** 32);
  /** The beginning of an answer. */
  #rest = "";
  #ends = false;

  constructor(session: Session, target: Target) {
    this.#session = session;
    this.#target = target;
    this.#head = `POST ${target.path} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n` +
      "Content-Type: text/xml; charset=utf-8\r\nContent-Length: ";
    this.#fd = connect(target.port, this);
    this.#post(
      `<body ${HTTPBIND} content='text/xml; charset=utf-8' hold='1' rid='${this.#rid}' ` +
        `to='${target.domain}' ver='1.6' wait='60' xml:lang='en' xmpp:version='1.0' ${XBOSH}/>`,
    );
  }

  send(xml: string): void {
    this.#request("", xml);
  }

  restart(): void {
    this.#request(` xmpp:restart='true' to='${this.#target.domain}' xml:lang='en' ${XBOSH}`);
  }

  waitOn(): void {
    this.#request();
  }

  hold(): void {
    this.#request();
  }

  end(): void {
    this.#ends = true;
    this.#request(" type='terminate'");
  }

  readable(text: string): void {
    if (text === "") return this.#session.lost();
    const input = this.#rest + text;
    this.#rest = "";
    const head = input.indexOf("\r\n\r\n");
    // However the server capitalizes Content-Length.
    const length = head < 0 ? -1 : input.indexOf("ength:");
    const end = head + 4 + (head < 0 ? 0 : Number.parseInt(input.slice(length + 6, length + 16)));
    if (head < 0 || input.length < end) {
      this.#rest = input;
      return;
    }
    const body = input.slice(head + 4);
    if (this.#sid === "") this.#sid = attribute(body, "sid");
    if (!this.#ends) return this.#session.received(body);
    close(this.#fd);
    this.#session.lost();
  }

  #request(attributes = "", xml = ""): void {
    this.#post(
      `<body ${HTTPBIND} rid='${++this.#rid}' sid='${this.#sid}'${attributes}>${xml}</body>`,
    );
  }

  #post(body: string): void {
    write(this.#fd, `${this.#head}${body.length}\r\n\r\n${body}`);
  }
}

function attribute(xml: string, name: string): string {
  const begin = xml.indexOf(` ${name}=`) + name.length + 3;
  return xml.slice(begin, xml.indexOf(xml[begin - 1]!, begin));
}
