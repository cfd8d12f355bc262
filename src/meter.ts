/**
 * What is counted while things happen: plain numbers, changed in place, so that to count costs next to
 * nothing. `metrics` makes of them what is read.
 */
import type { Clock } from "./clock.ts";
import type { ManagerEvent, UpstreamPhase } from "./events.ts";

/** What a request can be for; `none`: nothing that there is. */
export type Endpoint =
  | "admin"
  | "bosh"
  | "discovery"
  | "health"
  | "metrics"
  | "none"
  | "page"
  | "websocket";

/** What became of a request. */
export type Outcome = "answered" | "empty" | "terminal" | "refused" | "failed" | "lost";

/** Where a session is with its XMPP server: its stream is on its way, is up, knows the client. */
export type SessionState = "connecting" | "open" | "authenticated";

/** How often there were which values. */
export class Histogram {
  /** Upper bounds, included, ascending; one more bucket has what is beyond them. */
  readonly bounds: readonly number[];
  /** Of each bucket alone. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    counts[at]!++;
    this.sum += value;
  }
}

// Seconds.
const SERVICE = [50e-6, 100e-6, 250e-6, 500e-6, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];
const HOLD = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 120, 600];
const DIAL = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The requests of one endpoint. */
export class EndpointMeter implements Record<Outcome, number> {
  answered = 0;
  empty = 0;
  terminal = 0;
  refused = 0;
  failed = 0;
  lost = 0;
  /** Of each, without what it was held (seconds). */
  readonly service = new Histogram(SERVICE);
}

/**
 * How sessions end: by a terminal binding condition (XEP-0124 §17.2), a stream error (RFC 6120 §4.9.3),
 * with the WebSocket, in good order ("none"), or as a server says that has words of its own ("other").
 */
const ENDINGS = [
  ...["none", "bad-format", "bad-namespace-prefix", "bad-request", "conflict", "connection-lost"],
  ...["connection-timeout", "host-gone", "host-unknown", "improper-addressing"],
  ...["internal-server-error", "invalid-from", "invalid-namespace", "invalid-xml"],
  ...["item-not-found", "not-authorized", "not-well-formed", "other-request", "policy-violation"],
  ...["remote-connection-failed", "remote-stream-error", "reset", "resource-constraint"],
  ...["restricted-xml", "see-other-host", "see-other-uri", "system-shutdown"],
  ...["undefined-condition", "unsupported-encoding", "unsupported-feature"],
  ...["unsupported-stanza-type", "unsupported-version", "other"],
];

/** The sessions of one transport, and what went through them. */
export class TransportMeter {
  created = 0;
  /** By how they ended. */
  readonly ended = new Map<string, number>(ENDINGS.map((ending) => [ending, 0]));
  stanzasUp = 0;
  stanzasDown = 0;
  bytesUp = 0;
  bytesDown = 0;
}

/** One step of reaching XMPP servers. */
export class DialMeter {
  succeeded = 0;
  failed = 0;
  /** Of those that succeeded (seconds). */
  readonly time = new Histogram(DIAL);
}

/** All counters of a connection manager. */
export class Meter {
  readonly bosh = new TransportMeter();
  readonly websocket = new TransportMeter();
  readonly endpoints: Readonly<Record<Endpoint, EndpointMeter>> = {
    admin: new EndpointMeter(),
    bosh: new EndpointMeter(),
    discovery: new EndpointMeter(),
    health: new EndpointMeter(),
    metrics: new EndpointMeter(),
    none: new EndpointMeter(),
    page: new EndpointMeter(),
    websocket: new EndpointMeter(),
  };
  /** How long requests were held (seconds). */
  readonly hold = new Histogram(HOLD);
  readonly dials: Readonly<Record<UpstreamPhase, DialMeter>> = {
    lookup: new DialMeter(),
    tcp: new DialMeter(),
    tls: new DialMeter(),
    stream: new DialMeter(),
  };
  /** BOSH requests without an answer. */
  held = 0;
  retransmissions = 0;
  /** Streams to XMPP servers that are up. */
  upstreams = 0;
  faults = 0;
  undelivered = 0;
  unsentToClients = 0;
  unsentToServers = 0;
  handshakeFailures = 0;
  /** When the turn at hand began, as {@link Meter.now} has it. */
  turn = 0;
  readonly #clock: Clock;
  #times = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From here on requests are timed as well: somebody looks. To ask for the time costs more than to count. */
  times(): void {
    this.#times = true;
  }

  /** Microseconds of a clock that turns over, for {@link elapsed}; 0 while nothing is timed. */
  now(): number {
    return this.#times ? wrapped(this.#precise()) : 0;
  }

  /** Begins a turn of a session, and says when that is, as the clock does. */
  begin(): number {
    if (!this.#times) return this.#clock.now();
    const now = this.#precise();
    this.turn = wrapped(now);
    return Math.floor(now);
  }

  #precise(): number {
    return this.#clock.precise?.() ?? this.#clock.now();
  }

  /** A request was answered at once, or by whoever held it; `began` as {@link Meter.now} had it. */
  served(endpoint: Endpoint, status: number, began = 0): void {
    const meter = this.endpoints[endpoint];
    meter[outcomeOf(status)]++;
    if (began !== 0) meter.service.observe(elapsed(began, this.now()));
  }

  /** A step of reaching an XMPP server succeeded; it took so many milliseconds. */
  reached(phase: UpstreamPhase, ms: number): void {
    this.dials[phase].succeeded++;
    this.dials[phase].time.observe(ms / 1000);
  }

  /** A request was repeated. A property, so that it can be handed on. */
  readonly repeated = (): void => {
    this.retransmissions++;
  };

  /** Counts what an event says. */
  note(event: ManagerEvent): void {
    switch (event.type) {
      case "session-created":
        this[event.client.transport].created++;
        return;
      case "session-ended": {
        const { ended } = this[event.client.transport];
        const { condition = "none" } = event;
        // Who runs a server says what its errors are called.
        const ending = ended.has(condition) ? condition : "other";
        ended.set(ending, ended.get(ending)! + 1);
        return;
      }
      case "upstream-failed":
        this.dials[event.phase].failed++;
        return;
      case "undelivered":
        this.undelivered += event.payloads.length;
        return;
      case "unsent":
        if (event.to === "client") this.unsentToClients += event.bytes;
        else this.unsentToServers += event.bytes;
        return;
      case "handshake-failed":
        this.handshakeFailures++;
        return;
      case "fault":
        this.faults++;
    }
  }
}

/** Seconds between two times of {@link Meter.now}, an hour at the most. */
export function elapsed(from: number, to: number): number {
  return ((to - from) >>> 0) / 1e6;
}

/** 32 bits, because V8 keeps no larger number without an object; and never 0, which says that there is no time. */
function wrapped(ms: number): number {
  return (ms * 1000) | 0 || 1;
}

function outcomeOf(status: number): Outcome {
  return status < 400 ? "answered" : status < 500 ? "refused" : "failed";
}
