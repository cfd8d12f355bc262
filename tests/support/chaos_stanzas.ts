/**
 * Stanzas that are known by their numbers: whoever has the number knows every byte. So it takes no
 * parser, and no memory of what was sent, to see that all of it comes, once and in order.
 */
import { Buffer } from "node:buffer";
import { Random } from "./bosh_model/random.ts";

export type Direction = "up" | "down";

/** Bytes of the longest stanzas, of which there are a few; the limits are to be a little above. */
export const LONGEST = { up: 99_000, down: 190_000 } as const;

/** Characters of one byte to four, a reference, and markup: everything that is bad to cut. */
const UNIT = Buffer.from("<b a='é'>ü€𝄞 &lt;x</b>");
const FILLER = Buffer.concat(Array<Buffer>(Math.ceil(LONGEST.down / UNIT.length)).fill(UNIT));
const END = Buffer.from("</body></message>");

/** One stanza of a session, numbered from 0 on, as its sender writes it. */
export function stanza(session: number, direction: Direction, number: number): Buffer {
  return written(session, direction, number, number % 2 === 0 ? "" : " xmlns='jabber:client'");
}

/** The same as it has to arrive: a stanza is given its namespace on the way down (XEP-0206 §2, RFC 7395 §3.3.3). */
function arriving(session: number, direction: Direction, number: number): Buffer {
  return direction === "up"
    ? stanza(session, direction, number)
    : written(session, direction, number, " xmlns='jabber:client'");
}

function written(session: number, direction: Direction, number: number, xmlns: string): Buffer {
  const start = `<message${xmlns} to='a@b' id='${direction}-${session}-${number}'><body>`;
  const units = Math.floor(filling(session, direction, number) / UNIT.length);
  return Buffer.concat([Buffer.from(start), FILLER.subarray(0, units * UNIT.length), END]);
}

/** Bytes of content: nearly always few, sometimes a lot, and rarely as many as may be. */
function filling(session: number, direction: Direction, number: number): number {
  const random = new Random(session * 1_000_003 + number * 2 + (direction === "up" ? 0 : 1));
  random.next();
  const kind = random.next();
  if (kind < 0.9) return random.below(200);
  if (kind < 0.985) return random.below(3_000);
  if (kind < 0.998) return random.below(20_000);
  return LONGEST[direction] - 200;
}

/** What arrives of one session in one direction, held against what has to. */
export class Arrivals {
  /** Stanzas that have come whole. */
  count = 0;
  /** Bytes that have come. */
  bytes = 0;
  readonly #session: number;
  readonly #direction: Direction;
  #due: Buffer;
  #at = 0;

  constructor(session: number, direction: Direction) {
    this.#session = session;
    this.#direction = direction;
    this.#due = arriving(session, direction, 0);
  }

  /** Nothing of a stanza has come, or all of it. */
  get isBetween(): boolean {
    return this.#at === 0;
  }

  /**
   * Takes what came, stanzas in any pieces, and returns what is behind the last one; throws when it
   * is not what is due.
   */
  take(octets: Buffer, last: number): Buffer {
    this.bytes += octets.length;
    let from = 0;
    while (from < octets.length && this.count < last) {
      const length = Math.min(octets.length - from, this.#due.length - this.#at);
      // (`compare` with ranges is wrong about them in Deno 2.9.)
      const came = octets.subarray(from, from + length);
      const isDue = came.equals(this.#due.subarray(this.#at, this.#at + length));
      if (!isDue) throw new Error(this.#describe(octets.subarray(from)));
      from += length;
      this.#at += length;
      if (this.#at < this.#due.length) break;
      this.#at = 0;
      this.#due = arriving(this.#session, this.#direction, ++this.count);
    }
    return octets.subarray(from);
  }

  #describe(came: Buffer): string {
    const text = came.subarray(0, 200).toString();
    const found = /id='(up|down)-(\d+)-(\d+)'/.exec(text);
    const number = Number(found?.[3]);
    const verdict = Number.isNaN(number)
      ? "other bytes"
      : found?.[1] !== this.#direction || Number(found?.[2]) !== this.#session
      ? "a stanza of somebody else"
      : number < this.count
      ? `stanza ${number} once more`
      : `stanza ${number}`;
    return `instead of stanza ${this.count} (${this.#direction}, session ${this.#session}, at byte ` +
      `${this.#at} of ${this.#due.length}) came ${verdict}: ${text}`;
  }
}

/** One session as it should be, whoever looks at it. */
export class Story {
  readonly session: number;
  /** Stanzas of each direction. */
  readonly length: number;
  /** What has arrived at the XMPP server. */
  readonly up: Arrivals;
  /** What has arrived at the client. */
  readonly down: Arrivals;
  /** The XMPP server has heard `</stream:stream>`. */
  isClosed = false;
  /** The XMPP server has heard of it. */
  isKnown = false;
  /** The XMPP server's connection is gone. */
  isGone = false;
  /** What went wrong first. */
  failure: string | undefined;

  constructor(session: number, length: number) {
    this.session = session;
    this.length = length;
    this.up = new Arrivals(session, "up");
    this.down = new Arrivals(session, "down");
  }

  get isComplete(): boolean {
    return this.up.count === this.length && this.down.count === this.length;
  }

  /** Does something, and notes when it goes wrong. */
  attempt(work: () => void): void {
    if (this.failure !== undefined) return;
    try {
      work();
    } catch (error) {
      this.failure = String(error);
    }
  }
}
