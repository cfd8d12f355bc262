/** HTTP/1.1 as it comes over the wire: each header as often as it was sent, which `fetch` does not show. */
import { connectFailure, tlsFailure } from "../../upstream/dial_words.ts";
import { within } from "../../upstream/failure.ts";
import type { World } from "./world.ts";

/** The web did not answer. The message fits after a colon. */
export class WebError extends Error {
  override readonly name = "WebError";
  readonly phase: "tcp" | "tls" | "http";

  constructor(phase: "tcp" | "tls" | "http", message: string) {
    super(message);
    this.phase = phase;
  }
}

export interface WebRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The head of an answer. */
export interface WebHead {
  readonly status: number;
  /** Names in lower case, in the order in which they came. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface WebAnswer extends WebHead {
  readonly body: string;
}

/** All values of a header; `name` in lower case. */
export function valuesOf({ headers }: WebHead, name: string): string[] {
  return headers.filter(([known]) => known === name).map(([, value]) => value);
}

/** Who answered, as far as the answer says. */
export function answererOf(head: WebHead): string {
  return valuesOf(head, "server")[0] ?? valuesOf(head, "via")[0] ?? "somebody who does not say who";
}

const CONNECT_TIMEOUT = 10_000;
/** Bytes of one answer that are read: of a stranger's server, and of no interest beyond. */
const MAX_ANSWER = 4_194_304;
const MAX_LINE = 65_536;

/** One connection. */
export class WebConnection implements Disposable {
  readonly #conn: Deno.Conn;
  #buffer: Uint8Array = new Uint8Array();
  #closed = false;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Connects, with TLS for `https:` and `wss:`. Rejects with {@link WebError}. */
  static async open(
    { hostname: bracketed, port, protocol }: URL,
    world: World,
  ): Promise<WebConnection> {
    const hostname = bracketed.replace(/^\[(.*)\]$/, "$1");
    const secure = protocol === "https:" || protocol === "wss:";
    const place = world.web(hostname, Number(port) || (secure ? 443 : 80));
    const { clock } = world;
    const bounds = { clock, timeout: CONNECT_TIMEOUT };
    let conn: Deno.TcpConn;
    try {
      conn = await within(bounds, "no answer", (signal) => Deno.connect({ ...place, signal }));
    } catch (error) {
      const target = { hostname: place.hostname ?? hostname, port: place.port };
      throw new WebError("tcp", connectFailure(error, target).message);
    }
    if (!secure) return new WebConnection(conn);
    try {
      const tls = await within(bounds, "no TLS handshake", async (signal) => {
        signal.addEventListener("abort", () => close(conn));
        const tls = await Deno.startTls(conn, {
          hostname,
          alpnProtocols: ["http/1.1"],
          caCerts: world.webCa === undefined ? [] : [world.webCa],
        });
        signal.addEventListener("abort", () => close(tls));
        await tls.handshake();
        return tls;
      });
      return new WebConnection(tls);
    } catch (error) {
      close(conn);
      const options = {
        hostname,
        verify: true,
        fingerprints: [],
        ca: undefined,
        identity: undefined,
      };
      throw new WebError("tls", tlsFailure(error, options).message.split("; ")[0]!);
    }
  }

  /** Sends a request. */
  async send({ method, url, headers = {}, body }: WebRequest): Promise<void> {
    const bytes = new TextEncoder().encode(body ?? "");
    const all = {
      "Host": url.host,
      "User-Agent": "causeway-doctor",
      "Accept": "*/*",
      ...(body === undefined ? {} : { "Content-Length": String(bytes.length) }),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines}\r\n`;
    await this.write(new TextEncoder().encode(head));
    if (bytes.length > 0) await this.write(bytes);
  }

  /** Reads the head of an answer; those in between (1xx) are passed over, but for 101. */
  async head(): Promise<WebHead> {
    for (;;) {
      const first = await this.#line();
      const status = Number(/^HTTP\/1\.[01] ([0-9]{3})(?: |$)/.exec(first)?.[1]);
      if (!(status >= 100)) throw new WebError("http", "what answers there does not speak HTTP");
      const headers: (readonly [string, string])[] = [];
      for (let line; (line = await this.#line()) !== "";) {
        const colon = line.indexOf(":");
        headers.push([line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]);
      }
      if (status >= 200 || status === 101) return { status, headers };
    }
  }

  /** Reads the rest of an answer whose head is this. */
  async body(head: WebHead, method: string): Promise<string> {
    if (method === "HEAD" || head.status === 204 || head.status === 304) return "";
    const text = (pieces: readonly Uint8Array[]) =>
      pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode();
    const decoder = new TextDecoder();
    const pieces: Uint8Array[] = [];
    let total = 0;
    const take = (piece: Uint8Array) => {
      pieces.push(piece);
      total += piece.length;
      if (total > MAX_ANSWER) throw new WebError("http", "the answer does not end");
    };
    if (valuesOf(head, "transfer-encoding").some((value) => /chunked/i.test(value))) {
      for (;;) {
        const size = Number.parseInt(await this.#line(), 16);
        if (!(size >= 0 && size <= MAX_ANSWER)) throw new WebError("http", "a chunk has no size");
        if (size === 0) break;
        take(await this.exactly(size));
        await this.#line();
      }
      while (await this.#line() !== "");
      return text(pieces);
    }
    const length = valuesOf(head, "content-length")[0];
    if (length !== undefined) {
      const size = Number(length);
      if (!(size <= MAX_ANSWER)) throw new WebError("http", "the answer does not end");
      take(await this.exactly(size));
      return text(pieces);
    }
    take(this.#buffer);
    for (let piece; (piece = await this.#read()) !== null;) take(piece);
    return text(pieces);
  }

  /** So many bytes. */
  async exactly(length: number): Promise<Uint8Array> {
    while (this.#buffer.length < length) await this.#more();
    const bytes = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    } catch {
      throw new WebError("http", "the connection was cut");
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    close(this.#conn);
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf(LINE_FEED);
      if (end >= 0) {
        const line = await this.exactly(end + 1);
        return new TextDecoder("latin1").decode(line).trimEnd();
      }
      if (this.#buffer.length > MAX_LINE) throw new WebError("http", "a line does not end");
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    const piece = await this.#read();
    if (piece === null) throw new WebError("http", "the connection was cut");
    const joined = new Uint8Array(this.#buffer.length + piece.length);
    joined.set(this.#buffer);
    joined.set(piece, this.#buffer.length);
    this.#buffer = joined;
  }

  async #read(): Promise<Uint8Array | null> {
    const piece = new Uint8Array(16_384);
    try {
      const length = await this.#conn.read(piece);
      return length === null ? null : piece.subarray(0, length);
    } catch {
      throw new WebError(
        "http",
        this.#closed ? "there was no answer in time" : "the connection was cut",
      );
    }
  }
}

/** One request on a connection of its own. Rejects with {@link WebError}. */
export async function ask(
  request: WebRequest,
  world: World,
  timeout = 20_000,
): Promise<WebAnswer> {
  using connection = await WebConnection.open(request.url, world);
  const late = world.clock.after(timeout, { wake: () => connection[Symbol.dispose]() });
  try {
    await connection.send({ ...request, headers: { ...request.headers, "Connection": "close" } });
    const head = await connection.head();
    return { ...head, body: await connection.body(head, request.method) };
  } finally {
    late.cancel();
  }
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch (error) {
    // It is closed already, or TLS has taken it.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

const LINE_FEED = 0x0a;
