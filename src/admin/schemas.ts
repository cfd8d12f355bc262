/** What the REST API takes and gives: the same schemas check requests, make the OpenAPI document and are the types. */
import * as v from "valibot";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const seconds = v.pipe(v.number(), v.minValue(0));
const time = v.pipe(v.string(), v.isoTimestamp());
const level = v.picklist(["debug", "info", "warn", "error"]);
const transport = v.picklist(["bosh", "websocket"]);
const state = v.picklist(["connecting", "open", "authenticated"]);
const condition = v.nullable(v.string());

function said<const S extends v.GenericSchema>(schema: S, text: string) {
  return v.pipe(schema, v.description(text));
}

export const Problem = v.looseObject({
  type: v.string(),
  title: v.string(),
  status: v.pipe(v.number(), v.integer()),
  detail: said(v.string(), "What is wrong and what to do."),
});

export const Status = v.object({
  version: v.string(),
  state: said(
    v.picklist(["serving", "draining", "stopping"]),
    "draining: who is there stays, nobody new is served.",
  ),
  started: time,
  uptime: said(seconds, "Seconds."),
  sessions: v.object({ bosh: count, websocket: count, total: count }),
  memory: said(v.object({ resident: count, heap: count }), "Bytes."),
  logLevel: level,
  listeners: v.array(v.object({ url: v.string(), serve: v.array(v.string()) })),
});

const sessionView = {
  session: said(v.string(), "Its short name, as in the log."),
  transport,
  state: said(
    state,
    "open: the XMPP server has answered; authenticated: it has let the client in.",
  ),
  domain: said(v.string(), "Empty: a WebSocket that has not said yet which."),
  address: said(v.string(), "Of the client; empty: not known."),
  port: said(count, "0: not known."),
  userAgent: v.optional(
    said(v.string(), "What the client calls itself in BOSH's ua; a stranger's word."),
  ),
  tls: said(
    v.nullable(v.boolean()),
    "Whether the client came by TLS, here or to a trusted proxy; null: not known.",
  ),
  created: time,
  age: said(seconds, "Seconds."),
  idle: said(
    seconds,
    "Seconds since the client gave a sign of life; of a WebSocket, also since it was sent something.",
  ),
  streams: said(count, "Streams to XMPP servers that are open."),
  held: said(count, "BOSH requests that wait for their answer."),
  queued: said(
    v.object({ up: count, down: count }),
    "Bytes that wait for the XMPP server, and for the client.",
  ),
  upstream: said(v.nullable(v.string()), "host:port of the XMPP server that was reached."),
};

export const SessionView = v.object(sessionView);

export const SessionDetails = v.object({
  ...sessionView,
  wait: v.optional(said(seconds, "BOSH: seconds that a request may be held.")),
  hold: v.optional(said(count, "BOSH: requests that may be held.")),
  requests: v.optional(said(count, "BOSH: requests that may be under way.")),
  inactivity: v.optional(said(seconds, "BOSH: seconds that it outlives its last request.")),
  polling: v.optional(said(seconds, "BOSH: seconds between two empty requests.")),
  expires: v.optional(
    said(
      v.nullable(seconds),
      "BOSH: seconds until it ends unless a request comes; null: one is held.",
    ),
  ),
  paused: v.optional(v.boolean()),
  behindGap: v.optional(said(count, "BOSH: bytes of requests that wait for one that is missing.")),
  acks: v.optional(v.boolean()),
  version: v.optional(said(v.string(), "BOSH: the version of XEP-0124 that was agreed on.")),
  script: v.optional(said(v.boolean(), "BOSH: by script syntax (XEP-0252).")),
  legacy: v.optional(said(v.boolean(), "BOSH: the client knows HTTP's own errors only.")),
  streamManagement: v.optional(
    said(v.boolean(), "BOSH: the XMPP server keeps what the client does not acknowledge."),
  ),
  framing: v.optional(said(v.picklist(["rfc7395", "draft"]), "WebSocket: how streams are framed.")),
  backedUp: said(v.boolean(), "The XMPP server does not take what the client sends."),
  traces: said(count, "Traces of it that are being read now."),
});

const whole = v.pipe(v.number(), v.minValue(0));

export const SessionQuery = v.strictObject({
  domain: v.optional(said(v.string(), "The domain's exact name.")),
  address: v.optional(said(v.string(), "An IP address, or a range such as 192.0.2.0/24.")),
  transport: v.optional(transport),
  state: v.optional(state),
  minAge: v.optional(said(whole, "Seconds.")),
  maxAge: v.optional(said(whole, "Seconds.")),
  search: v.optional(
    said(
      v.pipe(v.string(), v.maxLength(200)),
      "A part of the session's name, domain, address, user agent or XMPP server, in any case.",
    ),
  ),
  sort: v.optional(v.picklist(["age", "queued", "address"]), "age"),
  order: v.optional(said(v.picklist(["asc", "desc"]), "Default: desc for queued, asc else.")),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000)), 100),
  cursor: v.optional(said(v.pipe(v.string(), v.maxLength(500)), "next of the answer before.")),
});

export const SessionList = v.object({
  sessions: v.array(SessionView),
  next: said(v.nullable(v.string()), "The cursor of the next page; null: this is the last one."),
  total: said(count, "All that fit, on this page or not."),
});

export const EndRequest = v.optional(v.strictObject({
  reason: v.optional(
    said(
      v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(200)),
      "A sentence that the client is told.",
    ),
  ),
}));

export const Ended = v.object({ session: v.string(), reason: v.string() });

export const Nothing = v.optional(v.strictObject({}));

export const State = v.object({ state: v.picklist(["serving", "draining", "stopping"]) });

export const Level = v.strictObject({ level });

export const Configuration = said(
  v.record(v.string(), v.unknown()),
  "In the keys and units of the file; secrets are [redacted], certificates are names and a last day.",
);

export const ReloadReport = v.object({
  applied: said(v.array(v.string()), "Keys whose new values hold from now on."),
  restart: said(v.array(v.string()), "Keys that have changed and want a restart."),
  mistakes: v.array(v.string()),
});

export const Metrics = v.object({
  families: v.array(v.object({
    name: v.string(),
    type: v.string(),
    help: v.string(),
    samples: v.array(v.object({
      name: v.string(),
      labels: v.record(v.string(), v.string()),
      value: v.number(),
    })),
  })),
});

const rate = v.pipe(v.number(), v.minValue(0));

export const HistoryQuery = v.strictObject({
  minutes: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(60)), 60),
});

export const History = v.object({
  interval: said(count, "Seconds between two entries."),
  series: v.array(v.object({
    at: time,
    sessions: v.object({ bosh: count, websocket: count }),
    created: said(rate, "Sessions a second, as ended."),
    ended: rate,
    stanzasUp: said(rate, "A second, as all up to requests; up is from the client."),
    stanzasDown: rate,
    bytesUp: rate,
    bytesDown: rate,
    requests: rate,
    held: count,
    resident: said(count, "Bytes, as heap."),
    heap: count,
    lag: said(v.number(), "Seconds by which the event loop was late on the average."),
  })),
});

export const Upstreams = v.object({
  upstreams: v.array(v.object({
    domain: v.string(),
    target: said(
      v.nullable(v.string()),
      "host:port, or the name that was looked up, of the last attempt.",
    ),
    open: said(count, "Sessions whose stream to this domain is up."),
    health: v.picklist(["ok", "failing", "unknown"]),
    lastConnected: v.nullable(time),
    lastFailed: v.nullable(time),
    failuresInARow: count,
    phase: said(
      v.nullable(v.picklist(["lookup", "tcp", "tls", "stream"])),
      "Of the last failure, as reason.",
    ),
    reason: v.nullable(v.string()),
  })),
});

export const ErrorsQuery = HistoryQuery;

export const Errors = v.object({
  ended: said(
    v.record(v.string(), count),
    "Sessions that did not end in good order, by condition.",
  ),
  limits: said(v.record(v.string(), count), "How often each limit bit, by its key."),
  upstream: said(
    v.record(v.string(), count),
    "Attempts to reach an XMPP server that failed, by phase.",
  ),
  recent: said(
    v.array(v.object({ at: time, text: v.string() })),
    "The last hundred of all these, newest first, as the log has them.",
  ),
});

/** `data` of each kind of server-sent event of a trace. */
export const TraceEvents = {
  stanza: v.object({
    at: time,
    direction: said(v.picklist(["up", "down"]), "up: from the client to its server."),
    bytes: said(count, "Of the stanza as it was."),
    xml: said(v.string(), "Without what logs somebody in; 4,000 characters at most."),
  }),
  missed: v.object({ count: said(count, "Stanzas that were not told: the reader was too slow.") }),
  ended: v.object({ condition, reason: v.string() }),
};
