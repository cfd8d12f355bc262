import type { LogConfig, LogLevel } from "./config/config.ts";
import type { EventSink } from "./events.ts";
import type { ClientInfo } from "./upstream/connector.ts";

/** What a record says beside its message; `undefined` fields are left out. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where records go, how they look and when they were made. */
export interface LogOptions extends Pick<LogConfig, "level" | "format"> {
  /** Takes one record with its line end. */
  readonly write: (line: string) => void;
  /** Waits for nothing: writes what `write` has taken and not written yet. Missing: there is nothing such. */
  readonly flush?: () => void;
  /** The wall clock: milliseconds since 1970. */
  readonly now: () => number;
  /**
   * Whether the lines go to systemd's journal; asked with the first of them. Then each begins with its priority
   * (`<6>`, sd-daemon(3)), which the journal takes off, and text has no time, for the journal has it.
   */
  readonly journal?: () => boolean;
}

/**
 * Writes one line a record, as text (`TIME LEVEL MESSAGE key=value …`) or as
 * one JSON object. Messages are ours and constant; what others chose goes
 * into fields, which can neither end a line nor look like another field.
 */
export class Log {
  /** The least that is written, and how; both hold from the next record on. */
  level: LogLevel;
  format: LogConfig["format"];
  /** Has what was written leave at once, before the process ends. */
  readonly flush: () => void;
  readonly #write: (line: string) => void;
  readonly #now: () => number;
  readonly #asksJournal: () => boolean;
  #isJournal: boolean | undefined;
  /** The second that was written last (seconds since 1970), as ISO 8601 writes it up to its full stop. */
  #second = NaN;
  #secondText = "";

  constructor({ level, format, write, flush = () => {}, now, journal = () => false }: LogOptions) {
    this.level = level;
    this.format = format;
    this.flush = flush;
    this.#write = write;
    this.#now = now;
    this.#asksJournal = journal;
  }

  /** Whether records of this level are written. */
  writes(level: LogLevel): boolean {
    return RANK[level] >= RANK[this.level];
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
    if (!this.writes(level)) return;
    const isJournal = this.#isJournal ??= this.#asksJournal();
    const priority = isJournal ? PRIORITY[level] : "";
    if (this.format === "json") {
      const head = `${priority}{"time":"${this.#time()}","level":"${level}","message":`;
      return this.#write(jsonLine(head, message, fields));
    }
    const time = isJournal ? priority : `${this.#time()} `;
    this.#write(textLine(`${time}${level} `, message, fields));
  }

  /** Now, as ISO 8601 writes it; most records come in the second of the one before. */
  #time(): string {
    const now = this.#now();
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(now).toISOString().slice(0, -4);
    }
    return `${this.#secondText}${String(Math.floor(now) - second * 1_000).padStart(3, "0")}Z`;
  }
}

/** Turns what happens in a connection manager into records. */
export function eventLogger(log: Log): EventSink {
  return (event) => {
    switch (event.type) {
      case "session-created":
        return log.info("session created", { ...about(event), agent: event.userAgent });
      case "session-ended": {
        const { condition, reason, duration } = event;
        const seconds = Math.round(duration) / 1000;
        return log.info("session ended", { ...about(event), condition, reason, seconds });
      }
      case "upstream-connected": {
        const { target, tls } = event;
        return log.debug("upstream connected", { ...about(event), target, tls });
      }
      case "upstream-failed": {
        const { target, phase, reason, retrying } = event;
        return log.warn("upstream failed", { ...about(event), target, phase, reason, retrying });
      }
      case "responses-acknowledged":
        // Comes with nearly every request.
        if (!log.writes("debug")) return;
        return log.debug("responses acknowledged", { ...about(event), rid: event.rid });
      case "undelivered": {
        const stanzas = event.payloads.length;
        return log.warn("stanzas not delivered", { ...about(event), stanzas });
      }
      case "unsent": {
        const { to, bytes } = event;
        return log.warn("bytes not sent", { ...about(event), to, bytes });
      }
      case "trace": {
        const { direction, bytes, xml } = event;
        return log.debug("stanza", { ...about(event), direction, bytes, xml });
      }
      case "limit-reached": {
        const { limit, address, count } = event;
        return log.warn("limit reached", { limit, times: count, client: known(address) });
      }
      case "login-failed": {
        const { address, count } = event;
        const client = address || undefined;
        return log.warn("login to the admin API refused", { client, times: count });
      }
      case "operator-acted": {
        const { action, address, session } = event;
        return log.info(`an operator ${action}`, { session, client: address || undefined });
      }
      case "handshake-failed": {
        const { address, reason } = event;
        return log.debug("TLS handshake failed", { client: known(address), reason });
      }
      case "fault": {
        const error = describeFault(event.error);
        return log.error("fault in Causeway; please report it", { ...about(event), error });
      }
      default:
        event satisfies never;
    }
  };
}

/** Whose session it is about: the same fields, in the same order, on every line. */
function about(
  { session, domain, client }: {
    readonly session: string | undefined;
    readonly domain?: string;
    readonly client?: ClientInfo | undefined;
  },
): Fields {
  return {
    session,
    domain,
    transport: client?.transport,
    client: known(client?.address),
    port: client?.port || undefined,
  };
}

function known(address: string | undefined): string | undefined {
  return address === "" ? undefined : address;
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

function textLine(head: string, message: string, fields: Fields): string {
  let line = head + (ASCII.test(message) ? message : quote(message).slice(1, -1));
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    const text = typeof value === "string" ? bound(value) : String(value);
    line += ` ${name}=${PLAIN.test(text) ? text : quote(text)}`;
  }
  return `${line}\n`;
}

function jsonLine(head: string, message: string, fields: Fields): string {
  let line = head + jsonText(message);
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    const json = typeof value === "string" ? jsonText(bound(value)) : JSON.stringify(value);
    line += `,"${name}":${json}`;
  }
  return `${line}}\n`;
}

function jsonText(text: string): string {
  return ASCII.test(text) ? `"${text}"` : quote(text);
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

/** Text that is its own JSON. */
const ASCII = /^[ !#-[\]-~]*$/;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** LOG_DEBUG, LOG_INFO, LOG_WARNING and LOG_ERR of syslog(3). */
const PRIORITY: Readonly<Record<LogLevel, string>> = {
  debug: "<7>",
  info: "<6>",
  warn: "<4>",
  error: "<3>",
};
