import { readBody } from "../../src/protocol/bosh/body.ts";
import type { BoshLimits } from "../../src/protocol/bosh/negotiation.ts";
import { createHash } from "node:crypto";
import type { BoshAction, SessionInit } from "../../src/protocol/bosh/actions.ts";
import { BoshSession } from "../../src/protocol/bosh/session.ts";
import type { StreamEnd } from "../../src/protocol/stream/c2s.ts";
import type { Payload } from "../../src/protocol/xml/payload.ts";
import { XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const XML_LIMITS = { payloadBytes: 1 << 20, depth: 100, attributes: 128 };

export const LIMITS: BoshLimits = {
  maxWait: 60_000,
  maxHold: 2,
  inactivity: 30_000,
  maxInactivity: 160_000,
  polling: 5_000,
  maxPause: 120_000,
  maxStreams: 1,
  acks: true,
  report: false,
  strict: false,
  queuedBytes: 1 << 20,
  unauthenticatedBytes: Infinity,
  unauthenticatedTime: Infinity,
};

const STREAM =
  "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='urn:db'>";

/** Payloads as an upstream stream of ours hands them over. */
export function payloadsOf(xml: string): Payload[] {
  const tokenizer = new XmlTokenizer(XML_LIMITS);
  tokenizer.feed(encoder.encode(STREAM + xml));
  const payloads: Payload[] = [];
  for (let item; (item = tokenizer.next());) {
    if (item.type === "error") throw new Error(item.error.message);
    if (item.type === "payload") payloads.push(item.payload);
  }
  return payloads;
}

/**
 * A conversation with one pure session under a clock that the test holds. What the session does
 * is written down, one line for each action, until {@link take} takes it away.
 */
export class BoshConversation {
  now = 0;
  readonly session: BoshSession;
  readonly #tokenizer = new XmlTokenizer(XML_LIMITS);
  #lines: string[] = [];
  #nextRequest = 1;
  #nextStream = 1;

  /** `attributes` are those of the creation request; rid and to may be left out. The request is number 0. */
  constructor(
    attributes = "wait='60' hold='1' ver='1.6'",
    limits: Partial<BoshLimits> = {},
    options: { readonly content?: string; readonly init?: Partial<SessionInit> } = {},
  ) {
    const has = (name: string) => ` ${attributes}`.includes(` ${name}=`);
    const own = `${has("rid") ? "" : "rid='10'"} ${has("to") ? "" : "to='example.test'"}`;
    const creation = this.#read(`${own} ${attributes}`, options.content ?? "");
    if (creation.type !== "create") throw new Error(`refused: ${JSON.stringify(creation)}`);
    const { from, lang, xmppVersion } = creation.stream;
    this.session = new BoshSession(this.now, 0, {
      sid: "SID",
      creation,
      opening: {
        to: "example.test",
        version: xmppVersion,
        ...(from === undefined ? {} : { from }),
        ...(lang === undefined ? {} : { lang }),
      },
      limits: { ...LIMITS, ...limits },
      writesToAlways: false,
      chooseStream: ({ to }) =>
        to?.endsWith(".test")
          ? { type: "open", opening: { to, version: "1.0" } }
          : { type: "refused", condition: "host-unknown", reason: "not served" },
      nameStream: () => `stream${this.#nextStream++}`,
      sha1: (text) => createHash("sha1").update(text).digest("hex"),
      ...options.init,
    });
    this.#write();
  }

  /** A request of the client; returns its number. */
  client(attributes: string, content = ""): number {
    const body = this.#read(`sid='SID' ${attributes}`, content);
    const id = this.#nextRequest++;
    if (body.type === "refused") {
      this.session.refuse(this.now, id, body.condition, body.reason);
    } else if (body.type === "continue") {
      this.session.request(this.now, id, body);
    }
    this.#write();
    return id;
  }

  leaves(request: number): void {
    this.session.abandon(this.now, request);
    this.#write();
  }

  /** The upstream's stream header. */
  opened(id = "stream-1", stream = "stream1", from = "example.test"): void {
    this.session.streamOpened(this.now, stream, {
      id,
      from,
      lang: "en",
      version: "1.0",
    });
    this.#write();
  }

  /** What one read from the upstream brings. */
  server(xml: string, stream = "stream1"): void {
    this.session.deliver(this.now, stream, payloadsOf(xml));
    this.#write();
  }

  serverEnds(end: StreamEnd, stream = "stream1"): void {
    this.session.streamEnded(this.now, stream, end);
    this.#write();
  }

  /** The upstream says whether it takes what is sent. */
  flow(open: boolean, stream = "stream1"): void {
    this.session.flow(this.now, stream, open);
    this.#write();
  }

  congested(): void {
    this.session.congested(this.now);
    this.#write();
  }

  shutdown(): void {
    this.session.shutdown(this.now);
    this.#write();
  }

  /** Lets time pass, waking the session whenever it wanted to be. */
  wait(seconds: number): void {
    const until = this.now + seconds * 1000;
    for (;;) {
      const { deadline } = this.session;
      if (deadline === undefined || deadline > until) break;
      if (deadline < this.now) throw new Error(`a deadline in the past: ${deadline} < ${this.now}`);
      this.now = deadline;
      this.session.handleTimeout(this.now);
      this.#write();
      if (this.session.deadline === deadline) throw new Error("the session did not move on");
    }
    this.now = until;
  }

  /** What was done since the last call. */
  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  #read(attributes: string, content: string) {
    const xml =
      `<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' ${attributes}>` +
      `${content}</body>`;
    return readBody(encoder.encode(xml), this.#tokenizer);
  }

  #write(): void {
    for (let action; (action = this.session.poll());) this.#lines.push(describe(action));
  }
}

/** A session that has just been created, with its features delivered. */
export function established(attributes?: string, limits?: Partial<BoshLimits>): BoshConversation {
  const talk = new BoshConversation(attributes, limits);
  talk.opened();
  talk.server("<stream:features/>");
  talk.take();
  return talk;
}

/** Bodies are shown without the wrapper's constant namespace, the first stream without its name. */
function describe(action: BoshAction): string {
  const stream = "stream" in action && action.stream !== "stream1" ? ` ${action.stream}` : "";
  switch (action.type) {
    case "respond": {
      const body = decoder.decode(action.body)
        .replace(" xmlns='http://jabber.org/protocol/httpbind'", "");
      const status = action.status === 200 ? "" : ` HTTP ${action.status}`;
      return `answer ${action.request}${status}: ${body}`;
    }
    case "open-stream":
      return `open${stream} ${JSON.stringify(action.opening)}`;
    case "send":
      return `send${stream} ${decoder.decode(action.content)}`;
    case "restart-stream": {
      const { attributes } = action;
      return `restart${stream}${attributes ? ` ${JSON.stringify(attributes)}` : ""}`;
    }
    case "close-stream":
      return (action.clean ? "close" : "drop") + stream;
    case "flow":
      return `flow${stream} ${action.open ? "open" : "closed"}`;
    case "acknowledged":
      return `acknowledged ${action.rid}`;
    case "undelivered":
      return `undelivered ${action.payloads.length}`;
    case "ended":
      return `ended ${action.condition ?? "well"}: ${action.reason}`;
    default:
      return action satisfies never;
  }
}
