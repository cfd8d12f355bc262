import type { RunningManager } from "./manager.ts";

export const BIND = "xmlns='http://jabber.org/protocol/httpbind'";
export const CREATE = `<body ${BIND} rid='1' to='example.test' wait='5' hold='1' ver='1.6'/>`;

/** A client over `fetch` that keeps count of its rids. */
export class HttpClient {
  readonly sid: string;
  rid = 1;
  readonly #running: RunningManager;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(running: RunningManager, sid: string, headers: Record<string, string> = {}) {
    this.#running = running;
    this.sid = sid;
    this.#headers = headers;
  }

  /** A session of its own. */
  static async open(
    running: RunningManager,
    create: string = CREATE,
    headers: Record<string, string> = {},
  ): Promise<HttpClient> {
    const text = await (await post(running, create, headers)).text();
    return new HttpClient(running, sidOf(text), headers);
  }

  /** The next request. */
  request(attributes = "", content = "", signal?: AbortSignal): Promise<Response> {
    return post(this.#running, this.body(attributes, content), this.#headers, signal);
  }

  /** The next request, to be sent some other way. */
  body(attributes = "", content = ""): string {
    return `<body ${BIND} sid='${this.sid}' rid='${++this.rid}' ${attributes}>${content}</body>`;
  }
}

export function post(
  running: RunningManager,
  body: BodyInit,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${running.url}/http-bind`, {
    method: "POST",
    body,
    headers: { "content-type": "text/xml; charset=utf-8", ...headers },
    ...(signal ? { signal } : {}),
  });
}

/** The sid in a creation response. */
export function sidOf(text: string): string {
  const sid = / sid='([^']+)'/.exec(text)?.[1];
  if (sid === undefined) throw new Error(`no session was created: ${text}`);
  return sid;
}

/** Waits until something that is under way has happened. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settled();
}

export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
