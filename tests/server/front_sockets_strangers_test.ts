/** What strangers can do to the sockets front, beside two sessions that must not notice. */
import assert from "node:assert/strict";
import { HANDSHAKE, OPCODE } from "../support/raw_websocket.ts";
import {
  besideSessions,
  head,
  OK,
  post,
  type SocketsStage,
  TICK,
  TIMEOUTS,
} from "../support/sockets_stage.ts";
import { settled, type Wire } from "../support/wire.ts";

const { headTimeout, bodyTimeout, writeTimeout } = TIMEOUTS;

/** How long a client has to end its side when the front has ended its own. */
const LINGER = 2_000;

// ---- those who are slow

besideSessions(
  "S-008 a client that says nothing is gone in the time of a head",
  {},
  async (stage) => {
    using wire = await stage.connect();
    await settled();
    stage.clock.advance(headTimeout - TICK);
    await settled();
    assert.equal(wire.isEnded, false);
    stage.clock.advance(2 * TICK);
    assert.equal(await wire.rest(), "");
    // It does not end its own side, either.
    stage.clock.advance(LINGER + TICK);
    await wire.closed();
  },
);

besideSessions(
  "S-008 the time of a head counts from the beginning, however its octets come",
  {},
  async (stage) => {
    const answered = await stage.connect();
    answered.write(head("/long"));
    await answered.expect(/x$/);
    for (const [wire, first] of [[await stage.connect(), ""], [answered, head("/long")]] as const) {
      wire.write(first);
      if (first !== "") await wire.expect(/\r\n\r\nx+$/);
      assert.ok(await timeOf(stage, wire, "GET / HTTP/1.1\r\nX: ") <= headTimeout + TICK);
    }
  },
);

besideSessions(
  "S-008 the time of a head counts from the connection, whenever its first octet comes",
  {},
  async (stage) => {
    using wire = await stage.connect();
    await settled();
    stage.clock.advance(headTimeout - 2 * TICK);
    assert.ok(await timeOf(stage, wire, "GET / HTTP/1.1\r\nX: ") <= 4 * TICK);
  },
);

besideSessions(
  "S-008 a body that is slow is answered 408, and the connection ends",
  {},
  async (stage) => {
    for (const start of ["", post("/length", "earlier")]) {
      using wire = await stage.connect();
      wire.write(start + head("POST /length", "Content-Length: 10000"));
      if (start !== "") await wire.expect(/\r\n\r\n7$/);
      const time = await timeOf(stage, wire, "slow");
      assert.ok(time > bodyTimeout - TICK && time <= bodyTimeout + TICK, `${time}`);
      assert.match(wire.received, /^HTTP\/1\.1 408 .*\r\nConnection: close\r\n/s);
    }
  },
);

besideSessions(
  "S-008 chunks that are slow are answered 408 like any slow body",
  {},
  async (stage) => {
    using wire = await stage.connect();
    wire.write(head("POST /length", "Transfer-Encoding: chunked"));
    const time = await timeOf(stage, wire, "1\r\nx\r\n");
    assert.ok(time <= bodyTimeout + TICK);
    assert.match(wire.received, /^HTTP\/1\.1 408 /);
  },
);

besideSessions(
  "S-008 a slow body behind a request that is held ends the connection",
  {},
  async (stage) => {
    using wire = await stage.connect();
    let isLost = false;
    wire.write(head("/hold") + head("POST /length", "Content-Length: 10"));
    await until(() => stage.held.length === 1);
    stage.held[0]!.onLost({ lost: () => void (isLost = true) });
    assert.ok(await timeOf(stage, wire, "") <= bodyTimeout + TICK);
    assert.equal(wire.received, "");
    await wire.closed();
    await until(() => isLost);
  },
);

// ---- those who do not come to an end

/** What is sent first, then again and again; and what answers it. */
const ENDLESS: Readonly<Record<string, readonly [first: string, more: string, answer: RegExp]>> = {
  "a head": [
    "GET / HTTP/1.1\r\nHost: x\r\n",
    `X-More: ${"x".repeat(1_000)}\r\n`,
    /^HTTP\/1\.1 431 /,
  ],
  "small fields": ["GET / HTTP/1.1\r\nHost: x\r\n", "A:\r\n".repeat(250), /^HTTP\/1\.1 431 /],
  "one field": ["GET / HTTP/1.1\r\nHost: x\r\nX: ", "x".repeat(1_000), /^HTTP\/1\.1 431 /],
  "a target": ["GET /", "x".repeat(1_000), /^HTTP\/1\.1 414 /],
  "a method": ["", "X".repeat(1_000), /^HTTP\/1\.1 501 /],
  "a chunk's extensions": [
    `${head("POST /length", "Transfer-Encoding: chunked")}1`,
    `;a=${"x".repeat(1_000)}`,
    /^HTTP\/1\.1 400 /,
  ],
  "chunks with extensions": [
    head("POST /length", "Transfer-Encoding: chunked"),
    `1;a=${"x".repeat(200)}\r\nx\r\n`.repeat(5),
    /^HTTP\/1\.1 (400|431) /,
  ],
  "chunks": [
    head("POST /length", "Transfer-Encoding: chunked"),
    `3e8\r\n${"x".repeat(1_000)}\r\n`,
    /^HTTP\/1\.1 413 /,
  ],
  "trailer fields": [
    `${head("POST /length", "Transfer-Encoding: chunked")}0\r\n`,
    `X-More: ${"x".repeat(1_000)}\r\n`,
    /^HTTP\/1\.1 431 /,
  ],
};

for (const [what, [first, more, answer]] of Object.entries(ENDLESS)) {
  besideSessions(
    `S-008 ${what} without end: a status that says so, though the client goes on`,
    {},
    async (stage) => {
      using wire = await stage.connect();
      // It does not look at answers before it has said everything.
      wire.pause();
      wire.write(first);
      // Two megabytes, which the front reads and drops for a while: the answer must not be lost.
      await wire.pour(new TextEncoder().encode(more), 2_000);
      wire.resume();
      assert.match(await wire.rest(), answer);
      assert.match(wire.received, /\r\nConnection: close\r\n/);
      assert.equal(wire.received.match(/HTTP\/1\.1/g)?.length, 1);
      stage.clock.advance(LINGER + TICK);
      wire.write(more);
      await wire.closed();
    },
  );
}

besideSessions("S-008 empty lines before a request do not keep a connection", {}, async (stage) => {
  using wire = await stage.connect();
  assert.ok(await timeOf(stage, wire, "\r\n") <= headTimeout + TICK, "");
});

besideSessions(
  "B-019 a body over the limit: the 413 reaches a client that goes on sending",
  {},
  async (stage) => {
    using wire = await stage.connect();
    wire.pause();
    wire.write(head("POST /http-bind", "Content-Length: 5000000"));
    await wire.pour(new Uint8Array(10_000), 500);
    wire.resume();
    assert.match(await wire.rest(), /^HTTP\/1\.1 413 .*at most \d+ bytes/s);
  },
);

besideSessions(
  "W-012 fragments without end are refused with 1009, full or empty",
  {},
  async (stage) => {
    for (
      const [bytes, times] of [[new Uint8Array(1_000), 400], [new Uint8Array(0), 70_000]] as const
    ) {
      using wire = await upgraded(stage);
      const first = frame(OPCODE.text, bytes, false);
      const more = frame(OPCODE.continuation, bytes, false);
      wire.write(first);
      await wire.pour(repeat(more, 100), times / 100);
      await wire.expect(/<policy-violation [^]*at most \d+ bytes/);
      // The close frame, and its code.
      assert.ok((await wire.rest()).endsWith("\x88\x02\x03\xf1"));
    }
  },
);

// ---- those who do not read

besideSessions(
  "pings without end, and no pong is read: one waits, and the session goes on",
  {},
  async (stage) => {
    using wire = await upgraded(stage);
    wire.pause();
    const sent = await wire.pour(repeat(frame(OPCODE.ping, new Uint8Array(125), true), 500), 400);
    assert.equal(sent, 500 * 400 * 131, "all of them are read");
    wire.resume();
    wire.write(frame(OPCODE.text, new TextEncoder().encode("<message id='after'/>"), true));
    await wire.expect(/id='after'/);
  },
);

besideSessions(
  "S-008 a client that pipelines and reads no answer is not read either, and is gone in its time",
  {},
  async (stage) => {
    using wire = await stage.connect();
    wire.pause();
    // Each byte of these makes a thousand of answers.
    const taken = await wire.pour(new TextEncoder().encode(head("/long").repeat(100)), 3_000);
    assert.ok(taken < 8_000_000, `${taken} bytes of requests were taken`);
    // What the system's buffers take, and little more.
    assert.ok(stage.requests < 1_000, `${stage.requests} answers of 50 kB were made`);
    for (let waited = 0; waited <= writeTimeout + 2 * TICK; waited += TICK) {
      stage.clock.advance(
        TICK,
      );
    }
    wire.resume();
    await wire.closed();
  },
);

besideSessions(
  "a client that reads slowly is not taken for one that does not",
  {},
  async (stage) => {
    using wire = await stage.connect();
    wire.pause();
    wire.write(head("/long").repeat(300));
    await settled(100);
    let bytes = 0;
    for (let waited = 0; waited < 3 * writeTimeout; waited += writeTimeout / 2) {
      stage.clock.advance(writeTimeout / 2);
      const { requests } = stage;
      wire.resume();
      await until(() => wire.isEnded || stage.requests > requests || requests === 300);
      wire.pause();
      bytes += wire.received.length;
      wire.received = "";
    }
    assert.equal(wire.isEnded, false);
    wire.resume();
    while (bytes < 300 * 50_000) {
      await settled(5);
      bytes += wire.received.length;
      wire.received = "";
      assert.equal(wire.isEnded, false, `${bytes} bytes came`);
    }
    assert.equal(stage.requests, 300);
  },
);

besideSessions(
  "S-008 what comes behind a held request is read ahead a little, then the client has to wait",
  {},
  async (stage) => {
    const body = "x".repeat(99_000);
    for (
      const more of [
        post("/length", body),
        head("/long").repeat(1_000),
      ]
    ) {
      using wire = await stage.connect();
      stage.held.length = 0;
      const behind = head("/hold").repeat(30);
      wire.write(behind);
      await until(() => stage.held.length === 20);
      const times = Math.ceil(50_000_000 / more.length);
      const taken = await wire.pour(new TextEncoder().encode(more), times);
      assert.ok(taken < 16_000_000, `${taken} bytes were taken`);
      assert.equal(stage.held.length, 20, "as many as a client may have under way");
      // Those that are read then are answered too.
      while (stage.held.length > 0) stage.held.shift()!.respond(OK);
      for (let fine = 0; fine < 30; fine++) await wire.expect(/\r\n\r\nfine/);
      wire.destroy();
    }
  },
);

// ----

/** How long the front waits for a client that says this every half second. */
async function timeOf({ clock }: SocketsStage, wire: Wire, text: string): Promise<number> {
  const start = clock.now();
  while (!wire.isEnded) {
    assert.ok(clock.now() - start < 2 * bodyTimeout, "it is waited for without end");
    wire.write(text);
    await settled(5);
    clock.advance(TICK);
    await settled(5);
  }
  return clock.now() - start;
}

/** A WebSocket with its stream open, byte by byte. */
async function upgraded(stage: SocketsStage): Promise<Wire> {
  const wire = await stage.connect();
  const lines = Object.entries(HANDSHAKE).map(([name, value]) => `${name}: ${value}`);
  wire.write(head("/xmpp-websocket", ...lines));
  await wire.expect(/^HTTP\/1\.1 101 [^]*\r\n\r\n/);
  const open =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>";
  wire.write(frame(OPCODE.text, new TextEncoder().encode(open), true));
  await wire.expect(/<stream:features [^>]*>/);
  return wire;
}

/** A frame whose mask is of zeros. */
function frame(opcode: number, data: Uint8Array, fin: boolean): Uint8Array {
  const size = data.length < 126
    ? [0x80 | data.length]
    : [0xfe, data.length >> 8, data.length & 255];
  return new Uint8Array([(fin ? 0x80 : 0) | opcode, ...size, 0, 0, 0, 0, ...data]);
}

function repeat(bytes: Uint8Array, times: number): Uint8Array {
  const all = new Uint8Array(bytes.length * times);
  for (let i = 0; i < times; i++) all.set(bytes, i * bytes.length);
  return all;
}

async function until(done: () => boolean): Promise<void> {
  for (const start = performance.now(); !done(); await settled(5)) {
    assert.ok(performance.now() - start < 10_000, "it does not come to be");
  }
}
