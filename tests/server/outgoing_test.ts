import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { Outgoing } from "../../src/server/outgoing.ts";
import { patiently, until } from "../support/patience.ts";

const encoder = new TextEncoder();

/** What the sockets of a test are to each other: ours, and the client's. */
async function pair(): Promise<{ ours: Socket; client: Deno.TcpConn }> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer(accepted.resolve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const client = await Deno.connect({ hostname: "127.0.0.1", port: address.port });
  const ours = await accepted.promise;
  server.close();
  return { ours, client };
}

/** Writes through the room that connections share. */
function write(outgoing: Outgoing, text: string): Uint8Array {
  const bytes = encoder.encode(text);
  const room = outgoing.room(bytes.length);
  room.set(bytes);
  outgoing.write(room);
  return room;
}

Deno.test("octets that the network takes at once share their room, those that wait keep theirs", async () => {
  const slow = await pair();
  const quick = await pair();
  const [late, soon] = [new Outgoing(slow.ours, true), new Outgoing(quick.ours, true)];
  try {
    assert.equal(write(late, "a").buffer, write(soon, "b").buffer);
    const secret = new Outgoing(quick.ours, false);
    assert.notEqual(secret.room(1).buffer, soon.room(1).buffer, "TLS shares no room");
    // Nobody reads: at some time something has to wait.
    let written = "a";
    for (let count = 0; slow.ours.writableLength === 0; count++) {
      assert.ok(count < 10_000, "the network takes everything");
      const text = `${count}`.padStart(10_000, ".");
      write(late, text);
      written += text;
    }
    // What others write meanwhile does not get into it.
    for (let count = 0; count < 10; count++) write(soon, "x".repeat(10_000));
    for (let count = 0; count < 10; count++) {
      const text = `${count}`.padStart(10_000, "-");
      write(late, text);
      written += text;
    }
    slow.ours.on("drain", () => late.drained());
    late.end();
    const read = await patiently(new Response(slow.client.readable).text(), "all is read");
    assert.equal(read.length, written.length);
    assert.ok(read === written, "what was read is not what was written");
    await until(() => slow.ours.destroyed || slow.ours.writableFinished, "it has ended");
  } finally {
    slow.ours.destroy();
    quick.ours.destroy();
    quick.client.close();
  }
});
