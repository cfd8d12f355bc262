import { type ConversionConfig, type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";
import { version } from "../version.ts";
import { type Operation, operations } from "./operations.ts";
import { PROBLEM_JSON } from "./problem.ts";
import * as schemas from "./schemas.ts";

const { TraceEvents, ...named } = schemas;
const COMPONENTS = "#/components/schemas/";

/** The JSON Schema of what a request may say, or of what an answer says. */
export function schemaOf(schema: GenericSchema, typeMode: "input" | "output"): JsonSchema {
  const { $schema: _, ...json } = toJsonSchema(schema, { ...CONVERSION, typeMode });
  return json;
}

const CONVERSION: ConversionConfig = {
  target: "draft-2020-12",
  // What is checked beyond JSON Schema is said in words.
  ignoreActions: ["trim"],
};

/** The OpenAPI 3.1 document of the REST API that is served at `base`. */
export function openApiDocument(base: string): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method]: described(operation),
    };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Causeway's admin API",
      version,
      description:
        "What an operator can look at and do. Requests that change something are JSON, and pages of other sites cannot make them.",
    },
    servers: [{ url: base }],
    security: [{ basic: [] }, { token: [] }],
    tags: ["session", "stat", "metric", "server"].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        basic: { type: "http", scheme: "basic" },
        token: { type: "http", scheme: "bearer" },
      },
      schemas: {
        ...Object.fromEntries(
          Object.entries(named).map(([name, schema]) => [name, schemaOf(schema, "output")]),
        ),
        ...Object.fromEntries(
          Object.entries(TraceEvents).map(([name, schema]) =>
            [`trace.${name}`, schemaOf(schema, "output")] as const
          ),
        ),
      },
    },
  };
}

function described(operation: Operation): Readonly<Record<string, unknown>> {
  const { id, summary, tag, query, body, status, answer, path, problems = {} } = operation;
  const parameters = [
    ...(path.includes("{session}")
      ? [{
        name: "session",
        in: "path",
        required: true,
        description: "The session's short name, as in the log.",
        schema: { type: "string" },
      }]
      : []),
    ...Object.entries(query === undefined ? {} : schemaOf(query, "input").properties ?? {}).map(
      ([name, schema]) => ({ name, in: "query", required: false, schema }),
    ),
  ];
  const isStream = answer === "TraceEvents";
  return {
    operationId: id,
    summary,
    tags: [tag],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : {
      requestBody: {
        required: "required" in schemaOf(body, "input"),
        content: { "application/json": { schema: schemaOf(body, "input") } },
      },
    }),
    responses: {
      [status]: {
        description: isStream ? "Events, until the session ends or the reader leaves." : summary,
        content: isStream
          ? { "text/event-stream": { schema: { type: "string" } } }
          : { "application/json": { schema: { $ref: `${COMPONENTS}${answer}` } } },
      },
      ...Object.fromEntries(
        Object.entries({ 401: "Nobody is logged in.", ...problems }).map((
          [status, description],
        ) => [
          status,
          problemAnswer(description),
        ]),
      ),
      default: problemAnswer("The request cannot be served."),
    },
  };
}

function problemAnswer(description: string) {
  return {
    description,
    content: { [PROBLEM_JSON]: { schema: { $ref: `${COMPONENTS}Problem` } } },
  };
}
