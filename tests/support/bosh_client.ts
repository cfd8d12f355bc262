/**
 * A BOSH client for tests. It is driven request by request, can do everything that is wrong, and
 * knows XEP-0124 and nothing of any implementation. What must hold of every response, it checks
 * by itself; a response that breaks a rule is a rejected promise.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { dial } from "./dial.ts";
import { parseXml, type XmlElement } from "./xml_element.ts";

/** Milliseconds after which an answer is not waited for any longer. */
const PATIENCE = 20_000;

export const HTTPBIND = "http://jabber.org/protocol/httpbind";
export const STREAMS = "http://etherx.jabber.org/streams";
export const XBOSH = "urn:xmpp:xbosh";
export const CLIENT = "jabber:client";

// ---- HTTP

export interface HttpRequest {
  readonly method?: string;
  /** Default: that of the URL. */
  readonly target?: string;
  readonly version?: "1.0" | "1.1";
  /** Besides `Host` and `Content-Length`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Sends the body in chunks of this many bytes. */
  readonly chunk?: number;
}

export interface HttpResponse {
  /** Of the protocol: `1.1`, `1.0` or `2`. */
  readonly version: string;
  readonly status: number;
  /** Statuses of interim responses that came before. */
  readonly interim: readonly number[];
  /** By name in lower case; repeated ones are joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

interface Expected {
  readonly method: string;
  readonly interim: number[];
  resolve(response: HttpResponse): void;
  reject(error: Error): void;
}

/** One connection. Requests may be sent before earlier ones are answered. */
export class HttpConnection {
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>;
  isClosed = false;
  /** Settles when the server asks for the body of the request that was written first. */
  readonly continued: Promise<void>;
  #continue = () => {};
  readonly #url: URL;
  readonly #socket: Socket;
  readonly #expected: Expected[] = [];
  readonly #patience: number;
  #buffer = Buffer.alloc(0);

  /** `from` is an address of loopback. */
  constructor(url: string, patience = PATIENCE, from?: string) {
    this.#url = new URL(url);
    this.#patience = patience;
    this.#socket = dial(this.#url, { from });
    this.#socket.on("data", (data: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, data]);
      while (this.#read());
    });
    this.#socket.on("error", () => {});
    this.continued = new Promise((resolve) => this.#continue = resolve);
    this.closed = new Promise((resolve) => {
      this.#socket.once("close", () => {
        this.isClosed = true;
        for (const { reject } of this.#expected.splice(0)) {
          reject(new Error("the connection was closed without an answer"));
        }
        resolve();
      });
    });
  }

  /** Whether answers are outstanding. */
  get isBusy(): boolean {
    return this.#expected.length > 0;
  }

  /** Writes a request in one piece; resolves with its answer. */
  send(request: HttpRequest): Promise<HttpResponse> {
    const answer = this.expectAnswer(request.method);
    this.write(this.encode(request));
    return answer;
  }

  /** The bytes of a request. */
  encode({ method = "POST", target, version = "1.1", headers = {}, body, chunk }: HttpRequest) {
    const content = Buffer.from(body ?? "");
    const all = {
      "Host": this.#url.host,
      ...(chunk !== undefined
        ? { "Transfer-Encoding": "chunked" }
        : body !== undefined
        ? { "Content-Length": String(content.length) }
        : {}),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `${method} ${target ?? this.#url.pathname} HTTP/${version}\r\n${
      lines.join("")
    }\r\n`;
    return Buffer.concat([
      Buffer.from(head),
      chunk === undefined ? content : inChunks(content, chunk),
    ]);
  }

  write(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  /** The next answer on this connection, for a request that was written by hand. */
  expectAnswer(method = "POST"): Promise<HttpResponse> {
    const answer = new Promise<HttpResponse>((resolve, reject) => {
      const patience = setTimeout(
        () => reject(new Error(`no answer within ${this.#patience / 1000} s`)),
        this.#patience,
      );
      const settled = <T>(settle: (value: T) => void) => (value: T) => {
        clearTimeout(patience);
        settle(value);
      };
      this.#expected.push({
        method,
        interim: [],
        resolve: settled(resolve),
        reject: settled(reject),
      });
    });
    // Tests end with requests held.
    answer.catch(() => {});
    return answer;
  }

  /** Leaves without a word. */
  abort(): void {
    this.#socket.destroy();
  }

  /** Leaves with a TCP reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Closes this side, and goes on reading. */
  end(): void {
    this.#socket.end();
  }

  /** Takes one response off the buffer, if there is a whole one. */
  #read(): boolean {
    const end = this.#buffer.indexOf("\r\n\r\n");
    const expected = this.#expected[0];
    if (end < 0 || expected === undefined) return false;
    const [first = "", ...lines] = this.#buffer.toString("latin1", 0, end).split("\r\n");
    const [, version = "", status = ""] = /^HTTP\/(1\.[01]) (\d{3})(?: |$)/.exec(first) ?? [];
    if (status.startsWith("1")) {
      expected.interim.push(Number(status));
      if (status === "100") this.#continue();
      this.#buffer = this.#buffer.subarray(end + 4);
      return true;
    }
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
    }
    const bodiless = expected.method === "HEAD" || status === "204";
    const length = bodiless ? 0 : Number(headers.get("content-length"));
    // Some clients know no other way to find the end of an answer (XEP-0124 §5).
    assert.ok(Number.isInteger(length), `the answer has no Content-Length: ${first}`);
    if (this.#buffer.length < end + 4 + length) return false;
    const body = Uint8Array.from(this.#buffer.subarray(end + 4, end + 4 + length));
    this.#buffer = this.#buffer.subarray(end + 4 + length);
    this.#expected.shift();
    expected.resolve({
      version,
      status: Number(status),
      interim: expected.interim,
      headers,
      body,
    });
    return true;
  }
}

function inChunks(content: Buffer, size: number): Buffer {
  const parts: (Buffer | string)[] = [];
  for (let at = 0; at < content.length; at += size) {
    const part = content.subarray(at, at + size);
    parts.push(`${part.length.toString(16)}\r\n`, part, "\r\n");
  }
  parts.push("0\r\n\r\n");
  return Buffer.concat(parts.map((part) => Buffer.from(part as Buffer)));
}

// ---- BOSH

/** The terminal binding conditions (XEP-0124 §17.2). */
const CONDITIONS = [
  "bad-request",
  "host-gone",
  "host-unknown",
  "improper-addressing",
  "internal-server-error",
  "item-not-found",
  "other-request",
  "policy-violation",
  "remote-connection-failed",
  "remote-stream-error",
  "see-other-uri",
  "system-shutdown",
  "undefined-condition",
];

/** What belongs into the creation response and nowhere else (XEP-0124 §7.2). */
export const CREATION_ONLY = [
  "sid",
  "wait",
  "requests",
  "ver",
  "polling",
  "inactivity",
  "hold",
  "maxpause",
  "accept",
  "charsets",
];

/** What came back for one request. */
export interface BoshResponse {
  readonly http: HttpResponse;
  /** The document. */
  readonly text: string;
  readonly payloads: readonly XmlElement[];
  readonly type: string | undefined;
  readonly condition: string | undefined;
  /** An attribute of the wrapper, by its name as it is written. */
  get(name: string): string | undefined;
}

/** Reads a response; throws when it breaks what holds for all of them. */
export function readResponse(http: HttpResponse): BoshResponse {
  assert.equal(http.headers.get("transfer-encoding"), undefined);
  assert.equal(http.headers.get("set-cookie"), undefined);
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(http.body);
  // XEP-0124 §6: one element, unprefixed for those who compare names, and nothing before it.
  assert.match(text, /^<body [^]*>$/);
  const root = parseXml(text);
  assert.equal(root.name, "body");
  assert.equal(root.namespace, HTTPBIND);
  const payloads = root.children.map((child) => {
    if (typeof child === "string") throw new Error(`text between the payloads of ${text}`);
    return child;
  });
  const get = (name: string) => root.attributes.get(name)?.value;
  const type = get("type");
  const condition = get("condition");
  assert.ok(type === undefined || type === "terminate" || type === "error", text);
  assert.ok(condition === undefined || type === "terminate", text);
  assert.ok(condition === undefined || CONDITIONS.includes(condition), text);
  return { http, text, payloads, type, condition, get };
}

export interface ClientOptions {
  /** Of every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of the creation request. */
  readonly rid?: number;
  /** Milliseconds after which an answer is not waited for any longer. */
  readonly patience?: number;
  /** The address of loopback that it comes from. */
  readonly from?: string;
}

export interface HowToSend extends Omit<HttpRequest, "body" | "target" | "method"> {
  readonly rid?: number;
  /** Default: one that is idle, or else a new one. */
  readonly connection?: HttpConnection;
}

/** One session from the client's side. */
export class BoshClient {
  readonly url: string;
  sid = "";
  /** The highest rid that was sent. */
  rid: number;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #connections: HttpConnection[] = [];
  readonly #patience: number | undefined;
  readonly #from: string | undefined;
  #isLegacy = false;

  constructor(url: string, { headers = {}, rid, patience, from }: ClientOptions = {}) {
    this.url = url;
    this.#patience = patience;
    this.#from = from;
    this.#headers = headers;
    this.rid = (rid ?? 1_000_000 + Math.floor(Math.random() * 1_000_000)) - 1;
  }

  /** Asks for a session; the creation response, whatever it says. */
  async create(
    attributes: string,
    content = "",
    how: HowToSend = {},
  ): Promise<BoshResponse> {
    this.#isLegacy = !/ ver=/.test(` ${attributes}`);
    const response = await this.#dispatch(attributes, content, how).answer;
    this.sid = response.get("sid") ?? "";
    return response;
  }

  /** Sends a request of this session: the next one, unless `rid` says which. */
  send(attributes = "", content = "", how: HowToSend = {}): BoshRequest {
    return this.#dispatch(`sid='${this.sid}' ${attributes}`, content, how, true);
  }

  /** The response to a request of this session. */
  ask(attributes = "", content = "", how: HowToSend = {}): Promise<BoshResponse> {
    return this.send(attributes, content, how).answer;
  }

  /** A connection of this client's that is not used unless it is named. */
  connect(): HttpConnection {
    const connection = new HttpConnection(this.url, this.#patience, this.#from);
    this.#connections.push(connection);
    return connection;
  }

  close(): void {
    for (const connection of this.#connections) connection.abort();
  }

  #dispatch(
    attributes: string,
    content: string,
    { rid, connection, ...http }: HowToSend,
    isLater = false,
  ): BoshRequest {
    const id = rid ?? this.rid + 1;
    this.rid = Math.max(this.rid, id);
    const body = bodyOf(`rid='${id}' ${attributes}`, content);
    const way = connection ?? this.#connections.find((c) => !c.isBusy && !c.isClosed) ??
      this.connect();
    const headers = { "Content-Type": "text/xml; charset=utf-8", ...this.#headers };
    const answer = way.send({ ...http, headers: { ...headers, ...http.headers }, body })
      .then((response) => this.#read(response, isLater));
    return new BoshRequest(id, way, answer);
  }

  #read(http: HttpResponse, isLater: boolean): BoshResponse {
    const response = readResponse(http);
    // §17.1: HTTP's own errors are for clients that know no others.
    if (!this.#isLegacy) assert.equal(http.status, 200);
    if (isLater) {
      for (const name of CREATION_ONLY) assert.equal(response.get(name), undefined, response.text);
    }
    return response;
  }
}

/** A request that is under way, or was. */
export class BoshRequest {
  readonly rid: number;
  readonly connection: HttpConnection;
  readonly answer: Promise<BoshResponse>;
  isAnswered = false;

  constructor(rid: number, connection: HttpConnection, answer: Promise<BoshResponse>) {
    this.rid = rid;
    this.connection = connection;
    this.answer = answer;
    answer.then(() => this.isAnswered = true, () => {});
  }

  /** Breaks its connection. */
  abort(): void {
    this.connection.abort();
  }
}

/** A wrapper in its plainest form. */
export function bodyOf(attributes: string, content = ""): string {
  return `<body xmlns='${HTTPBIND}' xmlns:xmpp='${XBOSH}' ${attributes}>${content}</body>`;
}

/**
 * Holds when none of these requests is answered yet, nor in the next moment. It cannot fail
 * wrongly, only miss an answer that is on its way.
 */
export async function stayUnanswered(...requests: readonly BoshRequest[]): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 150));
  for (const { rid, isAnswered } of requests) assert.ok(!isAnswered, `request ${rid} is answered`);
}
