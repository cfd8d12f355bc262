import type { HttpConfig } from "../config/config.ts";
import { type CreationRequest, readBody, readScriptBody } from "../protocol/bosh/body.ts";
import { httpStatus, type TerminalCondition } from "../protocol/bosh/conditions.ts";
import { ContentAssembler, payloadsOf } from "../protocol/bosh/content_assembler.ts";
import { EMPTY_BODY, refusalBody, terminalBody } from "../protocol/bosh/response.ts";
import type { RequestId } from "../protocol/bosh/window.ts";
import { NS } from "../protocol/xml/names.ts";
import { XmlTokenizer } from "../protocol/xml/tokenizer.ts";
import { BoshActor, type BoshReply, type BoshResponse } from "./bosh_actor.ts";
import type { Answer, Exchange, Handler } from "./exchange.ts";
import { CommonHeaders, pipelines, preflight, textAnswer } from "./http.ts";
import { isScriptRequest, readScriptRequest, scriptAnswer } from "./script_syntax.ts";
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
  const { config, registry } = shell;
  const common = new CommonHeaders(config.http);
  const xml = new CommonHeaders(config.http, { "content-type": XML });
  const limits = {
    payloadBytes: config.limits.clientStanza,
    depth: config.limits.depth,
    attributes: 128,
  };
  const sessionLimits = { ...config.bosh, queuedBytes: config.limits.queuedBytes };
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

  function post(exchange: Exchange): undefined {
    exchange.readBody(config.http.maxBody, (bytes) => {
      if (bytes === undefined) return exchange.respond(tooLarge(exchange, config.http));
      if (bytes.length === 0) {
        const reason = "The request has no <body/>.\n";
        return exchange.respond(textAnswer(400, reason, common.for(exchange)));
      }
      const headers = xml.for(exchange);
      respondTo(bytes, exchange, false, ({ status, body, contentType, pipelines }) => {
        exchange.respond({ status, body, headers: withType(headers, contentType), pipelines });
      });
    });
  }

  function get(exchange: Exchange): Answer | undefined {
    if (!config.bosh.script) {
      return textAnswer(404, "Requests by GET are switched off here.\n", common.for(exchange));
    }
    const request = readScriptRequest(exchange.query);
    if (request.type === "refused") {
      return textAnswer(400, `${request.reason}\n`, common.for(exchange));
    }
    const isScript = request.type === "script";
    const headers = xml.for(exchange);
    respondTo(request.body, exchange, isScript, ({ status, body, contentType }) => {
      if (request.type === "data") {
        return exchange.respond({ status, body, headers: withType(headers, contentType) });
      }
      const type = isScript && contentType !== undefined ? contentType : SCRIPT;
      exchange.respond(scriptAnswer(request, body, withType(headers, type)));
    });
    return undefined;
  }

  /** Has one request body answered, now or when its session has the response. */
  function respondTo(
    bytes: Uint8Array,
    exchange: Exchange,
    isScript: boolean,
    reply: BoshReply,
  ): void {
    const body = isScript ? readScriptBody(bytes, tokenizer) : readBody(bytes, tokenizer);
    // Bytes that are not UTF-8 are refused in any case. Whether a client says that its are of
    // another kind is asked once a session: every header that is looked up costs something.
    const charset = body.type === "continue" ? undefined : declaredCharset(exchange);
    if (charset !== undefined) {
      return reply(terminal("bad-request", `only UTF-8 is read, not ${charset}`));
    }
    if (body.type === "create") {
      const contentType = allowedType(body.contentType, isScript);
      return create(body, exchange, contentType, reply);
    }
    const sid = body.type === "continue" ? body.sid : body.session?.sid;
    const actor = sid === undefined ? undefined : registry.get(sid);
    // XEP-0252 §2.1: "all subsequent client requests and connection manager responses within the
    // session MUST be sent using Script Syntax".
    if (actor === undefined || actor.isScript !== isScript) {
      const { condition, reason } = body.type === "refused" ? body : NO_SESSION;
      return reply(farewell(sid, isScript) ?? terminal(condition, reason));
    }
    if (body.type === "refused") return actor.refuse(body.condition, body.reason, reply);
    const request = actor.request(body, reply);
    abandonWhenLost(exchange, actor, request, reply);
  }

  function create(
    body: CreationRequest,
    exchange: Exchange,
    contentType: string | undefined,
    reply: BoshReply,
  ): void {
    // A page that lost its sid goes on posting stanzas: it has no use for a new session.
    if (body.stream.to === undefined && body.content.length > 0) {
      return reply(terminal("improper-addressing", "a request with neither sid nor 'to'", body));
    }
    const target = chooseStream(config, body.stream);
    if (target.type === "refused") return reply(terminal(target.condition, target.reason, body));
    const { refusal } = registry;
    if (refusal) return reply(terminal(refusal.condition, refusal.reason, body));
    const assembler = body.octets && new ContentAssembler(new XmlTokenizer(limits, ASSUMED));
    const payloads = payloadsOf(body, assembler);
    if (payloads.type === "refused") {
      return reply(terminal(payloads.condition, payloads.reason, body));
    }
    const agent = exchange.header("user-agent");
    const init = {
      creation: { ...body, content: payloads.content, failures: payloads.failures },
      assembler,
      limits: sessionLimits,
      target,
      client: { ...shell.proxies.client(exchange), transport: "bosh" as const },
      // libpurple does, from its first request on.
      writesToAlways: agent !== undefined && /libpurple/i.test(agent),
      pipelines: pipelines(agent),
      contentType,
    };
    const actor = new BoshActor(shell, init, reply);
    abandonWhenLost(exchange, actor, BoshActor.CREATION, reply);
  }

  /** Why a session ended that is no more, if it is known. */
  function farewell(sid: string | undefined, isScript: boolean): BoshResponse | undefined {
    const epitaph = sid === undefined ? undefined : registry.epitaph(sid);
    if (epitaph === undefined || epitaph.isScript !== isScript) return undefined;
    const { condition = "item-not-found", reason, isLegacy, contentType } = epitaph;
    const status = isLegacy ? httpStatus(condition) : 200;
    return { status, body: terminalBody(condition, reason), contentType };
  }

  function tooLarge(exchange: Exchange, { maxBody }: HttpConfig): Answer {
    const text = `A request may have at most ${maxBody} bytes.\n`;
    return { ...textAnswer(413, text, common.for(exchange)), closes: true };
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

/** A charset that the request claims to be in and that is not UTF-8 (XEP-0124 §6). */
function declaredCharset(exchange: Exchange): string | undefined {
  const type = exchange.header("content-type");
  const match = type === undefined ? null : /;\s*charset\s*=\s*"?([^\s;"]{1,40})/i.exec(type);
  return match === null || /^(?:utf-?8|us-ascii)$/i.test(match[1]!) ? undefined : match[1];
}

/** A request whose client has left is none; its exchange is only brought to its end. */
function abandonWhenLost(
  exchange: Exchange,
  actor: BoshActor,
  request: RequestId,
  reply: BoshReply,
): void {
  exchange.onLost(() => {
    actor.abandon(request);
    reply({ status: 200, body: EMPTY_BODY });
  });
}
