import assert from "node:assert/strict";
import { dial, hostAndPort } from "../../src/upstream/dial.ts";
import { NetworkError } from "../../src/upstream/failure.ts";
import { authority } from "../support/certificates/certificates.ts";
import { ScriptedServer } from "../support/upstream_server.ts";

const patient = new AbortController().signal;

function socketTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });
}

function at({ port }: { port: number }) {
  return { hostname: "127.0.0.1", port };
}

Deno.test("an IPv6 address with a port stands in brackets", () => {
  assert.equal(hostAndPort("example.test", 5222), "example.test:5222");
  assert.equal(hostAndPort("2001:db8::1", 5222), "[2001:db8::1]:5222");
});

socketTest("a pipe reads and writes before and after TLS, and closes with a notice", async () => {
  await using server = await ScriptedServer.listen();
  const pipe = await dial(at(server), patient);
  const connection = await server.accept();
  const buffer = new Uint8Array(100);
  const read = async () => {
    const length = await pipe.read(buffer);
    return length === null ? null : new TextDecoder().decode(buffer.subarray(0, length));
  };
  await pipe.write(new TextEncoder().encode("clear"));
  await connection.expect("clear");
  connection.write("answer");
  assert.equal(await read(), "answer");
  const handshake = connection.secure();
  await pipe.startTls({ hostname: "example.test", ca: authority() });
  assert.deepEqual(await handshake, { serverName: "example.test", alpn: "xmpp-client" });
  await pipe.write(new TextEncoder().encode("secret"));
  await connection.expect("secret");
  connection.write("answer");
  assert.equal(await read(), "answer");
  pipe.close();
  pipe.close();
  assert.equal(await connection.expectEnd(), "");
});

socketTest("a write larger than the network takes at once arrives whole", async () => {
  await using server = await ScriptedServer.listen();
  const pipe = await dial(at(server), patient);
  const connection = await server.accept();
  const text = "0123456789".repeat(500_000);
  const written = pipe.write(new TextEncoder().encode(text + "."));
  assert.equal(await connection.expect("."), text + ".");
  await written;
  pipe.close();
});

socketTest("a read is null when the server closes, and fails in words when it resets", async () => {
  await using server = await ScriptedServer.listen();
  const closed = await dial(at(server), patient);
  (await server.accept()).end();
  assert.equal(await closed.read(new Uint8Array(10)), null);
  closed.close();
  const reset = await dial(at(server), patient);
  (await server.accept()).reset();
  await assert.rejects(
    reset.read(new Uint8Array(10)),
    new NetworkError("the server dropped the connection"),
  );
  reset.close();
});

socketTest("closing a pipe ends the read and the handshake that are under way", async () => {
  await using server = await ScriptedServer.listen();
  const pipe = await dial(at(server), patient);
  const read = pipe.read(new Uint8Array(10));
  pipe.close();
  await assert.rejects(read, NetworkError);
  const securing = await dial(at(server), patient);
  const handshake = securing.startTls({ hostname: "example.test", ca: undefined });
  securing.close();
  await assert.rejects(handshake, NetworkError);
});

socketTest("dialling that is given up leaves no connection", async () => {
  await using server = await ScriptedServer.listen();
  const controller = new AbortController();
  const dialled = dial(at(server), controller.signal);
  controller.abort();
  await assert.rejects(dialled, NetworkError);
});

socketTest("a name that does not resolve and a port that refuses are told apart", async () => {
  const server = await ScriptedServer.listen();
  const { port } = server;
  await server[Symbol.asyncDispose]();
  await assert.rejects(
    dial(at({ port }), patient),
    new NetworkError(`connection refused by 127.0.0.1:${port}`),
  );
  // Too long for a label, so that no name server is asked for it.
  const hostname = "x".repeat(64);
  await assert.rejects(
    dial({ hostname, port }, patient),
    new NetworkError(`the name ${hostname} does not resolve`),
  );
  await assert.rejects(
    dial({ hostname: "a b", port }, patient),
    new NetworkError("a b is not a host name"),
  );
});

socketTest("TLS to a name that no certificate can be for is refused", async () => {
  await using server = await ScriptedServer.listen();
  const pipe = await dial(at(server), patient);
  await assert.rejects(
    pipe.startTls({ hostname: "a b", ca: undefined }),
    new NetworkError("no certificate can be for a b"),
  );
  pipe.close();
});
