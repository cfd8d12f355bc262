import type { HttpConfig } from "../config/config.ts";
import type { Endpoint, Meter } from "../meter.ts";
import type { Answer, Exchange, Handler } from "./exchange.ts";

/** One thing that a listener serves, at a path of its own. */
export interface Route {
  readonly path: string;
  /** It has all paths below this one too, but for those that others have. */
  readonly below?: boolean;
  readonly handle: Handler;
}

/**
 * Finds the endpoint of an exchange. A path is served with and without its trailing slash:
 * clients post to either, and few of them follow a redirect with a POST.
 */
export function router(routes: readonly Route[], common: CommonHeaders, meter: Meter): Handler {
  const byPath = new Map<string, Handler>();
  const above: { readonly prefix: string; readonly handle: Handler }[] = [];
  for (const { path, below, handle } of routes) {
    const bare = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
    if (below === true) above.push({ prefix: bare === "/" ? "/" : `${bare}/`, handle });
    byPath.set(bare, handle);
    byPath.set(bare === "/" ? "/" : `${bare}/`, handle);
  }
  const nowhere = counted("none", meter, (exchange) => {
    if (exchange.method === "OPTIONS") return preflight(common.for(exchange), ANY_METHOD);
    return textAnswer(404, "Nothing is served at this path.\n", common.for(exchange));
  });
  return (exchange) => {
    const handle = byPath.get(exchange.path) ??
      above.find(({ prefix }) => exchange.path.startsWith(prefix))?.handle ?? nowhere;
    return handle(exchange);
  };
}

/** Counts answers that come at once, and times them. Who answers later counts then. */
export function counted(endpoint: Endpoint, meter: Meter, handle: Handler): Handler {
  return (exchange) => {
    // BOSH takes the time itself, when it has the whole request.
    const began = endpoint === "bosh" ? 0 : meter.now();
    const answer = handle(exchange);
    if (answer !== undefined) meter.served(endpoint, answer.status, began);
    return answer;
  };
}

/** What a browser may let a page send, be it to be told that it is the wrong way. */
export const ANY_METHOD = "GET, HEAD, OPTIONS, POST";

/** A short answer for people. */
export function textAnswer(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): Answer {
  return {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
    body: text,
  };
}

/**
 * Whether a client with this `User-Agent` sends requests behind each other on one connection.
 * libpurple did so before 2.13.
 */
export function pipelines(userAgent: string | undefined): boolean {
  return userAgent !== undefined && PIPELINING.test(userAgent);
}

const PIPELINING = /gloox|libpurple(?! 2\.1[3-9]| 2\.[2-9]\d| [3-9])/i;

/**
 * The answer to a browser that asks whether a page may send a request (CORS preflight). It is given
 * also where that request will be refused: a page whose browser may not send it sees no status, and
 * tries for ever.
 */
export function preflight(common: Readonly<Record<string, string>>, methods: string): Answer {
  return {
    status: 204,
    headers: {
      ...common,
      "access-control-allow-methods": methods,
      "access-control-allow-headers": "Content-Type",
      "access-control-max-age": "86400",
    },
  };
}

/**
 * What every answer carries: the operator's own headers, protection against an answer being
 * taken for a page, and leave for other origins to read it. Browsers report an answer without that
 * leave as no answer at all, so errors need it as much as successes.
 */
export class CommonHeaders {
  readonly #own: Readonly<Record<string, string>>;
  #base: Readonly<Record<string, string>> = {};
  #allowed: ReadonlySet<string> | undefined;

  /** `own` is what the endpoint adds of its own. */
  constructor(http: HttpConfig, own: Readonly<Record<string, string>> = {}) {
    this.#own = own;
    this.replace(http);
  }

  /** For answers from here on. */
  replace({ headers, allowedOrigins }: HttpConfig): void {
    const any = allowedOrigins.includes("*");
    const operators = lowerCased(headers);
    const vary = operators["vary"] === undefined ? "Origin" : `${operators["vary"]}, Origin`;
    this.#allowed = any ? undefined : new Set(allowedOrigins);
    // Frozen, so that a front may write it once and use its bytes again.
    this.#base = Object.freeze({
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; sandbox",
      ...operators,
      ...this.#own,
      ...(any ? { "access-control-allow-origin": "*" } : { vary }),
    });
  }

  /**
   * For the answer to this exchange, or to a request that could not be read; the same object every
   * time where origins do not matter.
   */
  for(exchange: Pick<Exchange, "header"> | undefined): Readonly<Record<string, string>> {
    const origin = this.#allowed && exchange?.header("origin");
    return origin !== undefined && this.#allowed?.has(origin)
      ? {
        ...this.#base,
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
      }
      : this.#base;
  }

  /** Whether a page of this origin may use the service; requests without an origin may. */
  allows(origin: string | undefined): boolean {
    return origin === undefined || this.#allowed === undefined || this.#allowed.has(origin);
  }
}

/** A page with the operator's headers, where it has no such header itself. */
export function withHeaders(
  { handle, ...place }: Route,
  headers: Readonly<Record<string, string>>,
): Route {
  const operators = lowerCased(headers);
  return {
    ...place,
    handle(exchange) {
      const answer = handle(exchange);
      return answer && { ...answer, headers: { ...operators, ...lowerCased(answer.headers) } };
    },
  };
}

/** One header has one spelling, so that it is not written twice. */
function lowerCased(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
