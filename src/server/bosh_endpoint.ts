import type { HttpConfig } from "../config/config.ts";
import { readBody } from "../protocol/bosh/body.ts";
import { EMPTY_BODY, terminalBody } from "../protocol/bosh/response.ts";
import { XmlTokenizer } from "../protocol/xml/tokenizer.ts";
import { BoshActor, type BoshReply, type BoshResponse } from "./bosh_actor.ts";
import { chooseDomain } from "./domain_choice.ts";
import type { Answer, Exchange, Handler } from "./exchange.ts";
import { CommonHeaders, preflight, textAnswer } from "./http.ts";
import type { SessionShell } from "./session_shell.ts";

const METHODS = "GET, HEAD, OPTIONS, POST";
const PAGE = "This is a BOSH endpoint (XEP-0124). XMPP clients POST to it.\n";

/** XMPP over BOSH (XEP-0124, XEP-0206) at one path. */
export function boshEndpoint(shell: SessionShell): Handler {
  const { config, registry } = shell;
  const common = new CommonHeaders(config.http);
  const xml = new CommonHeaders(config.http, { "content-type": "text/xml; charset=utf-8" });
  // Bodies are read in one go, one after the other, so all of them share one tokenizer.
  const tokenizer = new XmlTokenizer({
    payloadBytes: config.limits.clientStanza,
    depth: config.limits.depth,
    attributes: 128,
  });

  return (exchange) => {
    switch (exchange.method) {
      case "POST":
        return post(exchange);
      case "OPTIONS":
        return preflight(common.for(exchange), METHODS);
      case "GET":
      case "HEAD":
        return textAnswer(200, PAGE, common.for(exchange));
      default:
        return textAnswer(405, `Use one of: ${METHODS}\n`, {
          ...common.for(exchange),
          allow: METHODS,
        });
    }
  };

  async function post(exchange: Exchange): Promise<Answer> {
    const bytes = await exchange.body(config.http.maxBody);
    if (bytes === undefined) return tooLarge(exchange, config.http);
    if (bytes.length === 0) {
      return textAnswer(400, "The request has no <body/>.\n", common.for(exchange));
    }
    const response = respondTo(bytes, exchange);
    const body = response instanceof Promise ? await response : response;
    return { status: 200, headers: xml.for(exchange), body };
  }

  /** The response to one request body, now or when its session has it. */
  function respondTo(bytes: Uint8Array, exchange: Exchange): BoshResponse | Promise<BoshResponse> {
    const body = readBody(bytes, tokenizer);
    switch (body.type) {
      case "refused": {
        const { condition, reason, session } = body;
        const actor = session && registry.get(session.sid);
        if (!actor) return terminalBody(condition, reason);
        return new Promise((reply) => actor.refuse(condition, reason, reply));
      }
      case "continue": {
        const actor = registry.get(body.sid);
        if (!actor) return terminalBody("item-not-found", "there is no such session");
        return held(exchange, (reply) => {
          const request = actor.request(body, reply);
          return () => actor.abandon(request);
        });
      }
      case "create": {
        // A page that lost its sid goes on posting stanzas: it has no use for a new session.
        if (body.to === undefined && body.content.length > 0) {
          return terminalBody("improper-addressing", "a request with neither sid nor 'to'");
        }
        const choice = chooseDomain(config, body.to);
        if (choice.type === "refused") return terminalBody(choice.condition, choice.reason);
        if (registry.refusal) {
          return terminalBody(registry.refusal.condition, registry.refusal.reason);
        }
        const client = { ...exchange.peer, transport: "bosh" as const };
        return held(exchange, (reply) => {
          const actor = new BoshActor(
            shell,
            { creation: body, domain: choice.domain, client },
            reply,
          );
          return () => actor.abandon(BoshActor.CREATION);
        });
      }
      default:
        return body satisfies never;
    }
  }

  function tooLarge(exchange: Exchange, { maxBody }: HttpConfig): Answer {
    return textAnswer(413, `A request may have at most ${maxBody} bytes.\n`, {
      ...common.for(exchange),
      connection: "close",
    });
  }
}

/** Waits for a session's reply; `start` hands the request over and returns what to do if its client leaves. */
function held(exchange: Exchange, start: (reply: BoshReply) => () => void): Promise<BoshResponse> {
  return new Promise((resolve) => {
    let answered = false;
    const abandon = start((body) => {
      answered = true;
      resolve(body);
    });
    if (answered) return;
    exchange.onLost(() => {
      abandon();
      // Nobody reads it: the exchange is only brought to its end.
      resolve(EMPTY_BODY);
    });
  });
}
