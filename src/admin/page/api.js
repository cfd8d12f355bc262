/** The REST API below this page, as promises. */

/** A name and password that stand in the page's address must not be part of it. */
const BASE = new URL("api/v1/", location.origin + location.pathname);
/** Milliseconds: a program that takes longer is as good as gone. */
const PATIENCE = 10_000;

/** Causeway did not answer, or something in front of it did. */
export class Unreachable extends Error {}

/** Causeway answered that it will not, and why (RFC 9457). */
export class Refused extends Error {
  constructor(status, message, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** What `GET` finds at a path below the API. */
export function get(path, query = {}) {
  const url = addressOf(path);
  for (const [key, value] of Object.entries(query)) {
    if (value !== "" && value !== undefined) url.searchParams.set(key, value);
  }
  return ask(url, { method: "GET" });
}

/** Has something changed. The media type keeps other sites' forms out. */
export function change(method, path, body = {}) {
  return ask(addressOf(path), {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

export function addressOf(path) {
  return new URL(path, BASE);
}

async function ask(url, options) {
  let response;
  let text;
  try {
    response = await fetch(url, {
      ...options,
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
    text = await response.text();
  } catch (error) {
    throw new Unreachable(
      error.name === "TimeoutError" ? "it does not answer" : "it cannot be reached",
    );
  }
  const { status } = response;
  if (status === 502 || status === 503 || status === 504) {
    throw new Unreachable(`the answer is ${status}`);
  }
  const body = read(text);
  if (response.ok) return body;
  if (status === 401) {
    throw new Refused(status, "Causeway asks for the password: load this page again", body);
  }
  throw new Refused(status, reasonOf(body) ?? `Causeway answers ${status}`, body);
}

function read(text) {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(body) {
  return typeof body?.detail === "string" ? body.detail : undefined;
}
