import {
  type CreationRequest,
  readBody,
  readScriptBody,
  type RefusedBody,
} from "../protocol/bosh/body.ts";
import { elapsed, type Meter, type Outcome } from "../meter.ts";
import { httpStatus, type TerminalCondition } from "../protocol/bosh/conditions.ts";
import { ContentAssembler, payloadsOf } from "../protocol/bosh/content_assembler.ts";
import { EMPTY_BODY, kindOf, refusalBody, terminalBody } from "../protocol/bosh/response.ts";
import type { RequestId } from "../protocol/bosh/window.ts";
import { NS } from "../protocol/xml/names.ts";
import { XmlTokenizer } from "../protocol/xml/tokenizer.ts";
import { type Asker, BoshActor, type BoshResponse } from "./bosh_actor.ts";
import type { Answer, Exchange, Handler, LossWatcher, NoBody } from "./exchange.ts";
import { CommonHeaders, pipelines, preflight, textAnswer } from "./http.ts";
import {
  isScriptRequest,
  type LegibleRequest,
  readScriptRequest,
  scriptAnswer,
} from "./script_syntax.ts";
import type { SessionShell } from "./session_shell.ts";
import { chooseStream } from "./stream_choice.ts";

const METHODS = "GET, HEAD, OPTIONS, POST";
const PAGE = "This is a BOSH endpoint (XEP-0124). XMPP clients POST to it.\n";
const XML = "text/xml; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

/** Some clients write `xmpp:restart` and forget to declare the prefix (XEP-0206 §5). */
const ASSUMED = [{ prefix: "xmpp", namespace: NS.XBOSH }];

const NO_SESSION = { condition: "item-not-found", reason: "there is no such session" } as const;

/** XMPP over BOSH (XEP-0124, XEP-0206) at one path. */
export function boshEndpoint(shell: SessionShell): Handler {
  const { config, registry, meter } = shell;
  const common = new CommonHeaders(config.http);
  const xml = new CommonHeaders(config.http, { "content-type": XML });
  // The address of such a request has the sid in it.
  const xmlByGet = new CommonHeaders(config.http, {
    "content-type": XML,
    "referrer-policy": "no-referrer",
  });
  const limits = {
    payloadBytes: config.limits.clientStanza,
    depth: config.limits.depth,
    attributes: 128,
  };
  const { queuedBytes, unauthenticatedBytes, unauthenticatedTime } = config.limits;
  const sessionLimits = { ...config.bosh, queuedBytes, unauthenticatedBytes, unauthenticatedTime };
  // Bodies are read in one go, one after the other, so all of them share one tokenizer.
  const tokenizer = new XmlTokenizer(limits, ASSUMED);

  return (exchange) => {
    switch (exchange.method) {
      case "POST":
        return post(exchange);
      case "OPTIONS":
        return preflight(common.for(exchange), METHODS);
      case "GET":
        return isScriptRequest(exchange.query) ? get(exchange) : page(exchange);
      case "HEAD":
        return page(exchange);
      default:
        return textAnswer(405, `Use one of: ${METHODS}\n`, {
          ...common.for(exchange),
          allow: METHODS,
        });
    }
  };

  function page(exchange: Exchange): Answer {
    return textAnswer(200, PAGE, common.for(exchange));
  }

  function post(exchange: Exchange): Answer | undefined {
    const { maxBody } = config.http;
    const length = Math.min(exchange.bodyLength ?? maxBody, maxBody);
    if (!shell.bodies.take(length)) return noRoom(exchange);
    exchange.readBody(maxBody, (bytes) => {
      shell.bodies.giveBack(length);
      if (typeof bytes === "string") return noBody(exchange, bytes);
      const pending = new PendingRequest(meter, exchange, xml.for(exchange));
      if (bytes.length === 0) {
        return pending.refuse(
          textAnswer(400, "The request has no <body/>.\n", common.for(exchange)),
        );
      }
      respondTo(bytes, pending, false);
    });
    return undefined;
  }

  function get(exchange: Exchange): Answer | undefined {
    if (!config.bosh.script) {
      return textAnswer(404, "Requests by GET are switched off here.\n", common.for(exchange));
    }
    const request = readScriptRequest(exchange.query);
    if (request.type === "refused") {
      return textAnswer(400, `${request.reason}\n`, common.for(exchange));
    }
    const pending = new PendingRequest(meter, exchange, xmlByGet.for(exchange), request);
    respondTo(request.body, pending, request.type === "script");
    return undefined;
  }

  /** Has one request body answered, now or when its session has the response. */
  function respondTo(bytes: Uint8Array, pending: PendingRequest, isScript: boolean): void {
    const body = isScript ? readScriptBody(bytes, tokenizer) : readBody(bytes, tokenizer);
    const { exchange } = pending;
    if (body.type === "refused" && body.session === undefined && isCoded(exchange)) {
      // RFC 9110 §15.5.16: the answer says which codings would have been accepted.
      const text = "The body is in a Content-Encoding; send it without one.\n";
      const headers = { ...common.for(exchange), "accept-encoding": "identity" };
      return pending.refuse(textAnswer(415, text, headers));
    }
    // Bytes that are not UTF-8 are refused in any case. Whether a client says that its are of
    // another kind is asked once a session: every header that is looked up costs something.
    if (body.type !== "continue" && saysOtherCharset(exchange)) {
      return pending.respond(terminal("bad-request", "only UTF-8 is read"));
    }
    if (body.type === "refused") countRefusal(body, exchange);
    if (body.type === "create") {
      const contentType = allowedType(body.contentType, isScript);
      return create(body, pending, contentType);
    }
    const sid = body.type === "continue" ? body.sid : body.session?.sid;
    const actor = sid === undefined ? undefined : registry.get(sid);
    // XEP-0252 §2.1: "all subsequent client requests and connection manager responses within the
    // session MUST be sent using Script Syntax".
    if (actor === undefined || actor.isScript !== isScript) {
      const { condition, reason } = body.type === "refused" ? body : NO_SESSION;
      return pending.respond(farewell(sid, isScript) ?? terminal(condition, reason));
    }
    // XEP-0124 §19.1: a request in the clear for a session of TLS is none, and anybody may have sent it.
    if (actor.isTls && !isTls(exchange)) return pending.refuse(inTheClear(exchange));
    if (body.type === "refused") return actor.refuse(body.condition, body.reason, pending);
    pending.watch(actor, actor.request(body, pending));
  }

  function create(
    body: CreationRequest,
    pending: PendingRequest,
    contentType: string | undefined,
  ): void {
    const { exchange } = pending;
    // A page that lost its sid goes on posting stanzas: it has no use for a new session.
    if (body.stream.to === undefined && body.content.length > 0) {
      return pending.respond(
        terminal("improper-addressing", "a request with neither sid nor 'to'", body),
      );
    }
    const target = chooseStream(config, body.stream);
    if (target.type === "refused") {
      return pending.respond(terminal(target.condition, target.reason, body));
    }
    const client = { ...shell.proxies.client(exchange), transport: "bosh" as const };
    const refusal = registry.refusal(client.address);
    if (refusal) {
      if (refusal.limit !== undefined) shell.limits.met(refusal.limit, client.address);
      return pending.respond(terminal(refusal.condition, refusal.reason, body));
    }
    const assembler = body.octets && new ContentAssembler(new XmlTokenizer(limits, ASSUMED));
    const payloads = payloadsOf(body, assembler);
    if (payloads.type === "refused") {
      return pending.respond(terminal(payloads.condition, payloads.reason, body));
    }
    if (body.size > unauthenticatedBytes) {
      const limit = "limits.unauthenticated_bytes";
      shell.limits.met(limit, client.address);
      const reason = `more than ${unauthenticatedBytes} bytes before authentication (${limit})`;
      return pending.respond(terminal("policy-violation", reason, body));
    }
    const agent = exchange.header("user-agent");
    const init = {
      creation: { ...body, content: payloads.content, failures: payloads.failures },
      assembler,
      limits: sessionLimits,
      target,
      client,
      // libpurple does, from its first request on.
      writesToAlways: agent !== undefined && /libpurple/i.test(agent),
      pipelines: pipelines(agent),
      isTls: isTls(exchange),
      contentType,
    };
    pending.watch(new BoshActor(shell, init, pending), BoshActor.CREATION);
  }

  function isTls(exchange: Exchange): boolean {
    return shell.proxies.target(exchange).scheme === "https";
  }

  function inTheClear(exchange: Exchange): Answer {
    const text = "This session was opened by HTTPS, and goes on by HTTPS only.\n";
    return { ...textAnswer(403, text, common.for(exchange)), closes: true };
  }

  /** Counts a body that was refused for its size. */
  function countRefusal({ condition, reason }: RefusedBody, exchange: Exchange): void {
    // Of what a body alone can be refused for, only a limit has this condition.
    if (condition !== "policy-violation") return;
    const limit = reason.includes("limits.depth") ? "limits.depth" : "limits.client_stanza";
    shell.limits.met(limit, shell.proxies.client(exchange).address);
  }

  /** Why a session ended that is no more, if it is known. */
  function farewell(sid: string | undefined, isScript: boolean): BoshResponse | undefined {
    const epitaph = sid === undefined ? undefined : registry.epitaph(sid);
    if (epitaph === undefined || epitaph.isScript !== isScript) return undefined;
    const { condition = "item-not-found", reason, isLegacy, contentType } = epitaph;
    const status = isLegacy ? httpStatus(condition) : 200;
    return { status, body: terminalBody(condition, reason), contentType };
  }

  /** The body is not read, so the connection ends. */
  function noRoom(exchange: Exchange): Answer {
    shell.limits.met("limits.bodies", shell.proxies.client(exchange).address);
    const text = "Too many requests are being read here now; try again (limits.bodies).\n";
    const headers = { ...common.for(exchange), "retry-after": "5" };
    return { ...textAnswer(503, text, headers), closes: true };
  }

  function noBody(exchange: Exchange, why: NoBody): void {
    const headers = common.for(exchange);
    if (why === "broke-off") {
      // A network has closed the client's way to us, and it hears us. Many clients take 4xx for the
      // end of their session, and repeat the request after 5xx.
      const text = "The request's body broke off; send it again.\n";
      meter.endpoints.bosh.lost++;
      return exchange.respond({ ...textAnswer(503, text, headers), closes: true });
    }
    meter.endpoints.bosh.refused++;
    shell.limits.met("http.max_body", shell.proxies.client(exchange).address);
    const text = `A request may have at most ${config.http.maxBody} bytes (http.max_body).\n`;
    exchange.respond({ ...textAnswer(413, text, headers), closes: true });
  }
}

/** `creation` is the request, where it can be known whether its client has a `ver` (XEP-0124 §17.1). */
function terminal(
  condition: TerminalCondition,
  reason: string,
  creation?: CreationRequest,
): BoshResponse {
  const isLegacy = creation !== undefined && creation.ver === undefined;
  return { status: isLegacy ? httpStatus(condition) : 200, body: refusalBody(condition, reason) };
}

/**
 * The media type that a client asked for. A form of another site can ask for any, so it must be one
 * that no browser takes for a page, or for a script where none is expected; and where one is
 * expected it must be a script's, because browsers run nothing else.
 */
function allowedType(wanted: string | undefined, isScript: boolean): string | undefined {
  const allowed = isScript
    ? /^(?:text|application)\/(?:x-)?javascript(?: ?; ?charset=("?)utf-8\1)?$/i
    : /^(?:text\/xml|application\/xml|text\/plain)(?: ?; ?charset=("?)utf-8\1)?$/i;
  // Most clients ask for what they would get anyway; the headers then are the same for everybody.
  if (wanted === undefined || (!isScript && wanted === XML)) return undefined;
  return allowed.test(wanted) ? wanted : undefined;
}

function withType(
  headers: Readonly<Record<string, string>>,
  contentType: string | undefined,
): Readonly<Record<string, string>> {
  return contentType === undefined ? headers : { ...headers, "content-type": contentType };
}

/** Whether the request claims to be in a charset that is not UTF-8 (XEP-0124 §6). */
function saysOtherCharset(exchange: Exchange): boolean {
  const type = exchange.header("content-type");
  const match = type === undefined ? null : /;\s*charset\s*=\s*"?([^\s;"]{1,40})/i.exec(type);
  return match !== null && !/^(?:utf-?8|us-ascii)$/i.test(match[1]!);
}

/** Whether the body is compressed (RFC 9110 §8.4.1); some clients write a media type into this header. */
function isCoded(exchange: Exchange): boolean {
  return /(?:^|[\s,])(?:(?:x-)?gzip|deflate|(?:x-)?compress|br|zstd)(?:[\s,]|$)/i
    .test(exchange.header("content-encoding") ?? "");
}

/**
 * A request until it is answered. It is one object, and no function for each thing that may happen to
 * it: of these there is one for each client at any time.
 */
class PendingRequest implements Asker, LossWatcher {
  readonly exchange: Exchange;
  readonly #headers: Readonly<Record<string, string>>;
  /** `undefined`: a POST. */
  readonly #script: LegibleRequest | undefined;
  /** `undefined`: it does not wait for its session. */
  #actor: BoshActor | undefined;
  #id: RequestId = 0;
  readonly #meter: Meter;
  #isAnswered = false;
  /** When it came, and when its session began to hold it, as the meter has it. */
  readonly #began: number;
  #heldSince = 0;

  constructor(
    meter: Meter,
    exchange: Exchange,
    headers: Readonly<Record<string, string>>,
    script?: LegibleRequest,
  ) {
    this.#meter = meter;
    this.#began = meter.now();
    this.exchange = exchange;
    this.#headers = headers;
    this.#script = script;
  }

  respond(response: BoshResponse): void {
    const kind = kindOf(response.body);
    this.#count(kind === "payloads" ? "answered" : kind);
    this.#send(response);
  }

  /** Answers what is no request of BOSH. */
  refuse(answer: Answer): void {
    this.#count("refused");
    this.exchange.respond(answer);
  }

  #send({ status, body, contentType, pipelines }: BoshResponse): void {
    const script = this.#script;
    if (script === undefined || script.type === "data") {
      const headers = withType(this.#headers, contentType);
      return this.exchange.respond({ status, body, headers, pipelines });
    }
    const type = script.type === "script" && contentType !== undefined ? contentType : SCRIPT;
    this.exchange.respond(scriptAnswer(script, body, withType(this.#headers, type)));
  }

  /** Its session has it under this number. */
  watch(actor: BoshActor, id: RequestId): void {
    if (this.#isAnswered) return;
    this.#meter.held++;
    this.#heldSince = this.#meter.now();
    this.#actor = actor;
    this.#id = id;
    this.exchange.onLost(this);
  }

  /** A request whose client has left is none; its exchange is only brought to its end. */
  lost(): void {
    if (this.#isAnswered) return;
    this.#actor?.abandon(this.#id);
    this.#count("lost");
    this.#send({ status: 200, body: EMPTY_BODY });
  }

  /**
   * It is held from the end of its own turn until the beginning of the one that answers it: meanwhile
   * the server had nothing to say. What is left of its time is what it took to serve it.
   */
  #count(outcome: Outcome): void {
    this.#isAnswered = true;
    const meter = this.#meter;
    const { bosh } = meter.endpoints;
    bosh[outcome]++;
    if (this.#actor !== undefined) meter.held--;
    if (this.#began === 0) return;
    const now = meter.now();
    if (this.#heldSince === 0) return bosh.service.observe(elapsed(this.#began, now));
    meter.hold.observe(elapsed(this.#heldSince, meter.turn));
    bosh.service.observe(elapsed(this.#began, this.#heldSince) + elapsed(meter.turn, now));
  }
}
