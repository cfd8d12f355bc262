import type { Config, HttpConfig } from "./config/config.ts";
import { type LimitName, LIMITS } from "./events.ts";
import type { Meter, SessionState, TransportMeter } from "./meter.ts";
import { metricsRoute } from "./metrics/endpoint.ts";
import { exposition, type Format } from "./metrics/exposition.ts";
import { counter, type Family, gauge, histogram, type Labels } from "./metrics/family.ts";
import { EventLoopLag } from "./metrics/lag.ts";
import { processFamilies } from "./metrics/process.ts";
import type { Route } from "./server/http.ts";
import type { LimitReports } from "./server/limit_reports.ts";
import type { Listener } from "./server/listener.ts";
import type { Registry } from "./server/registry.ts";
import { version } from "./version.ts";

/** Where it is measured. */
export interface Sources {
  readonly meter: Meter;
  readonly registry: Pick<Registry, "actors" | "state">;
  readonly listeners: readonly Listener[];
  readonly limits: Pick<LimitReports, "totals">;
  /** What is in force. */
  readonly config: () => Config;
}

/**
 * All metrics of a connection manager. Labels have values of small closed sets, or what the
 * configuration says: nobody makes series by coming here.
 */
export class Metrics {
  readonly #sources: Sources;
  readonly #lag = new EventLoopLag();

  constructor(sources: Sources) {
    this.#sources = sources;
    sources.meter.times();
  }

  /** What a listener serves of them. */
  route(http: HttpConfig): Route {
    return metricsRoute(this, http);
  }

  /** The text that a Prometheus server reads. */
  expose(format: Format = "prometheus"): string {
    return exposition(this.families(), format);
  }

  families(): readonly Family[] {
    this.#lag.watch();
    const { meter, registry, listeners, limits } = this.#sources;
    const connections = listeners.flatMap(({ url, connections }) =>
      connections === undefined ? [] : [[{ listener: url }, connections] as const]
    );
    return [
      gauge("causeway_build_info", "1; the label has the version.", [[{ version }, 1]]),
      gauge(
        "causeway_draining",
        "Whether nobody new is served: 1 or 0.",
        registry.state === "serving" ? 0 : 1,
      ),
      ...sessionFamilies(this.#sources),
      ...trafficFamilies(meter),
      ...requestFamilies(meter),
      ...upstreamFamilies(meter),
      ...troubleFamilies(meter, limits.totals),
      gauge(
        "causeway_connections",
        'Connections of clients, of listeners with server = "sockets".',
        connections,
      ),
      histogram(
        "causeway_event_loop_lag_seconds",
        "How late a timer fired that asks four times a second; 0 is less than a millisecond.",
        this.#lag.histogram,
      ),
      ...processFamilies(connections.length > 0),
    ].filter(({ samples }) => samples.length > 0);
  }
}

const STATES: readonly SessionState[] = ["connecting", "open", "authenticated"];
const TRANSPORTS = ["bosh", "websocket"] as const;

function sessionFamilies({ registry, config, meter }: Sources): Family[] {
  const counts = {
    bosh: { connecting: 0, open: 0, authenticated: 0 },
    websocket: { connecting: 0, open: 0, authenticated: 0 },
  };
  let waitsUp = 0;
  let waitsDown = 0;
  for (const actor of registry.actors) {
    const { client, state, up, down } = actor.describe();
    counts[client.transport][state]++;
    waitsUp += up;
    waitsDown += down;
  }
  const sessions = TRANSPORTS.flatMap((transport) =>
    STATES.map((state) => [{ transport, state }, counts[transport][state]] as const)
  );
  return [
    gauge(
      "causeway_sessions",
      "Sessions there are. Connecting: no stream to the XMPP server yet; open: it is up; " +
        "authenticated: the server knows the client.",
      sessions,
    ),
    gauge(
      "causeway_sessions_limit",
      "Sessions there may be (limits.sessions).",
      config().limits.sessions,
    ),
    counter(
      "causeway_sessions_created_total",
      "Sessions that were created.",
      eachTransport(meter, ({ created }) => [[{}, created]]),
    ),
    counter(
      "causeway_sessions_ended_total",
      "Sessions that ended, by condition; none: in good order; other: one that the XMPP server made up.",
      eachTransport(
        meter,
        ({ ended }) => [...ended].map(([condition, count]) => [{ condition }, count]),
      ),
    ),
    gauge(
      "causeway_queued_bytes",
      "Bytes that wait in all sessions. Up: for XMPP servers; down: for clients.",
      directions(waitsUp, waitsDown),
    ),
  ];
}

function trafficFamilies(meter: Meter): Family[] {
  return [
    counter(
      "causeway_stanzas_total",
      "Stanzas, and what else is an element of the first level, to XMPP servers (up) and from them (down).",
      eachTransport(meter, ({ stanzasUp, stanzasDown }) => directions(stanzasUp, stanzasDown)),
    ),
    counter(
      "causeway_stanza_bytes_total",
      "Bytes of these, without what transports wrap around them.",
      eachTransport(meter, ({ bytesUp, bytesDown }) => directions(bytesUp, bytesDown)),
    ),
  ];
}

function requestFamilies({ endpoints, held, hold, retransmissions }: Meter): Family[] {
  const each = Object.entries(endpoints);
  return [
    counter(
      "causeway_requests_total",
      "Requests by what became of them. Empty: the server had nothing to say while it was held; " +
        "terminal: the end of a session or stream; refused: 4xx; failed: 5xx; lost: its client left.",
      each.flatMap(([endpoint, { answered, empty, terminal, refused, failed, lost }]) =>
        // The others answer at once, and know no sessions.
        Object.entries({
          answered,
          refused,
          failed,
          ...(endpoint === "bosh" ? { empty, terminal, lost } : {}),
        })
          .map(([outcome, count]) => [{ endpoint, outcome }, count] as const)
      ),
    ),
    histogram(
      "causeway_request_service_seconds",
      "What it took to serve a request: without the time that it was held, or its body was under way.",
      each.map(([endpoint, { service }]) => [{ endpoint }, service]),
    ),
    histogram(
      "causeway_request_hold_seconds",
      "How long BOSH requests were held because the server had nothing to say.",
      hold,
    ),
    gauge("causeway_held_requests", "BOSH requests that are held.", held),
    counter(
      "causeway_retransmissions_total",
      "BOSH requests that were sent again, by clients that believed them lost.",
      retransmissions,
    ),
  ];
}

function upstreamFamilies({ upstreams, dials }: Meter): Family[] {
  const each = Object.entries(dials);
  return [
    gauge("causeway_upstreams", "Streams to XMPP servers that are up.", upstreams),
    counter(
      "causeway_upstream_dials_total",
      "Steps of reaching XMPP servers: name lookup, TCP connection, TLS handshake, stream.",
      each.flatMap(([phase, { succeeded, failed }]) => [
        [{ phase, outcome: "succeeded" }, succeeded] as const,
        [{ phase, outcome: "failed" }, failed] as const,
      ]),
    ),
    histogram(
      "causeway_upstream_dial_seconds",
      "What these took that succeeded.",
      each.map(([phase, { time }]) => [{ phase }, time]),
    ),
  ];
}

function troubleFamilies(meter: Meter, limitsReached: ReadonlyMap<LimitName, number>): Family[] {
  return [
    counter(
      "causeway_limits_reached_total",
      "How often a limit bit; the label is its key in the configuration.",
      LIMITS.map((limit) => [{ limit }, limitsReached.get(limit) ?? 0]),
    ),
    counter(
      "causeway_faults_total",
      "Mistakes of Causeway's own; the log has each of them.",
      meter.faults,
    ),
    counter(
      "causeway_undelivered_stanzas_total",
      "Stanzas that BOSH clients had not fetched when their sessions ended.",
      meter.undelivered,
    ),
    counter(
      "causeway_unsent_bytes_total",
      "Bytes of one end that the other will not get, because the connection to it is gone.",
      [[{ to: "client" }, meter.unsentToClients], [{ to: "server" }, meter.unsentToServers]],
    ),
    counter(
      "causeway_tls_handshake_failures_total",
      "Clients that did not come into TLS.",
      meter.handshakeFailures,
    ),
  ];
}

function directions(up: number, down: number): readonly (readonly [Labels, number])[] {
  return [[{ direction: "up" }, up], [{ direction: "down" }, down]];
}

function eachTransport(
  meter: Meter,
  values: (transport: TransportMeter) => readonly (readonly [Labels, number])[],
): readonly (readonly [Labels, number])[] {
  return TRANSPORTS.flatMap((transport) =>
    values(meter[transport]).map(([labels, value]) => [{ transport, ...labels }, value] as const)
  );
}
