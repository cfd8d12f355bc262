import assert from "node:assert/strict";
import { C2sStream } from "../../src/protocol/stream/c2s.ts";
import { Connection } from "../../src/upstream/connection.ts";
import type { Pipe } from "../../src/upstream/dial.ts";
import { NetworkError } from "../../src/upstream/failure.ts";
import { TestClock } from "../support/test_clock.ts";
import { MECHANISMS, STARTTLS, streamFeatures, streamHeader } from "../support/upstream_server.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A pipe whose every read and write is answered by the test. */
class ScriptedPipe implements Pipe {
  /** Sizes of the buffers that were offered for reading. */
  readonly buffers: number[] = [];
  readonly written: string[] = [];
  closed = false;
  /** Writes wait for `release` or `fail`. */
  held = false;
  #incoming: (Uint8Array | null)[] = [];
  #reader: (() => void) | undefined;
  #writer: { resolve: () => void; reject: (error: Error) => void } | undefined;

  async read(buffer: Uint8Array): Promise<number | null> {
    this.buffers.push(buffer.length);
    while (this.#incoming.length === 0 && !this.closed) {
      await new Promise<void>((resolve) => this.#reader = resolve);
    }
    const chunk = this.#incoming.shift();
    if (chunk === undefined) throw new NetworkError("closed");
    if (chunk === null) return null;
    const length = Math.min(chunk.length, buffer.length);
    buffer.set(chunk.subarray(0, length));
    if (length < chunk.length) this.#incoming.unshift(chunk.subarray(length));
    return length;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.written.push(decode(bytes));
    await new Promise<void>((resolve, reject) => {
      if (this.held) this.#writer = { resolve, reject };
      else resolve();
    });
  }

  startTls(): Promise<void> {
    this.written.push("TLS");
    return Promise.reject(new NetworkError("no TLS here"));
  }

  close(): void {
    this.closed = true;
    this.#reader?.();
    this.#writer?.reject(new NetworkError("closed"));
  }

  async feed(chunk: string | null): Promise<void> {
    this.#incoming.push(chunk === null ? null : encode(chunk));
    this.#reader?.();
    await settled();
  }

  async release(): Promise<void> {
    this.#writer?.resolve();
    await settled();
  }

  async fail(): Promise<void> {
    this.#writer?.reject(new NetworkError("the server dropped the connection"));
    await settled();
  }
}

/** Lets everything happen that waits for nothing but its turn. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}

/** A connection whose stream is up. */
async function up(on?: (event: string) => void) {
  const open = connect("never", on);
  await open.pipe.feed(streamHeader("1") + streamFeatures(MECHANISMS));
  assert.deepEqual(open.told.splice(0), ["opened 1", "features"]);
  open.pipe.written.length = 0;
  return open;
}

function connect(tlsPolicy: "never" | "required", on: (event: string) => void = () => {}) {
  const clock = new TestClock();
  const pipe = new ScriptedPipe();
  const told: string[] = [];
  const flow: string[] = [];
  const tell = (event: string) => {
    told.push(event);
    on(event);
  };
  const stream = new C2sStream({
    opening: { to: "example.test", version: "1.0" },
    tls: tlsPolicy,
    direct: false,
    limits: { payloadBytes: 100_000, depth: 10, attributes: 128 },
    timeout: 10_000,
    keepalive: 0,
  });
  const tls = {
    hostname: "example.test",
    verify: true,
    fingerprints: [],
    ca: undefined,
    identity: undefined,
  };
  const connection = new Connection(
    { pipe, stream, tls, timeout: 10_000, clock },
    {
      opened: ({ id }) => tell(`opened ${id}`),
      deliver: (payloads) => payloads.forEach(({ name }) => tell(name)),
      ended: (end) => tell(`ended ${end.type}`),
      queued: () => flow.push("queued"),
      sent: () => {
        flow.push("sent");
        on("sent");
      },
      unsent: (bytes) => tell(`unsent ${bytes}`),
      fault: (error) => tell(`fault ${error}`),
    },
  );
  connection.start();
  return { clock, pipe, connection, told, flow };
}

Deno.test("one write is under way at a time, and what queues meanwhile goes into the next", async () => {
  const { pipe, connection } = await up();
  pipe.held = true;
  for (const content of ["<a/>", "<b/>", "<c/>"]) connection.send(encode(content));
  connection.restart({});
  assert.deepEqual(pipe.written, ["<a/>"]);
  assert.equal(connection.queuedBytes > 12, true);
  await pipe.release();
  assert.equal(pipe.written.length, 2);
  assert.match(pipe.written[1] ?? "", /^<b\/><c\/><\?xml.*>$/);
  await pipe.release();
  assert.equal(connection.queuedBytes, 0);
  connection.send(encode("<d/>"));
  assert.equal(pipe.written.at(-1), "<d/>");
  connection.abort();
});

Deno.test("W-040 its owner hears when more waits and when some of it has left", async () => {
  const { pipe, connection, flow } = await up();
  flow.length = 0;
  pipe.held = true;
  connection.send(encode("x".repeat(20_000)));
  connection.send(encode("<b/>"));
  assert.deepEqual(flow, ["queued", "queued"]);
  await pipe.release();
  assert.deepEqual(flow, ["queued", "queued", "sent"]);
  assert.equal(pipe.written.at(-1)?.length, 3_620, "progress shows in small batches");
  await pipe.release();
  assert.equal(flow.length, 4);
  connection.abort();
});

Deno.test("what a client sent and that has not left is told when the connection is given up", async () => {
  const { pipe, connection, told } = await up();
  pipe.held = true;
  connection.send(encode("<a/>"));
  connection.restart({});
  connection.send(encode("<b/>"));
  connection.abort();
  assert.deepEqual(told, ["unsent 8"]);
  await settled();
  assert.deepEqual(told, ["unsent 8"]);
});

Deno.test("what leaves behind an end in good order is not told; what does not leave in time is", async () => {
  for (const leaves of [true, false]) {
    const { clock, pipe, connection, told } = await up();
    pipe.held = true;
    connection.send(encode("<a/>"));
    connection.close();
    await pipe.feed("</stream:stream>");
    assert.deepEqual(told, ["ended closed"]);
    if (leaves) {
      pipe.held = false;
      await pipe.release();
    } else clock.advance(2_000);
    await settled();
    assert.deepEqual(told, ["ended closed", ...(leaves ? [] : ["unsent 4"])]);
    assert.equal(clock.timers, 0);
  }
});

Deno.test("U-005 TLS starts when the request for it has left, and its failure is the end", async () => {
  const { pipe, told } = connect("required");
  await pipe.feed(streamHeader("1"));
  pipe.held = true;
  await pipe.feed(streamFeatures(STARTTLS));
  await pipe.feed("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  assert.match(pipe.written.at(-1) ?? "", /^<starttls /);
  await pipe.release();
  assert.equal(pipe.written.at(-1), "TLS");
  assert.deepEqual(told, ["ended connection-failed"]);
  assert.equal(pipe.closed, true);
});

Deno.test("the read buffer is small, grows with a read that fills it, and shrinks with a small one", async () => {
  const { pipe, connection } = await up();
  await pipe.feed(`<a>${"x".repeat(40_000)}</a>`);
  await pipe.feed("<b/>");
  assert.deepEqual(pipe.buffers.slice(1), [512, 16_384, 16_384, 16_384, 16_384, 512]);
  connection.abort();
});

Deno.test("a write that fails does not hide what the server said before it went", async () => {
  const { pipe, connection, told } = await up();
  pipe.held = true;
  connection.send(encode("<a/>"));
  await pipe.fail();
  connection.send(encode("<b/>"));
  assert.equal(connection.queuedBytes, 0);
  assert.deepEqual(told, []);
  await pipe.feed(
    "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
  );
  assert.equal(told[0], "ended stream-error");
  await settled();
  assert.equal(pipe.closed, true);
  assert.deepEqual(told.slice(1), ["unsent 8"], "and what the client said then is not forgotten");
});

Deno.test("the pipe is closed behind the last bytes, or when they do not leave in time", async () => {
  for (const leaves of [true, false]) {
    const { clock, pipe, told } = await up();
    pipe.held = true;
    await pipe.feed("</stream:stream>");
    assert.deepEqual(pipe.written, ["</stream:stream>"]);
    assert.deepEqual(told, ["ended closed"]);
    assert.equal(pipe.closed, false);
    if (leaves) await pipe.release();
    else clock.advance(2_000);
    assert.equal(pipe.closed, true);
    await settled();
    assert.equal(clock.timers, 0);
  }
});

Deno.test("U-020 a server that does not close in turn is left after two seconds", async () => {
  const { clock, pipe, connection, told } = await up();
  connection.close();
  clock.advance(1_999);
  assert.deepEqual(told, []);
  clock.advance(1);
  assert.deepEqual(told, ["ended closed"]);
  await settled();
  assert.equal(pipe.closed, true);
  assert.equal(clock.timers, 0);
});

Deno.test("nothing is read while the flow is stopped, and everything after", async () => {
  const { pipe, connection, told } = await up();
  connection.flow(false);
  await pipe.feed("<a/>");
  const reads = pipe.buffers.length;
  await pipe.feed("<b/>");
  assert.equal(pipe.buffers.length, reads);
  assert.deepEqual(told, ["a"]);
  connection.flow(true);
  await settled();
  assert.deepEqual(told, ["a", "b"]);
  connection.flow(false);
  await pipe.feed("<c/>");
  connection.abort();
  await settled();
  assert.equal(pipe.closed, true);
});

Deno.test("S-017 an event that throws ends the connection as a fault", async () => {
  const { pipe, told, clock } = await up((event) => {
    if (event === "a" || event.startsWith("ended")) throw new Error(event);
  });
  await pipe.feed("<a/>");
  assert.deepEqual(told, [
    "a",
    "fault Error: a",
    "ended connection-failed",
    "fault Error: ended connection-failed",
  ]);
  assert.equal(pipe.closed, true);
  assert.equal(clock.timers, 0);
});

Deno.test("S-017 one that throws when something has left does, too", async () => {
  let throws = false;
  const { pipe, connection, told } = await up((event) => {
    if (throws && event === "sent") throw new Error(event);
  });
  throws = true;
  pipe.held = true;
  connection.send(encode("<a/>"));
  await pipe.release();
  assert.deepEqual(told, ["fault Error: sent", "ended connection-failed"]);
});

Deno.test("an aborted connection says nothing any more", async () => {
  const { pipe, connection, told } = await up();
  connection.abort();
  connection.send(encode("<a/>"));
  connection.close();
  await pipe.feed("<b/>");
  assert.deepEqual(told, []);
  assert.deepEqual(pipe.written, []);
});
