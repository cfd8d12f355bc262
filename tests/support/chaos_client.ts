/**
 * A BOSH client that recovers as XEP-0124 says: what is not answered is sent again, the same bytes
 * with the same rid (§14.3), and answers are read in the order of their rids.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Random } from "./bosh_model/random.ts";
import { Link, type LinkEvents } from "./chaos_link.ts";
import { hello } from "./chaos_server.ts";
import { LONGEST, stanza, type Story } from "./chaos_stanzas.ts";

/** What kind of client it is. */
export interface Habits {
  /** 0: it polls. */
  readonly hold: number;
  /** It says which answers it has (§9.2). */
  readonly acks: "none" | "lacking" | "always";
  /** Its requests are signed (§15). */
  readonly keys: boolean;
  /** It leaves its session alone now and then (§10). */
  readonly pauses: boolean;
  /** Requests follow each other on one connection. */
  readonly pipelines: boolean;
  /** After so many stanzas it asks for no more, and is granted three seconds. */
  readonly leavesAfter?: number;
}

/**
 * Milliseconds. It stands still while the process has too much to do: a client that gives up what nobody
 * could have answered sends copies that arrive when the session is long elsewhere.
 */
export interface ChaosClock {
  readonly now: number;
}

/** One request, until its answer has been read. */
interface Errand {
  readonly rid: number;
  readonly octets: Buffer;
  link: Link<Errand> | undefined;
  tries: number;
  /** When it is given up, or sent again (milliseconds). */
  due: number;
  answer: Buffer | undefined;
}

const HTTPBIND = "http://jabber.org/protocol/httpbind";
/** Of the longest body; the limit is to be a little above. */
export const BODY_BYTES = LONGEST.up + 25_000;
/** Seconds that a request is held, and milliseconds after which a client takes it for lost. */
const WAIT = 1;
const PATIENCE = 700;
/** Bytes that may be on their way up: more than a connection manager lets wait is no fault of a network. */
const UNDER_WAY = 300_000;
/** Milliseconds after which nothing comes any more. */
const STANDSTILL = 30_000;
/** How far a client that acknowledges runs ahead of an answer that it lacks. */
const AHEAD = 20;
const AHEAD_BYTES = 200_000;

export class ChaosClient implements LinkEvents<Errand> {
  readonly story: Story;
  /** Settles when the session has come to its end, or to grief. */
  readonly done: Promise<void>;
  /** Requests that it has sent, each time. */
  requests = 0;
  /** Those of them that it had sent before. */
  repeats = 0;
  /** With what the session was ended, if the client did not end it. */
  condition: string | undefined;
  sid: string | undefined;
  readonly #finish: () => void;
  readonly #habits: Habits;
  readonly #random: Random;
  readonly #port: number;
  readonly #clock: ChaosClock;
  /** Those without an answer, and those whose answer may not be read yet. */
  readonly #errands = new Map<number, Errand>();
  readonly #links: Link<Errand>[] = [];
  #rid: number;
  /** The oldest rid whose answer has not been read. */
  #lowest: number;
  /** The window that was granted. */
  #requests = 1;
  #keys: string[] = [];
  #said = 0;
  #saidBytes = 0;
  #isGreeted = false;
  #featuresSeen = false;
  /** When it says something next (milliseconds). */
  #nextWord = 0;
  #nextPoll = 0;
  /** It has asked for a pause; then until when it lasts. */
  #isPausing = false;
  #pausedUntil = 0;
  /** Bytes that had arrived when some did last, and when that was. */
  #progress = 0;
  #progressAt = 0;
  #isTerminating = false;
  #isOver = false;

  constructor(
    story: Story,
    habits: Habits,
    { port, clock, random }: { port: number; clock: ChaosClock; random: Random },
  ) {
    this.story = story;
    this.#port = port;
    this.#clock = clock;
    this.#habits = habits;
    this.#random = random;
    this.#rid = this.#lowest = 1 + random.below(1_000_000_000);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#finish = resolve;
  }

  start(): void {
    this.#progressAt = this.#clock.now;
    const { hold, acks, keys, leavesAfter } = this.#habits;
    const leaves = leavesAfter === undefined ? "" : " inactivity='3'";
    const key = keys ? ` newkey='${this.#newKeys()}'` : "";
    this.#send(
      `to='example.test' wait='${WAIT}' hold='${hold}' ver='1.11' xmpp:version='1.0' ` +
        `xmlns:xmpp='urn:xmpp:xbosh'${acks === "none" ? "" : " ack='1'"}${key}${leaves}`,
      [],
    );
  }

  /** This rid has been sent again, and nothing has been heard of it. */
  isRepeating(rid: number): boolean {
    const errand = this.#errands.get(rid);
    return errand?.answer === undefined && errand?.link !== undefined && errand.tries > 0;
  }

  /** Looks whether time has brought something to do. */
  tick(): void {
    if (this.#isOver) return;
    const { now } = this.#clock;
    for (const errand of [...this.#errands.values()]) {
      if (errand.answer !== undefined || errand.due > now) continue;
      if (errand.link !== undefined) errand.link.abandon();
      else this.#dispatch(errand);
    }
    this.#checkProgress(now);
    if (this.story.failure !== undefined) return this.#end();
    this.#pump(now);
  }

  /** Is gone, whatever it was about. */
  leave(): void {
    this.#end();
  }

  // ---- from connections

  answered(link: Link<Errand>, errand: Errand, status: number, body: Buffer): void {
    if (this.#isOver) return;
    errand.link = undefined;
    // The network was too slow for a body, or broke it off.
    if (status === 408 || status === 503) return this.#again(errand);
    if (status !== 200) return this.#fail(`HTTP ${status}: ${body}`);
    if (!this.#habits.pipelines) this.#links.push(link);
    errand.answer = body;
    this.story.attempt(() => this.#readAnswers());
    if (this.story.failure !== undefined) return this.#end();
    this.#pump(this.#clock.now);
  }

  lost(link: Link<Errand>, errands: readonly Errand[]): void {
    const at = this.#links.indexOf(link);
    if (at >= 0) this.#links.splice(at, 1);
    if (this.#isOver) return;
    for (const errand of errands) this.#again(errand);
  }

  /** What is lost behind everything else shows by its never coming. */
  #checkProgress(now: number): void {
    const { up, down } = this.story;
    if (up.bytes + down.bytes !== this.#progress) {
      this.#progress = up.bytes + down.bytes;
      this.#progressAt = now;
    } else if (now - this.#progressAt > STANDSTILL) {
      this.story.failure ??= `nothing comes any more; there are ${up.count} up, ${down.count} down`;
    }
  }

  // ---- reading

  #readAnswers(): void {
    for (;;) {
      const answer = this.#errands.get(this.#lowest)?.answer;
      if (answer === undefined || this.#isOver) break;
      this.#errands.delete(this.#lowest);
      this.#lowest++;
      this.#read(answer);
    }
    if (this.#isPausing && this.#errands.size === 0) {
      this.#isPausing = false;
      this.#pausedUntil = this.#clock.now + 50 + this.#random.below(500);
    }
  }

  #read(body: Buffer): void {
    const startEnd = body.indexOf(">") + 1;
    const start = body.toString("utf8", 0, startEnd);
    if (start.includes("type='terminate'")) {
      this.condition = /condition='([^']*)'/.exec(start)?.[1];
      if (this.#isTerminating) return this.#end();
      throw new Error(`the session was ended: ${start}`);
    }
    if (this.sid === undefined) {
      this.sid = /sid='([^']+)'/.exec(start)![1]!;
      this.#requests = Number(/requests='(\d+)'/.exec(start)![1]);
    }
    if (body[startEnd - 2] === 0x2f) return;
    let content = body.subarray(startEnd, body.length - "</body>".length);
    if (!this.#featuresSeen) {
      const text = content.toString("utf8", 0, 400);
      const features = /^<stream:features[^>]*(?:\/>|>.*?<\/stream:features>)/s.exec(text);
      if (features === null) throw new Error(`no features first: ${text}`);
      this.#featuresSeen = true;
      content = content.subarray(Buffer.byteLength(features[0]));
    }
    const { down, length } = this.story;
    const left = down.take(content, length);
    if (left.length > 0) throw new Error(`more comes down than was sent: ${left.subarray(0, 200)}`);
    if (!down.isBetween) throw new Error("half a stanza came down");
  }

  // ---- writing

  #pump(now: number): void {
    if (this.sid === undefined || this.#isTerminating || this.#isPausing) return;
    if (now < this.#pausedUntil) return;
    if (this.story.down.count >= (this.#habits.leavesAfter ?? Infinity)) return this.#finish();
    if (this.story.isComplete && this.#errands.size < this.#requests) {
      this.#isTerminating = true;
      return this.#send("type='terminate'", []);
    }
    while (this.#maySend()) {
      const payloads = now >= this.#nextWord ? this.#payloads() : [];
      if (payloads.length === 0 && !this.#mayAsk(now)) return;
      const pauses = this.#habits.pauses && this.#random.chance(0.02);
      this.#send(pauses ? "pause='600'" : "", payloads);
      this.#nextPoll = now + 10 + this.#random.below(40);
      if (payloads.length > 0) this.#nextWord = now + this.#random.below(20);
      if (pauses) {
        this.#isPausing = true;
        return;
      }
    }
  }

  /** Whether its window has room for one more (§14.2), beside those that it cannot read yet. */
  #maySend(): boolean {
    const { acks } = this.#habits;
    if (acks === "none") return this.#rid - this.#lowest < this.#requests;
    let unanswered = 0;
    let unread = 0;
    for (const { answer } of this.#errands.values()) {
      if (answer === undefined) unanswered++;
      else unread += answer.length;
    }
    const ahead = unread > AHEAD_BYTES ? this.#requests : AHEAD;
    return unanswered < this.#requests && this.#rid - this.#lowest < ahead;
  }

  /** Whether a request without payloads is in order. */
  #mayAsk(now: number): boolean {
    const { hold } = this.#habits;
    return hold === 0
      ? this.#errands.size === 0 && now >= this.#nextPoll
      : [...this.#errands.values()].filter((errand) => errand.answer === undefined).length < hold;
  }

  #payloads(): Buffer[] {
    const payloads: Buffer[] = [];
    if (!this.#isGreeted) {
      this.#isGreeted = true;
      payloads.push(Buffer.from(hello(this.story.session)));
    }
    let size = 0;
    for (let more = 1 + this.#random.below(6); more > 0 && this.#said < this.story.length; more--) {
      if (this.#saidBytes - this.story.up.bytes > UNDER_WAY) break;
      const next = stanza(this.story.session, "up", this.#said);
      if (size + next.length > BODY_BYTES) break;
      payloads.push(next);
      size += next.length;
      this.#saidBytes += next.length;
      this.#said++;
    }
    return payloads;
  }

  #send(attributes: string, payloads: readonly Buffer[]): void {
    const rid = this.#rid++;
    const { keys, acks } = this.#habits;
    const session = this.sid === undefined ? "" : ` sid='${this.sid}'`;
    const has = this.#lowest - 1;
    const ack =
      this.sid !== undefined && (acks === "always" || (acks === "lacking" && has < rid - 1))
        ? ` ack='${has}'`
        : "";
    const key = keys && this.sid !== undefined ? this.#nextKey() : "";
    const start = `<body xmlns='${HTTPBIND}' rid='${rid}'${session}${ack}${key} ${attributes}`;
    const body = payloads.length === 0
      ? Buffer.from(`${start}/>`)
      : Buffer.concat([Buffer.from(`${start}>`), ...payloads, Buffer.from("</body>")]);
    const head = "POST /http-bind HTTP/1.1\r\nHost: example.test\r\n" +
      `Content-Type: text/xml; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n`;
    const octets = Buffer.concat([Buffer.from(head), body]);
    const errand = { rid, octets, link: undefined, tries: 0, due: 0, answer: undefined };
    this.#errands.set(rid, errand);
    this.#dispatch(errand);
  }

  #dispatch(errand: Errand): void {
    const { pipelines } = this.#habits;
    this.requests++;
    if (errand.tries > 0) this.repeats++;
    const link = (pipelines ? this.#links[0] : this.#links.pop()) ??
      new Link<Errand>(this.#port, this);
    if (pipelines && this.#links.length === 0) this.#links.push(link);
    errand.link = link;
    errand.due = this.#clock.now + PATIENCE * Math.min(1 + errand.tries / 2, 3);
    link.send(errand);
  }

  /** After a moment, which is longer each time. */
  #again(errand: Errand): void {
    errand.link = undefined;
    errand.due = this.#clock.now + 5 * 2 ** Math.min(errand.tries, 8);
    errand.tries++;
  }

  // ---- keys

  #newKeys(): string {
    let key = `${this.#random.next()}`;
    for (let more = 3 + this.#random.below(20); more > 0; more--) {
      key = createHash("sha1").update(key).digest("hex");
      this.#keys.push(key);
    }
    return this.#keys.pop()!;
  }

  #nextKey(): string {
    const key = ` key='${this.#keys.pop()}'`;
    return this.#keys.length > 0 ? key : `${key} newkey='${this.#newKeys()}'`;
  }

  // ---- the end

  #fail(reason: string): void {
    this.story.failure ??= reason;
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const { link } of this.#errands.values()) link?.abandon();
    for (const link of this.#links.splice(0)) link.abandon();
    this.#finish();
  }
}
