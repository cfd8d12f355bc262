import assert from "node:assert/strict";
import type { Exchange, MessageEvents } from "../../src/server/exchange.ts";
import { HANDSHAKE, OPCODE, RawWebSocket } from "../support/raw_websocket.ts";
import { head, OK, post, SocketsStage, textAnswer, TICK } from "../support/sockets_stage.ts";
import { settled, type Wire } from "../support/wire.ts";

/** How long a client has to end its side when the front has ended its own. */
const LINGER = 2_000;

Deno.test({
  name: "the system asks a silent client whether it is there, from 45 seconds on",
  // Where the system shows what timer a connection has.
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using stage = await SocketsStage.set();
    using wire = await stage.connect();
    wire.write(head("/length"));
    await wire.expect(/\r\n\r\n0$/);
    const port = Number(new URL(stage.url).port).toString(16).toUpperCase().padStart(4, "0");
    // Of an established connection of ours: 02 is the timer of keepalive, and when it is due (10 ms).
    const timer = new RegExp(`: 0100007F:${port} \\S+ 01 \\S+ 02:([0-9A-F]{8}) `);
    await until(() => timer.test(Deno.readTextFileSync("/proc/net/tcp")));
    const due = parseInt(timer.exec(Deno.readTextFileSync("/proc/net/tcp"))![1]!, 16) / 100;
    assert.ok(due > 30 && due <= 45, `${due} s`);
  },
});

// ---- requests and their answers

Deno.test("B-011 requests beyond the window wait for answers, and each is answered in its turn", async () => {
  await using stage = await SocketsStage.set();
  using wire = await stage.connect();
  wire.write(Array.from({ length: 50 }, (_, i) => head(`/hold?${i}`)).join(""));
  let answered = 0;
  while (answered < 50) {
    await until(() => stage.held.length === Math.min(20, 50 - answered));
    // The last first; what it frees is seen when the first is out.
    for (const exchange of stage.held.splice(0).reverse()) {
      exchange.respond(textAnswer(200, `<${exchange.query}>`));
      answered++;
    }
  }
  await wire.expect(/<49>/);
  assert.equal(stage.requests, 50);
});

Deno.test("answers have the order of their requests, whichever comes first", async () => {
  await using stage = await SocketsStage.set();
  using wire = await stage.connect();
  wire.write(Array.from({ length: 20 }, (_, i) => head(`/hold?${i}`)).join("") + head("/length"));
  await until(() => stage.held.length === 20);
  for (const exchange of stage.held.splice(0).reverse()) {
    assert.equal(wire.received, "");
    exchange.respond(textAnswer(200, `<${exchange.query}>`));
    if (exchange.query !== "0") await settled(1);
  }
  const all = await wire.expect(/\r\n\r\n0$/);
  assert.deepEqual(
    [...all.matchAll(/<(\d+)>/g)].map(([, query]) => Number(query)),
    Array.from({ length: 20 }, (_, i) => i),
  );
});

Deno.test("B-001 HTTP/1.0 closes unless it asks otherwise; HEAD has a length and no body", async () => {
  await using stage = await SocketsStage.set();
  using old = await stage.connect();
  old.write("GET /length HTTP/1.0\r\n\r\n");
  const once = await old.rest();
  assert.match(once, /^HTTP\/1\.1 200 [^]*Content-Length: 1\r\n(?:.+\r\n)*\r\n0$/);
  using lasting = await stage.connect();
  for (let i = 0; i < 2; i++) {
    lasting.write("GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert.match(await lasting.expect(/\r\n\r\n0$/), /Connection: keep-alive\r\n/i);
  }
  lasting.write("HEAD /long HTTP/1.1\r\nHost: x\r\n\r\n" + head("/length"));
  const both = await lasting.expect(/\r\n\r\n0$/);
  assert.match(both, /^HTTP\/1\.1 200 [^]*Content-Length: 50000\r\n(?:.+\r\n)*\r\nHTTP\/1\.1 200 /);
});

Deno.test("B-004 100 Continue comes when the answers before it are out, and not for a body that is refused", async () => {
  await using stage = await SocketsStage.set();
  using wire = await stage.connect();
  const expecting = (length: number) =>
    head("POST /length", `Content-Length: ${length}`, "Expect: 100-continue");
  wire.write(head("/hold") + expecting(5));
  await until(() => stage.held.length === 1);
  await settled();
  assert.equal(wire.received, "");
  stage.held.shift()!.respond(OK);
  await wire.expect(/\r\n\r\nfineHTTP\/1\.1 100 Continue\r\n\r\n$/);
  wire.write("12345");
  await wire.expect(/\r\n\r\n5$/);
  wire.write(expecting(200_000));
  assert.match(await wire.rest(), /^HTTP\/1\.1 413 /);
});

Deno.test("a client that ends its side gets its answers, those of held requests too, and is taken for lost", async () => {
  await using stage = await SocketsStage.set();
  for (const requests of [post("/length", "abc"), head("/length").repeat(3) + head("/long")]) {
    using wire = await stage.connect();
    wire.write(requests);
    wire.end();
    const answers = (await wire.rest()).match(/HTTP\/1\.1 200 /g);
    assert.equal(answers?.length, requests.match(/HTTP/g)!.length);
  }
  using wire = await stage.connect();
  wire.write(head("/hold").repeat(3));
  await until(() => stage.held.length === 3);
  let lost = 0;
  for (const exchange of stage.held) exchange.onLost({ lost: () => void (lost++) });
  wire.end();
  await until(() => lost === 3);
  for (const exchange of stage.held.splice(0).reverse()) exchange.respond(OK);
  assert.equal((await wire.rest()).match(/fine/g)?.length, 3);
  // What has come behind the window counts too.
  using many = await stage.connect();
  many.write(head("/hold").repeat(20) + post("/length", "abc").repeat(20));
  many.end();
  await until(() => stage.held.length === 20);
  await settled();
  for (const exchange of stage.held.splice(0)) exchange.respond(OK);
  assert.match(await many.rest(), /fine[^]*\r\n\r\n3$/);
  assert.equal(many.received.match(/\r\n\r\n(?:fine|3)/g)?.length, 40);
});

Deno.test("a client that ends its side before its request is whole is not waited for", async () => {
  await using stage = await SocketsStage.set();
  for (const part of ["", "GET / HT", head("POST /length", "Content-Length: 5") + "123"]) {
    using wire = await stage.connect();
    wire.write(part);
    await settled();
    wire.end();
    await wire.rest();
  }
  assert.deepEqual(stage.faults, []);
});

Deno.test("an exchange may be answered late or twice: nothing comes of it, and nothing throws", async () => {
  await using stage = await SocketsStage.set();
  using wire = await stage.connect();
  wire.write(head("/hold"));
  await until(() => stage.held.length === 1);
  const exchange = stage.held.shift()!;
  exchange.respond(OK);
  exchange.respond(textAnswer(500, "twice"));
  wire.write(head("/hold"));
  await until(() => stage.held.length === 1);
  assert.doesNotMatch(wire.received, /twice/);
  let lost = 0;
  stage.held[0]!.onLost({ lost: () => void (lost++) });
  wire.reset();
  await until(() => lost === 1);
  stage.held.shift()!.respond(OK);
  exchange.onLost({ lost: () => void (lost++) });
  exchange.readBody(10, () => {});
  await settled();
  assert.equal(lost, 1);
});

// ---- time

Deno.test("a connection between two requests lasts as long as keepalive_timeout, and each request renews it", async () => {
  await using stage = await SocketsStage.set({ timeouts: { keepaliveTimeout: 15_000 } });
  using wire = await stage.connect();
  for (let i = 0; i < 3; i++) {
    wire.write(head("/length"));
    await wire.expect(/\r\n\r\n0$/);
    stage.clock.advance(15_000 - 2 * TICK);
    await settled();
    assert.equal(wire.isEnded, false);
  }
  stage.clock.advance(3 * TICK);
  assert.equal(await wire.rest(), "");
  stage.clock.advance(LINGER + TICK);
  await wire.closed();
});

Deno.test("a held request has no deadline of the front's", async () => {
  await using stage = await SocketsStage.set({ timeouts: { keepaliveTimeout: 15_000 } });
  using wire = await stage.connect();
  wire.write(head("/hold"));
  await until(() => stage.held.length === 1);
  stage.clock.advance(10_000_000);
  await settled();
  stage.held.shift()!.respond(OK);
  await wire.expect(/fine$/);
  assert.equal(wire.isEnded, false);
});

Deno.test("there is one timer for all connections, and none when the listener is closed", async () => {
  const stage = await SocketsStage.set();
  const wires = [await stage.connect(), await stage.connect()];
  for (const wire of wires) {
    wire.write(head("/length"));
    await wire.expect(/0$/);
  }
  assert.equal(stage.clock.timers, 1);
  for (const wire of wires) wire.destroy();
  await stage[Symbol.asyncDispose]();
  assert.equal(stage.clock.timers, 0);
});

// ---- the end

Deno.test("B-122 W-033 closing ends idle connections at once, held requests with their answer, WebSockets with 1001", async () => {
  const stage = await SocketsStage.set();
  const fresh = await stage.connect();
  const idle = await stage.connect();
  idle.write(head("/length"));
  await idle.expect(/\r\n\r\n0$/);
  const holding = await stage.connect();
  holding.write(head("/hold?1") + head("/hold?2"));
  const writing = await stage.connect();
  writing.write(post("/length", "12345").slice(0, -3));
  const socket = await RawWebSocket.connect(`${stage.url}/xmpp-websocket`);
  await until(() => stage.held.length === 2);
  let isSettled = false;
  const closing = stage.closing().then(() => isSettled = true);

  assert.equal(await fresh.rest(), "");
  assert.equal(await idle.rest(), "");
  assert.equal(await socket.closed(), 1001);
  await assert.rejects(stage.connect());
  writing.write("345");
  assert.match(await writing.rest(), /^HTTP\/1\.1 200 [^]*Connection: close\r\n(?:.+\r\n)*\r\n5$/);
  assert.equal(holding.isEnded, false);
  stage.held.shift()!.respond(OK);
  stage.held.shift()!.respond(OK);
  assert.match(
    await holding.rest(),
    /^HTTP\/1\.1 200 [^]*Connection: close\r\n(?:.+\r\n)*\r\nfine$/,
  );
  for (const wire of [fresh, idle, writing]) wire.end();
  await settled();
  assert.equal(isSettled, false, "one has not ended its side yet");
  holding.end();
  await closing;
  await stage[Symbol.asyncDispose]();
});

Deno.test("closing waits no longer than two seconds for clients that do not end their side", async () => {
  const stage = await SocketsStage.set();
  const idle = await stage.connect();
  const socket = await RawWebSocket.connect(`${stage.url}/xmpp-websocket`);
  await settled();
  const closing = stage.closing();
  await idle.rest();
  await settled();
  stage.clock.advance(LINGER + TICK);
  stage.clock.advance(LINGER + TICK);
  await closing;
  socket.destroy();
  idle.destroy();
  await stage[Symbol.asyncDispose]();
});

// ---- faults

const mistake = new TypeError("a mistake");
const fail = (): never => {
  throw mistake;
};

/** What a handler does wrong, and whether it can still be answered 500. */
const MISTAKES: Readonly<
  Record<string, readonly [work: (exchange: Exchange) => ReturnType<typeof fail> | void, boolean]>
> = {
  "throws": [fail, true],
  "throws at the body": [(exchange) => exchange.readBody(100, fail), true],
  "answers what cannot be written": [
    (exchange) => exchange.respond({ status: 200, headers: { "a b": "\r\n" } }),
    true,
  ],
  "throws when its client is lost": [(exchange) => exchange.onLost({ lost: fail }), false],
};

for (const [what, [work, isAnswered]] of Object.entries(MISTAKES)) {
  Deno.test(`S-017 a handler that ${what}: one fault is told, one connection ends or gets 500, and no other notices`, async () => {
    await using stage = await SocketsStage.set({
      handle(exchange) {
        if (exchange.path !== "/fault") return null;
        work(exchange);
        return undefined;
      },
    });
    using neighbour = await stage.connect();
    neighbour.write(head("/hold"));
    await until(() => stage.held.length === 1);
    using wire = await stage.connect();
    wire.write(post("/fault", "body"));
    await settled();
    if (what.endsWith("lost")) wire.end();
    if (isAnswered) assert.match(await wire.expect(/\r\n\r\n[^]+/), /^HTTP\/1\.1 500 /);
    else assert.equal(await wire.rest(), "");
    await until(() => stage.faults.length > 0);
    wire.destroy();
    await settled();
    assert.equal(stage.faults.length, 1);
    stage.held.shift()!.respond(OK);
    await neighbour.expect(/fine$/);
  });
}

Deno.test("S-017 what a WebSocket's endpoint throws ends that connection, and is told once", async () => {
  for (const event of ["message", "tooLarge", "alive", "closed"] as const) {
    const told: string[] = [];
    const events: MessageEvents = {
      message: () => told.push("message"),
      tooLarge: () => told.push("tooLarge"),
      alive: () => told.push("alive"),
      closed: () => told.push("closed"),
      [event]: fail,
    };
    await using stage = await SocketsStage.set({
      handle(exchange) {
        if (exchange.path !== "/socket") return null;
        const options = { protocol: undefined, pingInterval: 0, maxMessage: 10 };
        return exchange.upgrade(options, events)!.answer;
      },
    });
    using socket = await RawWebSocket.connect(`${stage.url}/socket`);
    if (event === "message") socket.text("x");
    if (event === "tooLarge") socket.text("x".repeat(11));
    if (event === "alive") socket.frame(OPCODE.pong);
    if (event === "closed") socket.destroy();
    else await socket.ended();
    await until(() => stage.faults.length > 0);
    await settled();
    assert.deepEqual(stage.faults, [mistake], event);
    assert.deepEqual(told, event === "closed" ? [] : ["closed"], event);
  }
});

// ---- WebSockets

Deno.test("W-003 what a client sends behind its handshake is not lost, however soon", async () => {
  await using stage = await SocketsStage.set();
  using wire = await stage.connect();
  await handshake(
    wire,
    frames("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.test' version='1.0'/>"),
  );
  await wire.expect(/<stream:features /);
});

Deno.test("a WebSocket handshake behind a held request waits for its turn", async () => {
  await using stage = await SocketsStage.set();
  using wire = await stage.connect();
  const lines = Object.entries(HANDSHAKE).map(([name, value]) => `${name}: ${value}`);
  const open = frames(
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.test' version='1.0'/>",
  );
  wire.write(head("/hold") + head("/xmpp-websocket", ...lines));
  wire.write(open);
  await until(() => stage.held.length === 1);
  await settled();
  assert.equal(wire.received, "");
  stage.held.shift()!.respond(OK);
  const all = await wire.expect(/<stream:features /);
  assert.match(all, /^HTTP\/1\.1 200 [^]*fineHTTP\/1\.1 101 /);
});

async function handshake(wire: Wire, rest: Uint8Array): Promise<void> {
  const lines = Object.entries(HANDSHAKE).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const start = new TextEncoder().encode(
    `GET /xmpp-websocket HTTP/1.1\r\nHost: x\r\n${lines}\r\n`,
  );
  wire.write(new Uint8Array([...start, ...rest]));
  await wire.expect(/^HTTP\/1\.1 101 [^]*\r\n\r\n/);
}

/** A text message whose mask is of zeros. */
function frames(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array([0x81, 0x80 | bytes.length, 0, 0, 0, 0, ...bytes]);
}

async function until(done: () => boolean): Promise<void> {
  for (const start = performance.now(); !done(); await settled(5)) {
    assert.ok(performance.now() - start < 10_000, "it does not come to be");
  }
}
