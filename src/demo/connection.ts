import type { XmlErrorKind } from "../protocol/xml/errors.ts";
import type { Declaration } from "../protocol/xml/payload.ts";
import type { XmlHeader, XmlItem } from "../protocol/xml/tokenizer.ts";
import { NS } from "../protocol/xml/names.ts";
import { xmlStream, XmlStreamError } from "../protocol/xml/stream.ts";
import { attribute } from "../protocol/xml/writer.ts";
import { childOf, type Element, element, readElement, textOf, writeElement } from "./element.ts";
import { DOMAIN, parseJid } from "./jid.ts";
import { Outbox } from "./outbox.ts";
import type { Router, Session } from "./router.ts";
import { MECHANISMS, type SaslCondition, type SaslExchange, startExchange } from "./sasl.ts";
import { errorFor, resultFor } from "./stanzas.ts";

/** Stream errors that this server has a use for (RFC 6120 §4.9.3). */
export type StreamCondition =
  | "bad-format"
  | "conflict"
  | "host-unknown"
  | "internal-server-error"
  | "invalid-namespace"
  | "not-authorized"
  | "not-well-formed"
  | "policy-violation"
  | "resource-constraint"
  | "restricted-xml"
  | "system-shutdown"
  | "unsupported-encoding"
  | "unsupported-stanza-type"
  | "unsupported-version";

/** How far the negotiation of a stream has come (RFC 6120 §4.3). */
type Phase =
  /** Nothing has been said yet. */
  | { readonly type: "connected" }
  | { readonly type: "authenticating"; readonly exchange: SaslExchange | undefined }
  /** SASL has succeeded; the client has to begin its stream anew. */
  | { readonly type: "authenticated"; readonly local: string }
  | { readonly type: "binding"; readonly local: string }
  | { readonly type: "bound"; readonly session: Session }
  | { readonly type: "closed" };

const BIND = "urn:ietf:params:xml:ns:xmpp-bind";
const LIMITS = { payloadBytes: 65_536, depth: 100, attributes: 100 };
/** RFC 6120 §6.4.5 wants at least two more tries, and at most five. */
const MAX_FAILURES = 3;

/** One client's c2s stream, from its first byte to its last. */
export class Connection {
  readonly #conn: Deno.Conn;
  readonly #router: Router;
  readonly #outbox: Outbox;
  #phase: Phase = { type: "connected" };
  #failures = 0;
  /** What the client's stream header declares, for the elements inside. */
  #declarations: readonly Declaration[] = [];

  constructor(conn: Deno.Conn, router: Router) {
    this.#conn = conn;
    this.#router = router;
    this.#outbox = new Outbox(conn);
  }

  /** Serves the client until one side ends the stream. Never rejects. */
  async serve(): Promise<void> {
    try {
      const items = ReadableStream.from(chunks(this.#conn))
        .pipeThrough(xmlStream(LIMITS, { restarts: true }));
      for await (const item of items) {
        this.#receive(item);
        if (this.#phase.type === "closed") break;
      }
    } catch (error) {
      this.end(conditionOf(error));
    }
    this.#close();
    await this.#outbox.finish();
  }

  /** Ends the stream with a stream error; later calls do nothing. */
  end(condition: StreamCondition): void {
    // RFC 6120 §4.9.1.2: an error that comes before the header is preceded by it all the same.
    if (this.#phase.type === "connected") {
      this.#phase = { type: "authenticating", exchange: undefined };
      this.#open(undefined);
    }
    if (this.#phase.type === "closed") return;
    this.#outbox.write(`<stream:error><${condition} xmlns='${NS.STREAM_ERRORS}'/></stream:error>`);
    this.#close();
  }

  deliver(stanza: Element): void {
    this.#outbox.write(writeElement(stanza, NS.CLIENT));
  }

  #receive(item: XmlItem): void {
    switch (item.type) {
      case "header":
        return this.#header(item);
      case "payload":
        return this.#payload(readElement(item.payload.bytes, this.#declarations));
      case "end":
        return this.#close();
      case "error":
        return this.end(CONDITIONS[item.error.kind]);
      default:
        item satisfies never;
    }
  }

  #header(header: XmlHeader): void {
    this.#declarations = header.declarations;
    const phase = this.#phase;
    switch (phase.type) {
      case "connected":
      // A client may begin anew before it has logged in, too; that costs nothing.
      case "authenticating":
        this.#phase = { type: "authenticating", exchange: undefined };
        break;
      case "authenticated":
      case "binding":
        this.#phase = { type: "binding", local: phase.local };
        break;
      case "bound":
        return this.end("policy-violation");
      case "closed":
        return;
      default:
        phase satisfies never;
    }
    this.#open(header.attributes.get("from"));
    const refusal = refusalOf(header);
    if (refusal !== undefined) return this.end(refusal);
    this.#outbox.write(
      this.#phase.type === "binding" ? BINDING_FEATURES : AUTHENTICATING_FEATURES,
    );
  }

  /** RFC 6120 §4.7: the header of the response stream, with an unpredictable id. */
  #open(to: string | undefined): void {
    this.#outbox.write(
      `<?xml version='1.0'?><stream:stream from='${DOMAIN}'${attribute("to", to)}` +
        ` id='${crypto.randomUUID()}' version='1.0' xml:lang='en'` +
        ` xmlns='${NS.CLIENT}' xmlns:stream='${NS.STREAMS}'>`,
    );
  }

  #payload(payload: Element): void {
    const phase = this.#phase;
    switch (phase.type) {
      case "authenticating":
        if (payload.namespace !== NS.SASL) return this.end("not-authorized");
        return this.#sasl(payload, phase.exchange);
      case "binding":
        return this.#bind(payload, phase.local);
      case "bound":
        if (!isStanza(payload)) return this.end("unsupported-stanza-type");
        return this.#router.route(phase.session, payload);
      case "connected":
      case "authenticated":
        return this.end("not-authorized");
      case "closed":
        return;
      default:
        phase satisfies never;
    }
  }

  #sasl(payload: Element, exchange: SaslExchange | undefined): void {
    switch (payload.name) {
      case "auth": {
        const chosen = startExchange(payload.attributes.get("mechanism") ?? "");
        if (chosen === undefined) return this.#refuse("invalid-mechanism");
        this.#phase = { type: "authenticating", exchange: chosen };
        // RFC 6120 §6.4.2: without an initial response, an empty challenge asks for it.
        if (textOf(payload) === "") return this.deliver(element("challenge", NS.SASL));
        return this.#proceed(chosen, payload);
      }
      case "response":
        if (exchange === undefined) return this.#refuse("malformed-request");
        return this.#proceed(exchange, payload);
      case "abort":
        return this.#refuse("aborted");
      default:
        return this.end("unsupported-stanza-type");
    }
  }

  #proceed(exchange: SaslExchange, payload: Element): void {
    const message = decode(textOf(payload));
    if (message === undefined) return this.#refuse("incorrect-encoding");
    const step = exchange(message);
    switch (step.type) {
      case "challenge":
        return this.deliver(element("challenge", NS.SASL, {}, encode(step.data)));
      case "success":
        this.#phase = { type: "authenticated", local: step.local };
        return this.deliver(
          element("success", NS.SASL, {}, ...step.data === undefined ? [] : [encode(step.data)]),
        );
      case "failure":
        return this.#refuse(step.condition);
      default:
        step satisfies never;
    }
  }

  #refuse(condition: SaslCondition): void {
    this.#phase = { type: "authenticating", exchange: undefined };
    this.deliver(element("failure", NS.SASL, {}, element(condition, NS.SASL)));
    if (++this.#failures === MAX_FAILURES) this.end("policy-violation");
  }

  /** RFC 6120 §7.6 and §7.7: the client names its resource, or is given one. */
  #bind(iq: Element, local: string): void {
    const request = childOf(iq, "bind", BIND);
    if (!isStanza(iq) || iq.attributes.get("type") !== "set" || request === undefined) {
      return this.end("not-authorized");
    }
    const wanted = childOf(request, "resource", BIND);
    const resource = (wanted && textOf(wanted)) || crypto.randomUUID();
    if (parseJid(`${local}@${DOMAIN}/${resource}`) === undefined) {
      return this.deliver(errorFor(iq, "bad-request"));
    }
    const session = this.#router.bind(local, resource, this);
    this.#phase = { type: "bound", session };
    this.deliver(resultFor(iq, element("bind", BIND, {}, element("jid", BIND, {}, session.jid))));
  }

  #close(): void {
    const phase = this.#phase;
    if (phase.type === "closed") return;
    this.#phase = { type: "closed" };
    if (phase.type !== "connected") this.#outbox.write("</stream:stream>");
    this.#outbox.finish();
    if (phase.type === "bound") this.#router.unbind(phase.session);
  }
}

const CONDITIONS: Readonly<Record<XmlErrorKind, StreamCondition>> = {
  "not-well-formed": "not-well-formed",
  "restricted-xml": "restricted-xml",
  "bad-encoding": "unsupported-encoding",
  "limit": "policy-violation",
};

const AUTHENTICATING_FEATURES = `<stream:features><mechanisms xmlns='${NS.SASL}'>` +
  MECHANISMS.map((name) => `<mechanism>${name}</mechanism>`).join("") +
  "</mechanisms></stream:features>";

const BINDING_FEATURES = `<stream:features><bind xmlns='${BIND}'/>` +
  "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session></stream:features>";

/** Why a client's stream header is not acceptable (RFC 6120 §4.7 and §4.8). */
function refusalOf(header: XmlHeader): StreamCondition | undefined {
  if (header.namespace !== NS.STREAMS) return "invalid-namespace";
  if (header.name !== "stream") return "bad-format";
  const content = header.declarations.find(({ prefix }) => prefix === "");
  if (content?.namespace !== NS.CLIENT) return "invalid-namespace";
  const { attributes } = header;
  if ((attributes.get("to") ?? DOMAIN).toLowerCase() !== DOMAIN) return "host-unknown";
  // RFC 6120 §4.7.5: without a version it is "0.9", which knows no SASL.
  if (!attributes.get("version")?.startsWith("1.")) return "unsupported-version";
  return undefined;
}

function isStanza({ name, namespace }: Element): boolean {
  return namespace === NS.CLIENT && (name === "message" || name === "presence" || name === "iq");
}

/** The text in base64 (RFC 6120 §6.4.2: "=" is the empty one); `undefined` when it is not that. */
function decode(base64: string): string | undefined {
  if (base64 === "=") return "";
  try {
    const bytes = Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function encode(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

/** What to tell the client of an error that ended its stream. */
function conditionOf(error: unknown): StreamCondition {
  return error instanceof XmlStreamError ? CONDITIONS[error.error.kind] : "internal-server-error";
}

async function* chunks(conn: Deno.Conn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(16_384);
  for (let read; (read = await conn.read(buffer)) !== null;) yield buffer.slice(0, read);
}
