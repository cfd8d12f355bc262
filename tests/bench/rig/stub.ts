/**
 * The XMPP server of the measurements: lets anyone in (SASL ANONYMOUS) and sends every message back
 * to its sender, in a process of its own. It reads what the load writes, and no other XML.
 *
 *     deno run -A stub.ts PORT
 *
 * It says `ready`, and ends when its standard input does.
 */
import { BURST_ID, BURST_STANZAS } from "./burst.ts";
import { close, listen, type Listener, turn, watch, write } from "./sockets.ts";

const HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en'";
const MECHANISMS = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" +
  "<mechanism>ANONYMOUS</mechanism></mechanisms></stream:features>";
const BIND = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>";
const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const STREAM_END = "</stream:stream>";
const BURST_TEXT = "Art thou not Romeo, and a Montague?";

let count = 0;

class Connection implements Listener {
  readonly #fd: number;
  readonly #number = ++count;
  readonly #jid = `u${this.#number}@localhost/r`;
  #authenticated = false;
  /** The beginning of an element. */
  #rest = "";
  /** All but the last of a burst. */
  #many = "";

  constructor(fd: number) {
    this.#fd = fd;
  }

  readable(text: string): void {
    if (text === "") return;
    const input = this.#rest === "" ? text : this.#rest + text;
    let answer = "";
    let at = 0;
    for (;;) {
      while (input[at] === " " || input[at] === "\n") at++;
      if (at === input.length) break;
      const end = endOf(input, at);
      if (end < 0) break;
      answer += this.#answer(input, at, end);
      at = end;
      if (input.startsWith(STREAM_END, end - STREAM_END.length)) {
        write(this.#fd, answer);
        return close(this.#fd);
      }
    }
    this.#rest = at === input.length ? "" : input.slice(at);
    if (answer !== "") write(this.#fd, answer);
  }

  #answer(input: string, at: number, end: number): string {
    if (input.startsWith("<message", at)) {
      const message = input.slice(at + "<message".length, end);
      return message.includes(BURST_ID) ? this.#burst(message) : this.#message(message);
    }
    if (input.startsWith("<stream:stream", at)) {
      return `${HEADER} id='s${this.#number}' from='${attribute(input, at, "to")}'>` +
        (this.#authenticated ? BIND : MECHANISMS);
    }
    if (input.startsWith("<auth", at)) {
      this.#authenticated = true;
      return SUCCESS;
    }
    if (input.startsWith("<iq", at)) {
      return `<iq type='result' id='${attribute(input, at, "id")}'>` +
        `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>${this.#jid}</jid></bind></iq>`;
    }
    return input.startsWith(STREAM_END, at) ? STREAM_END : "";
  }

  /** `rest`: what comes behind the name of the message that is sent back. */
  #message(rest: string): string {
    return `<message from='${this.#jid}'${rest}`;
  }

  /** What comes back last ends the round trip. */
  #burst(last: string): string {
    if (this.#many === "") {
      for (let i = 1; i < BURST_STANZAS; i++) {
        this.#many += `<message from='${this.#jid}' to='${this.#jid}' type='chat' id='burst${i}'>` +
          `<body>${BURST_TEXT}</body></message>`;
      }
    }
    return this.#many + this.#message(last);
  }
}

/** Where the element or tag ends that begins at `at`; -1: not here. */
function endOf(input: string, at: number): number {
  for (const [name, end] of ELEMENTS) {
    if (!input.startsWith(name, at)) continue;
    const found = input.indexOf(end, at);
    return found < 0 ? -1 : found + end.length;
  }
  return -1;
}

/** How each thing that the load says begins, and how it ends. */
const ELEMENTS = [
  ["<message", "</message>"],
  ["<iq", "</iq>"],
  ["<auth", "/>"],
  ["<?xml", "?>"],
  ["<stream:stream", ">"],
  [STREAM_END, STREAM_END],
] as const;

function attribute(input: string, at: number, name: string): string {
  const begin = input.indexOf(` ${name}=`, at) + name.length + 3;
  return input.slice(begin, input.indexOf(input[begin - 1]!, begin));
}

listen(Number(Deno.args[0]), { accepted: (fd) => new Connection(fd) });
watch(0, {
  readable() {
    Deno.exit();
  },
});
Deno.stdout.writeSync(new TextEncoder().encode("ready\n"));
for (;;) turn(-1);
