/** GraphQL over the same service as REST. */
import { GraphQLError, parse, type ValidationRule } from "graphql";
import { createHandler } from "graphql-http/lib/use/fetch";
import { safeParse } from "valibot";
import type { AdminCategory, Config, LogLevel } from "../config/config.ts";
import { bounded } from "./graphql_bounds.ts";
import { adminSchema } from "./graphql_schema.ts";
import { Problem } from "./problem.ts";
import { SessionQuery } from "./schemas.ts";
import type { AdminService, Metrics } from "./service.ts";
import type { Sessions } from "./sessions.ts";

/** What is behind the schema. */
export interface GraphqlParts {
  readonly service: AdminService;
  readonly config: Config;
  /** The operator's. */
  readonly address: string;
  /** Hears of our own mistakes. */
  readonly onFault: (error: unknown) => void;
}

/** Tokens of one request. */
const MOST_TOKENS = 2_000;

/** Answers one request. What changes something has to be a POST. */
export function answerGraphql(request: Request, parts: GraphqlParts): Promise<Response> {
  const { onFault } = parts;
  const handle = createHandler({
    schema: adminSchema(),
    rootValue: root(parts),
    parse: (source, options) => parse(source, { ...options, maxTokens: MOST_TOKENS }),
    validationRules: [bounded as ValidationRule],
    formatError(error) {
      const cause = error instanceof GraphQLError ? error.originalError : error;
      if (cause === undefined || cause instanceof Problem || cause instanceof GraphQLError) {
        return error;
      }
      onFault(cause);
      return new GraphQLError("a fault of the connection manager; its log says more");
    },
  });
  return handle(request);
}

type Sessionish = Parameters<Sessions["list"]>[0];

function root({ service, config, address }: GraphqlParts) {
  const category = <T>(name: AdminCategory, of: T) => () => {
    if (config.admin.allowedCategories.includes(name)) return of;
    throw new Problem(
      403,
      `the category ${name} is not allowed; write it into admin.allowed_categories`,
    );
  };
  const level = () => LEVELS[service.logLevel];
  return {
    checkAuth: { status: "AUTHORIZED" },
    session: category("session", {
      listSessions: async (args: Arguments) => (await service.sessions.list(query(args))).sessions,
      countSessions: (args: Arguments) => service.sessions.count(query(args)),
      getSession: ({ session }: { session: string }) => service.session(session),
      kickSession: (args: { session: string; reason?: string | null }) => kick(args),
    }),
    stat: category("stat", {
      async globalStats() {
        const { uptime, sessions, memory } = service.status();
        return {
          uptimeSeconds: Math.floor(uptime),
          onlineUsers: await service.sessions.count(query({ state: "authenticated" })),
          sessions: sessions.total,
          boshSessions: sessions.bosh,
          websocketSessions: sessions.websocket,
          residentMemory: memory.resident,
        };
      },
      domainStats: async ({ domain }: { domain: string }) => ({
        onlineUsers: await service.sessions.count(query({ domain, state: "authenticated" })),
        sessions: await service.sessions.count(query({ domain })),
      }),
    }),
    metric: category("metric", {
      getMetrics: ({ name }: { name?: string[] | null }) =>
        families(service, name).map(({ name, type, ...rest }) => ({
          ...rest,
          name: name.split("_"),
          type: TYPES.has(type) ? type : "untyped",
        })),
      getMetricsAsDicts: (
        { name, keys }: { name?: string[] | null; keys?: string[] | null },
      ) =>
        families(service, name).map(({ name, samples }) => ({
          name: name.split("_"),
          dict: samples.map((sample) => ({ key: keyOf(name, sample), value: sample.value }))
            .filter(({ key }) => keys === undefined || keys === null || keys.includes(key)),
        })),
    }),
    server: category("server", {
      status() {
        const { state, version } = service.status();
        return {
          statusCode: state === "stopping" ? "NOT_RUNNING" : "RUNNING",
          message: `Causeway ${version} is ${state}`,
          version,
          state,
        };
      },
      getLoglevel: level,
      getConfig: () => service.configuration(),
      setLoglevel({ level }: { level: string }) {
        const name = LEVEL_NAMES.find((name) => LEVELS[name] === level)!;
        return `the log level is ${service.setLogLevel(name, address)}`;
      },
      drain: () => service.drain(address),
      undrain: () => service.undrain(address),
      reload: () => service.reload(address),
    }),
  };

  function kick({ session, reason }: { session: string; reason?: string | null }) {
    try {
      const given = reason?.trim() || undefined;
      if (given !== undefined && given.length > LONGEST_REASON) {
        throw new Problem(
          400,
          `a reason may have ${LONGEST_REASON} characters; write a shorter one`,
        );
      }
      const message = service.end(session, given, address);
      return { session, kicked: true, code: null, message };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const code = error.status === 404 ? "no_session" : "bad_reason";
      return { session, kicked: false, code, message: error.message };
    }
  }
}

type Arguments = Readonly<Record<string, unknown>>;

const LONGEST_REASON = 200;
const TYPES = new Set(["counter", "gauge", "histogram"]);

/** As MongooseIM calls them. */
const LEVELS: Readonly<Record<LogLevel, string>> = {
  debug: "DEBUG",
  info: "INFO",
  warn: "WARNING",
  error: "ERROR",
};
const LEVEL_NAMES = Object.keys(LEVELS) as LogLevel[];

/** Arguments have the bounds that REST has. */
function query(args: Arguments): Sessionish {
  const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null));
  const result = safeParse(SessionQuery, given);
  if (result.success) return result.output;
  const [{ path, expected }] = result.issues;
  throw new Problem(400, `${path?.at(-1)?.key} must be ${expected}`);
}

function families(
  service: AdminService,
  pattern: readonly string[] | null | undefined,
): Metrics["families"] {
  const all = service.metrics().families;
  if (pattern === undefined || pattern === null || pattern.length === 0) return all;
  return all.filter(({ name }) => {
    const segments = name.split("_");
    return (pattern.length === 1 && pattern[0] === name) || (
      pattern.length === segments.length &&
      pattern.every((part, at) => part === "_" || part === segments[at])
    );
  });
}

/** `value`, or what stands behind the family's name (`sum`, `count`, `bucket`), and the labels. */
function keyOf(
  family: string,
  { name, labels }: Metrics["families"][number]["samples"][number],
): string {
  const suffix = name.slice(family.length + 1) || "value";
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? suffix : `${suffix}{${pairs.join(",")}}`;
}
