import { Buffer } from "node:buffer";
import http2 from "node:http2";
import type { HttpResponse } from "./bosh_client.ts";
import { dial } from "./dial.ts";
import { patiently } from "./patience.ts";
import { RawWebSocket } from "./raw_websocket.ts";

export interface H2Request {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Resets the stream when it is aborted; there is no answer then. */
  readonly signal?: AbortSignal;
}

/** One connection by HTTP/2, with TLS and ALPN. */
export class H2Client implements Disposable {
  readonly #session: http2.ClientHttp2Session;
  readonly #authority: string;

  private constructor(session: http2.ClientHttp2Session, authority: string) {
    this.#session = session;
    this.#authority = authority;
  }

  /** `from` is an address of loopback. */
  static async connect(url: string, from?: string): Promise<H2Client> {
    const target = new URL(url);
    const session = http2.connect(url, {
      createConnection: () => dial(target, { from, alpn: "h2" }),
    });
    const connected = Promise.withResolvers<void>();
    session.once("connect", () => connected.resolve());
    session.once("error", connected.reject);
    await patiently(connected.promise, "there is HTTP/2");
    return new H2Client(session, target.host);
  }

  /** What was agreed on. */
  get alpn(): string | undefined {
    return this.#session.alpnProtocol;
  }

  send({ method, path, headers, body, signal }: H2Request): Promise<HttpResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
    const stream = this.#session.request({
      ":method": method ?? (body === undefined ? "GET" : "POST"),
      ":path": path,
      ":authority": this.#authority,
      ...headers,
    });
    const received = new Map<string, string>();
    const chunks: Uint8Array[] = [];
    stream.on("response", (headers) => {
      for (const [name, value] of Object.entries(headers)) {
        received.set(name, [value].flat().join(", "));
      }
    });
    stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    stream.on("end", () => {
      const status = Number(received.get(":status"));
      const body = new Uint8Array(Buffer.concat(chunks));
      resolve({ version: "2", status, interim: [], headers: received, body });
    });
    stream.on("error", reject);
    signal?.addEventListener("abort", () => stream.close(http2.constants.NGHTTP2_CANCEL));
    stream.end(body);
    return promise;
  }

  /** Opens a WebSocket as a stream of this connection (RFC 8441). Throws where that is refused. */
  async webSocket(path: string, headers: H2Request["headers"] = {}): Promise<RawWebSocket> {
    const stream = this.#session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "https",
      ":path": path,
      ":authority": this.#authority,
      "sec-websocket-version": "13",
      "sec-websocket-protocol": "xmpp",
      ...headers,
    }, { endStream: false });
    const answered = Promise.withResolvers<number>();
    stream.once("response", (headers) => answered.resolve(Number(headers[":status"])));
    stream.once("error", answered.reject);
    return RawWebSocket.over(stream, await patiently(answered.promise, "the stream is answered"));
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}
