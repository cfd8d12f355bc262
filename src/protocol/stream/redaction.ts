import type { Declaration } from "../xml/payload.ts";
import { NS } from "../xml/names.ts";
import { valueOf } from "../xml/text.ts";

/** One payload without its secrets. */
export interface Redacted {
  /** What it has with them. */
  readonly bytes: number;
  readonly xml: string;
}

/**
 * Payloads that stand side by side, without what logs somebody in: all that SASL says in elements (of
 * RFC 6120 and XEP-0388) but for names of mechanisms and conditions, the passwords and digests of
 * jabber:iq:auth (XEP-0078) and jabber:iq:register (XEP-0077), what is named a password, secret or token
 * anywhere, and so named fields of data forms (XEP-0004). `[42 bytes redacted]` stands for it.
 *
 * An element counts by its namespace or by its name, whichever speaks for a secret: a client that
 * forgets a namespace has written its password all the same. What cannot be read is a secret as a
 * whole. `inherited` are declarations that hold where the payloads stand.
 */
export function redacted(
  content: Uint8Array,
  inherited: readonly Declaration[] = [],
): readonly Redacted[] {
  const all = { bytes: content.length, xml: mark(content.length) };
  try {
    return new Redactor(decoder.decode(content), inherited).payloads() ?? [all];
  } catch {
    // Not the UTF-8 or the references of XML.
    return [all];
  }
}

/** Characters of one payload that {@link shown} shows. */
const LONGEST = 4_000;

/** What of payloads is for an operator's eyes: as {@link redacted}, and no more than 4,000 characters of each. */
export function shown(
  content: Uint8Array,
  inherited: readonly Declaration[],
): readonly Redacted[] {
  return redacted(content, inherited).map(({ bytes, xml }) => ({
    bytes,
    xml: xml.length > LONGEST ? `${xml.slice(0, LONGEST - 1)}…` : xml,
  }));
}

/** What our own stream headers declare: it holds for whatever goes to a server. */
export const DECLARED: readonly Declaration[] = [{ prefix: "stream", namespace: NS.STREAMS }];

/** Namespaces by prefix. */
type Scope = ReadonlyMap<string, string>;

/** An element that is open, and none that is left out. */
interface Open {
  /** Its qualified name. */
  readonly name: string;
  readonly scope: Scope;
  /** It is SASL's, or in what is: neither text nor attributes are shown. */
  readonly isSasl: boolean;
}

class Redactor {
  readonly #text: string;
  readonly #outer: Scope;
  #at = 0;
  /** Of the payload that is being read. */
  #xml = "";
  readonly #open: Open[] = [];

  constructor(text: string, inherited: readonly Declaration[]) {
    this.#text = text;
    this.#outer = new Map(inherited.map(({ prefix, namespace }) => [prefix, namespace]));
  }

  /** `undefined`: this is not a row of complete elements. */
  payloads(): Redacted[] | undefined {
    const payloads: Redacted[] = [];
    let start = 0;
    while (this.#at < this.#text.length) {
      if (!this.#step()) return undefined;
      if (this.#open.length > 0) continue;
      if (this.#xml.trim() !== "") {
        payloads.push({ bytes: size(this.#text.slice(start, this.#at)), xml: this.#xml });
      }
      this.#xml = "";
      start = this.#at;
    }
    return this.#open.length === 0 ? payloads : undefined;
  }

  /** Text, a section or a tag, and with the start tag of a secret all that is in it. */
  #step(): boolean {
    const text = this.#take(TEXT)?.[0] ?? this.#take(CDATA)?.[0];
    if (text !== undefined) return this.#show(text);
    const start = this.#take(START);
    if (start !== undefined) return this.#begin(start);
    const end = this.#take(END);
    return end !== undefined && this.#close(end[0], end[1]!);
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text) ?? undefined;
    if (match !== undefined) this.#at = pattern.lastIndex;
    return match;
  }

  #show(text: string): boolean {
    const { name = "", isSasl = false } = this.#open.at(-1) ?? {};
    const isShown = !isSasl || text.trim() === "" ||
      (divided(name)[1] === "mechanism" && MECHANISM.test(text));
    this.#xml += isShown ? text : mark(size(text));
    // Outside of all elements there is none.
    return this.#open.length > 0 || text.trim() === "";
  }

  #begin([, name = "", attributes = "", slash = ""]: RegExpExecArray): boolean {
    const parts = [...attributes.matchAll(ATTRIBUTE)].map(([, name = "", quoted = ""]) => (
      { name, quoted, value: plain(quoted) }
    ));
    const outer = this.#open.at(-1);
    const scope = scopeOf(outer?.scope ?? this.#outer, parts);
    const [prefix, local] = divided(name);
    const namespace = scope.get(prefix) ?? "";
    const isOfSasl = SASL.test(namespace);
    const isPublic = isOfSasl && PUBLIC_SASL.has(local);
    const isSecret = !isPublic && (isOfSasl || isSecretName(local, namespace));
    const isSasl = isOfSasl || outer?.isSasl === true;
    const written = parts.map(({ name, quoted, value }) => {
      const isShown = name === "xmlns" || name.startsWith("xmlns:") || (
        isSasl || isSecret
          ? name === "mechanism" && MECHANISM.test(value)
          : !WORDS.test(divided(name)[1])
      );
      return ` ${name}=${isShown ? quoted : `'${mark(size(value))}'`}`;
    });
    this.#xml += `<${name}${written.join("")}${slash}>`;
    if (slash !== "") return true;
    this.#open.push({ name, scope, isSasl });
    return !(isSecret || (local === "field" && isSecretField(parts))) || this.#skip();
  }

  /** Leaves out all that is in the element which has just been opened. */
  #skip(): boolean {
    const start = this.#at;
    const names = [this.#open.at(-1)!.name];
    for (;;) {
      if (this.#take(TEXT) !== undefined || this.#take(CDATA) !== undefined) continue;
      const begun = this.#take(START);
      if (begun !== undefined) {
        if (begun[3] === "") names.push(begun[1]!);
        continue;
      }
      const before = this.#at;
      const end = this.#take(END);
      if (end === undefined || names.pop() !== end[1]) return false;
      if (names.length > 0) continue;
      if (before > start) this.#xml += mark(size(this.#text.slice(start, before)));
      return this.#close(end[0], end[1]!);
    }
  }

  #close(tag: string, name: string): boolean {
    this.#xml += tag;
    return this.#open.pop()?.name === name;
  }
}

interface Part {
  /** Qualified. */
  readonly name: string;
  /** As it stands there, with its quotes. */
  readonly quoted: string;
  readonly value: string;
}

function scopeOf(outer: Scope, parts: readonly Part[]): Scope {
  const own = parts.flatMap(({ name, value }): [string, string][] => {
    if (name === "xmlns") return [["", value]];
    return name.startsWith("xmlns:") ? [[name.slice(6), value]] : [];
  });
  return own.length === 0 ? outer : new Map([...outer, ...own]);
}

function isSecretName(local: string, namespace: string): boolean {
  const name = local.toLowerCase();
  if (SECRETS.has(name) || WORDS.test(name)) return true;
  return (namespace === NS.IQ_AUTH || namespace === NS.IQ_REGISTER) && IQ_SECRETS.has(name);
}

/** XEP-0004 §3.2: what is submitted has its name in `var` and often no type. */
function isSecretField(parts: readonly Part[]): boolean {
  return parts.some(({ name, value }) =>
    (name === "var" && WORDS.test(value)) || (name === "type" && value === "text-private")
  );
}

function divided(name: string): [prefix: string, local: string] {
  const colon = name.indexOf(":");
  return colon < 0 ? ["", name] : [name.slice(0, colon), name.slice(colon + 1)];
}

function plain(quoted: string): string {
  const bytes = encoder.encode(quoted);
  return valueOf(bytes, 1, bytes.length - 1);
}

function size(text: string): number {
  return encoder.encode(text).length;
}

function mark(bytes: number): string {
  return `[${bytes} bytes redacted]`;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const TEXT = /[^<]+/y;
const CDATA = /<!\[CDATA\[[^]*?\]\]>/y;
const END = /<\/([^\s<>/]+)[ \t\r\n]*>/y;
/** Name, attributes, and the slash of an empty element. */
const START =
  /<([^\s<>/=!?'"]+)((?:[ \t\r\n]+[^\s<>/='"]+[ \t\r\n]*=[ \t\r\n]*(?:'[^'<]*'|"[^"<]*"))*)[ \t\r\n]*(\/?)>/y;
const ATTRIBUTE = /([^\s<>/='"]+)[ \t\r\n]*=[ \t\r\n]*('[^'<]*'|"[^"<]*")/g;

/** SASL of every version, and the tokens of FAST (XEP-0484), which log in as a password does. */
const SASL = /^(?:urn:ietf:params:xml:ns:xmpp-sasl|urn:xmpp:sasl:.*|urn:xmpp:fast:.*)$/s;

/** RFC 6120 §6.3.3: "20 characters at most, from upper-case letters, digits, hyphens and underscores". */
const MECHANISM = /^[A-Z0-9_-]{1,20}$/;

/** What SASL has that is no secret. Text in it is hidden all the same: a server may repeat there what it got. */
const PUBLIC_SASL: ReadonlySet<string> = new Set([
  "mechanisms",
  "mechanism",
  "authentication",
  "inline",
  "fast",
  "failure",
  // RFC 6120 §6.5.
  "aborted",
  "account-disabled",
  "credentials-expired",
  "encryption-required",
  "incorrect-encoding",
  "invalid-authzid",
  "invalid-mechanism",
  "malformed-request",
  "mechanism-too-weak",
  "not-authorized",
  "temporary-auth-failure",
]);

/** Elements of SASL that hold what one side proves to the other, without regard to their namespace. */
const SECRETS: ReadonlySet<string> = new Set([
  "auth",
  "authenticate",
  "response",
  "initial-response",
  "challenge",
  "success",
  "additional-data",
  "abort",
  "continue",
  "next",
  "task-data",
  "digest",
]);

/** Beside passwords: of the old zero-knowledge login, and of registration. */
const IQ_SECRETS: ReadonlySet<string> = new Set(["hash", "sequence", "token", "key"]);

/** Names of elements, attributes and fields that are likely to hold what logs somebody in. */
const WORDS = /pass|pwd|secret|token|credential|digest|\bpin\b/i;
