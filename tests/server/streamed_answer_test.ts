import assert from "node:assert/strict";
import { systemClock } from "../../src/clock.ts";
import type { Answer, BodySource, BodyWriter, Exchange } from "../../src/server/exchange.ts";
import { listenDeno } from "../../src/server/front_deno.ts";
import { listenSockets } from "../../src/server/front_sockets.ts";
import { CommonHeaders } from "../../src/server/http.ts";
import type { Listener } from "../../src/server/listener.ts";
import { currentFront, onBothFronts } from "../support/fronts.ts";
import { configOf } from "../support/manager.ts";
import { patiently, until } from "../support/patience.ts";
import { head, OK, SocketsStage, TIMEOUTS } from "../support/sockets_stage.ts";
import { settled, Wire } from "../support/wire.ts";

/** A body whose pieces the test sends. */
class Source implements BodySource {
  body: BodyWriter | undefined;
  /** How often it was told that nobody takes more. */
  stops = 0;

  start(body: BodyWriter): void {
    assert.equal(this.body, undefined, "started once");
    this.body = body;
  }

  stopped(): void {
    this.stops++;
  }

  started(): Promise<BodyWriter> {
    return until(() => this.body, "the body has begun");
  }

  get answer(): Answer {
    return { status: 200, headers: { "content-type": "text/event-stream" }, source: this };
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** `handle` on the front of the test that is running; and what it is given. */
async function listen(
  handle: (exchange: Exchange) => Answer | undefined,
): Promise<{ readonly listener: Listener; readonly faults: unknown[] } & AsyncDisposable> {
  const { http, listen: [usual] } = configOf("");
  const config = { ...usual!, at: { address: "127.0.0.1", port: 0 } };
  const faults: unknown[] = [];
  const options = {
    common: new CommonHeaders(http),
    clock: systemClock,
    onFault: (error: unknown) => faults.push(error),
    timeouts: http,
    trusts: () => false,
    onLimit: () => {},
  };
  const listener = currentFront() === "deno"
    ? await listenDeno(config, handle, options)
    : await listenSockets(config, handle, options);
  return { listener, faults, [Symbol.asyncDispose]: () => listener.close() };
}

function connect({ url }: Listener): Promise<Wire> {
  return Wire.connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
}

for (const version of ["1.0", "1.1"]) {
  onBothFronts(
    `a body that is made while it is sent: each piece comes at once, HTTP/${version}`,
    async () => {
      const source = new Source();
      await using front = await listen(() => source.answer);
      using wire = await connect(front.listener);
      wire.write(`GET / HTTP/${version}\r\nHost: x\r\n\r\n`);
      const body = await source.started();
      const answer = await wire.expect(/\r\n\r\n/);
      assert.match(answer, /^HTTP\/1\.[01] 200 OK\r\n[^]*content-type: text\/event-stream/);
      assert.doesNotMatch(answer, /content-length/i);
      for (const piece of ["data: 1\n\n", "data: 2\n\n"]) {
        body.write(bytes(piece));
        await wire.expect(new RegExp(piece));
      }
      body.end();
      body.end();
      body.write(bytes("late"));
      if (/chunked/.test(answer)) await wire.expect(/0\r\n\r\n$/);
      else assert.equal(await wire.rest(), "");
      wire.destroy();
      await settled();
      assert.deepEqual([source.stops, body.queuedBytes, front.faults], [0, 0, []]);
    },
  );
}

onBothFronts("HEAD has no body made", async () => {
  const source = new Source();
  await using front = await listen(() => source.answer);
  using wire = await connect(front.listener);
  wire.write(head("HEAD /", "Connection: close"));
  const answer = await wire.rest();
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/);
  assert.doesNotMatch(answer, /content-length/i);
  assert.deepEqual([source.body, source.stops], [undefined, 0]);
});

onBothFronts("a body may be whole, or its answer late, when it begins", async () => {
  await using front = await listen((exchange) => {
    const source: BodySource = {
      start(body) {
        body.write(bytes("all"));
        body.end();
      },
      stopped: () => assert.fail("it was ended"),
    };
    setTimeout(() => exchange.respond({ status: 200, headers: {}, source }));
    return undefined;
  });
  assert.equal(await (await fetch(front.listener.url)).text(), "all");
});

onBothFronts("a body is stopped when its client leaves, though nothing is written", async () => {
  const source = new Source();
  await using front = await listen(() => source.answer);
  using wire = await connect(front.listener);
  wire.write(head("/"));
  const body = await source.started();
  await wire.expect(/\r\n\r\n/);
  wire.destroy();
  await until(() => source.stops > 0 || undefined, "it is stopped");
  body.write(bytes("x"));
  body.end();
  await settled();
  assert.deepEqual([source.stops, body.queuedBytes, front.faults], [1, 0, []]);
});

onBothFronts("who writes a body sees what a slow client leaves waiting", async () => {
  const source = new Source();
  await using front = await listen(() => source.answer);
  using wire = await connect(front.listener);
  wire.write(head("/"));
  const body = await source.started();
  await wire.expect(/\r\n\r\n/);
  wire.pause();
  const piece = 65_536;
  for (let i = 0; i < 400; i++) body.write(new Uint8Array(piece));
  await settled();
  // The system has room for some megabytes of it.
  assert.ok(body.queuedBytes > 100 * piece, `${body.queuedBytes}`);
  wire.resume();
  await until(() => body.queuedBytes === 0 || undefined, "all is taken");
  body.end();
});

onBothFronts("a listener that closes ends its bodies, and no longer waits for them", async () => {
  const source = new Source();
  const late = new Source();
  const held: Exchange[] = [];
  const front = await listen((exchange) => {
    if (exchange.path === "/") return source.answer;
    held.push(exchange);
    return undefined;
  });
  using wire = await connect(front.listener);
  using other = await connect(front.listener);
  wire.write(head("/"));
  other.write(head("/late"));
  (await source.started()).write(bytes("last words"));
  const exchange = await until(() => held[0], "the other is held");
  const closed = front.listener.close();
  await wire.expect(/last words/);
  assert.equal(source.stops, 1);
  exchange.respond(late.answer);
  await other.expect(/\r\n\r\n/);
  for (const client of [wire, other]) client.end();
  await patiently(closed, "the listener is closed");
  assert.equal(late.stops, 1);
  assert.deepEqual(front.faults, []);
});

onBothFronts("what a body's source throws is a fault, and the end of the body", async () => {
  const broken: BodySource = {
    start() {
      throw new Error("a mistake");
    },
    stopped() {},
  };
  await using front = await listen(() => ({ status: 200, headers: {}, source: broken }));
  using wire = await connect(front.listener);
  wire.write(head("/", "Connection: close"));
  await wire.rest();
  assert.equal(front.faults.length, 1);
});

Deno.test("a body that is made has its turn behind the answers before it, and what is behind it is given up", async () => {
  const sources = [new Source(), new Source()];
  const lost: string[] = [];
  await using stage = await SocketsStage.set({
    handle(exchange) {
      const index = ["/a", "/b"].indexOf(exchange.path);
      if (index >= 0) return sources[index]!.answer;
      exchange.onLost({ lost: () => lost.push(exchange.query) });
      return null;
    },
  });
  using wire = await stage.connect();
  wire.write(head("/hold?1") + head("/hold?2") + head("/hold?3"));
  await until(() => stage.held.length === 3 || undefined, "three are held");
  stage.held[2]!.respond(sources[1]!.answer);
  stage.held[1]!.respond(sources[0]!.answer);
  assert.equal(sources[0]!.body, undefined);
  stage.held[0]!.respond(OK);
  sources[0]!.body!.write(bytes("the body"));
  sources[0]!.body!.end();
  assert.match(await wire.rest(), /fineHTTP[^]*Connection: close\r\n\r\nthe body$/);
  assert.equal(sources[1]!.body, undefined);

  using second = await stage.connect();
  second.write(head("/hold?4") + head("/hold?5"));
  await until(() => stage.held.length === 5 || undefined, "two more are held");
  stage.held[3]!.respond(sources[1]!.answer);
  assert.deepEqual(lost, ["5"]);
  stage.held[4]!.respond(OK);
  sources[1]!.body!.end();
  await second.rest();
});

Deno.test("a client that takes nothing of a body for write_timeout is lost", async () => {
  const source = new Source();
  await using stage = await SocketsStage.set({ handle: () => source.answer });
  using wire = await stage.connect();
  wire.write(head("/"));
  const body = await source.started();
  for (let idle = 0; idle < 10; idle++) stage.clock.advance(TIMEOUTS.writeTimeout);
  body.write(bytes("still there"));
  await wire.expect(/still there/);
  wire.pause();
  for (let i = 0; i < 400; i++) body.write(new Uint8Array(65_536));
  await settled();
  stage.clock.advance(1_000);
  assert.equal(source.stops, 0);
  stage.clock.advance(TIMEOUTS.writeTimeout + 1_000);
  await until(() => source.stops > 0 || undefined, "it is stopped");
});

Deno.test("what a client sends while it is sent a body is thrown away", async () => {
  const source = new Source();
  await using stage = await SocketsStage.set({ handle: () => source.answer });
  using wire = await stage.connect();
  wire.write(head("/") + head("/"));
  const body = await source.started();
  assert.equal(await wire.pour(new Uint8Array(65_536), 200), 200 * 65_536);
  body.write(bytes("fine"));
  await wire.expect(/fine$/);
  wire.end();
  await until(() => source.stops > 0 || undefined, "it is stopped");
  assert.equal(await wire.rest(), "");
  assert.deepEqual(stage.faults, []);
});
