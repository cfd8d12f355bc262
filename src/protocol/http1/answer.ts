import { NEW_ROOM, type Room } from "../room.ts";
import { isFieldValue, isToken } from "./chars.ts";
import type { Turn } from "./request.ts";

/** What a request is answered with. */
export interface Answer {
  /** 200 to 599; or 101, which ends HTTP on this connection. */
  readonly status: number;
  /**
   * Without `Content-Length`, `Connection` and their like, which are the codec's business. A frozen
   * object is written once and its bytes are used again.
   */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | undefined;
  /**
   * Instead of a body: that follows, of any length, and its end is the connection's (RFC 9112 §6.3).
   * `HttpCodec.source` is this when the head has gone out.
   */
  readonly source?: object | undefined;
  /** The connection is to end after this answer, whatever the client wants. */
  readonly closes?: boolean | undefined;
}

/**
 * The octets of an answer, head and body, in one array of their exact size. `now` is the time in
 * the form of RFC 9110 §5.6.7; `closes` says whether the connection ends after it.
 *
 * Throws `TypeError` for a field that is not one, or not the caller's to write: a value with a line
 * end in it would be another answer.
 */
export function writeAnswer(
  turn: Turn,
  answer: Answer,
  { now, closes }: { readonly now: string; readonly closes: boolean },
  room: Room = NEW_ROOM,
): Uint8Array<ArrayBuffer> {
  const { status } = answer;
  const head = headOf(status, answer.headers, now);
  const body = typeof answer.body === "string" ? encoder.encode(answer.body) : answer.body ?? EMPTY;
  // RFC 9110 §8.6: no Content-Length with 1xx and 204. One with 304 would be that of the answer
  // which was not sent, and nobody here knows it.
  const counted = status !== 101 && status !== 204 && status !== 304 && answer.source === undefined;
  // RFC 9110 §9.3.2: "The HEAD method is identical to GET except that the server MUST NOT send
  // content in the response."
  const sent = counted && turn.method !== "HEAD" ? body : EMPTY;
  const connection = connectionField(turn, status, closes);
  const digits = counted ? String(body.length) : "";
  const size = head.length + (counted ? LENGTH.length + digits.length + 2 : 0) +
    connection.length + 2 + sent.length;
  const bytes = room.room(size);
  bytes.set(head, 0);
  let at = head.length;
  if (counted) {
    at = writeText(bytes, at, LENGTH);
    at = writeText(bytes, at, digits);
    at = writeText(bytes, at, "\r\n");
  }
  at = writeText(bytes, at, connection);
  at = writeText(bytes, at, "\r\n");
  bytes.set(sent, at);
  return bytes;
}

/** The lines that answers of one second share, as long as their headers are the same frozen object. */
function headOf(
  status: number,
  headers: Readonly<Record<string, string>>,
  now: string,
): Uint8Array {
  if (last.status === status && last.headers === headers && last.now === now) return last.bytes;
  const line = statusLine(status);
  const fields = fieldLines(headers);
  if (!isFieldValue(now)) throw new TypeError("Cannot write an answer: its time is not a value");
  const bytes = new Uint8Array(line.length + TIME.length + now.length + 2 + fields.length);
  bytes.set(line, 0);
  let at = line.length;
  at = writeText(bytes, at, TIME);
  at = writeText(bytes, at, now);
  at = writeText(bytes, at, "\r\n");
  bytes.set(fields, at);
  // What can still change must be looked at again.
  if (Object.isFrozen(headers)) last = { status, headers, now, bytes };
  return bytes;
}

/** RFC 9112 §9.3: what a server MUST say that closes, and one that goes on with HTTP/1.0. */
function connectionField(turn: Turn, status: number, closes: boolean): string {
  if (status === 101) return "Connection: Upgrade\r\n";
  if (closes) return "Connection: close\r\n";
  return turn.minorVersion === 0 ? "Connection: keep-alive\r\n" : "";
}

function statusLine(status: number): Uint8Array {
  let line = statusLines.get(status);
  if (line === undefined) {
    if (status !== 101 && !(Number.isInteger(status) && status >= 200 && status <= 599)) {
      throw new TypeError(`Cannot write an answer: ${status} is not the status of one`);
    }
    line = encoder.encode(`HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n`);
    statusLines.set(status, line);
  }
  return line;
}

function fieldLines(headers: Readonly<Record<string, string>>): Uint8Array {
  let lines = "";
  for (const [name, value] of Object.entries(headers)) {
    if (!isToken(name) || !isFieldValue(value)) {
      throw new TypeError(`Cannot write a header field: ${JSON.stringify(name)} is not one`);
    }
    if (OURS.has(name.toLowerCase())) {
      throw new TypeError(`Cannot write a header field: ${name} is decided elsewhere`);
    }
    lines += `${name}: ${value}\r\n`;
  }
  const bytes = new Uint8Array(lines.length);
  writeText(bytes, 0, lines);
  return bytes;
}

/** Writes characters up to U+00FF, one octet each; where they end. */
function writeText(bytes: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
  return at;
}

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);

/** Clients that look for them with their own eyes (gloox, libpurple) look for them spelled so. */
const LENGTH = "Content-Length: ";
const TIME = "date: ";
const OURS = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "trailer",
  "transfer-encoding",
]);

/** What `headOf` made last: nearly all answers have the same headers. */
let last: {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly now: string;
  readonly bytes: Uint8Array;
} = { status: 0, headers: undefined, now: "", bytes: EMPTY };
const statusLines = new Map<number, Uint8Array>();

/** Those that are used here; a reason may be empty (RFC 9112 §4). */
const REASONS: Readonly<Record<number, string>> = {
  101: "Switching Protocols",
  200: "OK",
  204: "No Content",
  301: "Moved Permanently",
  302: "Found",
  304: "Not Modified",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};
