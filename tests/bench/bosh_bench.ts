/*
 * What a BOSH request and its answer cost in the protocol, without any socket: reading a body,
 * writing one, and a whole turn of a session, in which a message comes up and one goes down.
 */
import { readBody } from "../../src/protocol/bosh/body.ts";
import { bodyOf, outgoing } from "../../src/protocol/bosh/response.ts";
import type { BoshSession } from "../../src/protocol/bosh/session.ts";
import type { Payload } from "../../src/protocol/xml/payload.ts";
import { XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";
import { BoshConversation, payloadsOf, XML_LIMITS } from "../support/bosh_conversation.ts";

const encoder = new TextEncoder();
const tokenizer = new XmlTokenizer(XML_LIMITS);
const MESSAGES = { "100 bytes": message(100), "4 KiB": message(4_096) };

/** Keeps what is made from being found useless. */
let sink: unknown;

/** A session whose client has a request held most of the time, as clients do. */
class Turns {
  readonly #session = logIn();
  #rid = 11;
  #now = 0;

  /** A request comes, and what comes down answers it. */
  turn(xml: string, down: readonly Payload[]): void {
    const body = readBody(encoder.encode(requestOf(this.#rid++, xml)), tokenizer);
    if (body.type !== "continue") throw new Error("No request of the session");
    this.#now += 10;
    this.#session.request(this.#now, body.rid, body);
    for (let action; (action = this.#session.poll()) !== undefined;) sink = action;
    this.#session.deliver(this.#now, "stream1", down);
    const answer = this.#session.poll();
    if (answer?.type !== "respond") throw new Error("No answer");
    sink = answer;
  }
}

for (const [group, xml] of Object.entries(MESSAGES)) {
  const request = encoder.encode(requestOf(10, xml));
  const payloads = payloadsOf(xml);
  Deno.bench({
    name: `readBody: ${group}`,
    group,
    fn: () => void (sink = readBody(request, tokenizer)),
  });
  Deno.bench({
    name: `bodyOf: ${group}`,
    group,
    fn: () => void (sink = bodyOf(payloads.map(outgoing))),
  });
  const session = new Turns();
  Deno.bench({
    name: `a session's turn: ${group}`,
    group,
    baseline: true,
    fn: () => session.turn(xml, payloads),
  });
}

const many = payloadsOf(message(35).repeat(50));
const session = new Turns();
Deno.bench({ name: "a session's turn: 50 stanzas down", fn: () => session.turn("", many) });

function logIn(): BoshSession {
  const { session } = new BoshConversation();
  session.deliver(0, "stream1", payloadsOf("<stream:features/>"));
  while (session.poll() !== undefined);
  return session;
}

function requestOf(rid: number, xml: string): string {
  return `<body xmlns='http://jabber.org/protocol/httpbind' rid='${rid}' sid='SID'>${xml}</body>`;
}

function message(length: number): string {
  return "<message xmlns='jabber:client' to='juliet@example.org/balcony' type='chat' id='m1'>" +
    `<body>${"Art thou not Romeo, and a Montague? ".repeat(length / 36 + 1).slice(0, length)}` +
    "</body></message>";
}

export { sink };
