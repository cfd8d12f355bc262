/** A request that cannot be served, in the words of RFC 9457; `detail` is a sentence that says the cure. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  /** More members of the answer. */
  readonly more: Readonly<Record<string, unknown>>;

  constructor(status: number, detail: string, more: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.status = status;
    this.more = more;
  }

  get body(): Readonly<Record<string, unknown>> {
    const { status, message: detail, more } = this;
    return { type: "about:blank", title: TITLES[status] ?? "Error", status, detail, ...more };
  }
}

export const PROBLEM_JSON = "application/problem+json";

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};
