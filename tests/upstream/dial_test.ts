import assert from "node:assert/strict";
import { dial, hostAndPort, type Pipe, type TlsOptions } from "../../src/upstream/dial.ts";
import { NetworkError } from "../../src/upstream/failure.ts";
import { authority, fingerprint } from "../support/certificates/certificates.ts";
import { ScriptedServer } from "../support/upstream_server.ts";

const patient = new AbortController().signal;
const encode = (text: string) => new TextEncoder().encode(text);

function at({ port }: { port: number }) {
  return { hostname: "127.0.0.1", port };
}

function socketTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });
}

/** All that comes until the peer closes, or `length` bytes. */
async function read(pipe: Pipe, length = Infinity, buffer = new Uint8Array(100)): Promise<string> {
  let text = "";
  while (text.length < length) {
    const count = await pipe.read(buffer);
    if (count === null) return text;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}

Deno.test("an IPv6 address with a port stands in brackets", () => {
  assert.equal(hostAndPort("example.test", 5222), "example.test:5222");
  assert.equal(hostAndPort("2001:db8::1", 5222), "[2001:db8::1]:5222");
});

const OPTIONS: TlsOptions = {
  hostname: "example.test",
  verify: true,
  fingerprints: [],
  ca: authority(),
  identity: undefined,
};

/** What makes the certificate right decides which pipe it is; both do the same. */
const KINDS: readonly (readonly [string, TlsOptions])[] = [
  ["of Deno", OPTIONS],
  ["of node", { ...OPTIONS, ca: undefined, fingerprints: [fingerprint("example.test")] }],
];

for (const [kind, tls] of KINDS) {
  socketTest(
    `U-008 a pipe ${kind} reads and writes before and after TLS, and closes with a notice`,
    async () => {
      await using server = await ScriptedServer.listen();
      const pipe = await dial(at(server), tls, patient);
      const connection = await server.accept();
      await pipe.write(encode("clear"));
      await connection.expect("clear");
      connection.write("answer");
      assert.equal(await read(pipe, 6), "answer");
      const handshake = connection.secure();
      await pipe.startTls(tls);
      assert.deepEqual(await handshake, { serverName: "example.test", alpn: "xmpp-client" });
      await pipe.write(encode("secret"));
      await connection.expect("secret");
      connection.write("answer");
      assert.equal(await read(pipe, 6), "answer");
      pipe.close();
      pipe.close();
      assert.equal(await connection.expectEnd(), "");
    },
  );

  socketTest(
    `a write by a pipe ${kind} larger than the network takes at once arrives whole, in TLS too`,
    async () => {
      await using server = await ScriptedServer.listen();
      const pipe = await dial(at(server), tls, patient);
      const connection = await server.accept();
      const text = "0123456789".repeat(200_000);
      for (const secure of [false, true]) {
        if (secure) await Promise.all([connection.secure(), pipe.startTls(tls)]);
        const written = pipe.write(encode(text + "."));
        assert.equal(await connection.expect("."), text + ".");
        await written;
      }
      pipe.close();
    },
  );

  socketTest(
    `a pipe ${kind} that nobody reads makes the server wait, and loses nothing, in TLS too`,
    async () => {
      await using server = await ScriptedServer.listen();
      const pipe = await dial(at(server), tls, patient);
      const connection = await server.accept();
      const block = "0123456789abcdef".repeat(4_096);
      for (const secure of [false, true]) {
        if (secure) await Promise.all([connection.secure(), pipe.startTls(tls)]);
        for (let i = 0; i < 640; i++) connection.write(block);
        let left = 640 * block.length;
        const buffer = new Uint8Array(16_384);
        for (let stop = 0; stop < 3; stop++) {
          for (let i = 0; i < 100; i++) left -= (await pipe.read(buffer))!;
          await new Promise((resolve) => setTimeout(resolve, 200));
          const gone = left - connection.unsent;
          assert.ok(gone < 20_000_000, `${gone} bytes have left the server and were not read`);
        }
        while (left > 0) left -= (await pipe.read(buffer))!;
        assert.equal(left, 0);
      }
      pipe.close();
    },
  );

  socketTest(
    `U-023 a read by a pipe ${kind} is null when the server closes, and fails in words when it resets`,
    async () => {
      await using server = await ScriptedServer.listen();
      for (const secure of [false, true]) {
        const open = async () => {
          const pipe = await dial(at(server), tls, patient);
          const connection = await server.accept();
          if (secure) await Promise.all([connection.secure(), pipe.startTls(tls)]);
          return { pipe, connection };
        };
        const closed = await open();
        closed.connection.write("last");
        closed.connection.end();
        assert.equal(await read(closed.pipe), "last");
        // Our side is still open.
        await closed.pipe.write(encode("bye"));
        await closed.connection.expect("bye");
        closed.pipe.close();
        const reset = await open();
        reset.connection.reset();
        // What ends TLS without its notice is an end like any other to node:tls.
        const reading = reset.pipe.read(new Uint8Array(10));
        if (secure && kind === "of node") assert.equal(await reading, null);
        else await assert.rejects(reading, new NetworkError("the server dropped the connection"));
        await assert.rejects(reset.pipe.write(encode("x")), NetworkError);
        reset.pipe.close();
      }
    },
  );

  socketTest(`a pipe ${kind} that is reset while nobody waits for it hurts nobody`, async () => {
    await using server = await ScriptedServer.listen();
    for (const secure of [false, true]) {
      const pipe = await dial(at(server), tls, patient);
      const connection = await server.accept();
      if (secure) await Promise.all([connection.secure(), pipe.startTls(tls)]);
      connection.reset();
      await new Promise((resolve) => setTimeout(resolve, 20));
      pipe.close();
      pipe.close();
      await assert.rejects(pipe.write(encode("x")), NetworkError);
    }
  });

  socketTest(
    `closing a pipe ${kind} ends the read, the write and the handshake that are under way`,
    async () => {
      // It neither reads nor speaks.
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      for (
        const work of [
          (pipe: Pipe) => pipe.read(new Uint8Array(10)),
          (pipe: Pipe) => pipe.write(new Uint8Array(50_000_000)),
          (pipe: Pipe) => pipe.startTls(tls),
        ]
      ) {
        for (const atOnce of [true, false]) {
          const pipe = await dial(at(listener.addr), tls, patient);
          using _peer = await listener.accept();
          const working = work(pipe);
          if (!atOnce) await new Promise((resolve) => setTimeout(resolve, 20));
          pipe.close();
          await assert.rejects(working, NetworkError);
          pipe.close();
        }
      }
    },
  );

  socketTest(
    `U-005 T-42 a pipe ${kind} reads nothing after TLS that came in the clear`,
    async () => {
      await using server = await ScriptedServer.listen();
      for (const when of ["together", "before", "meanwhile"]) {
        const pipe = await dial(at(server), tls, patient);
        const connection = await server.accept();
        connection.write(when === "together" ? "proceedclear" : "proceed");
        assert.equal(await read(pipe, 7, new Uint8Array(7)), "proceed");
        if (when === "before") {
          connection.write("clear");
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        const securing = pipe.startTls(tls);
        if (when === "meanwhile") connection.write("clear");
        connection.secure();
        await assert.rejects(securing, /more in the clear|does not speak TLS/);
        pipe.close();
      }
    },
  );

  socketTest(`a pipe ${kind} whose server leaves instead of speaking TLS says so`, async () => {
    await using server = await ScriptedServer.listen();
    for (const wait of [0, 20]) {
      const pipe = await dial(at(server), tls, patient);
      const connection = await server.accept();
      connection.write("proceed");
      assert.equal(await read(pipe, 7), "proceed");
      connection.end();
      await new Promise((resolve) => setTimeout(resolve, wait));
      await assert.rejects(pipe.startTls(tls), /dropped the connection during the TLS handshake/);
      pipe.close();
    }
  });

  socketTest(`dialling a pipe ${kind} that is given up leaves no connection`, async () => {
    await using server = await ScriptedServer.listen();
    for (const early of [false, true]) {
      const controller = new AbortController();
      if (early) controller.abort();
      const dialled = dial(at(server), tls, controller.signal);
      controller.abort();
      await assert.rejects(dialled, NetworkError);
    }
  });

  socketTest(
    `a name that does not resolve and a port that refuses are told apart by a pipe ${kind}`,
    async () => {
      const server = await ScriptedServer.listen();
      const { port } = server;
      await server[Symbol.asyncDispose]();
      await assert.rejects(
        dial(at({ port }), tls, patient),
        new NetworkError(`connection refused by 127.0.0.1:${port}`),
      );
      // Too long for a label, so that no name server is asked for it.
      const hostname = "x".repeat(64);
      await assert.rejects(
        dial({ hostname, port }, tls, patient),
        new NetworkError(`the name ${hostname} does not resolve`),
      );
      await assert.rejects(
        dial({ hostname: "a b", port }, tls, patient),
        /a b (is not a host|does)/,
      );
    },
  );

  socketTest(
    `TLS of a pipe ${kind} to a name that no certificate can be for is refused`,
    async () => {
      await using server = await ScriptedServer.listen();
      const pipe = await dial(at(server), tls, patient);
      await assert.rejects(
        pipe.startTls({ ...tls, hostname: "a b" }),
        new NetworkError("no certificate can be for a b"),
      );
      pipe.close();
    },
  );
}
