/** Garbage is answered or cut, each piece of it alone, and nothing of it stays. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { bodyOf } from "../support/bosh_client.ts";
import { addressOf, flood, size, times } from "../support/flood_stage.ts";

const REQUESTS = size(1_000, 100_000);
const SIDE_BY_SIDE = 50;
/** As `http.max_body` is unless it is configured. */
const MAX_BODY = 262_144;

/** A piece of garbage, and whether it is left unfinished: then nobody owes an answer. */
type Garbage = (index: number) => { readonly bytes: string | Uint8Array; readonly isHalf?: true };

const KINDS: Readonly<Record<string, Garbage>> = {
  "random octets": () => ({ bytes: crypto.getRandomValues(new Uint8Array(300)), isHalf: true }),
  "random octets and an empty line": (index) => ({
    bytes: `${String.fromCharCode(33 + index % 90)}${index}\r\nx\r\n\r\n`,
  }),
  "the beginning of TLS": () => ({ bytes: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n" }),
  "half of a head": () => ({ bytes: "POST /http-bind HTTP/1.1\r\nHost: x\r\nCont", isHalf: true }),
  "half of a body": () => ({
    bytes: request("POST", "/http-bind", "<body", "Content-Length: 4000"),
    isHalf: true,
  }),
  "a head without end": () => ({
    bytes: `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}`,
  }),
  "too many fields": () => ({
    bytes: `GET / HTTP/1.1\r\nHost: x\r\n${"x: y\r\n".repeat(300)}\r\n`,
  }),
  "a wrong method": (index) => ({
    bytes: request(["BREW", "DELETE", "TRACE", "PROPFIND"][index % 4]!, "/http-bind"),
  }),
  "a wrong path": (index) => ({ bytes: request("GET", `/.git/${index}`) }),
  "a wrong version": (index) => ({
    bytes: `GET /http-bind HTTP/${index % 10}.${index % 7}\r\n\r\n`,
    // Version 1.1 wants a Host, the others are unknown: all are answered.
  }),
  "no Host": () => ({ bytes: "GET /http-bind HTTP/1.1\r\n\r\n" }),
  "two lengths": () => ({
    bytes: request("POST", "/http-bind", "x", "Content-Length: 1\r\nContent-Length: 2"),
  }),
  "an unknown sid": (index) => ({ bytes: post(bodyOf(`rid='${index}' sid='none${index}'`)) }),
  "a body without rid": () => ({ bytes: post(bodyOf("to='echo.test'")) }),
  "a rid that is too large": () => ({
    bytes: post(bodyOf("rid='9007199254740999' to='echo.test'")),
  }),
  "a domain of a stranger": (index) => ({
    bytes: post(bodyOf(`rid='1' to='stranger${index}.test' ver='1.11'`)),
  }),
  "a body that is no XML": () => ({ bytes: post("{}") }),
  "a body that ends early": () => ({ bytes: post("<body xmlns='http://jabber.org/p") }),
  "a body of the maximal size that is no XML": () => ({ bytes: LARGE }),
  "a body of the maximal size that is one text": () => ({ bytes: LARGE_TEXT }),
  "a body that is too large": () => ({
    bytes: request("POST", "/http-bind", "x", `Content-Length: ${MAX_BODY + 1}`),
  }),
  "chunks of no size": () => ({
    bytes: request("POST", "/http-bind", "nothing\r\n", "Transfer-Encoding: chunked"),
  }),
  "a WebSocket of another version": () => ({
    bytes: request(
      "GET",
      "/xmpp-websocket",
      "",
      "Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 8",
    ),
  }),
};

flood({
  name: `S-007 S-008 S-016 ${REQUESTS} requests of garbage`,
  ceiling: 140,
  toml: "[http]\nhead_timeout = 5\nbody_timeout = 5",
  async work({ connect }) {
    const kinds = Object.entries(KINDS);
    await times(REQUESTS, SIDE_BY_SIDE, async (index) => {
      const [name, garbage] = kinds[index % kinds.length]!;
      const { bytes, isHalf = false } = garbage(index);
      const socket = await connect(addressOf(index));
      // A few of those that owe the rest waits until it is cut; the others leave.
      const answer = isHalf && index % 64 > 0 ? leave(socket, bytes) : ask(socket, bytes);
      const status = /^HTTP\/1\.1 (\d\d\d) /.exec(await answer)?.[1];
      if (!isHalf) assert.match(status ?? "none", /^(?:200|4\d\d|505|501)$/, name);
    });
  },
});

/** What comes until the connection is gone. */
function ask(socket: Socket, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    socket.on("data", (chunk) => answer += chunk.toString("latin1", 0, 100));
    socket.on("close", () => resolve(answer));
    socket.write(bytes);
  });
}

function leave(socket: Socket, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    socket.on("close", () => resolve(""));
    socket.write(bytes, () => socket.resetAndDestroy());
  });
}

function post(body: string): string {
  return request("POST", "/http-bind", body, `Content-Length: ${body.length}`);
}

function request(method: string, path: string, body = "", more = "X: y"): string {
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n\r\n${body}`;
}

const LARGE = new TextEncoder().encode(post("x".repeat(MAX_BODY)));
const OPENING = "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='echo.test'>";
const LARGE_TEXT = new TextEncoder().encode(
  post(`${OPENING}${"x".repeat(MAX_BODY - OPENING.length)}`),
);
