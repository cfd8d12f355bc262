/** Clients of floods: sockets, and what is written into them. */
import type { Socket } from "node:net";
import { AUTH, OPEN } from "./flood_probe.ts";
import type { FloodStage } from "./flood_stage.ts";
import { HANDSHAKE } from "./raw_websocket.ts";
import { text } from "./rfc6455.ts";

const lines = Object.entries(HANDSHAKE).map(([name, value]) => `${name}: ${value}\r\n`);

/** The handshake of RFC 7395. */
export const HANDSHAKE_REQUEST = `GET /xmpp-websocket HTTP/1.1\r\nHost: x\r\n${lines.join("")}\r\n`;

/** Writes this, and waits for that; what comes behind it is lost. Returns all of it. */
export async function answered(
  socket: Socket,
  bytes: string | Uint8Array,
  wanted: RegExp,
): Promise<string> {
  let answer = "";
  await new Promise<void>((resolve, reject) => {
    const closed = () => reject(new Error(`closed: ${answer}`));
    const read = (chunk: Uint8Array) => {
      answer += latin1.decode(chunk);
      if (!wanted.test(answer)) return;
      socket.off("data", read).off("close", closed);
      resolve();
    };
    socket.on("data", read).on("close", closed);
    socket.write(bytes);
  });
  return answer;
}

const latin1 = new TextDecoder("latin1");

/** A POST of a body. */
export function post(body: string, ...more: readonly string[]): string {
  const fields = more.map((line) => `${line}\r\n`).join("");
  return `POST /http-bind HTTP/1.1\r\nHost: x\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** The answer to a POST of a body. */
export function posted(socket: Socket, body: string, ...more: readonly string[]): Promise<string> {
  return answered(socket, post(body, ...more), ANSWER);
}

const ANSWER = /^HTTP\/1\.1 \d\d\d [^]*(?:<body [^>]*\/>|<\/body>|\r\n\r\n[^<][^]*\n)$/;

/** A WebSocket that has logged in. */
export async function loggedIn(stage: FloodStage, domain: string): Promise<Socket> {
  const socket = await stage.connect();
  await answered(socket, HANDSHAKE_REQUEST, /^HTTP\/1\.1 101 /);
  await answered(socket, text(OPEN(domain)), /<\/stream:features>/);
  await answered(socket, text(AUTH), /<success /);
  await answered(socket, text(OPEN(domain)), /<\/stream:features>/);
  return socket;
}
