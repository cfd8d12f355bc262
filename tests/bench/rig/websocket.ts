import type { Target } from "./bosh.ts";
import type { Session, Transport } from "./session.ts";
import { close, connect, type Listener, write } from "./sockets.ts";

const FRAMING = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'";
const [TEXT, CLOSE, PING, PONG] = [1, 8, 9, 10];

/** XMPP over WebSocket (RFC 7395). The mask of its frames is zero, so that it need not be applied. */
export class WebSocket implements Transport, Listener {
  readonly #session: Session;
  readonly #domain: string;
  readonly #fd: number;
  #isOpen = false;
  /** The beginning of a frame, or of the answer to the handshake. */
  #rest = "";

  constructor(session: Session, { port, path, domain }: Target) {
    this.#session = session;
    this.#domain = domain;
    this.#fd = connect(port, this);
    write(
      this.#fd,
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
  }

  send(xml: string): void {
    this.#frame(TEXT, xml);
  }

  restart(): void {
    this.send(`<open ${FRAMING} to='${this.#domain}' version='1.0' xml:lang='en'/>`);
  }

  waitOn(): void {}

  hold(): void {}

  end(): void {
    this.send(`<close ${FRAMING}/>`);
    close(this.#fd);
    this.#session.lost();
  }

  readable(text: string): void {
    if (text === "") return this.#session.lost();
    const input = this.#rest === "" ? text : this.#rest + text;
    let at = this.#isOpen ? 0 : this.#shakeHands(input);
    for (let begin; at + 2 <= input.length; at = begin) {
      let length = input.charCodeAt(at + 1);
      begin = at + 2;
      if (length === 126) {
        length = input.charCodeAt(at + 2) << 8 | input.charCodeAt(at + 3);
        begin += 2;
      } else if (length === 127) {
        length = 0;
        for (let i = 2; i < 10; i++) length = length * 256 + input.charCodeAt(at + i);
        begin += 8;
      }
      // While the head has not come as a whole, its length is none.
      if (!(begin + length <= input.length)) break;
      const message = input.slice(begin, begin + length);
      begin += length;
      const operation = input.charCodeAt(at) & 15;
      if (operation === TEXT) this.#session.received(message);
      else if (operation === PING) this.#frame(PONG, message);
      else if (operation === CLOSE) {
        close(this.#fd);
        return this.#session.lost();
      }
    }
    this.#rest = at === input.length ? "" : input.slice(at);
  }

  /** Where the first frame begins. */
  #shakeHands(input: string): number {
    const end = input.indexOf("\r\n\r\n");
    if (end < 0) return 0;
    if (!input.startsWith("HTTP/1.1 101")) throw new Error(`No WebSocket: ${input.slice(0, 300)}`);
    this.#isOpen = true;
    this.restart();
    return end + 4;
  }

  #frame(operation: number, text: string): void {
    const { length } = text;
    let at = 2;
    head[0] = 0x80 | operation;
    if (length < 126) head[1] = 0x80 | length;
    else {
      head[1] = 0x80 | 126;
      head[at++] = length >> 8;
      head[at++] = length & 255;
    }
    head.fill(0, at, at + 4);
    write(this.#fd, text, head.subarray(0, at + 4));
  }
}

/** Of a frame of 65,535 octets at the most, with its mask. */
const head = new Uint8Array(8);
