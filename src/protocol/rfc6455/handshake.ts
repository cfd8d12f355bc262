/** A request, as far as the opening handshake looks at it. */
export interface HandshakeRequest {
  readonly method: string;
  /** The minor version of HTTP/1. */
  readonly httpMinor: number;
  /** A header's value, several of one name joined by `, `; `name` in lower case. */
  header(name: string): string | undefined;
}

/** What a request is to the WebSocket protocol. */
export type Handshake =
  /** It does not ask for a WebSocket. */
  | { readonly type: "none" }
  | {
    readonly type: "refused";
    readonly status: 400 | 426;
    readonly reason: string;
    readonly headers: Readonly<Record<string, string>>;
  }
  /** To be answered 101 with these, and with the subprotocol that was chosen. */
  | { readonly type: "accepted"; readonly headers: Readonly<Record<string, string>> };

/** RFC 6455 §4.2.2: what the key is hashed with. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Sixteen bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/**
 * The server's side of the opening handshake (RFC 6455 §4.2.1). `sha1` gives the digest of a
 * text's UTF-8 as hexadecimal digits. `Host` is HTTP's to ask for, `Origin` and the subprotocol are
 * the endpoint's, and extensions that are offered are not taken up.
 */
export function readHandshake(
  request: HandshakeRequest,
  sha1: (text: string) => string,
): Handshake {
  if (!lists(request.header("upgrade"), "websocket")) return { type: "none" };
  // "An HTTP/1.1 or higher GET request".
  if (request.method !== "GET") return refused("A WebSocket begins with a GET request.");
  if (request.httpMinor < 1) return refused("A WebSocket begins with HTTP/1.1.");
  if (!lists(request.header("connection"), "upgrade")) {
    return refused("Connection must list upgrade.");
  }
  if (request.header("sec-websocket-version") !== "13") {
    // §4.4: the answer names the versions that are understood.
    return {
      type: "refused",
      status: 426,
      reason: "The WebSocket version must be 13 (RFC 6455).",
      headers: { "sec-websocket-version": "13", upgrade: "websocket" },
    };
  }
  const key = request.header("sec-websocket-key");
  // "a base64-encoded value that, when decoded, is 16 bytes in length"
  if (key === undefined || !KEY.test(key)) {
    return refused("Sec-WebSocket-Key must be 16 bytes in base64.");
  }
  const accept = Uint8Array.fromHex(sha1(key + GUID)).toBase64();
  return {
    type: "accepted",
    headers: { upgrade: "websocket", connection: "Upgrade", "sec-websocket-accept": accept },
  };
}

function refused(reason: string): Handshake {
  return { type: "refused", status: 400, reason, headers: {} };
}

/** Whether a comma-separated header has the token, in whatever case. */
function lists(value: string | undefined, token: string): boolean {
  return value?.split(",").some((item) => item.trim().toLowerCase() === token) ?? false;
}
