/** TLS on Deno's server: HTTP/2, and another certificate without anything lost. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import tls from "node:tls";
import type { TlsConfig } from "../../src/config/config.ts";
import type {
  Answer,
  BodySource,
  BodyWriter,
  Exchange,
  MessageSocket,
} from "../../src/server/exchange.ts";
import { listenDeno } from "../../src/server/front_deno.ts";
import { CommonHeaders } from "../../src/server/http.ts";
import type { Listener } from "../../src/server/listener.ts";
import {
  authority,
  certificate,
  type CertificateName,
  fileOf,
} from "../support/certificates/certificates.ts";
import { freePort } from "../support/free_port.ts";
import { H2Client } from "../support/h2_client.ts";
import { configOf } from "../support/manager.ts";
import { patiently, until } from "../support/patience.ts";
import { haveProgram, programPath } from "../support/programs.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { TestClock } from "../support/test_clock.ts";
import { connectTls, subject } from "../support/tls_clients.ts";
import { settled } from "../support/wire.ts";

const { http, listen: [usual] } = configOf("");

function tlsOf(name: CertificateName): TlsConfig {
  return { certificates: [certificate(name)], clientCa: undefined, files: [] };
}

/** A listener on loopback, whose clock stands still. */
class Front implements AsyncDisposable, BodySource {
  readonly clock = new TestClock();
  readonly held: Exchange[] = [];
  readonly sockets: MessageSocket[] = [];
  readonly messages: string[] = [];
  closed = 0;
  /** That is being made, at `/stream`. */
  body: BodyWriter | undefined;
  stops = 0;
  listener!: Listener;

  static async listen(name: CertificateName = "example.test", port = 0): Promise<Front> {
    const front = new Front();
    front.listener = await listenDeno(
      { ...usual!, at: { address: "127.0.0.1", port }, tls: tlsOf(name) },
      (exchange) => front.#handle(exchange),
      { common: new CommonHeaders(http), clock: front.clock, onFault: fail },
    );
    return front;
  }

  start(body: BodyWriter): void {
    this.body = body;
  }

  stopped(): void {
    this.stops++;
  }

  get port(): number {
    return Number(new URL(this.listener.url).port);
  }

  get url(): string {
    return `https://example.test:${this.port}`;
  }

  replace(name: CertificateName): void {
    this.listener.replaceCertificates(tlsOf(name));
    this.clock.advance(1_000);
  }

  /** Common names that new connections are shown. */
  async shown(connections = 24): Promise<Set<unknown>> {
    const names = Array.from({ length: connections }, () => subject(this.port));
    return new Set(await Promise.all(names));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const exchange of this.held) exchange.respond(fine("late"));
    await this.listener.close();
  }

  #handle(exchange: Exchange): Answer | undefined {
    const upgrade = exchange.upgrade({ protocol: "xmpp", pingInterval: 0, maxMessage: 1000 }, {
      message: (data) => {
        this.messages.push(new TextDecoder().decode(data));
        upgrade!.socket.send([data]);
      },
      tooLarge() {},
      alive() {},
      closed: () => this.closed++,
    });
    if (upgrade !== undefined) {
      this.sockets.push(upgrade.socket);
      return upgrade.answer;
    }
    if (exchange.path === "/stream") return { ...fine(""), source: this };
    if (exchange.path === "/hold") return void this.held.push(exchange);
    const { secure, peer, query } = exchange;
    return fine([secure, peer.address, exchange.header("host"), query].join(" "));
  }
}

function fail(error: unknown): never {
  throw error;
}

function fine(body: string): Answer {
  return { status: 200, headers: {}, body };
}

const text = (body: Uint8Array) => new TextDecoder().decode(body);

Deno.test("Deno's server speaks HTTP/2 with TLS, and exchanges are secure", async () => {
  await using front = await Front.listen();
  assert.equal(front.listener.url, `https://127.0.0.1:${front.port}`);
  using client = await H2Client.connect(front.url);
  assert.equal(client.alpn, "h2");
  const { body } = await client.send({ path: "/?a" });
  assert.equal(text(body), `true 127.0.0.1 example.test:${front.port} a`);
});

Deno.test("Deno's server speaks HTTP/1.1 where h2 is not offered, with TLS 1.2 as well", async () => {
  await using front = await Front.listen();
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const socket = tls.connect({
      host: "127.0.0.1",
      port: front.port,
      ca: authority(),
      servername: "example.test",
      ALPNProtocols: ["http/1.1"],
      maxVersion: version,
    });
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const answer = await patiently(new Response(Readable.toWeb(socket) as never).text(), "it ends");
    assert.match(answer, /^HTTP\/1.1 200 [^]*true 127.0.0.1 a $/);
    assert.equal(socket.alpnProtocol, "http/1.1");
  }
});

Deno.test({
  name: "another certificate: who comes sees it, and held requests are answered",
  ...haveProgram("curl"),
  async fn() {
    await using front = await Front.listen();
    const curl = (protocol: string) =>
      new Deno.Command(programPath("curl"), {
        args: [
          ...["-s", protocol, "-w", " %{http_version}", "--max-time", "20"],
          ...["--cacert", fileOf("authority.pem")],
          ...["--resolve", `example.test:${front.port}:127.0.0.1`, `${front.url}/hold`],
        ],
      }).output();
    const answers = [curl("--http2"), curl("--http1.1")];
    await until(() => front.held.length === 2 || undefined, "two are held");
    front.replace("wildcard");
    await settled();
    assert.deepEqual(await front.shown(), new Set(["wildcard"]));
    for (const exchange of front.held) exchange.respond(fine("at last"));
    const said = (await Promise.all(answers)).map(({ stdout }) => text(stdout));
    assert.deepEqual(said, ["at last 2", "at last 1.1"]);
    // What is the same is not replaced.
    front.replace("wildcard");
    using other = await H2Client.connect(front.url.replace("//", "//chat."));
    assert.equal((await other.send({ path: "/" })).status, 200);
  },
});

Deno.test("another certificate: a WebSocket stays, and the former certificate with it until it has gone", async () => {
  await using front = await Front.listen();
  const socket = await RawWebSocket.connect(`${front.url}/`);
  front.replace("wildcard");
  const both = new Set(["example.test", "wildcard"]);
  await until(async () => (await front.shown()).size === 2 || undefined, "both are shown");
  assert.deepEqual(await front.shown(60), both);
  for (const word of ["one", "two"]) {
    socket.text(word);
    assert.equal(await socket.message(), word);
  }
  assert.equal(front.closed, 0);
  socket.destroy();
  await until(() => front.closed === 1 || undefined, "the WebSocket has gone");
  await settled();
  assert.deepEqual(await front.shown(), new Set(["wildcard"]));
});

Deno.test("another certificate: a body that is being made goes on, until the listener is closed", async () => {
  const front = await Front.listen();
  const conn = await connectTls(front.port, "xmpp.example.test");
  await conn.write(new TextEncoder().encode("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
  const body = await until(() => front.body, "the body has begun");
  front.replace("wildcard");
  await settled();
  assert.deepEqual(await front.shown(), new Set(["wildcard"]));
  const words = ["one", "two"];
  for (const word of words) body.write(new TextEncoder().encode(word));
  const whole = new Response(conn.readable).text();
  await settled();
  assert.equal(front.stops, 0);
  await patiently(front.listener.close(), "the listener is closed");
  assert.equal(front.stops, 1);
  assert.match(await whole, /^HTTP\/1.1 200 [^]*one[^]*two[^]*\r\n0\r\n\r\n$/);
});

Deno.test("no more than five certificates at a time: the oldest goes, and its WebSockets with it", async () => {
  await using front = await Front.listen();
  const sockets = [await RawWebSocket.connect(`${front.url}/`)];
  let replaced = 0;
  while (front.closed === 0 && replaced < 20) {
    front.replace(++replaced % 2 === 0 ? "example.test" : "wildcard");
    await settled();
    // The newest gets one of them, nearly always; else it goes early, and that is no matter.
    for (let opened = 0; opened < 3 * replaced; opened++) {
      sockets.push(await RawWebSocket.connect(`${front.url}/`));
    }
  }
  assert.ok(replaced >= 5 && replaced < 20, `${replaced}`);
  assert.equal(await sockets[0]!.closed(), 1001);
  assert.ok(front.closed < sockets.length);
  for (const socket of sockets) socket.destroy();
  await until(() => front.closed === sockets.length || undefined, "all have gone");
});

Deno.test("a certificate that has ended goes at once, and its WebSockets with it", async () => {
  await using front = await Front.listen("expired");
  const socket = await RawWebSocket.connect(`${front.url}/`);
  front.replace("wildcard");
  assert.equal(await socket.closed(), 1001);
  await settled();
  assert.deepEqual(await front.shown(), new Set(["wildcard"]));
});

Deno.test("two programs are never at the same place, and who has no port is told as usual", async () => {
  const port = freePort();
  await using _front = await Front.listen("example.test", port);
  await assert.rejects(Front.listen("wildcard", port), Deno.errors.AddrInUse);
});

Deno.test("a stop ends the WebSockets of all certificates", async () => {
  const front = await Front.listen();
  const socket = await RawWebSocket.connect(`${front.url}/`);
  front.replace("wildcard");
  await patiently(front.listener.close(), "the listener is closed");
  await until(() => front.closed === 1 || undefined, "the WebSocket has gone");
  socket.destroy();
});
