/** Requests and answers of ours in the shapes of the Fetch API, for libraries that know those. */
import type { Meter } from "../meter.ts";
import type { Answer, BodySource, Exchange, Handler } from "../server/exchange.ts";
import type { Gate } from "./gate.ts";
import { Problem } from "./problem.ts";

/** Bytes of a request's body. */
const MOST = 65_536;
/** What is served; the Fetch API has no requests of some others. */
const METHODS: readonly string[] = ["GET", "HEAD", "POST", "PUT", "DELETE"];
/** Header fields that somebody behind it asks for. */
const FIELDS = ["accept", "content-type"];

export interface Fetched {
  readonly response: Response;
  /** The body instead of the response's, if it is made while it is sent. */
  readonly source?: BodySource | undefined;
}

/** Who hears of requests. */
export interface Adapting {
  readonly onFault: (error: unknown) => void;
  /** Counts them when they are answered. */
  readonly meter: Meter;
}

/** Serves what a function of the Fetch API answers; what that throws is a mistake of ours. */
export function fetching(
  gate: Gate,
  { onFault, meter }: Adapting,
  fetch: (request: Request, address: string) => Fetched | Promise<Fetched>,
): Handler {
  return (exchange) => {
    if (!METHODS.includes(exchange.method)) {
      const allow = METHODS.join(", ");
      return gate.problem(new Problem(405, `nothing here knows this method; use ${allow}`), {
        allow,
      });
    }
    const head = readHead(exchange);
    if (head === undefined) {
      return gate.problem(new Problem(400, "the path cannot be read; write it as a URL has it"));
    }
    const address = gate.addressOf(exchange);
    exchange.readBody(MOST, (body) => {
      const began = meter.now();
      const respond = (answer: Answer) => {
        meter.served("admin", answer.status, began);
        exchange.respond(answer);
      };
      if (typeof body === "string") return respond(noBody(gate, body));
      const { url, ...rest } = head;
      const isBare = rest.method === "GET" || rest.method === "HEAD";
      const request = new Request(url, {
        ...rest,
        ...(isBare ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      });
      void answer(request, address).then(respond);
    });
    return undefined;
  };

  async function answer(request: Request, address: string): Promise<Answer> {
    try {
      const { response, source } = await fetch(request, address);
      const headers = { ...gate.headers, ...Object.fromEntries(response.headers) };
      if (source !== undefined) return { status: response.status, headers, source };
      return { status: response.status, headers, body: await response.bytes() };
    } catch (error) {
      onFault(error);
      return gate.problem(new Problem(500, "a fault of the connection manager; its log says more"));
    }
  }
}

/** Header fields are there only now. `undefined`: it is no URL. */
function readHead(
  exchange: Exchange,
): { readonly url: string; readonly method: string; readonly headers: Headers } | undefined {
  const { method, path, query } = exchange;
  const url = `http://causeway${path}${query === "" ? "" : `?${query}`}`;
  if (!path.startsWith("/") || !URL.canParse(url)) return undefined;
  const headers = new Headers();
  for (const name of FIELDS) {
    const value = exchange.header(name);
    if (value !== undefined) headers.set(name, value);
  }
  return { url, method, headers };
}

function noBody(gate: Gate, why: "too-long" | "broke-off"): Answer {
  const problem = why === "too-long"
    ? new Problem(413, `a request may have at most ${MOST} bytes; send less`)
    : new Problem(400, "the request's body broke off; send it again");
  return { ...gate.problem(problem), closes: true };
}
