/** Everything that the REST API can do, each with the schemas that check it and describe it. */
import * as v from "valibot";
import type { BodySource } from "../server/exchange.ts";
import { Problem } from "./problem.ts";
import * as schemas from "./schemas.ts";
import type { AdminService } from "./service.ts";

/** A request whose parts have been checked. */
export interface Asked<Q, B> {
  /** Of the path. */
  readonly session: string;
  readonly query: Q;
  readonly body: B;
  /** The operator's. */
  readonly address: string;
}

/** What is answered with the status of {@link Operation.status}: JSON, or a stream of events. */
export type Told = object | { readonly stream: BodySource };

export interface Operation<Q = unknown, B = unknown> {
  readonly method: "get" | "put" | "post" | "delete";
  /** Below `{admin.path}/api/v1`, as OpenAPI writes it. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly tag: "session" | "stat" | "metric" | "server";
  readonly query?: v.GenericSchema<unknown, Q>;
  readonly body?: v.GenericSchema<unknown, B>;
  readonly status: 200 | 202;
  /** Its name in {@link schemas}; `text/event-stream` for the other kind. */
  readonly answer: keyof typeof schemas;
  /** Problems beside those that every request can have. */
  readonly problems?: Readonly<Record<number, string>>;
  run(service: AdminService, asked: Asked<Q, B>): Told | Promise<Told>;
}

/** Has the types of one operation agree with each other. */
function operation<Q, B>(operation: Operation<Q, B>): Operation {
  return operation as Operation;
}

const NO_SESSION = { 404: "There is no such session." };
const NO_CONTROLS = { 501: "The program around the connection manager has no controls." };

export const operations: readonly Operation[] = [
  operation({
    method: "get",
    path: "/status",
    id: "getStatus",
    summary: "What the program is doing, and how it is.",
    tag: "server",
    status: 200,
    answer: "Status",
    run: (service) => service.status(),
  }),
  operation({
    method: "get",
    path: "/sessions",
    id: "listSessions",
    summary: "Sessions that fit, page by page.",
    tag: "session",
    query: schemas.SessionQuery,
    status: 200,
    answer: "SessionList",
    run: (service, { query }) => service.sessions.list(query),
  }),
  operation({
    method: "get",
    path: "/sessions/{session}",
    id: "getSession",
    summary: "One session, with all that may be known of it.",
    tag: "session",
    status: 200,
    answer: "SessionDetails",
    problems: NO_SESSION,
    run: (service, { session }) => service.session(session),
  }),
  operation({
    method: "delete",
    path: "/sessions/{session}",
    id: "endSession",
    summary:
      "Ends a session with policy-violation. Its client is told at once, or has two seconds to ask; its stream to the XMPP server is closed in good order.",
    tag: "session",
    body: schemas.EndRequest,
    status: 202,
    answer: "Ended",
    problems: NO_SESSION,
    run: (service, { session, body, address }) => ({
      session,
      reason: service.end(session, body?.reason, address),
    }),
  }),
  operation({
    method: "get",
    path: "/sessions/{session}/trace",
    id: "traceSession",
    summary:
      "What goes through a session from here on, without what logs in, as server-sent events: stanza, missed, ended.",
    tag: "session",
    status: 200,
    answer: "TraceEvents",
    problems: { ...NO_SESSION, 429: "Too many traces are read." },
    run: (service, { session, address }) => ({ stream: service.trace(session, address) }),
  }),
  operation({
    method: "post",
    path: "/drain",
    id: "drain",
    summary: "Opens no new session from here on; who is there stays.",
    tag: "server",
    body: schemas.Nothing,
    status: 200,
    answer: "State",
    problems: NO_CONTROLS,
    run: (service, { address }) => ({ state: service.drain(address) }),
  }),
  operation({
    method: "post",
    path: "/undrain",
    id: "undrain",
    summary: "Takes back a drain.",
    tag: "server",
    body: schemas.Nothing,
    status: 200,
    answer: "State",
    problems: NO_CONTROLS,
    run: (service, { address }) => ({ state: service.undrain(address) }),
  }),
  operation({
    method: "get",
    path: "/log-level",
    id: "getLogLevel",
    summary: "The least that is logged.",
    tag: "server",
    status: 200,
    answer: "Level",
    run: (service) => ({ level: service.logLevel }),
  }),
  operation({
    method: "put",
    path: "/log-level",
    id: "setLogLevel",
    summary: "Sets the least that is logged, until the next reload or restart.",
    tag: "server",
    body: schemas.Level,
    status: 200,
    answer: "Level",
    problems: NO_CONTROLS,
    run: (service, { body, address }) => ({ level: service.setLogLevel(body.level, address) }),
  }),
  operation({
    method: "get",
    path: "/config",
    id: "getConfig",
    summary: "The configuration that is in force, without secrets.",
    tag: "server",
    status: 200,
    answer: "Configuration",
    run: (service) => service.configuration(),
  }),
  operation({
    method: "post",
    path: "/reload",
    id: "reload",
    summary:
      "Reads the configuration anew and applies what can be applied: all of it or, with a mistake in it, nothing.",
    tag: "server",
    body: schemas.Nothing,
    status: 200,
    answer: "ReloadReport",
    problems: { ...NO_CONTROLS, 422: "The configuration has mistakes, and nothing was changed." },
    async run(service, { address }) {
      const report = await service.reload(address);
      if (report.mistakes.length === 0) return report;
      const detail =
        "the configuration has mistakes and nothing was changed; mend them and try again";
      throw new Problem(422, detail, { ...report });
    },
  }),
  operation({
    method: "get",
    path: "/metrics",
    id: "getMetrics",
    summary: "All metrics, as Prometheus gets them.",
    tag: "metric",
    status: 200,
    answer: "Metrics",
    run: (service) => service.metrics(),
  }),
  operation({
    method: "get",
    path: "/history",
    id: "getHistory",
    summary: "What the numbers were in the last hour, every ten seconds.",
    tag: "stat",
    query: schemas.HistoryQuery,
    status: 200,
    answer: "History",
    run: (service, { query }) => service.history(query.minutes),
  }),
  operation({
    method: "get",
    path: "/upstreams",
    id: "listUpstreams",
    summary: "How the XMPP servers of each domain were reached lately; the last 500 domains.",
    tag: "stat",
    status: 200,
    answer: "Upstreams",
    run: (service) => service.upstreams(),
  }),
  operation({
    method: "get",
    path: "/errors",
    id: "listErrors",
    summary: "What went wrong lately, by reason, and the last of it word by word.",
    tag: "stat",
    query: schemas.ErrorsQuery,
    status: 200,
    answer: "Errors",
    run: (service, { query }) => service.errors(query.minutes),
  }),
];
