/*
 * Invariant: whatever a client, a server and the clock do to a WebSocket session, it stays in order.
 *
 *  1. `ended` comes once and last, behind the WebSocket's end and that of the stream.
 *  2. A stream is opened once. Nothing is asked of it before that, after `close-stream`, or after
 *     its own end.
 *  3. What the client gets begins with an opening, unless the session closes at once or it asks for
 *     what we refuse, and nothing comes after the closing. All but the draft's start and end tags are documents.
 *  4. The client gets one opening for each that was forwarded, at most, and one of our own.
 *  5. The client is read and not read by turns, and read when our part is said.
 *  6. The deadline is not in the past, and what it calls for moves the session on.
 *
 * FUZZ_RUNS says how many sessions are played, SEED which is the first.
 */
import assert from "node:assert/strict";
import { Random } from "../support/bosh_model/random.ts";
import {
  AUTH,
  CLOSE,
  Conversation,
  FRAMING,
  OPEN,
  START_TAG,
  SUCCESS,
} from "../support/websocket_conversation.ts";
import { payloadsOf } from "../support/bosh_conversation.ts";
import { parseXml } from "../support/xml_element.ts";

const runs = Number(Deno.env.get("FUZZ_RUNS") ?? 5_000);
const first = Number(Deno.env.get("SEED") ?? 1);

const CLIENT = [
  OPEN,
  OPEN,
  OPEN,
  START_TAG,
  START_TAG,
  `${START_TAG}</stream:stream>`,
  `<?xml version='1.0'?>${OPEN}`,
  `<open ${FRAMING} to='unknown.test' version='1.0'/>`,
  `<open ${FRAMING} to='example.test'/>`,
  `<open xmlns='jabber:client'/>`,
  AUTH,
  AUTH,
  AUTH,
  "<message/>",
  "<message/>",
  "<presence><x xmlns='urn:x'/></presence>",
  "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
  " ",
  "",
  "<a>",
  "<a/><b/>",
  "text",
  CLOSE,
  "</stream:stream>",
];
const SERVER = [
  "<stream:features/>",
  "<message/><presence/>",
  SUCCESS,
  "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
];
const [ERROR] = payloadsOf(
  "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
);

Deno.test(`W-014 W-018 a WebSocket session stays in order in ${runs} random ones`, () => {
  for (let seed = first; seed < first + runs; seed++) {
    try {
      play(new Random(seed));
    } catch (error) {
      throw new Error(`SEED=${seed} FUZZ_RUNS=1`, { cause: error });
    }
  }
});

function play(random: Random): void {
  const talk = new Conversation({
    idleTimeout: random.pick([0, 30_000]),
    framings: random.pick([["rfc7395", "draft"], ["rfc7395"], ["draft"]] as const),
    seeOtherUri: random.pick([undefined, "wss://other.test/"]),
  });
  const { session } = talk;
  const log = new Log();
  for (let inputs = 0; inputs < 40; inputs++) {
    const { isOpen } = log;
    const act = random.pick<() => void>([
      () => talk.client(random.pick(CLIENT)),
      () => talk.client(random.pick(CLIENT)),
      () => talk.client(random.pick([OPEN, AUTH, "<message/>"])),
      () => isOpen && talk.opened(`s${inputs}`),
      () => isOpen && log.openings > 0 && talk.server(random.pick(SERVER)),
      () => talk.wait(random.pick([0, 1, 2, 31, 61])),
      () => session.alive(talk.now),
      () => isOpen && session.flow(talk.now, random.chance(0.5)),
      () => random.chance(0.15) && session.shutdown(talk.now),
      () => {
        if (!isOpen || random.chance(0.75)) return;
        log.isOpen = false;
        session.streamEnded(
          talk.now,
          random.pick([
            { type: "closed" },
            { type: "stream-error", error: ERROR! },
            { type: "connection-failed", reason: "lost" },
          ]),
        );
      },
      () => {
        const end = random.below(9);
        if (end === 0) session.refuse(talk.now, "policy-violation", "too large", { code: 1009 });
        if (end === 1) session.socketClosed(talk.now);
        if (end === 2 && isOpen) session.congested(talk.now);
      },
    ]);
    act();
    for (const line of talk.take()) log.add(line);
    const { deadline } = session;
    assert.ok(deadline === undefined || deadline >= talk.now, "6: the deadline is past");
  }
  // Left alone, every session that is not simply open comes to its end.
  for (let wakes = 0; session.deadline !== undefined; wakes++) {
    assert.ok(wakes < 5, "6: nothing moves");
    talk.wait((session.deadline - talk.now) / 1000);
    for (const line of talk.take()) log.add(line);
  }
  assert.ok(log.hasEnded || log.isOpen, "1: it neither lives nor ended");
}

/** What a session did, looked at line by line as `Conversation` writes them. */
class Log {
  hasEnded = false;
  /** The stream may be told of. */
  isOpen = false;
  #streams = 0;
  #forwarded = 0;
  openings = 0;
  #hasClosed = false;
  #isClosing = false;
  #isRead = true;

  add(line: string): void {
    assert.ok(!this.hasEnded, `1: after the end: ${line}`);
    const [, word = "", rest = ""] =
      /^(open|restart|read|send|close stream|drop stream|close socket|message|ended) ?(.*)$/s
        .exec(line) ?? [];
    switch (word) {
      case "open":
        assert.equal(++this.#streams, 1, "2: another stream");
        this.isOpen = true;
        this.#forwarded++;
        return;
      case "restart":
        assert.ok(this.isOpen, "2: a restart of nothing");
        this.#forwarded++;
        return;
      case "read":
        assert.equal(this.#isRead, rest !== "on", "5: told what it knows");
        this.#isRead = rest === "on";
        return;
      case "send":
        assert.ok(this.isOpen && !this.#isClosing, `2: sent to nobody: ${rest}`);
        return;
      case "close stream":
      case "drop stream":
        assert.ok(this.isOpen && !this.#isClosing, "2: closed twice");
        this.#isClosing = true;
        return;
      case "close socket":
        assert.ok(this.#isRead, "5: the answer to <close/> is not read");
        return;
      case "ended":
        this.hasEnded = true;
        assert.ok(!this.isOpen || this.#isClosing, "1: the stream is left behind");
        return;
      case "message":
        return this.#message(rest);
      default:
        assert.fail(`an unknown action: ${line}`);
    }
  }

  #message(text: string): void {
    assert.ok(!this.#hasClosed, `3: after the closing: ${text}`);
    if (/^<(open|stream:stream) /.test(text)) {
      assert.ok(++this.openings <= this.#forwarded + 1, "4: too many openings");
    } else if (/^<close |^<\/stream:stream>$/.test(text)) {
      this.#hasClosed = true;
    } else {
      const isAnswer = text.startsWith("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'");
      assert.ok(this.openings > 0 || isAnswer, `3: before any opening: ${text}`);
    }
    if (!/^<\/?stream:stream[ >]/.test(text)) parseXml(text);
  }
}
