import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { Controls, ReloadReport } from "../../src/controls.ts";
import { openApiDocument } from "../../src/admin/openapi.ts";
import { Stage, type StageOptions } from "../conformance/stage.ts";
import { configOf } from "./manager.ts";

/** What lets an operator in. */
export const PASSWORD = "a-password-ø-for-operators";
export const TOKEN = "a-token-for-programs";
export const BASIC = `Basic ${new TextEncoder().encode(`admin:${PASSWORD}`).toBase64()}`;

/** Controls that do nothing but remember. */
export class FakeControls implements Controls {
  state: Controls["state"] = "serving";
  logLevel: Controls["logLevel"] = "info";
  readonly config = configOf("");
  report: ReloadReport = { applied: ["limits.sessions"], restart: [], mistakes: [] };

  drain(): void {
    this.state = "draining";
  }

  undrain(): void {
    this.state = "serving";
  }

  reload(): Promise<ReloadReport> {
    return Promise.resolve(this.report);
  }
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Is made JSON. */
  readonly body?: unknown;
}

/** A connection manager with an admin API, and the XMPP server of `example.test`. */
export class AdminStage implements AsyncDisposable {
  readonly stage: Stage;
  readonly controls: FakeControls;
  /** Of the REST API. */
  readonly api: string;

  private constructor(stage: Stage, controls: FakeControls) {
    this.stage = stage;
    this.controls = controls;
    this.api = `${stage.running.url}/admin/api/v1`;
  }

  static async set(
    { admin = "", more = "", ...options }: StageOptions & { readonly admin?: string } = {},
  ): Promise<AdminStage> {
    const controls = new FakeControls();
    const stage = await Stage.set({
      ...options,
      listen: 'serve = ["bosh", "websocket", "admin"]',
      more: `${more}\n[admin]\npassword_file = "password"\ntoken_file = "token"\n${admin}`,
      running: { controls, files: { password: `${PASSWORD}\n`, token: `${TOKEN}\n` } },
    });
    return new AdminStage(stage, controls);
  }

  /** A request of an operator's below the REST API, as a program sends it. */
  ask(path: string, { method = "GET", headers, body }: Asking = {}): Promise<Response> {
    return fetch(path.startsWith("http") ? path : `${this.api}${path}`, {
      method,
      headers: {
        authorization: BASIC,
        ...(method === "GET" ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /**
   * The JSON of an answer that is as the OpenAPI document says for this operation and its status.
   */
  // deno-lint-ignore no-explicit-any -- JSON, whose shape has been checked
  async told(status: number, path: string, asking: Asking = {}): Promise<any> {
    const response = await this.ask(path, asking);
    const json = await response.json();
    assert.equal(response.status, status, JSON.stringify(json));
    assertDescribed(asking.method ?? "GET", path, response, json);
    return json;
  }

  /** The answer to a GraphQL request. */
  // deno-lint-ignore no-explicit-any -- JSON
  async graphql(query: string, variables?: Readonly<Record<string, unknown>>): Promise<any> {
    const response = await this.ask(`${this.stage.running.url}/admin/graphql`, {
      method: "POST",
      body: { query, variables },
    });
    return await response.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
  }
}

// deno-lint-ignore no-explicit-any -- an OpenAPI document
const document: any = openApiDocument("/admin/api/v1");
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addFormat("date-time", (text: string) => !Number.isNaN(Date.parse(text)));
ajv.addSchema({ $id: "openapi.json", ...document });

/** Whether an answer is one that the OpenAPI document has for this path, method and status. */
export function assertDescribed(
  method: string,
  path: string,
  response: Response,
  json: unknown,
): void {
  const [given = ""] = path.split("?");
  const template = Object.keys(document.paths).find((template) =>
    new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`).test(given)
  );
  assert.ok(template !== undefined, `${given} is not in the document`);
  const { responses } = document.paths[template][method.toLowerCase()];
  const name = responses[response.status] === undefined ? "default" : String(response.status);
  const [type] = response.headers.get("content-type")!.split(";");
  assert.ok(responses[name].content[type!] !== undefined, `${type} for ${response.status}`);
  const pointer = [
    "paths",
    template,
    method.toLowerCase(),
    "responses",
    name,
    "content",
    type!,
    "schema",
  ];
  const at = pointer.map((part) =>
    encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))
  );
  const validate = ajv.compile({ $ref: `openapi.json#/${at.join("/")}` });
  assert.ok(
    validate(json),
    `${method} ${path}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(json)}`,
  );
}

/** Server-sent events as they come. */
export class Events implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly response: Response;
  /** Lines that are comments. */
  comments = 0;
  #text = "";

  constructor(response: Response) {
    this.response = response;
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** `undefined`: it is over. */
  // deno-lint-ignore no-explicit-any -- JSON
  async next(): Promise<{ readonly event: string; readonly data: any } | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const match = /^event: (\w+)\ndata: (.*)$/.exec(block);
        if (match !== null) return { event: match[1]!, data: JSON.parse(match[2]!) };
        assert.match(block, /^:/);
        this.comments++;
        continue;
      }
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#text += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel();
  }
}
