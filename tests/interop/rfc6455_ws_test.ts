/*
 * The WebSocket codec, in a shell of the tests' own over plain sockets, and ws as its client.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { WebSocket } from "ws";
import { Inbox, patiently } from "../support/patience.ts";
import { type CodecConnection, CodecShell } from "../support/rfc6455_shell.ts";

const options = { maxMessage: 1 << 20, pingInterval: 30_000 };
const SIZES = [0, 1, 125, 126, 127, 128, 300, 65_535, 65_536, 65_537, 1 << 20];

Deno.test("W-005 W-006 ws and the codec say and hear the same, at every size", async () => {
  await using shell = await CodecShell.listen(options);
  await using client = await Client.connect(shell);
  const { server } = client;
  for (const size of SIZES) {
    const text = Buffer.from("é<message/> ".repeat(90_000)).subarray(0, size).toString()
      .replaceAll("\ufffd", "");
    client.socket.send(text);
    const heard = await server.messages.take();
    assert.equal(heard.binary, false);
    assert.equal(new TextDecoder().decode(heard.bytes), text);
    server.send(heard.bytes);
    assert.equal(await client.messages.take(), text);
    const binary = new Uint8Array(size).map((_, i) => i * 31);
    client.socket.send(binary);
    assert.deepEqual(await server.messages.take(), { bytes: binary, binary: true });
  }
});

Deno.test("W-011 W-036 fragments of ws with pings between them are one message, and each ping is answered", async () => {
  await using shell = await CodecShell.listen(options);
  await using client = await Client.connect(shell);
  const pongs = new Inbox<string>();
  client.socket.on("pong", (data: Uint8Array) => pongs.put(new TextDecoder().decode(data)));
  const parts = ["<message>", "", "€".repeat(30_000), "</message>"];
  for (const [i, part] of parts.entries()) {
    client.socket.send(part, { fin: i === parts.length - 1 });
    client.socket.ping(`ping ${i}`);
    assert.equal(await pongs.take(), `ping ${i}`);
  }
  const { bytes } = await client.server.messages.take();
  assert.equal(new TextDecoder().decode(bytes), parts.join(""));
});

Deno.test("a burst from ws both ways arrives in order and whole", async () => {
  await using shell = await CodecShell.listen(options);
  await using client = await Client.connect(shell);
  const sent = Array.from({ length: 2000 }, (_, i) => `${i} ${"ü".repeat(i * 37 % 3000)}`);
  for (const text of sent) {
    client.socket.send(text);
    client.server.send(new TextEncoder().encode(text));
  }
  for (const text of sent) {
    assert.equal(new TextDecoder().decode((await client.server.messages.take()).bytes), text);
    assert.equal(await client.messages.take(), text);
  }
});

Deno.test("either side closes, and both hear the code, with nothing lost before it", async () => {
  await using shell = await CodecShell.listen(options);
  for (const code of [1000, 1001, 1003, 3000, 4999]) {
    await using client = await Client.connect(shell);
    client.server.send(new TextEncoder().encode("last"));
    client.server.close(code);
    assert.equal(await client.messages.take(), "last");
    assert.equal(await patiently(client.closed, "ws has closed"), code);
    assert.equal(await patiently(client.server.closed, "the codec has closed"), code);
    await using other = await Client.connect(shell);
    other.socket.close(code, "reason");
    assert.equal(await patiently(other.server.closed, "the codec has closed"), code);
    assert.equal(await patiently(other.closed, "ws has closed"), code);
  }
  await using client = await Client.connect(shell);
  client.socket.close();
  assert.equal(await patiently(client.server.closed, "the codec has closed"), 1005);
  assert.equal(await patiently(client.closed, "ws has closed"), 1005);
});

Deno.test("W-005 W-012 ws is told why it is refused", async () => {
  await using shell = await CodecShell.listen({ ...options, maxMessage: 100_000 });
  await using large = await Client.connect(shell);
  large.socket.send("x".repeat(100_001));
  assert.equal(await patiently(large.closed, "ws has closed"), 1009);
  await using huge = await Client.connect(shell);
  // Far more than the system's buffers take: what comes behind the refusal has to be read away.
  huge.socket.send("x".repeat(20_000_000));
  assert.equal(await patiently(huge.closed, "ws has closed"), 1009);
  await using wrong = await Client.connect(shell);
  wrong.socket.send(Uint8Array.of(0x61, 0xff), { binary: false });
  assert.equal(await patiently(wrong.closed, "ws has closed"), 1007);
  assert.equal(await patiently(wrong.server.closed, "the codec has closed"), 1007);
});

Deno.test("W-035 ws answers the codec's pings and stays, and is lost when it answers none", async () => {
  await using shell = await CodecShell.listen({ ...options, pingInterval: 100 });
  await using answering = await Client.connect(shell);
  await using silent = await Client.connect(shell, { autoPong: false });
  assert.equal(await patiently(silent.server.closed, "the silent client is lost"), 1006);
  assert.equal(await patiently(silent.closed, "ws has seen it"), 1006);
  answering.socket.send("still here");
  assert.equal((await answering.server.messages.take()).bytes.length, 10);
});

/** A client of ws, and the shell's end of its connection. */
class Client implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly server: CodecConnection;
  readonly messages: Inbox<string>;
  readonly closed: Promise<number>;

  private constructor(
    socket: WebSocket,
    server: CodecConnection,
    messages: Inbox<string>,
    closed: Promise<number>,
  ) {
    this.socket = socket;
    this.server = server;
    this.messages = messages;
    this.closed = closed;
  }

  static async connect(shell: CodecShell, how: { autoPong?: boolean } = {}): Promise<Client> {
    const socket = new WebSocket(shell.url, how);
    const messages = new Inbox<string>();
    socket.on("message", (data: Uint8Array) => messages.put(new TextDecoder().decode(data)));
    const closed = new Promise<number>((resolve) => socket.on("close", resolve));
    // A write that fails because the other side is through is told by the close.
    socket.on("error", () => {});
    const server = await shell.connections.take();
    await patiently(
      new Promise<void>((resolve) => {
        if (socket.readyState === WebSocket.OPEN) resolve();
        else socket.on("open", resolve);
      }),
      "ws is connected",
    );
    return new Client(socket, server, messages, closed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }
}
