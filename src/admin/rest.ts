/** The REST API below `{admin.path}/api/v1`, made of its operations. */
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { type BaseIssue, type GenericSchema, getDotPath, safeParse } from "valibot";
import type { BodySource } from "../server/exchange.ts";
import { openApiDocument, schemaOf } from "./openapi.ts";
import { type Operation, operations } from "./operations.ts";
import { Problem, PROBLEM_JSON } from "./problem.ts";
import type { AdminService } from "./service.ts";

/** What goes with a request through Hono, either way. */
export interface Surroundings {
  /** The operator's. */
  readonly address: string;
  /** The body of the answer instead of the response's, if it is made while it is sent. */
  source?: BodySource;
}

type Asking = Context<{ Bindings: Surroundings }>;
export type Rest = Hono<{ Bindings: Surroundings }>;

/** `onFault` hears of our own mistakes. */
export function restApi(
  base: string,
  service: AdminService,
  onFault: (error: unknown) => void,
): Rest {
  const app: Rest = new Hono<{ Bindings: Surroundings }>().basePath(base);
  let document: string | undefined;
  app.get("/openapi.json", (c) => {
    document ??= JSON.stringify(openApiDocument(base));
    return c.body(document, 200, { "content-type": "application/json" });
  });
  for (const operation of operations) {
    const path = operation.path.replace(/\{(\w+)\}/g, ":$1");
    const readQuery = queryReader(operation.query);
    app.on(operation.method.toUpperCase(), path, async (c) => {
      const told = await operation.run(service, {
        session: c.req.param("session") ?? "",
        query: readQuery(c),
        body: await readBody(operation, c),
        address: c.env.address,
      });
      if (!("stream" in told)) return c.json(told, operation.status);
      c.env.source = told.stream;
      return c.body(null, 200, {
        "content-type": "text/event-stream; charset=utf-8",
        // A proxy that gathers what it is sent would keep the events to itself.
        "x-accel-buffering": "no",
      });
    });
  }
  app.notFound((c) => {
    const methods = operations.filter(({ path }) => matches(path, c.req.path.slice(base.length)))
      .map(({ method }) => method.toUpperCase());
    if (methods.length === 0) {
      return problem(
        c,
        new Problem(404, `nothing is here; ${base}/openapi.json says what there is`),
      );
    }
    const allow = methods.join(", ");
    c.header("allow", allow);
    return problem(c, new Problem(405, `this path knows other methods; use ${allow}`));
  });
  app.onError((error, c) => {
    if (error instanceof Problem) return problem(c, error);
    onFault(error);
    return problem(c, new Problem(500, "a fault of the connection manager; its log says more"));
  });
  return app;
}

function problem(c: Asking, { status, body }: Problem): Response {
  return c.body(JSON.stringify(body), status as 400, { "content-type": PROBLEM_JSON });
}

function matches(template: string, path: string): boolean {
  const [wanted, given] = [template.split("/"), path.split("/")];
  return wanted.length === given.length &&
    wanted.every((part, at) => part.startsWith("{") || part === given[at]);
}

function queryReader(schema: GenericSchema | undefined): (c: Asking) => unknown {
  if (schema === undefined) return () => undefined;
  const numbers = Object.entries(schemaOf(schema, "input").properties ?? {})
    .filter(([, property]) =>
      typeof property === "object" && ["number", "integer"].includes(property.type as string)
    )
    .map(([name]) => name);
  return (c) => {
    const query: Record<string, string | number> = c.req.query();
    for (const name of numbers) {
      const text = query[name];
      // What is no number is left to the schema to refuse.
      if (text !== undefined && /^[0-9]{1,12}(?:\.[0-9]{1,6})?$/.test(String(text))) {
        query[name] = Number(text);
      }
    }
    return checked(schema, query, "the query");
  };
}

async function readBody({ body: schema }: Operation, c: Asking): Promise<unknown> {
  if (schema === undefined) return undefined;
  const text = await c.req.text();
  let json: unknown;
  try {
    json = text.trim() === "" ? undefined : JSON.parse(text);
  } catch {
    throw new Problem(400, "the body is not JSON; look for quotes and commas");
  }
  return checked(schema, json, "the body");
}

function checked(schema: GenericSchema, value: unknown, what: string): unknown {
  const result = safeParse(schema, value);
  if (result.success) return result.output;
  throw new Problem(
    400,
    `${what} is not as it should be: ${result.issues.map(sentence).join("; ")}`,
  );
}

/** What is expected, and never what was sent: that may be a secret at the wrong place. */
function sentence(issue: BaseIssue<unknown>): string {
  const place = getDotPath(issue) ?? "it";
  return issue.expected === null
    ? `${place} is refused`
    : issue.expected === "never"
    ? `${place} is not known here`
    : `${place} must be ${issue.expected}`;
}
