/**
 * The least that Deno's own server and sockets can do for the load's traffic: just enough BOSH and
 * WebSocket for it to log in at the stub. It checks nothing, bounds nothing, keeps no time. A
 * yardstick, never a design to copy.
 *
 *     deno run -A deno.ts PORT UPSTREAM_PORT
 */
import {
  bodyOf,
  creationAttributes,
  eachMessage,
  HEADER,
  isWhole,
  readBody,
  sayReady,
} from "./wire.ts";

const [port, upstreamPort] = Deno.args.map(Number);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const headers = { "content-type": "text/xml; charset=utf-8" };

interface Session {
  readonly upstream: Deno.TcpConn;
  /** What came and no request has taken. */
  got: string;
  /** A request is held. */
  wake: (() => void) | undefined;
}

const sessions = new Map<string, Session>();
let count = 0;

Deno.serve(
  { port: port!, hostname: "127.0.0.1", onListen: sayReady },
  (request) => request.headers.get("upgrade") === "websocket" ? upgrade(request) : answer(request),
);

async function answer(request: Request): Promise<Response> {
  const asked = readBody(await request.text());
  let attributes = "";
  let session: Session;
  if (asked.sid === undefined) {
    session = { upstream: await connect(), got: "", wake: undefined };
    const sid = `sid${++count}`;
    sessions.set(sid, session);
    attributes = creationAttributes(sid);
    pump(session.upstream, (text) => {
      session.got += text;
      if (isWhole(session.got)) session.wake?.();
    });
  } else {
    session = sessions.get(asked.sid)!;
    if (asked.terminates) {
      session.upstream.close();
      sessions.delete(asked.sid);
      return new Response(bodyOf("", " type='terminate'"), { headers });
    }
  }
  if (asked.xml !== "") session.upstream.write(encoder.encode(asked.xml));
  if (session.got === "") await new Promise<void>((resolve) => session.wake = resolve);
  const xml = session.got;
  session.got = "";
  session.wake = undefined;
  return new Response(bodyOf(xml, attributes), { headers });
}

function upgrade(request: Request): Response {
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "xmpp" });
  const connected = connect();
  socket.onmessage = async ({ data }) => {
    const upstream = await connected;
    if (data.startsWith("<open")) upstream.write(encoder.encode(HEADER));
    else if (data.startsWith("<close")) upstream.close();
    else upstream.write(encoder.encode(data));
  };
  socket.onerror = () => {};
  connected.then((upstream) => {
    let rest = "";
    const send = (message: string) => socket.send(message);
    pump(upstream, (text) => {
      if (socket.readyState === WebSocket.OPEN) rest = eachMessage(rest + text, send);
    });
  });
  return response;
}

function connect(): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: upstreamPort! });
}

async function pump(upstream: Deno.TcpConn, received: (text: string) => void): Promise<void> {
  const buffer = new Uint8Array(4_096);
  for (;;) {
    const length = await upstream.read(buffer).catch(() => null);
    if (length === null) return;
    received(decoder.decode(buffer.subarray(0, length)));
  }
}
