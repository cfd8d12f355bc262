import assert from "node:assert/strict";
import net from "node:net";
import { WebSocket } from "ws";
import type { TlsConfig } from "../../src/config/config.ts";
import type { Answer, Exchange, Handler, MessageSocket } from "../../src/server/exchange.ts";
import { listenSockets } from "../../src/server/front_sockets.ts";
import { CommonHeaders } from "../../src/server/http.ts";
import type { Listener } from "../../src/server/listener.ts";
import {
  authority,
  certificate,
  type CertificateName,
} from "../support/certificates/certificates.ts";
import { configOf } from "../support/manager.ts";
import { Inbox, patiently, until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { TestClock } from "../support/test_clock.ts";
import { connectTls, openssl, subject } from "../support/tls_clients.ts";

const { http, listen: [defaults] } = configOf("");
const HEAD_TIMEOUT = http.headTimeout;

const fine: Answer = { status: 200, headers: {}, body: "fine" };

/** A listener with TLS on loopback, whose clock stands still. */
class Front implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly failures: string[] = [];
  readonly requests: Exchange[] = [];
  #listener!: Listener;

  static async listen(
    { name = "example.test", maxConnections = 100, handle = () => fine }: {
      readonly name?: CertificateName;
      readonly maxConnections?: number;
      readonly handle?: Handler;
    } = {},
  ): Promise<Front> {
    const front = new Front();
    const config = {
      ...defaults!,
      at: { address: "127.0.0.1", port: 0 },
      tls: tlsConfig(name),
      maxConnections,
    };
    front.#listener = await listenSockets(config, (exchange) => {
      front.requests.push(exchange);
      return handle(exchange);
    }, {
      timeouts: http,
      common: new CommonHeaders(http),
      clock: front.clock,
      trusts: () => false,
      onLimit: () => {},
      onHandshakeFailed: ({ address, reason }) => {
        assert.equal(address, "127.0.0.1");
        front.failures.push(reason);
      },
      onFault: (error) => assert.fail(String(error)),
    });
    return front;
  }

  get url(): string {
    return this.#listener.url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  replace(name: CertificateName): void {
    this.#listener.replaceCertificates(tlsConfig(name));
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.close();
    this.clock.advance(60_000);
    await closed;
  }
}

function tlsConfig(name: CertificateName): TlsConfig {
  return { certificates: [certificate(name)], clientCa: undefined, files: [] };
}

/** A TCP connection that reads, and says when it is closed. */
function rawClient(port: number): { readonly socket: net.Socket; readonly closed: Promise<void> } {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, closed: patiently(closed, "the connection is closed") };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const GET = encoder.encode("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n");

/** One request on a connection that stays; gives the status line. */
async function get(conn: Deno.Conn): Promise<string> {
  await conn.write(GET);
  let answer = "";
  const buffer = new Uint8Array(4096);
  while (!answer.endsWith("fine")) {
    const length = await patiently(conn.read(buffer), "an answer comes");
    if (length === null) throw new Error(`the connection ended: ${answer}`);
    answer += decoder.decode(buffer.subarray(0, length));
  }
  return answer.split("\r\n", 1)[0]!;
}

Deno.test("a request by TLS is served, and known to have come by it", async () => {
  await using front = await Front.listen();
  assert.match(front.url, /^https:\/\/127\.0\.0\.1:\d+$/);
  const conn = await connectTls(front.port);
  assert.equal(await get(conn), "HTTP/1.1 200 OK");
  assert.equal(await get(conn), "HTTP/1.1 200 OK");
  assert.deepEqual(front.requests.map(({ secure }) => secure), [true, true]);
  conn.close();
});

Deno.test("a WebSocket by TLS carries messages of every size, and ends well", async () => {
  const closed = Promise.withResolvers<number | undefined>();
  const handle: Handler = (exchange) => {
    let socket: MessageSocket | undefined = undefined;
    const options = { protocol: undefined, pingInterval: 0, maxMessage: 1 << 20 };
    const upgrade = exchange.upgrade(options, {
      message: (bytes) => socket?.send([bytes]),
      tooLarge: () => assert.fail(),
      alive() {},
      closed: () => closed.resolve(socket?.queuedBytes),
    });
    socket = upgrade?.socket;
    return upgrade?.answer;
  };
  await using front = await Front.listen({ handle });
  const client = new WebSocket(front.url.replace("https", "wss"), { rejectUnauthorized: false });
  const messages = new Inbox<string>();
  client.on("message", (data: unknown) => messages.put(String(data)));
  await new Promise((resolve) => client.once("open", resolve));
  for (const size of [0, 1, 200, 16_384, 70_000, 1 << 20]) {
    const text = "x".repeat(size);
    client.send(text);
    assert.equal(await messages.take(), text);
  }
  const ended = new Promise((resolve) => client.once("close", resolve));
  client.close(1000);
  assert.equal(await patiently(ended, "the client hears the end"), 1000);
  assert.equal(await patiently(closed.promise, "so does the endpoint"), 0, "nothing is unsent");
});

Deno.test("head_timeout ends what is not in TLS by then, and TLS counts in it", async () => {
  await using front = await Front.listen();
  const silent = rawClient(front.port);
  const half = rawClient(front.port);
  half.socket.write(new Uint8Array([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]));
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port: front.port });
  // Who comes after them and is answered shows that they have been accepted.
  const served = await connectTls(front.port);
  assert.equal(await get(served), "HTTP/1.1 200 OK");
  front.clock.advance(HEAD_TIMEOUT - 1_000);
  assert.deepEqual(front.failures, []);
  const late = await Deno.startTls(tcp, { hostname: "example.test", caCerts: [authority()] });
  await late.handshake();
  const later = await connectTls(front.port);
  assert.equal(await get(later), "HTTP/1.1 200 OK");
  front.clock.advance(1_500);
  await Promise.all([silent.closed, half.closed]);
  await until(() => front.failures.length >= 2 || undefined, "both have failed");
  // It came into TLS in time, and not with a head.
  const end = late.read(new Uint8Array(10)).catch(() => null);
  assert.equal(await patiently(end, "the late one is closed"), null);
  for (const conn of [served, later]) assert.equal(await get(conn), "HTTP/1.1 200 OK");
  for (const conn of [late, served, later]) conn.close();
});

Deno.test("a handshake that fails gives its place back", async () => {
  await using front = await Front.listen({ maxConnections: 1 });
  // Whoever is one too many is closed at once.
  const place = () =>
    until(() => connectTls(front.port).catch(() => undefined), "there is a place");
  for (const bytes of ["GET / HTTP/1.1\r\n\r\n", ""]) {
    const before = front.failures.length;
    await until(async () => {
      const client = rawClient(front.port);
      client.socket.end(bytes);
      await client.closed;
      return front.failures.length > before || undefined;
    }, "one has found a place, and failed");
    const conn = await place();
    assert.equal(await get(conn), "HTTP/1.1 200 OK");
    await assert.rejects(connectTls(front.port));
    conn.close();
  }
});

Deno.test("a listener that closes does not wait for handshakes", async () => {
  const front = await Front.listen();
  const silent = rawClient(front.port);
  (await connectTls(front.port)).close();
  await patiently(front.close(), "the listener is closed");
  await silent.closed;
});

Deno.test("write_timeout ends a client of TLS that reads nothing", async () => {
  await using front = await Front.listen({
    handle: () => ({ ...fine, body: "x".repeat(50_000_000) }),
  });
  const conn = await connectTls(front.port);
  await conn.write(GET);
  await until(() => front.requests[0], "the request is there");
  const lost = Promise.withResolvers<void>();
  front.requests[0]!.onLost({ lost: lost.resolve });
  await new Promise((resolve) => setTimeout(resolve, 200));
  front.clock.advance(http.writeTimeout + 2_000);
  await assert.rejects(async () => {
    const buffer = new Uint8Array(65_536);
    while (await patiently(conn.read(buffer), "the connection ends") !== null);
    throw new Error("ended");
  });
  conn.close();
});

Deno.test("a certificate is swapped under load, and no request fails", async () => {
  await using front = await Front.listen();
  // Both are of the authority, and for this name.
  const [first, second] = ["example.test", "wildcard"] as const;
  const connect = () => connectTls(front.port, "xmpp.example.test");
  let isOver = false;
  let requests = 0;
  const client = async () => {
    while (!isOver) {
      const conn = await connect();
      for (let count = 0; count < 5; count++) {
        assert.equal(await get(conn), "HTTP/1.1 200 OK");
        requests++;
      }
      conn.close();
    }
  };
  const kept = await connect();
  const clients = Promise.all(Array.from({ length: 8 }, client));
  for (let swap = 0; swap < 20; swap++) {
    const name = swap % 2 === 0 ? second : first;
    front.replace(name);
    assert.equal(await subject(front.port), name);
    const before = requests;
    await Promise.race([clients, until(() => requests > before + 20 || undefined, "all goes on")]);
    assert.equal(await get(kept), "HTTP/1.1 200 OK");
  }
  isOver = true;
  await clients;
  kept.close();
  assert.deepEqual(front.failures, []);
});

/**
 * A session as OpenSSL keeps it, told that its server takes early data, 16 KiB at most:
 * `[15] INTEGER` of its ASN.1, which stands before the fields 16 to 18 (OpenSSL's ssl_asn1.c).
 */
function withEarlyData(pem: string): string {
  const der = Uint8Array.from(
    atob(pem.replace(/-----.*-----|\s/g, "")),
    (character) => character.charCodeAt(0),
  );
  /** Where the content of the element at `at` begins, and where that ends. */
  const element = (at: number): [start: number, end: number] => {
    const first = der[at + 1]!;
    if (first < 0x80) return [at + 2, at + 2 + first];
    const start = at + 2 + (first & 0x7f);
    const length = der.subarray(at + 2, start).reduce((sum, byte) => sum * 256 + byte, 0);
    return [start, start + length];
  };
  const [start, end] = element(0);
  let at = start;
  while (at < end && der[at]! <= 0xaf) at = element(at)[1];
  const content = [
    ...der.subarray(start, at),
    ...[0xaf, 4, 0x02, 2, 0x40, 0],
    ...der.subarray(at, end),
  ];
  const all = [0x30, 0x82, content.length >> 8, content.length & 0xff, ...content];
  const lines = btoa(String.fromCharCode(...all)).replace(/.{64}/g, "$&\n");
  return `-----BEGIN SSL SESSION PARAMETERS-----\n${lines}\n-----END SSL SESSION PARAMETERS-----\n`;
}

Deno.test({
  name:
    "S-018 early data is refused also to a client that sends it unasked, and nothing in it is served",
  ...haveProgram("openssl"),
  async fn() {
    await using front = await Front.listen();
    const folder = await Deno.makeTempDir();
    try {
      const [session, early] = [`${folder}/session.pem`, `${folder}/early`];
      // It stays until the front has had enough of a client that says nothing.
      const connect = async (...args: string[]) => {
        let isOver = false;
        const connecting = openssl(front.port, "-tls1_3", ...args).finally(() => isOver = true);
        for (let waited = 0; !isOver; waited += 50) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          if (waited > 500) front.clock.advance(1_000);
        }
        return (await connecting).output;
      };
      await connect("-sess_out", session);
      await Deno.writeTextFile(session, withEarlyData(await Deno.readTextFile(session)));
      await Deno.writeTextFile(early, "GET /early HTTP/1.1\r\nHost: x\r\n\r\n");
      const output = await connect("-sess_in", session, "-early_data", early);
      assert.match(output, /Early data was rejected/, output);
      assert.deepEqual(front.requests, []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
