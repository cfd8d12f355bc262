import { XmlTokenizer } from "../protocol/xml/tokenizer.ts";
import type { Exchange, Handler } from "./exchange.ts";
import { CommonHeaders, textAnswer } from "./http.ts";
import type { SessionShell } from "./session_shell.ts";
import { WebSocketActor } from "./websocket_actor.ts";

const PAGE =
  "This is a WebSocket endpoint for XMPP (RFC 7395). Clients connect with ws: or wss:.\n";

/** XMPP over WebSocket (RFC 7395) at one path. */
export function websocketEndpoint(shell: SessionShell): Handler {
  const { config } = shell;
  const common = new CommonHeaders(config.http);
  // Messages are read in one go, one after the other, so all of them share one tokenizer.
  const tokenizer = new XmlTokenizer({
    payloadBytes: config.limits.clientStanza,
    depth: config.limits.depth,
    attributes: 128,
  });

  return (exchange) => {
    const headers = common.for(exchange);
    if (exchange.method !== "GET" && exchange.method !== "HEAD") {
      return textAnswer(405, "Use GET, with a WebSocket handshake.\n", {
        ...headers,
        allow: "GET, HEAD",
      });
    }
    if (!wantsWebSocket(exchange)) return textAnswer(200, PAGE, headers);
    if (exchange.header("sec-websocket-version") !== "13") {
      // RFC 6455 §4.2.2: the answer names the version that is understood.
      return textAnswer(426, "The WebSocket version must be 13 (RFC 6455).\n", {
        ...headers,
        "sec-websocket-version": "13",
        upgrade: "websocket",
      });
    }
    if (!common.allows(exchange.header("origin"))) {
      return textAnswer(403, "Pages of this origin may not connect.\n", headers);
    }
    const protocol = xmppSubprotocol(exchange.header("sec-websocket-protocol"));
    if (protocol === undefined) {
      // RFC 7395 §3.1: "the client MUST include the value 'xmpp'" among its subprotocols.
      return textAnswer(400, "Sec-WebSocket-Protocol must include xmpp (RFC 7395).\n", headers);
    }
    const { registry } = shell;
    if (registry.refusal) return textAnswer(503, `${registry.refusal.reason}\n`, headers);
    const client = { ...shell.proxies.client(exchange), transport: "websocket" as const };
    const actor = new WebSocketActor(shell, { client, tokenizer });
    const { pingInterval } = config.websocket;
    const upgraded = exchange.upgrade({ protocol, pingInterval }, actor);
    if (upgraded === undefined) {
      actor.closed();
      return textAnswer(400, "The WebSocket handshake is not complete (RFC 6455 §4.1).\n", headers);
    }
    actor.attach(upgraded.socket);
    return upgraded.answer;
  };
}

/** Whether the request asks for a WebSocket, well or badly. */
export function wantsWebSocket(exchange: Exchange): boolean {
  return exchange.header("upgrade")?.toLowerCase() === "websocket";
}

/** The client's own spelling of `xmpp` among the subprotocols it offers. */
function xmppSubprotocol(offered: string | undefined): string | undefined {
  return offered?.split(",").map((name) => name.trim()).find((name) =>
    name.toLowerCase() === "xmpp"
  );
}
