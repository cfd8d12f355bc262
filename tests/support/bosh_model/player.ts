import type { CreationRequest, SessionRequest } from "../../../src/protocol/bosh/body.ts";
import type { BoshLimits } from "../../../src/protocol/bosh/negotiation.ts";
import { LIMITS } from "../bosh_conversation.ts";
import type { RequestId } from "../../../src/protocol/bosh/window.ts";
import { BoshModel } from "./model.ts";
import { Random } from "./random.ts";
import { toyDigest } from "./rules.ts";
import { ERROR, FEATURES, HUGE, stanza, type StanzaKind, STANZAS } from "./stanzas.ts";
import { broken, type ModelEnd, type Stanza } from "./streams.ts";

const encoder = new TextEncoder();
const NOTHING = { type: "nothing" } as const;
const EMPTY = new Uint8Array(0);

/**
 * Plays one random client, network and server against a watched session, until it is over. Every
 * choice comes from `seed`. Returns the number of inputs.
 */
export function play(seed: number, log?: (line: string) => void): number {
  const player = new Player(new Random(seed), log);
  player.play();
  return player.inputs;
}

type Move =
  | "send"
  | "arrive"
  | "repeat"
  | "storm"
  | "leave"
  | "outside"
  | "refuse"
  | "server"
  | "features"
  | "up"
  | "server ends"
  | "backed up"
  | "alarm"
  | "wait"
  | "congested"
  | "shutdown";

/** How often each is done; every run multiplies them with numbers of its own. */
const MOVES: Readonly<Record<Move, number>> = {
  send: 30,
  arrive: 8,
  repeat: 8,
  storm: 0.1,
  leave: 8,
  outside: 0.1,
  refuse: 0.05,
  server: 20,
  features: 4,
  up: 2,
  "server ends": 1.5,
  "backed up": 3,
  alarm: 8,
  wait: 8,
  congested: 0.05,
  shutdown: 0.2,
};

class Player {
  inputs = 0;
  readonly #random: Random;
  readonly #model: BoshModel;
  readonly #limits: BoshLimits;
  readonly #moves: { readonly move: Move; readonly up: number }[] = [];
  /** How often requests overtake each other, have payloads, and mean one stream. */
  readonly #habits: {
    readonly delay: number;
    readonly payload: number;
    readonly names: number;
    readonly opens: number;
  };
  readonly #acks: boolean;
  readonly #keys: string[] = [];
  /** Bodies by rid, as the client would repeat them. */
  readonly #bodies = new Map<number, SessionRequest>();
  /** Sent, and not arrived. */
  #delayed: SessionRequest[] = [];
  #rid: number;
  #now: number;
  #nextId = 1;

  constructor(random: Random, log: ((line: string) => void) | undefined) {
    this.#random = random;
    this.#now = random.below(1000);
    this.#rid = random.chance(0.05) ? Number.MAX_SAFE_INTEGER - 400 : 10;
    this.#acks = random.chance(0.5);
    this.#limits = {
      ...LIMITS,
      inactivity: random.pick([30_000, 30_000, 5_000, Infinity]),
      polling: random.pick([5_000, 2_000]),
      maxPause: random.chance(0.1) ? 0 : 120_000,
      maxStreams: random.pick([1, 3]),
      acks: random.chance(0.8),
      report: random.chance(0.2),
      strict: random.chance(0.1),
      queuedBytes: random.pick([1 << 20, 1 << 20, 1_500]),
      unauthenticatedBytes: Infinity,
      unauthenticatedTime: Infinity,
    };
    this.#habits = {
      delay: random.pick([0, 0.1, 0.3, 0.5]),
      payload: random.pick([0.2, 0.5, 0.8]),
      names: random.pick([0, 0.5]),
      opens: random.pick([0.02, 0.3]),
    };
    let up = 0;
    for (const [move, weight] of Object.entries(MOVES) as [Move, number][]) {
      up += weight * random.pick([0.2, 1, 1, 3]);
      this.#moves.push({ move, up });
    }
    const creation = this.#creation();
    this.#model = new BoshModel(this.#now, {
      creation,
      limits: this.#limits,
      opening: { to: "example.test", version: "1.0" },
      writesToAlways: random.chance(0.05),
      chooseStream: ({ to }) =>
        to === "other.test"
          ? { type: "open", opening: OTHER_OPENING }
          : { type: "refused", condition: "host-unknown", reason: "not served" },
    }, log);
    if (random.chance(0.8)) this.#serverSays("stream1", "features");
  }

  play(): void {
    const steps = 10 + this.#random.below(30);
    for (let step = 0; step < steps && !this.#model.over; step++) this.#move();
    if (!this.#model.over && this.#random.chance(0.7)) this.#drain();
    this.#finish();
    // Too late for anything.
    if (this.#random.chance(0.2)) { for (let step = 0; step < 3; step++) this.#move(); }
  }

  #move(): void {
    const random = this.#random;
    const model = this.#model;
    const at = random.next() * this.#moves.at(-1)!.up;
    const { move } = this.#moves.find(({ up }) => at < up)!;
    this.inputs++;
    switch (move) {
      case "send":
        return this.#send();
      case "arrive": {
        const [body] = this.#delayed.splice(random.below(this.#delayed.length), 1);
        if (body) this.#request(body);
        return;
      }
      case "repeat":
        return this.#repeat(1);
      case "storm":
        return this.#repeat(8 + random.below(5));
      case "leave":
        return this.#leave(random.pick(model.state.unanswered));
      case "outside": {
        const far = model.state.window.requests + 1 + random.below(3);
        const rid = model.state.window.last + (random.chance(0.5) ? far : -far);
        if (rid > 0) this.#request({ ...this.#empty(), rid });
        return;
      }
      case "refuse":
        return model.refuse(this.#now);
      case "server":
        return this.#serverSays(this.#anyStream(), "anything");
      case "features":
        return this.#serverSays(this.#anyStream(), "features");
      case "up":
        return model.streamOpened(this.#now, this.#anyStream());
      case "server ends":
        return this.#serverEnds();
      case "backed up":
        return model.flow(this.#now, this.#anyStream(), random.chance(0.4));
      case "alarm":
        return this.#jump();
      case "wait":
        this.#now += random.below(this.#limits.polling);
        return;
      case "congested":
        return model.congested(this.#now);
      case "shutdown":
        return model.shutdown(this.#now);
      default:
        move satisfies never;
    }
  }

  // ---- the client and its network

  #creation(): CreationRequest {
    const random = this.#random;
    const keyed = random.chance(0.3);
    return {
      type: "create",
      size: 0,
      rid: this.#rid,
      key: undefined,
      newkey: keyed ? this.#newKeys() : undefined,
      content: random.chance(0.2) ? this.#content() : EMPTY,
      count: 0,
      failures: [],
      octets: undefined,
      stream: requestFor("example.test"),
      ver: random.chance(0.9) ? { major: 1, minor: 6 } : undefined,
      wait: random.pick([60, 60, 60, 5, 0, undefined]),
      hold: random.pick([0, 1, 1, 1, 2, 2, undefined]),
      inactivity: random.pick([undefined, undefined, 20]),
      acks: this.#acks,
      contentType: undefined,
      secure: false,
      userAgent: undefined,
    };
  }

  /** Begins a key sequence (XEP-0124 §15.3); returns what its first key hashes to. */
  #newKeys(): string {
    let key = `seed${this.#random.below(1000)}`;
    this.#keys.length = 0;
    for (let left = 2 + this.#random.below(5); left > 0; left--) {
      this.#keys.push(key);
      key = toyDigest(key);
    }
    return this.#random.chance(0.2) ? key.toUpperCase() : key;
  }

  #empty(): SessionRequest {
    return {
      type: "continue",
      size: 0,
      sid: "SID",
      rid: this.#rid,
      key: undefined,
      newkey: undefined,
      content: EMPTY,
      count: 0,
      failures: [],
      octets: undefined,
      stream: undefined,
      ack: undefined,
      namesDomain: false,
      ask: NOTHING,
    };
  }

  #content(): Uint8Array {
    return encoder.encode(`<message id='u${this.#nextId++}'/>`);
  }

  /** The client's next request. */
  #compose(): SessionRequest {
    const random = this.#random;
    this.#rid++;
    let body = this.#empty();
    if (this.#keys.length > 0) {
      const key = this.#keys.pop();
      const newkey = this.#keys.length === 0 ? this.#newKeys() : undefined;
      body = { ...body, key: random.chance(0.002) ? "wrong" : key, newkey };
    } else if (random.chance(0.01)) body = { ...body, newkey: this.#newKeys() };
    if (random.chance(this.#acks ? 0.7 : 0.05)) body = { ...body, ack: this.#ack() };
    if (random.chance(this.#habits.names)) {
      const name = random.chance(0.005) ? "nowhere" : this.#anyStream();
      body = { ...body, stream: name };
    }
    if (random.chance(0.05)) body = { ...body, failures: this.#failures() };
    if (random.chance(0.005)) body = { ...body, namesDomain: true };
    if (random.chance(this.#habits.payload)) body = { ...body, content: this.#content() };
    return this.#asking(body);
  }

  #asking(body: SessionRequest): SessionRequest {
    const random = this.#random;
    if (random.chance(this.#habits.opens)) {
      const opening = requestFor(random.chance(0.8) ? "other.test" : "unserved.test");
      const ask = { type: "open-stream", opening } as const;
      return { ...body, content: EMPTY, stream: undefined, namesDomain: true, ask };
    }
    const what = random.next();
    if (what < 0.04) {
      const duration = random.chance(0.05) ? 500 : 1 + random.below(100);
      return { ...body, ask: { type: "pause", duration } };
    }
    if (what < 0.08) return { ...body, ask: { type: "restart", attributes: undefined } };
    if (what < (body.stream === undefined ? 0.09 : 0.14)) {
      return { ...body, ask: { type: "terminate" } };
    }
    return body;
  }

  #ack(): number {
    const random = this.#random;
    const { certainlyAnswered } = this.#model.state.window;
    const kind = random.next();
    if (kind < 0.8) return certainlyAnswered;
    if (kind < 0.95) return Math.max(1, certainlyAnswered - 1 - random.below(3));
    return random.pick([1, Number.MAX_SAFE_INTEGER, this.#rid, this.#rid - 1]);
  }

  #failures(): string[] {
    const failures: string[] = [];
    for (let left = this.#random.pick([1, 2, 30]); left > 0; left--) {
      failures.push(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls' id='f${this.#nextId++}'/>`);
    }
    return failures;
  }

  #send(): void {
    const { session, state: { window } } = this.#model;
    if (this.#rid >= window.last + window.requests) {
      // The client may not go on before it has an answer.
      const body = this.#delayed.shift();
      if (body) this.#request(body);
      return;
    }
    if (session.granted.isPolling && this.#random.chance(0.8)) this.#now += this.#limits.polling;
    const body = this.#compose();
    this.#bodies.set(body.rid, body);
    if (this.#random.chance(this.#habits.delay)) this.#delayed.push(body);
    else this.#request(body);
  }

  #repeat(times: number): void {
    const random = this.#random;
    const { window } = this.#model.state;
    const back = random.chance(0.02) ? 8 : window.requests;
    let body = this.#bodies.get(this.#rid - random.below(back));
    if (!body) return;
    if (random.chance(0.1) && window.get(body.rid)) {
      body = { ...body, content: this.#content(), key: "another" };
    }
    for (let left = times; left > 0 && !this.#model.over; left--) this.#request(body);
  }

  #request(body: SessionRequest): void {
    const request = this.#model.request(this.#now, body);
    if (this.#random.chance(0.03)) this.#leave(request);
  }

  #leave(request: RequestId | undefined): void {
    const { state } = this.#model;
    if (request === undefined || !state.open.has(request)) return;
    // Which of several that are gone was one too many, nobody could tell.
    if (this.#limits.strict && state.window.anyWaiting) return;
    this.#model.abandon(this.#now, request);
  }

  // ---- the server

  #anyStream(): string {
    return this.#random.pick(this.#model.state.streams).name;
  }

  #serverSays(stream: string, what: "features" | "anything"): void {
    const random = this.#random;
    if (what === "features") {
      if (random.chance(0.5)) this.#model.streamOpened(this.#now, stream);
      return this.#model.deliver(this.#now, stream, [this.#stanza(FEATURES)]);
    }
    const stanzas: Stanza[] = [];
    for (let left = random.pick([0, 1, 1, 1, 2, 5]); left > 0; left--) {
      stanzas.push(this.#stanza(random.chance(0.002) ? HUGE : random.pick(STANZAS)));
    }
    this.#model.deliver(this.#now, stream, stanzas);
  }

  #stanza(kind: StanzaKind): Stanza {
    return stanza(kind, `d${this.#nextId++}`);
  }

  #serverEnds(): void {
    const random = this.#random;
    const stream = this.#anyStream();
    const kind = random.below(3);
    if (kind === 0) {
      const reason = "the XMPP server closed the stream";
      const told = { condition: undefined, reason, error: undefined };
      return this.#model.streamEnded(this.#now, stream, { type: "closed" }, told);
    }
    if (kind === 1) {
      const reason = "the connection was lost";
      const end = { type: "connection-failed", reason } as const;
      const told = { condition: "remote-connection-failed", reason, error: undefined };
      return this.#model.streamEnded(this.#now, stream, end, told);
    }
    const error = this.#stanza(ERROR);
    const told: ModelEnd = {
      condition: "remote-stream-error",
      reason: "the XMPP server closed the stream: conflict",
      error,
    };
    const end = { type: "stream-error", error: error.payload } as const;
    this.#model.streamEnded(this.#now, stream, end, told);
  }

  // ---- time

  /** To a moment before, at or after the session's deadline; the alarm may be late. */
  #jump(): void {
    const random = this.#random;
    const { deadline } = this.#model.session;
    if (deadline === undefined || deadline === Infinity) return;
    const isEnd = this.#model.state.unanswered.length === 0;
    const by = random.pick(isEnd ? [-3_000, -500, -1, -1, -1, -1, 0, 1] : [-1, 0, 0, 0, 1, 700]);
    this.#now = Math.max(this.#now, deadline + by);
    if (random.chance(0.8)) this.#model.handleTimeout(this.#now);
  }

  #alarm(): void {
    const { deadline } = this.#model.session;
    if (deadline === undefined) return;
    this.#now = Math.max(this.#now, deadline);
    this.#model.handleTimeout(this.#now);
  }

  // ---- the end of the game

  /** A client in good order fetches all that waits for it. */
  #drain(): void {
    const model = this.#model;
    for (const body of this.#delayed.sort((a, b) => a.rid - b.rid)) {
      if (!model.over) model.request(this.#now += this.#limits.polling, body);
    }
    this.#delayed = [];
    for (let left = 40; model.state.owes && !model.over; left--) {
      if (left === 0) broken(4, "what waits for the client never reaches it");
      this.inputs++;
      // What is held may be waiting for features that never come.
      if (model.state.unanswered.length > 0) this.#alarm();
      else {
        const body = { ...this.#compose(), ask: NOTHING, stream: undefined, failures: [] };
        model.request(this.#now += this.#limits.polling, { ...body, newkey: body.newkey });
      }
    }
  }

  #finish(): void {
    const model = this.#model;
    const kind = this.#random.next();
    if (!model.over && kind < 0.2) model.shutdown(this.#now);
    else if (!model.over && kind < 0.4) {
      const body = { ...this.#compose(), stream: undefined, ask: { type: "terminate" } as const };
      model.request(this.#now += this.#limits.polling, body);
    }
    for (let left = 20; !model.over; left--) {
      if (left === 0) broken(6, "a client that is gone is waited for without end");
      this.inputs++;
      if (model.session.deadline === Infinity) model.shutdown(this.#now);
      this.#alarm();
    }
  }
}

const OTHER_OPENING = { to: "other.test", version: "1.0" };

function requestFor(to: string) {
  const more = { from: undefined, lang: undefined, route: undefined, attributes: undefined };
  return { to, xmppVersion: "1.0", ...more };
}
