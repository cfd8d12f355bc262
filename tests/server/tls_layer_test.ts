import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import net from "node:net";
import tls from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { TlsConfig } from "../../src/config/config.ts";
import { TlsLayer } from "../../src/server/tls_layer.ts";
import {
  authority,
  certificate,
  type CertificateName,
  clientAuthority,
} from "../support/certificates/certificates.ts";
import { Inbox, patiently, until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { connectTls, openssl, showing } from "../support/tls_clients.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What the layer did with one connection. */
interface Outcome {
  readonly tcp: net.Socket;
  /** Of the layer's two answers, all that came. */
  readonly secured: tls.TLSSocket[];
  readonly failed: string[];
}

/** Accepts on a free port of loopback, half-open as a front does, and puts the layer around it. */
class Acceptor implements AsyncDisposable {
  readonly outcomes: Outcome[] = [];
  readonly layer: TlsLayer;
  readonly #server: net.Server;

  constructor(config: TlsConfig, options: {
    readonly serve?: (socket: tls.TLSSocket, tcp: net.Socket) => void;
    readonly accept?: (tcp: net.Socket, secure: () => void) => void;
  } = {}) {
    const { serve = greet, accept = (_, secure) => secure() } = options;
    this.layer = new TlsLayer(config);
    this.#server = net.createServer({ allowHalfOpen: true }, (tcp) => {
      const outcome: Outcome = { tcp, secured: [], failed: [] };
      this.outcomes.push(outcome);
      accept(tcp, () =>
        this.layer.secure(tcp, (socket) => {
          outcome.secured.push(socket);
          socket.on("error", () => {});
          serve(socket, tcp);
        }, (reason) => outcome.failed.push(reason)));
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Waits until no connection is left; then each has had just one answer. */
  async settled(): Promise<void> {
    await until(async () => await this.#connections() === 0 || undefined, "all is closed");
    // A connection that its owner destroys has its answer a moment later.
    await new Promise((resolve) => setTimeout(resolve));
    for (const { tcp, secured, failed } of this.outcomes) {
      assert.equal(tcp.destroyed, true);
      assert.equal(secured.length + failed.length, 1, failed.join());
    }
  }

  #connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.getConnections((error, count) => error ? reject(error) : resolve(count))
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { tcp } of this.outcomes) tcp.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Says a word and ends. */
function greet(socket: tls.TLSSocket): void {
  socket.end("welcome");
}

function config(...names: CertificateName[]): TlsConfig {
  return { certificates: names.map(certificate), clientCa: undefined, files: [] };
}

const ONE = config("example.test");
const SEVERAL = config("example.test", "rsa.test", "wildcard", "other.test");
const CLIENTS: TlsConfig = { ...ONE, clientCa: clientAuthority() };

Deno.test({
  name: "by ALPN there is http/1.1 and nothing else; who offers only h2 is refused with the alert",
  ...haveProgram("openssl"),
  async fn() {
    for (const config of [ONE, SEVERAL]) {
      await using acceptor = new Acceptor(config);
      const port = await acceptor.listen();
      assert.equal((await openssl(port, "-alpn", "h2,http/1.1")).alpn, "http/1.1");
      const none = await openssl(port);
      assert.equal(none.alpn, undefined);
      assert.match(none.output, /welcome/);
      const h2 = await openssl(port, "-alpn", "h2");
      // RFC 7301 §3.2: no_application_protocol(120)
      assert.equal(h2.alert, 120);
      assert.doesNotMatch(h2.output, /welcome/);
      await acceptor.settled();
      assert.deepEqual(acceptor.outcomes.map(({ secured }) => secured.length), [1, 1, 0]);
      assert.match(acceptor.outcomes[2]!.failed[0]!, /doesn't support any known protocol/);
    }
  },
});

Deno.test({
  name: "TLS 1.2 and 1.3 are served, and no older version",
  ...haveProgram("openssl"),
  async fn() {
    await using acceptor = new Acceptor(ONE);
    const port = await acceptor.listen();
    assert.equal((await openssl(port, "-tls1_2")).version, "TLSv1.2");
    assert.equal((await openssl(port, "-tls1_3")).version, "TLSv1.3");
    const old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    assert.equal((await openssl(port, ...old)).version, undefined);
    await acceptor.settled();
    assert.equal(acceptor.outcomes[2]!.failed.length, 1);
  },
});

Deno.test({
  name:
    "a client gets the certificate that has its name, else the one with its wildcard, else the first",
  ...haveProgram("openssl"),
  async fn() {
    await using acceptor = new Acceptor(SEVERAL);
    const port = await acceptor.listen();
    const expected: [string, string][] = [
      ["example.test", "example.test"],
      ["xmpp.example.test", "example.test"],
      ["chat.example.test", "wildcard"],
      ["CHAT.Example.Test", "wildcard"],
      ["rsa.test", "rsa.test"],
      ["a.rsa.test", "rsa.test"],
      ["other.test", "other.test"],
      // A wildcard is for one label.
      ["a.b.rsa.test", "example.test"],
      ["test", "example.test"],
      ["unknown.test", "example.test"],
    ];
    for (const [name, subject] of expected) {
      assert.equal((await openssl(port, "-servername", name)).subject, subject, name);
    }
    assert.equal((await openssl(port, "-noservername")).subject, "example.test");
    assert.equal((await openssl(port, "-servername", "a.rsa.test", "-tls1_2")).subject, "rsa.test");
    await acceptor.settled();
  },
});

Deno.test({
  name: "one certificate is for everybody, RSA or EC",
  ...haveProgram("openssl"),
  async fn() {
    for (const name of ["example.test", "rsa.test"] as const) {
      await using acceptor = new Acceptor(config(name));
      const port = await acceptor.listen();
      for (const version of ["-tls1_2", "-tls1_3"]) {
        for (const asked of [["-servername", "unknown.test"], ["-noservername"]]) {
          const { subject, output } = await openssl(port, version, ...asked);
          assert.equal(subject, name);
          assert.match(output, /welcome/);
        }
      }
      await acceptor.settled();
    }
  },
});

Deno.test("certificates are replaced live: who is there, or shakes hands, goes on; who comes gets the new one", async () => {
  const begin: (() => void)[] = [];
  await using acceptor = new Acceptor(ONE, {
    serve: (socket) => socket.pipe(socket),
    accept: (_, secure) => begin.length === 0 ? void begin.push(secure) : secure(),
  });
  const port = await acceptor.listen();
  const connect = () => {
    const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    const shown = new Inbox<string | undefined>();
    socket.once("secureConnect", () => shown.put(socket.getPeerCertificate().subject.CN as string));
    return { socket, shown };
  };
  const slow = connect();
  await until(() => begin[0], "the first connection is accepted");
  const there = connect();
  assert.equal(await there.shown.take(), "example.test");
  begin[0]!();
  acceptor.layer.replace(config("other.test"));
  const fresh = connect();
  assert.equal(await fresh.shown.take(), "other.test");
  assert.equal(await slow.shown.take(), "example.test");
  for (const { socket } of [there, slow, fresh]) {
    const echo = new Inbox<string>();
    socket.on("data", (bytes) => echo.put(String(bytes)));
    socket.write("still there");
    assert.equal(await echo.take(), "still there");
    socket.end();
  }
  await acceptor.settled();
});

Deno.test({
  name: "sessions are resumed, in both versions, and what is resumed works",
  ...haveProgram("openssl"),
  async fn() {
    await using sessions = await temporaryFile();
    for (const config of [ONE, SEVERAL]) {
      await using acceptor = new Acceptor(config);
      const port = await acceptor.listen();
      for (const version of ["-tls1_2", "-tls1_3"]) {
        assert.equal((await openssl(port, version, "-sess_out", sessions.path)).resumed, false);
        const again = await openssl(port, version, "-sess_in", sessions.path);
        assert.equal(again.resumed, true, version);
        assert.match(again.output, /welcome/);
      }
      await acceptor.settled();
    }
  },
});

Deno.test({
  name: "S-018 nothing is taken before the handshake is over: early data is refused",
  ...haveProgram("openssl"),
  async fn() {
    await using sessions = await temporaryFile();
    await using early = await temporaryFile();
    await Deno.writeTextFile(early.path, "GET / HTTP/1.1\r\n\r\n");
    let read = 0;
    await using acceptor = new Acceptor(ONE, {
      serve(socket) {
        socket.on("data", (bytes) => read += bytes.length);
        greet(socket);
      },
    });
    const port = await acceptor.listen();
    const first = await openssl(port, "-tls1_3", "-sess_out", sessions.path);
    assert.match(first.output, /Max Early Data: 0$/m);
    const args = ["-tls1_3", "-sess_in", sessions.path, "-early_data", early.path];
    assert.doesNotMatch((await openssl(port, ...args)).output, /Early data was accepted/);
    assert.equal(read, 0);
    await acceptor.settled();
  },
});

Deno.test({
  name: "with client_ca, only clients with a certificate of these authorities get in",
  ...haveProgram("openssl"),
  async fn() {
    for (const clients of [CLIENTS, { ...SEVERAL, clientCa: clientAuthority() }]) {
      await using acceptor = new Acceptor(clients);
      const port = await acceptor.listen();
      const cases: [string[], RegExp | undefined][] = [
        [showing("friend"), undefined],
        [[], /peer sent no certificates/],
        [showing("friend-expired"), /CERT_HAS_EXPIRED/],
        [showing("friend-server"), /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
        [showing("friend-namesake"), /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
        // What Deno takes from servers by the issuer's name alone, it does not take from clients.
        [showing("friend-version1"), /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
        [showing("friend-forged"), /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
        [showing("version1"), /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
        [showing("self-signed"), /DEPTH_ZERO_SELF_SIGNED_CERT/],
        [showing("example.test"), /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
      ];
      for (const version of ["-tls1_2", "-tls1_3"]) {
        for (const [shown, reason] of cases) {
          const { output } = await openssl(port, version, ...shown);
          const { secured, failed } = acceptor.outcomes.at(-1)!;
          if (reason === undefined) {
            assert.equal(secured.length, 1, failed.join());
            assert.match(output, /welcome/);
          } else {
            assert.match(failed.join(), reason);
            assert.doesNotMatch(output, /welcome/);
          }
        }
      }
      await acceptor.settled();
    }
  },
});

Deno.test({
  name: "with client_ca, nobody gets in with a certificate that is trusted and another key",
  ...haveProgram("openssl"),
  async fn() {
    await using file = await temporaryFile();
    const sec1 = (name: CertificateName) =>
      createPrivateKey(certificate(name).key).export({ type: "sec1", format: "der" });
    for (const name of ["friend", "version1"] as const) {
      // OpenSSL compares the public keys, so another private number is put in beside it (RFC 5915).
      const key = sec1(name);
      sec1("client").copy(key, 7, 7, 39);
      const lines = key.toString("base64").match(/.{1,64}/g)!.join("\n");
      const pem = `-----BEGIN EC PRIVATE KEY-----\n${lines}\n-----END EC PRIVATE KEY-----\n`;
      await Deno.writeTextFile(file.path, pem);
      const [, cert] = showing(name);
      const trusted = clientAuthority() + certificate("version1").cert;
      await using acceptor = new Acceptor({ ...ONE, clientCa: trusted });
      const port = await acceptor.listen();
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const { output } = await openssl(port, version, "-cert", cert!, "-key", file.path);
        assert.doesNotMatch(output, /welcome/);
        const { failed } = acceptor.outcomes.at(-1)!;
        assert.deepEqual(failed, [
          name === "friend"
            ? "unable to verify the first certificate"
            : "the client's certificate is not of X.509 version 3",
        ]);
      }
      await acceptor.settled();
    }
  },
});

Deno.test({
  name: "with client_ca, a session is resumed only by who was verified there",
  ...haveProgram("openssl"),
  async fn() {
    await using sessions = await temporaryFile();
    await using acceptor = new Acceptor(CLIENTS);
    await using open = new Acceptor(ONE);
    await using others = new Acceptor({ ...ONE, clientCa: certificate("self-signed").cert });
    const [port, openPort, othersPort] = [
      await acceptor.listen(),
      await open.listen(),
      await others.listen(),
    ];
    const name = ["-servername", "example.test"];
    for (const version of ["-tls1_2", "-tls1_3"]) {
      const take = (port: number, ...args: string[]) =>
        openssl(port, version, ...name, "-sess_out", sessions.path, ...args);
      const resume = (...args: string[]) =>
        openssl(port, version, ...name, "-sess_in", sessions.path, ...args);
      await take(port, ...showing("friend"));
      const friend = await resume(...showing("friend"));
      assert.equal(friend.resumed, true);
      assert.match(friend.output, /welcome/);

      // The keys of tickets are the process's, so whoever speaks TLS anywhere in it has a session.
      await take(openPort);
      const stranger = await resume();
      assert.doesNotMatch(stranger.output, /welcome/);
      if (version === "-tls1_3") assert.equal(stranger.resumed, true);

      const taken = await take(othersPort, ...showing("self-signed"));
      assert.match(taken.output, /welcome/);
      assert.doesNotMatch((await resume(...showing("self-signed"))).output, /welcome/);
    }
    // Nor by who was verified by an authority that does not count any more.
    await openssl(port, ...name, "-sess_out", sessions.path, ...showing("friend"));
    acceptor.layer.replace({ ...ONE, clientCa: authority() });
    const former = await openssl(port, ...name, "-sess_in", sessions.path, ...showing("friend"));
    assert.doesNotMatch(former.output, /welcome/);
    for (const one of [acceptor, open, others]) await one.settled();
  },
});

Deno.test("what is no handshake, or breaks off, fails once and leaves nothing", async () => {
  const hello = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
  const sent = [
    [],
    hello,
    [22],
    encoder.encode("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n"),
    encoder.encode("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
    new Uint8Array(100_000),
    crypto.getRandomValues(new Uint8Array(1000)),
    // A record that says to be longer than any may be (RFC 8446 §5.1).
    [22, 3, 1, 255, 255, 1],
    // An alert instead of a ClientHello: close_notify.
    [21, 3, 3, 0, 2, 1, 0],
  ];
  const ways = {
    end: (socket: net.Socket) => socket.end(),
    reset: (socket: net.Socket) => socket.resetAndDestroy(),
    leave: (socket: net.Socket) => socket.destroy(),
  };
  for (const config of [ONE, SEVERAL, CLIENTS]) {
    await using acceptor = new Acceptor(config);
    const port = await acceptor.listen();
    for (const bytes of sent) {
      for (const leave of Object.values(ways)) {
        const before = acceptor.outcomes.length;
        const client = net.connect(port, "127.0.0.1");
        client.on("error", () => {});
        client.resume();
        client.write(new Uint8Array(bytes), () => leave(client));
        await until(() => acceptor.outcomes[before], "the connection is accepted");
      }
    }
    await acceptor.settled();
    assert.equal(acceptor.outcomes.length, sent.length * 3);
    for (const { failed } of acceptor.outcomes) assert.match(failed[0]!, /\w/);
  }
});

Deno.test("a handshake that failed leaves nothing in memory", async () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const layer = new TlsLayer(ONE);
  const failed: WeakRef<net.Socket>[] = [];
  const server = net.createServer((tcp) =>
    layer.secure(tcp, () => {}, () => failed.push(new WeakRef(tcp)))
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  for (let count = 0; count < 10; count++) {
    net.connect(port, "127.0.0.1").on("error", () => {}).resume().end("GET / HTTP/1.1\r\n\r\n");
  }
  await until(() => failed.length === 10 || undefined, "all have failed");
  await until(() => {
    collect();
    // The last one may still be on the stack of the platform.
    return failed.filter((tcp) => tcp.deref() !== undefined).length <= 1 || undefined;
  }, "nobody keeps them");
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

Deno.test("who destroys the connection in the middle hears that it failed; a closed one fails at once", async () => {
  await using acceptor = new Acceptor(ONE);
  const port = await acceptor.listen();
  const client = net.connect(port, "127.0.0.1");
  client.on("error", () => {});
  const { tcp, failed } = await until(() => acceptor.outcomes[0], "the connection is accepted");
  tcp.destroy();
  await acceptor.settled();
  assert.deepEqual(failed, ["the connection ended in the handshake"]);
  const reasons: string[] = [];
  acceptor.layer.secure(tcp, () => assert.fail(), (reason) => reasons.push(reason));
  assert.deepEqual(reasons, ["the connection ended in the handshake"]);
});

Deno.test("a record that cannot be read ends the connection", async () => {
  const errors: string[] = [];
  await using acceptor = new Acceptor(ONE, {
    serve: (socket) => socket.on("error", ({ message }) => errors.push(message)).resume(),
  });
  const port = await acceptor.listen();
  const tcp = net.connect(port, "127.0.0.1");
  const client = tls.connect({ socket: tcp, rejectUnauthorized: false });
  client.on("error", () => {});
  await until(() => acceptor.outcomes[0]?.secured[0], "there is TLS");
  // application_data(23) of nobody's (RFC 8446 §5.2).
  tcp.write(new Uint8Array([23, 3, 3, 0, 32, ...new Uint8Array(32)]));
  await acceptor.settled();
  assert.equal(errors.length, 1);
});

Deno.test("an answer of any length arrives whole, with close_notify, also where the client has ended its side", async () => {
  const answer = crypto.getRandomValues(new Uint8Array(65_536)).toBase64().repeat(60);
  for (const config of [ONE, SEVERAL]) {
    await using acceptor = new Acceptor(config, {
      serve(socket) {
        let request = "";
        socket.on("data", (bytes) => request += bytes);
        socket.on("end", () => socket.end(request + answer));
      },
    });
    const client = await connectTls(await acceptor.listen());
    await client.write(encoder.encode("request"));
    await client.closeWrite();
    // Without close_notify, Deno's TLS would throw.
    assert.equal(
      await patiently(new Response(client.readable).text(), "all is there"),
      `request${answer}`,
    );
    await acceptor.settled();
  }
});

Deno.test("a client that ends its side in the same breath as its request is answered", async () => {
  await using acceptor = new Acceptor(ONE, {
    serve(socket) {
      let request = "";
      socket.on("data", (bytes) => request += bytes);
      socket.on("end", () => setTimeout(() => socket.end(`${request} answered`), 5));
    },
  });
  const port = await acceptor.listen();
  for (let round = 0; round < 10; round++) {
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
    const client = await Deno.startTls(tcp, { hostname: "example.test", caCerts: [authority()] });
    // The handshake is not waited for.
    client.write(encoder.encode("request")).then(() => client.closeWrite());
    assert.equal(
      await patiently(new Response(client.readable).text(), "all is there"),
      "request answered",
    );
  }
  await acceptor.settled();
});

Deno.test("a connection that is paused below makes its client wait, and loses nothing", async () => {
  const paused = Promise.withResolvers<[net.Socket, tls.TLSSocket]>();
  let got = 0;
  await using acceptor = new Acceptor(ONE, {
    serve(socket, tcp) {
      socket.on("data", (bytes) => {
        if (got === 0) {
          tcp.pause();
          paused.resolve([tcp, socket]);
        }
        got += bytes.length;
      });
      socket.on("end", () => socket.end(`${got}`));
    },
  });
  const client = await connectTls(await acceptor.listen());
  const total = 50_000_000;
  let written = 0;
  const sending = (async () => {
    const chunk = new Uint8Array(50_000);
    while (written < total) written += await client.write(chunk);
    await client.closeWrite();
  })();
  const [tcp, socket] = await paused.promise;
  // Writing must not set the reading off again.
  let last = -1;
  await until(async () => {
    socket.write(".");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const standing = written === last;
    last = written;
    return standing || undefined;
  }, "the client waits");
  assert.ok(written < total / 2, `${written}`);
  assert.ok(got < 1_000_000, `${got}`);
  tcp.pause().resume();
  assert.match(
    await patiently(new Response(client.readable).text(), "all is there"),
    new RegExp(`^\\.+${total}$`),
  );
  await sending;
  await acceptor.settled();
});

Deno.test("what was read before and put back belongs to the handshake", async () => {
  await using acceptor = new Acceptor(ONE, {
    accept: (tcp, secure) =>
      tcp.once("data", (bytes) => {
        tcp.pause();
        assert.equal(decoder.decode(bytes.subarray(0, 7)), "header\n");
        if (bytes.length > 7) tcp.unshift(bytes.subarray(7));
        secure();
      }),
  });
  const port = await acceptor.listen();
  for (const together of [true, false]) {
    const tcp = net.connect({ port, host: "127.0.0.1" });
    if (together) tcp.cork();
    tcp.write("header\n");
    const client = tls.connect({ socket: tcp, rejectUnauthorized: false });
    if (together) queueMicrotask(() => tcp.uncork());
    let text = "";
    client.on("data", (bytes) => text += bytes);
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    await patiently(closed, "the client is served");
    assert.equal(text, "welcome");
  }
  await acceptor.settled();
});

async function temporaryFile(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempFile();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}
