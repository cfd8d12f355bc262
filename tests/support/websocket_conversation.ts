import { payloadsOf, XML_LIMITS } from "./bosh_conversation.ts";
import { readMessage } from "../../src/protocol/websocket/framing.ts";
import type {
  DomainChoice,
  WebSocketAction,
  WebSocketSessionInit,
} from "../../src/protocol/websocket/actions.ts";
import { WebSocketSession } from "../../src/protocol/websocket/session.ts";
import { XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const FRAMING = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'";
export const OPEN = `<open ${FRAMING} to='example.test' version='1.0'/>`;
export const CLOSE = `<close ${FRAMING}/>`;
export const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
export const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
export const OUR_CLOSE = 'message <close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />';
/** What precedes an error when there is no stream yet. */
export const OUR_OPEN = `message <open ${FRAMING} id='own-1' xml:lang='en' version="1.0"/>`;
/** The same for a domain that is served. */
export const OUR_OPEN_FROM =
  `message <open ${FRAMING} from='example.test' id='own-1' xml:lang='en' version="1.0"/>`;
export const START_TAG = "<stream:stream to='example.test' xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/** A conversation with one pure session; what it does is written down until `take`. */
export class Conversation {
  now = 0;
  readonly session: WebSocketSession;
  readonly #tokenizer = new XmlTokenizer(XML_LIMITS);
  #names = 0;

  constructor(init: Partial<WebSocketSessionInit> = {}) {
    this.session = new WebSocketSession(0, {
      chooseDomain: choose,
      framings: ["rfc7395", "draft"],
      idleTimeout: 0,
      seeOtherUri: undefined,
      nameStream: () => `own-${++this.#names}`,
      limits: { unauthenticatedBytes: Infinity, unauthenticatedTime: Infinity },
      ...init,
    });
  }

  client(xml: string): void {
    const bytes = encoder.encode(xml);
    this.session.message(this.now, readMessage(bytes, this.#tokenizer), bytes.length);
  }

  server(xml: string): void {
    this.session.deliver(this.now, payloadsOf(xml));
  }

  opened(id: string): void {
    this.session.streamOpened(this.now, { id, from: "example.test", lang: "en", version: "1.0" });
  }

  /** Lets time pass. */
  wait(seconds: number): void {
    this.now += seconds * 1000;
    this.session.handleTimeout(this.now);
  }

  take(): string[] {
    const lines: string[] = [];
    for (let action; (action = this.session.poll());) {
      // Only the shell has a use for it.
      if (action.type !== "authenticated") lines.push(describe(action));
    }
    return lines;
  }
}

/** A conversation whose stream is up. */
export function open(init: Partial<WebSocketSessionInit> = {}, opening = OPEN): Conversation {
  const talk = new Conversation(init);
  talk.client(opening);
  talk.opened("s1");
  talk.take();
  return talk;
}

function choose(to: string | undefined): DomainChoice {
  if (to === "example.test") return { type: "served", domain: to };
  const condition = to === undefined ? "improper-addressing" : "host-unknown";
  return { type: "refused", condition, reason: "no" };
}

function describe(action: WebSocketAction): string {
  switch (action.type) {
    case "message":
      return `message ${decoder.decode(action.bytes)}`;
    case "open-stream":
      return `open ${JSON.stringify(action.opening)}`;
    case "restart-stream":
      return "restart";
    case "send":
      return `send ${decoder.decode(action.content)}`;
    case "close-stream":
      return action.clean ? "close stream" : "drop stream";
    case "flow":
      return action.open ? "read on" : "read no more";
    case "close-socket":
      return `close socket ${action.code}`;
    case "authenticated":
      return "authenticated";
    case "ended":
      return `ended ${action.condition ?? "well"}: ${action.reason}`;
    default:
      return action satisfies never;
  }
}
