/**
 * The GraphQL schema, in the categories that MongooseIM's admin schema has, and with its names where both
 * mean the same. Sessions are connections to this program, for it does not know who is logged in by them.
 */
import { buildSchema, type GraphQLSchema } from "graphql";
const SDL = `
"A time, as ISO 8601 has it."
scalar DateTime
"Any JSON value."
scalar JSON

type Query {
  "Whether the request is authorized; it would not be answered if it were not."
  checkAuth: AuthStatus!
  session: SessionAdminQuery
  stat: StatAdminQuery
  metric: MetricAdminQuery
  server: ServerAdminQuery
}

type Mutation {
  session: SessionAdminMutation
  server: ServerAdminMutation
}

enum AuthStatusCode { AUTHORIZED }
type AuthStatus { status: AuthStatusCode! }

type SessionAdminQuery {
  "Sessions that fit, youngest first; without a limit the first hundred."
  listSessions(
    domain: String
    address: String
    transport: Transport
    state: SessionState
    minAge: Float
    maxAge: Float
    search: String
    limit: Int
    cursor: String
  ): [Session!]!
  countSessions(domain: String, address: String, transport: Transport, state: SessionState): Int!
  "One session by its short name."
  getSession(session: String!): SessionDetails
}

type SessionAdminMutation {
  "Ends a session with policy-violation; its client is told the reason, in 200 characters at the most."
  kickSession(session: String!, reason: String): KickResult!
}

type KickResult {
  session: String!
  kicked: Boolean!
  "Why not, in one word."
  code: String
  message: String!
}

enum Transport { bosh websocket }
"open: the XMPP server has answered; authenticated: it has let the client in."
enum SessionState { connecting open authenticated }
"Bytes that wait for the XMPP server, and for the client."
type Queued { up: Float! down: Float! }

interface SessionSummary {
  "Its short name, as in the log."
  session: String!
  transport: Transport!
  state: SessionState!
  domain: String!
  address: String!
  port: Int!
  userAgent: String
  tls: Boolean
  created: DateTime!
  "Seconds, as all times here."
  age: Float!
  idle: Float!
  streams: Int!
  held: Int!
  queued: Queued!
  upstream: String
}

type Session implements SessionSummary {
  session: String!
  transport: Transport!
  state: SessionState!
  domain: String!
  address: String!
  port: Int!
  userAgent: String
  tls: Boolean
  created: DateTime!
  age: Float!
  idle: Float!
  streams: Int!
  held: Int!
  queued: Queued!
  upstream: String
}

type SessionDetails implements SessionSummary {
  session: String!
  transport: Transport!
  state: SessionState!
  domain: String!
  address: String!
  port: Int!
  userAgent: String
  tls: Boolean
  created: DateTime!
  age: Float!
  idle: Float!
  streams: Int!
  held: Int!
  queued: Queued!
  upstream: String
  wait: Float
  hold: Int
  requests: Int
  inactivity: Float
  polling: Float
  expires: Float
  paused: Boolean
  behindGap: Float
  acks: Boolean
  version: String
  script: Boolean
  legacy: Boolean
  streamManagement: Boolean
  framing: String
  backedUp: Boolean!
  traces: Int!
}

type StatAdminQuery {
  globalStats: GlobalStats!
  domainStats(domain: String!): DomainStats!
}

type GlobalStats {
  uptimeSeconds: Int!
  "Sessions whose client its XMPP server has let in."
  onlineUsers: Int!
  sessions: Int!
  boshSessions: Int!
  websocketSessions: Int!
  residentMemory: Float!
}

type DomainStats {
  onlineUsers: Int!
  sessions: Int!
}

enum MetricType { counter gauge histogram untyped }

type Metric {
  "Its name, divided at the underscores."
  name: [String!]!
  type: MetricType!
  help: String!
  samples: [Sample!]!
}

type Sample { name: String! labels: JSON! value: Float! }

type MetricDictEntry { key: String! value: Float! }
type MetricDictResult { name: [String!]! dict: [MetricDictEntry!]! }

type MetricAdminQuery {
  "Metrics by the segments of their name; an underscore stands for any segment, no name for all metrics."
  getMetrics(name: [String!]): [Metric!]!
  "Likewise, with labels in the keys, and only those keys that are asked for."
  getMetricsAsDicts(name: [String!], keys: [String!]): [MetricDictResult!]!
}

enum StatusCode { RUNNING NOT_RUNNING }
type Status {
  "NOT_RUNNING: it stops."
  statusCode: StatusCode!
  message: String!
  version: String!
  state: State!
}
enum State { serving draining stopping }
enum LogLevel { ERROR WARNING INFO DEBUG }

type ServerAdminQuery {
  status: Status!
  getLoglevel: LogLevel!
  "The configuration that is in force, without secrets."
  getConfig: JSON!
}

type ReloadReport { applied: [String!]! restart: [String!]! mistakes: [String!]! }

type ServerAdminMutation {
  setLoglevel(level: LogLevel!): String!
  "Opens no new session from here on."
  drain: State!
  undrain: State!
  "Reads the configuration anew; with mistakes in it nothing changes."
  reload: ReloadReport!
}
`;

/** Made when somebody asks for the first time. */
export function adminSchema(): GraphQLSchema {
  return schema ??= buildSchema(SDL);
}

let schema: GraphQLSchema | undefined;
