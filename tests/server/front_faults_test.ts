/** What strangers could once do to the front over plain sockets, and what innocents suffered from it. */
import assert from "node:assert/strict";
import type {
  Answer,
  Exchange,
  Handler,
  MessageEvents,
  MessageSocket,
} from "../../src/server/exchange.ts";
import type { TlsConfig } from "../../src/config/config.ts";
import { listenSockets } from "../../src/server/front_sockets.ts";
import { CommonHeaders } from "../../src/server/http.ts";
import type { Listener } from "../../src/server/listener.ts";
import { certificate } from "../support/certificates/certificates.ts";
import { configOf } from "../support/manager.ts";
import { patiently, until } from "../support/patience.ts";
import { TestClock } from "../support/test_clock.ts";
import { connectTls } from "../support/tls_clients.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const UPGRADE = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const MEGABYTE = 1_000_000;

bothWays(
  "S-016 who asks and does not read is served no more, and misses nothing",
  async (isTls) => {
    let served = 0;
    const body = new Uint8Array(MEGABYTE);
    await using front = await listen((exchange) => {
      if (exchange.path === "/probe") return ok;
      served++;
      return { ...ok, body };
    }, { isTls });
    const conn = await front.connect();
    // All of it comes in one read; what is behind the end of the client's side counts too.
    await send(conn, GET.repeat(200));
    await conn.closeWrite();
    await until(() => served > 0 || undefined, "a request is served");
    await front.probe();
    assert.ok(served < 50, `${served} MB are held for a client that takes none`);
    assert.equal(await readAll(conn) > 200 * MEGABYTE, true);
    assert.equal(served, 200);
  },
);

/** A test by TCP and one by TLS. */
function bothWays(name: string, work: (isTls: boolean) => Promise<void>): void {
  for (const isTls of [false, true]) {
    Deno.test(`${name} (${isTls ? "TLS" : "TCP"})`, () => work(isTls));
  }
}

bothWays("who takes a long answer slowly has all of it, however long that takes", async (isTls) => {
  const answer = { ...ok, body: new Uint8Array(64 * MEGABYTE) };
  await using front = await listen(() => answer, { isTls });
  const conn = await front.connect();
  await send(conn, GET);
  for (let taken = 0; taken < 64 * MEGABYTE;) {
    taken += await read(conn, Math.min(8 * MEGABYTE, 64 * MEGABYTE - taken));
    await front.pass(10_000);
  }
  conn.close();
});

bothWays("what waits for a WebSocket's client becomes less as it reads", async (isTls) => {
  const events: MessageEvents = { message() {}, tooLarge() {}, alive() {}, closed() {} };
  let socket: MessageSocket | undefined;
  await using front = await listen((exchange) => {
    const options = { protocol: "xmpp", pingInterval: 0, maxMessage: 100 };
    const upgraded = exchange.upgrade(options, events)!;
    socket = upgraded.socket;
    return upgraded.answer;
  }, { isTls });
  const conn = await front.connect();
  await send(conn, UPGRADE);
  await read(conn, 100);
  for (let sent = 0; sent < 64; sent++) socket!.send([new Uint8Array(MEGABYTE)]);
  const waiting: number[] = [];
  for (let taken = 0; taken < 5; taken++) {
    await read(conn, 10 * MEGABYTE);
    waiting.push(socket!.queuedBytes);
  }
  assert.deepEqual(waiting, waiting.toSorted((a, b) => b - a));
  assert.equal(new Set(waiting).size, 5);
  await read(conn, 13 * MEGABYTE);
  await until(() => socket!.queuedBytes === 0 || undefined, "nothing waits");
  conn.close();
});

bothWays("who takes nothing of an answer is lost after write_timeout", async (isTls) => {
  const answer = { ...ok, body: new Uint8Array(64 * MEGABYTE) };
  await using front = await listen(() => answer, { isTls });
  const conn = await front.connect();
  await send(conn, GET);
  await read(conn, 10);
  for (let passed = 0; passed < 40; passed += 1) await front.pass(1_000);
  assert.ok(await readAll(conn).catch(() => 0) < 64 * MEGABYTE);
});

bothWays("an answer that closes is not cut short for who takes it slowly", async (isTls) => {
  for (const ending of ["Connection: close", "X-Ends: half"]) {
    const answer = { ...ok, body: new Uint8Array(32 * MEGABYTE) };
    await using front = await listen(() => answer, { isTls });
    const conn = await front.connect();
    await send(conn, `GET / HTTP/1.1\r\nHost: x\r\n${ending}\r\n\r\n`);
    let taken = await read(conn, 10);
    if (ending === "X-Ends: half") await conn.closeWrite();
    await front.pass(3_000);
    taken += await read(conn, 8 * MEGABYTE);
    await front.pass(3_000);
    taken += await readAll(conn);
    assert.ok(taken > 32 * MEGABYTE, `${ending}: ${taken}`);
  }
});

Deno.test("a request that crosses the end of an idle connection is not served", async () => {
  let served = 0;
  await using front = await listen(({ path }) => {
    if (path !== "/probe") served++;
    return ok;
  });
  const conn = await front.connect();
  await send(conn, GET);
  await read(conn, 20);
  await front.pass(76_000);
  await readAll(conn, false);
  await send(conn, GET);
  await front.probe();
  await front.probe();
  conn.close();
  assert.equal(served, 1);
});

Deno.test("B-078 all requests of a client that ends its side are given up, and all are answered", async () => {
  let held = 0;
  await using front = await listen((exchange) => {
    held++;
    exchange.onLost({ lost: () => exchange.respond({ ...ok, body: exchange.path }) });
    return undefined;
  });
  const conn = await front.connect();
  await send(conn, ["/a", "/b", "/c"].map((path) => GET.replace("/", path)).join(""));
  await until(() => held === 3 || undefined, "three are held");
  await conn.closeWrite();
  const answers = await readText(conn);
  assert.deepEqual(answers.match(/\/[abc]$|\/[abc](?=HTTP)/gm), ["/a", "/b", "/c"]);
});

Deno.test("a listener that closes has all of one connection's requests answered", async () => {
  const held: Exchange[] = [];
  const front = await listen((exchange) => void held.push(exchange));
  const conn = await front.connect();
  await send(conn, GET + GET);
  await until(() => held.length === 2 || undefined, "two are held");
  const closed = front.listener.close();
  held[1]!.respond({ ...ok, body: "second" });
  held[0]!.respond({ ...ok, body: "first" });
  assert.match(await readText(conn), /first[^]*second$/);
  await patiently(closed, "the listener is closed");
});

Deno.test("a WebSocket whose client has ended its side before it began is over", async () => {
  let held: Exchange | undefined;
  const closed = Promise.withResolvers<void>();
  const events: MessageEvents = {
    message() {},
    tooLarge() {},
    alive() {},
    closed: closed.resolve,
  };
  await using front = await listen((exchange) => {
    if (exchange.header("upgrade") === undefined) return void (held = exchange);
    return exchange.upgrade({ protocol: "xmpp", pingInterval: 0, maxMessage: 100 }, events)?.answer;
  });
  const conn = await front.connect();
  await send(conn, GET + UPGRADE);
  const exchange = await until(() => held, "a request is held");
  const left = new Promise<void>((resolve) => exchange.onLost({ lost: resolve }));
  await conn.closeWrite();
  await left;
  exchange.respond(ok);
  await patiently(closed.promise, "the WebSocket is over");
  conn.close();
});

Deno.test("a WebSocket's fault is not that of who answers the request before it", async () => {
  let held: Exchange | undefined;
  const closed = Promise.withResolvers<void>();
  const faults: unknown[] = [];
  const events: MessageEvents = {
    message() {
      throw new Error("a mistake");
    },
    tooLarge() {},
    alive() {},
    closed: closed.resolve,
  };
  await using front = await listen((exchange) => {
    if (exchange.header("upgrade") === undefined) return void (held = exchange);
    return exchange.upgrade({ protocol: "xmpp", pingInterval: 0, maxMessage: 100 }, events)?.answer;
  }, { onFault: (error) => faults.push(error) });
  const conn = await front.connect();
  // Behind it an empty text message.
  const message = Uint8Array.of(0x81, 0x80, 0, 0, 0, 0);
  await conn.write(Uint8Array.of(...new TextEncoder().encode(GET + UPGRADE), ...message));
  const exchange = await until(() => held, "a request is held");
  exchange.respond(ok);
  await patiently(closed.promise, "the WebSocket is over");
  assert.match(String(faults), /a mistake/);
  conn.close();
});

Deno.test("a fault in one request's loss keeps it from no other", async () => {
  const lost = Promise.withResolvers<void>();
  const faults: unknown[] = [];
  await using front = await listen((exchange) => {
    if (exchange.path === "/c") {
      exchange.respond(ok);
      throw new Error("a mistake that ends the connection");
    }
    exchange.onLost({
      lost() {
        if (exchange.path === "/b") return lost.resolve();
        throw new Error("a mistake");
      },
    });
    return undefined;
  }, { onFault: (error) => faults.push(error) });
  const conn = await front.connect();
  await send(conn, ["/a", "/b", "/c"].map((path) => GET.replace("/", path)).join(""));
  await patiently(lost.promise, "the second is told");
  assert.deepEqual(faults.map(String), [
    "Error: a mistake that ends the connection",
    "Error: a mistake",
  ]);
  conn.close();
});

Deno.test("an answer that cannot be written is a fault and a 500, also when it comes later", async () => {
  for (const isLate of [false, true]) {
    const bad: Answer = { status: 200, headers: { "x-bad": "a\r\nb" } };
    const faults: unknown[] = [];
    await using front = await listen((exchange) => {
      if (!isLate) return bad;
      queueMicrotask(() => exchange.respond(bad));
      return undefined;
    }, { onFault: (error) => faults.push(error) });
    const response = await patiently(fetch(front.listener.url), "there is an answer");
    assert.equal(response.status, 500);
    await response.body?.cancel();
    assert.equal(faults.length, 1);
  }
});

const ok: Answer = { status: 200, headers: { "content-type": "text/plain" }, body: "fine" };

interface Front extends AsyncDisposable {
  readonly listener: Listener;
  connect(): Promise<Deno.TcpConn | Deno.TlsConn>;
  /** Lets time pass, and the network do what it has to. */
  pass(ms: number): Promise<void>;
  /** A request of somebody else's, which what came before has overtaken. */
  probe(): Promise<void>;
}

async function listen(
  handle: Handler,
  { isTls = false, onFault = fail }: {
    readonly isTls?: boolean;
    readonly onFault?: (error: unknown) => void;
  } = {},
): Promise<Front> {
  const { http, listen: [listen] } = configOf("");
  const clock = new TestClock();
  const listener = await listenSockets(
    { ...listen!, at: { address: "127.0.0.1", port: 0 }, tls: isTls ? tls() : undefined },
    handle,
    {
      timeouts: http,
      common: new CommonHeaders(http),
      clock,
      trusts: () => false,
      onLimit: () => {},
      onFault,
    },
  );
  const { port } = new URL(listener.url);
  const connect = () =>
    isTls ? connectTls(Number(port)) : Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  return {
    listener,
    connect,
    async pass(ms) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      clock.advance(ms);
    },
    async probe() {
      const conn = await connect();
      await send(conn, "GET /probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      await readAll(conn);
    },
    async [Symbol.asyncDispose]() {
      const closed = listener.close();
      const timer = setInterval(() => clock.advance(100_000), 10);
      await patiently(closed, "the listener is closed");
      clearInterval(timer);
    },
  };
}

function tls(): TlsConfig {
  return { certificates: [certificate("example.test")], clientCa: undefined, files: [] };
}

function fail(error: unknown): never {
  throw error;
}

async function send(conn: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

/** Reads at least so many bytes. */
async function read(conn: Deno.Conn, least: number): Promise<number> {
  const buffer = new Uint8Array(65_536);
  let length = 0;
  while (length < least) {
    const count = await patiently(conn.read(buffer), "more has come");
    assert.ok(count !== null, `the connection ended after ${length} bytes`);
    length += count;
  }
  return length;
}

/** Reads to the end. */
async function readAll(conn: Deno.Conn, closes = true): Promise<number> {
  const buffer = new Uint8Array(65_536);
  let length = 0;
  try {
    for (let count; (count = await patiently(conn.read(buffer), "the end has come")) !== null;) {
      length += count;
    }
  } finally {
    if (closes) conn.close();
  }
  return length;
}

async function readText(conn: Deno.Conn): Promise<string> {
  return await patiently(new Response(conn.readable).text(), "the end has come");
}
