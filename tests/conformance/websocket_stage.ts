import { RawWebSocket } from "../support/raw_websocket.ts";
import { MECHANISMS, type ScriptedConnection } from "../support/upstream_server.ts";
import type { Stage } from "./stage.ts";

export const FRAMING = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'";
export const OPEN = `<open ${FRAMING} to='example.test' version='1.0'/>`;
export const CLOSE = `<close ${FRAMING}/>`;
/** As some clients compare it, character by character. */
export const OUR_CLOSE = '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />';
export const START_TAG = "<stream:stream to='example.test' xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/** A client whose stream is up, and the server's side of it. */
export interface WebSocketTalk extends Disposable {
  readonly socket: RawWebSocket;
  readonly upstream: ScriptedConnection;
  /** The two messages that came so far. */
  readonly opened: string;
  readonly features: string;
}

/** A WebSocket to the stage's connection manager; `headers` as `RawWebSocket.connect` has them. */
export function connect(
  stage: Stage,
  headers: Record<string, string | readonly string[]> = {},
): Promise<RawWebSocket> {
  return RawWebSocket.connect(webSocketUrl(stage), headers);
}

export function webSocketUrl(stage: Stage): string {
  return `${stage.running.url}/xmpp-websocket`;
}

/** Connects and opens a stream whose server offers these features. */
export async function talk(
  stage: Stage,
  { opening = OPEN, features = MECHANISMS, headers = {} }: {
    readonly opening?: string;
    readonly features?: string;
    readonly headers?: Record<string, string | readonly string[]>;
  } = {},
): Promise<WebSocketTalk> {
  const socket = await connect(stage, headers);
  socket.text(opening);
  const upstream = await stage.welcome(features);
  return {
    socket,
    upstream,
    opened: await socket.message(),
    features: await socket.message(),
    [Symbol.dispose]: () => socket.destroy(),
  };
}
