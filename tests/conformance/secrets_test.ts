/**
 * What the program says of its clients' lives, on all levels: enough to know what happened, and
 * nothing by which somebody could take part in it.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import net from "node:net";
import { join } from "node:path";
import type { ManagerEvent } from "../../src/events.ts";
import { bodyOf, BoshClient, HttpConnection } from "../support/bosh_client.ts";
import { authorityFile, fileOf } from "../support/certificates/certificates.ts";
import { type Front, onBothFronts } from "../support/fronts.ts";
import { runManager } from "../support/manager.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { scramAnswer } from "../support/raw_client.ts";
import { ServeProcess } from "../support/serve_process.ts";
import {
  ScriptedServer,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import { settled } from "../support/wire.ts";
import { CREATION, message, nextHeader } from "./stage.ts";

const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
const SCRAM =
  `<mechanisms ${SASL}><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>`;
const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>";
const PASSWORD = "correct-horse-battery";
const SAID = "with-a-kiss-I-die";
/** In what is no request, no message and no stanza. */
const BROKEN = "broken-and-secret";
const MARKS = [PASSWORD, SAID, BROKEN, "alices-nonce", "servers-nonce"];

/** What nobody may find in a log, in any of the forms in which it went over the wire. */
class Secrets {
  readonly #all = new Set<string>();

  constructor() {
    for (const mark of MARKS) this.add(mark).addBase64(mark);
  }

  add(...texts: readonly string[]): this {
    for (const text of texts) {
      assert.ok(text.length > 5, text);
      this.#all.add(text);
    }
    return this;
  }

  /** The text as base64, wherever it stands in a longer one. */
  addBase64(text: string): this {
    for (let shift = 0; shift < 3; shift++) {
      const all = Buffer.from(" ".repeat(shift) + text).toString("base64");
      // The first and the last group hold bits of what stands beside it.
      this.add(all.slice(shift === 0 ? 0 : 4, -4));
    }
    return this;
  }

  /** A message of SASL, as it is sent. */
  sasl(text: string): string {
    const base64 = Buffer.from(text).toString("base64");
    this.add(base64).addBase64(text);
    return base64;
  }

  assertAbsent(output: string): void {
    for (const secret of this.#all) {
      const at = output.indexOf(secret);
      const line = output.slice(output.lastIndexOf("\n", at) + 1, output.indexOf("\n", at));
      assert.ok(at < 0, `${secret} is in the log: ${line}`);
    }
  }
}

function keysOf(count: number): string[] {
  const keys = [sha1(crypto.randomUUID())];
  while (keys.length < count) keys.unshift(sha1(keys[0]!));
  return keys;
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

/** The server of `example.test`: what it is sent by one client after the other is up to the test. */
async function welcome(server: ScriptedServer) {
  const upstream = await server.accept();
  await nextHeader(upstream);
  upstream.write(streamHeader("1") + streamFeatures(STARTTLS));
  await upstream.startTls();
  await nextHeader(upstream);
  upstream.write(streamHeader("2") + streamFeatures(SCRAM));
  return upstream;
}

/** Everything that clients do, well and badly, to what listens at `url` and has `server` behind it. */
async function live(url: string, server: ScriptedServer, secrets: Secrets): Promise<void> {
  const post = async (
    body: string,
    headers: Record<string, string> = {},
    target = "/http-bind",
  ) => {
    const connection = new HttpConnection(url);
    await connection.send({ body, headers, target }).catch(() => {});
    connection.abort();
  };
  const raw = async (octets: string | Uint8Array) => {
    const { hostname, port } = new URL(url);
    const socket = net.connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.end(octets);
    await new Promise((resolve) => socket.resume().once("close", resolve));
  };

  // A keyed session that logs in by SCRAM after PLAIN has failed, says something, and ends in order.
  const keys = keysOf(30);
  secrets.add(...keys);
  const client = new BoshClient(`${url}/http-bind`);
  const headers = {
    "User-Agent": "a client",
    "Cookie": `sid=${BROKEN}`,
    "Authorization": `Basic ${btoa(PASSWORD)}`,
  };
  const creating = client.create(`${CREATION} newkey='${keys.shift()}'`, "", { headers });
  const upstream = await welcome(server);
  await creating;
  secrets.add(client.sid);
  const ask = async (content: string, answer: string) => {
    const held = client.send(`key='${keys.shift()}'`, content, { headers });
    await upstream.expect(content.slice(-8));
    upstream.write(answer);
    await held.answer;
  };
  const auth = (mechanism: string, text: string) =>
    `<auth ${SASL} mechanism='${mechanism}'>${secrets.sasl(text)}</auth>`;
  await ask(auth("PLAIN", `\0alice\0${PASSWORD}`), `<failure ${SASL}><not-authorized/></failure>`);
  const first = "n=alice,r=alices-nonce";
  const challenge = `r=alices-nonce-servers-nonce,s=${btoa("salt")},i=4096`;
  await ask(
    auth("SCRAM-SHA-1", `n,,${first}`),
    `<challenge ${SASL}>${secrets.sasl(challenge)}</challenge>`,
  );
  const { clientFinal, serverFinal } = scramAnswer(PASSWORD, first, challenge);
  await ask(
    `<response ${SASL}>${secrets.sasl(clientFinal)}</response>`,
    `<success ${SASL}>${secrets.sasl(serverFinal)}</success>`,
  );
  await ask(message(1, `<body>${SAID}</body>`), message(2, `<body>${SAID}</body>`));
  const ended = client.ask(
    `type='terminate' key='${keys.shift()}'`,
    `<presence type='unavailable'><status>${SAID}</status></presence>`,
  );
  await upstream.expect("</stream:stream>");
  upstream.write("</stream:stream>");
  await ended;
  await client.ask(`key='${keys.shift()}'`);

  secrets.add(sha1(BROKEN));
  // Sessions that end badly: wrong rid, wrong key, refused XML, a server that does each of these things.
  const endings: Readonly<Record<string, (talk: Talk) => Promise<unknown>>> = {
    "a wrong rid": ({ client }) => client.ask("", message(1, SAID), { rid: client.rid + 50 }),
    "a wrong key": ({ client }) => client.ask(`key='${sha1(BROKEN)}'`),
    "a stanza that is refused": ({ client }) =>
      client.ask("", `<message><!-- ${BROKEN} --></message>`),
    "elements of the stream": ({ client }) =>
      client.ask("", `<stream:${BROKEN} xmlns:stream='http://etherx.jabber.org/streams'/>`),
    "a server that says nothing understandable": async ({ client, upstream }) => {
      const held = client.send();
      upstream.write(`<message><body>${SAID}</wrong>`);
      await held.answer;
    },
    "a server with an entity": async ({ client, upstream }) => {
      const held = client.send();
      upstream.write(`<message><body>&${BROKEN};</body></message>`);
      await held.answer;
    },
    "a stream error": async ({ client, upstream }) => {
      const held = client.send();
      upstream.write(
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
          `<x xmlns='urn:x'>${SAID}</x></stream:error></stream:stream>`,
      );
      await held.answer;
    },
    "a server that leaves, with a message that nobody takes": async ({ upstream }) => {
      upstream.write(message(3, `<body>${SAID}</body>`));
      upstream.write(
        `<iq type='get' id='1'><query xmlns='jabber:iq:auth'><password>${PASSWORD}</password></query></iq>`,
      );
      await upstream.destroy();
    },
  };
  interface Talk {
    readonly client: BoshClient;
    readonly upstream: Awaited<ReturnType<typeof welcome>>;
  }
  for (const [what, ending] of Object.entries(endings)) {
    const client = new BoshClient(`${url}/http-bind`);
    const isKeyed = what === "a wrong key";
    const creating = client.create(`${CREATION} ${isKeyed ? `newkey='${keysOf(2)[0]}'` : ""}`);
    const upstream = await welcome(server);
    await creating;
    secrets.add(client.sid);
    await ending({ client, upstream }).catch(() => {});
    client.close();
  }

  // WebSocket: a login, then frames and messages that are none.
  for (
    const last of [
      message(1, `<body>${SAID}</body>`),
      `<message>${BROKEN}</wrong>`,
      BROKEN,
      `<!-- ${BROKEN} -->`,
      `<${BROKEN}`,
    ]
  ) {
    using socket = await RawWebSocket.connect(`${url}/xmpp-websocket`, { cookie: `a=${BROKEN}` });
    socket.text(OPEN);
    const upstream = await welcome(server);
    socket.text(auth("PLAIN", `\0alice\0${PASSWORD}`));
    await upstream.expect("</auth>");
    upstream.write(`<success ${SASL}>${secrets.sasl(`v=${BROKEN}`)}</success>`);
    await socket.message();
    socket.text(last);
    if (last.includes(SAID)) await upstream.expect("</message>");
    socket.frame(2, BROKEN);
    await settled();
  }
  for (
    const data of [
      new Uint8Array([0xff, ...new TextEncoder().encode(BROKEN)]),
      `${BROKEN}`.repeat(20_000),
    ]
  ) {
    using socket = await RawWebSocket.connect(`${url}/xmpp-websocket`);
    socket.frame(1, data);
    await settled();
  }
  for (
    const headers of [{ "sec-websocket-protocol": BROKEN }, { "sec-websocket-key": BROKEN }, {
      origin: BROKEN,
    }]
  ) {
    (await RawWebSocket.connect(`${url}/xmpp-websocket`, headers)).destroy();
  }

  // Requests that are none, and HTTP that is none.
  for (
    const body of [
      BROKEN,
      `<body>${BROKEN}`,
      `<!DOCTYPE x [<!ENTITY a "${BROKEN}">]><body/>`,
      bodyOf(`rid='1' sid='${BROKEN}' key='${BROKEN}'`, message(1, BROKEN)),
      bodyOf(`rid='${BROKEN}' to='example.test'`),
      bodyOf(`rid='1' to='example.test' stream_attrs='{"${BROKEN}":'`),
      bodyOf(
        `rid='1' to='example.test' content='${BROKEN}' route='${BROKEN}' from='${BROKEN}'`,
        BROKEN,
      ),
      BROKEN.repeat(20_000),
    ]
  ) await post(body);
  await post("<body/>", {
    "Content-Type": `text/xml; charset=${BROKEN}`,
    "Content-Encoding": `gzip, ${BROKEN}`,
  });
  await post(
    "x",
    { "X-Forwarded-For": BROKEN, "Forwarded": `for="${BROKEN}"`, "Referer": BROKEN },
    `/${BROKEN}?${BROKEN}`,
  );
  const query = encodeURIComponent(bodyOf(`rid='1' sid='${BROKEN}'`));
  for (
    const target of [
      `/http-bind?data=${query}`,
      `/http-bind?data=${query}&callback=${BROKEN}(`,
      `/http-bind?${query}`,
    ]
  ) {
    const connection = new HttpConnection(url);
    await connection.send({ method: "GET", target });
    connection.abort();
  }
  for (
    const octets of [
      `${BROKEN}\r\n\r\n`,
      `GET /${BROKEN} HTTP/1.1\r\n${BROKEN} : x\r\n\r\n`,
      `POST /http-bind HTTP/1.1\r\nHost: ${BROKEN}@\r\n\r\n`,
      `POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n${BROKEN}`,
      `POST /http-bind HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${BROKEN}\r\n`,
    ]
  ) await raw(octets);

  // Servers whose TLS is not right, while what the client has said waits.
  for (const to of ["wrong.test", "refuses.test", "nowhere.test"]) {
    const client = new BoshClient(`${url}/http-bind`);
    await client.create(CREATION.replace("example.test", to), auth("PLAIN", `\0bob\0${PASSWORD}`))
      .catch(() => {});
    client.close();
  }
}

/** Servers for {@link live}, and the configuration that leads to them. */
class Servers implements AsyncDisposable {
  readonly main: ScriptedServer;
  readonly wrong: ScriptedServer;
  readonly refusing: ScriptedServer;
  /** Tables of a configuration. */
  readonly toml: string;

  private constructor(main: ScriptedServer, wrong: ScriptedServer, refusing: ScriptedServer) {
    this.main = main;
    this.wrong = wrong;
    this.refusing = refusing;
    const place = (name: string, scheme: string, port: number) =>
      `[domains."${name}"]\nconnect = "${scheme}://127.0.0.1:${port}"\nca = "${authorityFile}"\n`;
    this.toml = "[upstream]\nconnect_timeout = 5\n" +
      place("example.test", "xmpp", main.port) + place("wrong.test", "xmpps", wrong.port) +
      place("refuses.test", "xmpp", refusing.port) + place("nowhere.test", "xmpp", 1);
  }

  static async start(): Promise<Servers> {
    const servers = new Servers(
      await ScriptedServer.listen(),
      await ScriptedServer.listen({ certificate: "other.test", direct: true }),
      await ScriptedServer.listen(),
    );
    void (async () => {
      for (;;) {
        const upstream = await servers.refusing.accept();
        await nextHeader(upstream);
        upstream.write(streamHeader("1") + streamFeatures(STARTTLS));
        await upstream.expect("<starttls");
        upstream.write(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>${BROKEN}`);
        upstream.end();
      }
    })().catch(() => {});
    return servers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.main, this.wrong, this.refusing]) {
      await server[Symbol.asyncDispose]();
    }
  }
}

for (const [format, front] of [["text", "sockets"], ["json", "deno"]] as const) {
  Deno.test(
    "S-004 the program's log of all that can happen has no password, sid, key, SASL or stanza in it" +
      ` (${front}, ${format})`,
    async () => {
      const secrets = new Secrets();
      await using servers = await Servers.start();
      using folder = temporaryFolder();
      const file = join(folder.path, "causeway.toml");
      const password = secrets.add("the-keys-own-password") && "the-keys-own-password";
      await Deno.writeTextFile(join(folder.path, "password"), `${password}\n`);
      const listen = (front: Front, tls = "") =>
        `[[listen]]\nport = 0\nserver = "${front}"\n${tls}\n`;
      const [cert, key] = [fileOf("example.test.pem"), fileOf("example.test.key")];
      const files = `cert = "${cert}", key = "${key}"`;
      const configure = (tls: string) =>
        Deno.writeTextFile(
          file,
          listen(front) + listen("sockets", tls) +
            `[log]\nlevel = "debug"\nformat = "${format}"\n${servers.toml}`,
        );
      await configure(`tls = { ${files} }`);
      await using causeway = new ServeProcess(["serve", "--config", file]);
      const url = await causeway.url;
      await live(url, servers.main, secrets);
      const tls = await causeway.urlOf(1);
      const { port } = new URL(tls);
      for (
        const octets of [`GET /${BROKEN} HTTP/1.1\r\nHost: x\r\n\r\n`, `\x16\x03\x01${BROKEN}`]
      ) {
        const socket = net.connect(Number(port), "127.0.0.1");
        socket.on("error", () => {});
        socket.write(octets);
        await new Promise((resolve) => socket.resume().once("close", resolve));
      }
      // What is read anew, with mistakes around passwords.
      const locked = `cert = "${cert}", key = "${lockedKey(folder.path)}"`;
      for (
        const table of [
          `{ ${locked}, key_password_file = "${join(folder.path, "password")}" }`,
          `{ ${locked}, key_password_file = "${password}" }`,
          `{ ${locked}, key_password = "${password}" }`,
          `{ ${locked}, key_password_file = ["${password}"] }`,
          `{ ${locked}, key_password_file = "${password} `,
        ]
      ) {
        await configure(`tls = ${table}`);
        causeway.hangUp();
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const { code, stdout, stderr } = await causeway.terminate();
      assert.equal(code, 0, stderr);
      secrets.assertAbsent(stdout + stderr);
      for (
        const what of [
          "session created",
          "session ended",
          "upstream connected",
          "upstream failed",
          "stanzas not delivered",
          "TLS handshake failed",
          "the configuration stays as it is",
        ]
      ) assert.ok(stderr.includes(what), `"${what}" is not in the log: ${stderr}`);
      assert.ok(!stderr.includes("fault"), stderr);
    },
  );
}

onBothFronts("S-004 no event but those of faults and lost stanzas has a secret in it", async () => {
  const secrets = new Secrets();
  await using servers = await Servers.start();
  const events = await eventsOf(servers, secrets);
  const told = events.filter(({ type }) => type !== "undelivered" && type !== "fault");
  assert.ok(told.length > 40, `${told.length} events`);
  secrets.assertAbsent(told.map((event) => JSON.stringify(event)).join("\n"));
  assert.ok(events.some(({ type }) => type === "undelivered"));
  assert.deepEqual(events.filter(({ type }) => type === "fault"), []);
});

Deno.test("S-004 what errors say that are thrown in the program is not in its log", async () => {
  await using causeway = new ServeProcess([], {}, "tests/support/leaking_service.ts");
  const url = await causeway.url;
  const secret = "thrown-and-secret";
  for (const how of ["handler", "timer", "promise", "json"]) {
    const response = await fetch(`${url}/throw?${how}&${secret}`);
    assert.equal(response.status, how === "handler" || how === "json" ? 500 : 200);
    assert.ok(!(await response.text()).includes(secret));
  }
  // What a timer and a promise threw is told a moment later.
  await settled();
  const { stdout, stderr } = await causeway.terminate();
  assert.equal(stderr.match(/fault in Causeway/g)?.length, 4, stderr);
  new Secrets().add(secret).assertAbsent(stdout + stderr);
  assert.match(stderr, /SyntaxError.*at JSON\.parse.*leaking_service/);
});

/** All that happened to a connection manager, its end included. */
async function eventsOf(servers: Servers, secrets: Secrets): Promise<readonly ManagerEvent[]> {
  await using running = await runManager({ toml: servers.toml });
  await live(running.url, servers.main, secrets);
  return running.events;
}

/** The key of example.test, locked with another password than those that are tried. */
function lockedKey(folder: string): string {
  const path = join(folder, "locked.key");
  Deno.writeTextFileSync(
    path,
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" +
      "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBAAAAAAAAAAAAAAAAAA\n" +
      "AAAAAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQAAAAAAAAAAAAAAAA\n" +
      "-----END ENCRYPTED PRIVATE KEY-----\n",
  );
  return path;
}

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = Deno.makeTempDirSync();
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}
