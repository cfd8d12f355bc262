/**
 * The other floor: the same traffic over `node:net` on both sides, with the least HTTP/1.1 and
 * RFC 6455 that the load needs. It reads nothing strictly and bounds nothing. A yardstick, never a
 * design to copy.
 *
 *     deno run -A sockets.ts PORT UPSTREAM_PORT
 */
import net from "node:net";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
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

interface Session {
  readonly upstream: net.Socket;
  attributes: string;
  /** What came and no request has taken. */
  got: string;
  /** The connection whose request is held. */
  held: net.Socket | undefined;
}

const sessions = new Map<string, Session>();
let count = 0;

net.createServer({ noDelay: true }, accept)
  .listen({ port, host: "127.0.0.1", backlog: 4_096 }, sayReady);

function accept(client: net.Socket): void {
  let rest = "";
  client.on("error", () => {});
  const read = (chunk: Buffer) => {
    let text = rest + chunk.toString("latin1");
    rest = "";
    for (let head; (head = text.indexOf("\r\n\r\n")) >= 0;) {
      const key = /^Sec-WebSocket-Key: (\S+)/im.exec(text.slice(0, head));
      if (key) {
        client.off("data", read);
        return upgrade(client, key[1]!);
      }
      const length = Number(/^Content-Length: (\d+)/im.exec(text.slice(0, head))?.[1]);
      const end = head + 4 + length;
      if (text.length < end) break;
      answer(client, Buffer.from(text.slice(head + 4, end), "latin1").toString());
      text = text.slice(end);
    }
    rest = text;
  };
  client.on("data", read);
}

function answer(client: net.Socket, text: string): void {
  const asked = readBody(text);
  let session: Session;
  if (asked.sid === undefined) {
    const sid = `sid${++count}`;
    const attributes = creationAttributes(sid);
    session = { upstream: connect(), attributes, got: "", held: undefined };
    sessions.set(sid, session);
    session.upstream.on("data", (text: string) => {
      session.got += text;
      flush(session);
    });
  } else {
    session = sessions.get(asked.sid)!;
    if (asked.terminates) {
      session.upstream.destroy();
      sessions.delete(asked.sid);
      return reply(client, bodyOf("", " type='terminate'"));
    }
  }
  if (asked.xml !== "") session.upstream.write(asked.xml);
  session.held = client;
  flush(session);
}

function flush(session: Session): void {
  const { held, got, attributes } = session;
  if (held === undefined || got === "" || !isWhole(got)) return;
  session.held = undefined;
  session.got = "";
  session.attributes = "";
  reply(held, bodyOf(got, attributes));
}

function reply(client: net.Socket, body: string): void {
  client.write(
    "HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\n" +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function upgrade(client: net.Socket, key: string): void {
  const accepted = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  client.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Accept: ${accepted.digest("base64")}\r\n\r\n`,
  );
  const upstream = connect();
  client.on("close", () => upstream.destroy());
  let down = "";
  const frames: Buffer[] = [];
  upstream.on("data", (text: string) => {
    down = eachMessage(down + text, (message) => frames.push(frameOf(message)));
    client.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
    frames.length = 0;
  });
  let up: Buffer | undefined;
  client.on("data", (chunk: Buffer) => {
    const input = up === undefined ? chunk : Buffer.concat([up, chunk]);
    let at = 0;
    while (input.length >= at + 6) {
      let length = input[at + 1]! & 127;
      let begin = at + 2;
      if (length === 126) {
        length = input.readUInt16BE(begin);
        begin += 2;
      }
      const end = begin + 4 + length;
      if (input.length < end) break;
      const message = unmask(input, begin, end);
      if (message.startsWith("<open")) upstream.write(HEADER);
      else if (message.startsWith("<close")) upstream.destroy();
      else upstream.write(message);
      at = end;
    }
    up = at === input.length ? undefined : input.subarray(at);
  });
}

/** Takes the mask off, four bytes at a time. */
function unmask(input: Buffer, begin: number, end: number): string {
  const mask = input.readInt32LE(begin);
  const length = end - begin - 4;
  const words = new Int32Array(length + 3 >> 2);
  const bytes = Buffer.from(words.buffer);
  input.copy(bytes, 0, begin + 4, end);
  for (let i = 0; i < words.length; i++) words[i]! ^= mask;
  return bytes.toString("utf8", 0, length);
}

function frameOf(message: string): Buffer {
  const length = Buffer.byteLength(message);
  const begin = length < 126 ? 2 : 4;
  const frame = Buffer.allocUnsafe(begin + length);
  frame[0] = 0x81;
  if (length < 126) frame[1] = length;
  else {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  }
  frame.write(message, begin);
  return frame;
}

function connect(): net.Socket {
  const upstream = net.connect(upstreamPort!, "127.0.0.1");
  upstream.setEncoding("utf8");
  upstream.on("error", () => {});
  return upstream;
}
