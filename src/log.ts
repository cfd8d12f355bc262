import type { LogConfig, LogLevel } from "./config/config.ts";
import type { EventSink } from "./events.ts";
import type { ClientInfo } from "./upstream/connector.ts";

/** What a record says beside its message; `undefined` fields are left out. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where records go and when they were made. */
export interface LogOptions extends Pick<LogConfig, "level" | "format"> {
  /** Takes one record with its line end. */
  readonly write: (line: string) => void;
  /** The wall clock: milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Writes one line a record, as text (`TIME LEVEL MESSAGE key=value …`) or as
 * one JSON object. Messages are ours and constant; what others chose goes
 * into fields, which can neither end a line nor look like another field.
 */
export class Log {
  /** The least that is written; may be changed at any time, as the format. */
  level: LogLevel;
  format: LogConfig["format"];
  readonly #options: LogOptions;

  constructor(options: LogOptions) {
    this.#options = options;
    this.level = options.level;
    this.format = options.format;
  }

  debug(message: string, fields: Fields = {}): void {
    this.#record("debug", message, fields);
  }

  info(message: string, fields: Fields = {}): void {
    this.#record("info", message, fields);
  }

  warn(message: string, fields: Fields = {}): void {
    this.#record("warn", message, fields);
  }

  error(message: string, fields: Fields = {}): void {
    this.#record("error", message, fields);
  }

  #record(level: LogLevel, message: string, fields: Fields): void {
    const { write, now } = this.#options;
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.level)) return;
    const time = new Date(now()).toISOString();
    write(
      this.format === "json"
        ? jsonLine({ time, level, message, ...fields })
        : textLine(`${time} ${level}`, message, fields),
    );
  }
}

/** Turns what happens in a connection manager into records. */
export function eventLogger(log: Log): EventSink {
  return (event) => {
    switch (event.type) {
      case "session-created": {
        const { session, domain, client, userAgent } = event;
        const fields = { session, domain, ...clientFields(client), agent: userAgent };
        return log.info("session created", fields);
      }
      case "session-ended": {
        const { session, domain, client, condition, reason } = event;
        return log.info("session ended", {
          session,
          domain,
          ...clientFields(client),
          condition,
          reason,
          seconds: Math.round(event.duration) / 1000,
        });
      }
      case "upstream-connected": {
        const { session, domain, target, tls } = event;
        return log.debug("upstream connected", { session, domain, target, tls });
      }
      case "upstream-failed": {
        const { session, domain, target, phase, reason, retrying } = event;
        return log.warn("upstream failed", { session, domain, target, phase, reason, retrying });
      }
      case "responses-acknowledged":
        return log.debug("responses acknowledged", { session: event.session, rid: event.rid });
      case "undelivered": {
        const { session, domain, client, payloads } = event;
        const fields = { session, domain, ...clientFields(client), stanzas: payloads.length };
        return log.warn("stanzas not delivered", fields);
      }
      case "unsent": {
        const { session, domain, client, to, bytes } = event;
        return log.warn("bytes not sent", { session, domain, ...clientFields(client), to, bytes });
      }
      case "trace": {
        const { session, direction, bytes, xml } = event;
        return log.debug("stanza", { session, direction, bytes, xml });
      }
      case "limit-reached": {
        const { limit, address, count } = event;
        const client = address === "" ? undefined : address;
        return log.warn("limit reached", { limit, times: count, client });
      }
      case "handshake-failed": {
        const { address, reason } = event;
        return log.debug("TLS handshake failed", { client: address, reason });
      }
      case "fault": {
        const { session, error } = event;
        return log.error("fault in Causeway; please report it", {
          session,
          error: describeFault(error),
        });
      }
      default:
        event satisfies never;
    }
  };
}

/** Writes to standard error, all of it; a log that nobody takes must not stop the service. */
export function writeStandardError(line: string): void {
  let rest = new TextEncoder().encode(line);
  try {
    while (rest.length > 0) rest = rest.subarray(Deno.stderr.writeSync(rest));
  } catch {
    // There is nowhere left to complain to.
  }
}

/**
 * What kind of error it was, and where. What it says of itself is left out, for the platform quotes in
 * it what it could not make sense of, and that may be anybody's password; the event has it.
 */
function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return `what was thrown is no error but of type ${typeof error}`;
  const { code } = error as { code?: unknown };
  const kind = /^[A-Za-z.]{1,60}$/.test(error.name) ? error.name : "Error";
  const what = typeof code === "string" && /^[A-Z0-9_]{1,60}$/.test(code) ? ` (${code})` : "";
  return [`${kind}${what}`, ...framesOf(error)].join("\n");
}

/** The lines of the stack, none of which is a part of what the error says of itself. */
function framesOf({ message, stack = "" }: Error): string[] {
  const start = stack.indexOf(message);
  // A message that was changed later need not be what the stack begins with.
  if (start < 0) return [];
  return stack.slice(start + message.length).split("\n").filter((line) => /^ {4}at /.test(line));
}

function clientFields(client: ClientInfo): Fields {
  return {
    transport: client.transport,
    client: client.address === "" ? undefined : client.address,
    port: client.port === 0 ? undefined : client.port,
  };
}

function textLine(head: string, message: string, fields: Fields): string {
  let line = `${head} ${quote(message).slice(1, -1)}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = typeof value === "string" ? bound(value) : String(value);
    line += ` ${name}=${PLAIN.test(text) ? text : quote(text)}`;
  }
  return `${line}\n`;
}

function jsonLine(record: Fields): string {
  const json = JSON.stringify(
    record,
    (_, value) => typeof value === "string" ? bound(value) : value,
  );
  return `${escapeInvisible(json)}\n`;
}

function quote(text: string): string {
  return escapeInvisible(JSON.stringify(text));
}

/** What JSON lets through and a terminal obeys: DEL, C1, line separators, directions of writing. */
function escapeInvisible(json: string): string {
  return json.replace(
    /[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A stranger chooses how long a domain is. */
function bound(text: string): string {
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}

const LONGEST_VALUE = 4_000;

/** Values that need no quotes: nothing that could be taken for the next field. */
const PLAIN = /^[A-Za-z0-9_.:/@%+*[\]-]+$/;

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];
