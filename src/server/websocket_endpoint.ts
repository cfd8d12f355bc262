import type { Framing } from "../protocol/websocket/framing.ts";
import { XmlTokenizer } from "../protocol/xml/tokenizer.ts";
import type { Exchange, Handler } from "./exchange.ts";
import { ANY_METHOD, CommonHeaders, preflight, textAnswer } from "./http.ts";
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
    if (exchange.method === "OPTIONS") return preflight(headers, ANY_METHOD);
    if (exchange.method !== "GET" && exchange.method !== "HEAD") {
      return textAnswer(405, "Use GET, with a WebSocket handshake.\n", {
        ...headers,
        allow: "GET, HEAD",
      });
    }
    if (!wantsWebSocket(exchange)) return textAnswer(200, PAGE, headers);
    const missing = missingFromHandshake(exchange);
    if (missing !== undefined) {
      // RFC 6455 §4.2.2: the answer names the version that is understood.
      return textAnswer(426, `${missing} (RFC 6455 §4.1).\n`, {
        ...headers,
        "sec-websocket-version": "13",
        upgrade: "websocket",
      });
    }
    // Sixteen bytes in base64.
    if (!/^[A-Za-z0-9+/]{22}==$/.test(exchange.header("sec-websocket-key") ?? "")) {
      return textAnswer(400, "Sec-WebSocket-Key is malformed (RFC 6455 §4.1).\n", headers);
    }
    if (!common.allows(exchange.header("origin"))) {
      return textAnswer(403, "Pages of this origin may not connect.\n", headers);
    }
    const offered = exchange.header("sec-websocket-protocol") ?? "";
    const protocol = xmppSubprotocol(offered);
    const { pingInterval, legacyFraming } = config.websocket;
    // RFC 7395 §3.1: "the client MUST include the value 'xmpp'" among its subprotocols. Before
    // that some offered none.
    if (protocol === undefined && (offered !== "" || !legacyFraming)) {
      return textAnswer(400, "Sec-WebSocket-Protocol must include xmpp (RFC 7395).\n", headers);
    }
    const framings: readonly [Framing, ...Framing[]] = protocol === undefined
      ? ["draft"]
      : legacyFraming
      ? ["rfc7395", "draft"]
      : ["rfc7395"];
    const client = { ...shell.proxies.client(exchange), transport: "websocket" as const };
    const refusal = shell.registry.refusal(client.address);
    if (refusal !== undefined) {
      if (refusal.limit !== undefined) shell.limits.met(refusal.limit, client.address);
      const retry = refusal.status === 429 ? { "retry-after": "60" } : {};
      return textAnswer(refusal.status, `${refusal.reason}\n`, { ...headers, ...retry });
    }
    const actor = new WebSocketActor(shell, {
      client,
      isTls: shell.proxies.target(exchange).scheme === "https",
      framings,
      tokenizer,
    });
    const { clientStanza, unauthenticatedBytes } = config.limits;
    const maxMessage = Math.min(clientStanza, unauthenticatedBytes);
    const upgraded = exchange.upgrade({ protocol, pingInterval, maxMessage }, actor);
    if (upgraded === undefined) {
      actor.closed();
      return textAnswer(400, "The WebSocket handshake is not complete (RFC 6455 §4.1).\n", headers);
    }
    actor.attach(upgraded.socket);
    const { answer } = upgraded;
    return { ...answer, headers: { ...config.http.headers, ...answer.headers } };
  };
}

/** Whether the request asks for a WebSocket, well or badly. */
export function wantsWebSocket(exchange: Exchange): boolean {
  return exchange.method === "GET" && lists(exchange.header("upgrade"), "websocket");
}

/** What a handshake lacks that would have to be there, as the beginning of a sentence. */
function missingFromHandshake(exchange: Exchange): string | undefined {
  if (!lists(exchange.header("connection"), "upgrade")) {
    return "The header Connection must list Upgrade; a proxy on the way may have removed it";
  }
  if (exchange.header("sec-websocket-version") !== "13") return "Sec-WebSocket-Version must be 13";
  return exchange.header("sec-websocket-key") === undefined
    ? "Sec-WebSocket-Key is missing"
    : undefined;
}

/** The client's own spelling of `xmpp` among the subprotocols it offers. */
function xmppSubprotocol(offered: string): string | undefined {
  return membersOf(offered).find((name) => name.toLowerCase() === "xmpp");
}

/** Whether a header's list has the member, however that is spelled. */
function lists(header: string | undefined, member: string): boolean {
  return membersOf(header ?? "").some((name) => name.toLowerCase() === member);
}

function membersOf(list: string): string[] {
  return list.split(",").map((member) => member.trim());
}
