/**
 * Certificates that change under load: sessions over BOSH and WebSocket, by TLS, go on. CERT_SESSIONS says
 * how many there are of each kind; with it, figures are told.
 */
import assert from "node:assert/strict";
import { bodyOf, HttpConnection } from "../support/bosh_client.ts";
import { certificate, type CertificateName } from "../support/certificates/certificates.ts";
import { AUTH, OPEN } from "../support/flood_probe.ts";
import { FloodUpstream, SERVERS } from "../support/flood_upstream.ts";
import { H2Client } from "../support/h2_client.ts";
import { until } from "../support/patience.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { subject } from "../support/tls_clients.ts";

const COUNT = Number(Deno.env.get("CERT_SESSIONS") ?? 4);
const isTold = Deno.env.has("CERT_SESSIONS");

/** Milliseconds that a session waits between two of its messages. */
const PAUSE = 20;

/** The name that both certificates are for. */
const NAME = "xmpp.example.test";

/** What has one session: it says something, and hears what came of it. */
interface Speaker {
  /** Payloads that came in answer, with others before them. */
  say(payload: string): Promise<string>;
  close(): void;
}

/** How often clients of BOSH had to repeat a request, for their connection was gone; by the listener's URL. */
const repeated = new Map<string, number>();

/** A client of BOSH, which repeats what it has no answer to, as all of them do. */
class BoshSpeaker implements Speaker {
  #sid = "";
  #rid = Math.floor(Math.random() * 1_000_000);
  readonly #url: string;
  readonly #post: (body: string) => Promise<string>;
  readonly close: () => void;

  constructor(url: string, post: (body: string) => Promise<string>, close: () => void) {
    this.#url = url;
    this.#post = post;
    this.close = close;
  }

  async open(): Promise<void> {
    const attributes = `to='${SERVERS.echo}' wait='20' hold='1' ver='1.6' xmpp:version='1.0'`;
    const answer = await this.#send(attributes, "");
    this.#sid = ` sid='${/ sid='([^']+)'/.exec(answer)![1]}'`;
    if (!/<stream:features/.test(answer)) assert.match(await this.#send("", ""), /<stream:feat/);
    assert.match(await this.#send("", AUTH), /<success /);
    await this.#send(`xmpp:restart='true' to='${SERVERS.echo}'`, "");
  }

  say(payload: string): Promise<string> {
    return this.#send("", payload);
  }

  async #send(attributes: string, content: string): Promise<string> {
    const body = bodyOf(`rid='${++this.#rid}'${this.#sid} ${attributes}`, content);
    for (let attempt = 0;; attempt++) {
      try {
        const answer = await this.#post(body);
        assert.doesNotMatch(answer, /type='(?:terminate|error)'/);
        return answer;
      } catch (error) {
        if (error instanceof assert.AssertionError || attempt === 5) throw error;
        repeated.set(this.#url, (repeated.get(this.#url) ?? 0) + 1);
      }
    }
  }
}

/** By HTTP/1.1, on one connection as long as that lasts. */
async function overHttp1(url: string): Promise<Speaker> {
  let connection: HttpConnection | undefined;
  const speaker = new BoshSpeaker(url, async (body) => {
    if (connection === undefined || connection.isClosed) {
      connection = new HttpConnection(`${url}/http-bind`);
    }
    const { status, headers, body: answer } = await connection.send({ body });
    assert.equal(status, 200);
    if (headers.get("connection") === "close") connection = undefined;
    return new TextDecoder().decode(answer);
  }, () => connection?.abort());
  await speaker.open();
  return speaker;
}

async function overHttp2(url: string): Promise<Speaker> {
  let client: H2Client | undefined;
  const speaker = new BoshSpeaker(url, async (body) => {
    try {
      client ??= await H2Client.connect(url);
      const { status, body: answer } = await client.send({ path: "/http-bind", body });
      // Deno's client (2.9) takes an answer that comes behind GOAWAY for an empty one.
      if (answer.length === 0) throw new Error("no answer");
      assert.equal(status, 200);
      return new TextDecoder().decode(answer);
    } catch (error) {
      client?.[Symbol.dispose]();
      client = undefined;
      throw error;
    }
  }, () => client?.[Symbol.dispose]());
  await speaker.open();
  return speaker;
}

async function overWebSocket(url: string): Promise<Speaker> {
  const socket = await RawWebSocket.connect(`${url}/xmpp-websocket`);
  const ask = async (message: string, answers: number) => {
    socket.text(message);
    let all = "";
    for (let i = 0; i < answers; i++) all += await socket.message();
    return all;
  };
  assert.match(await ask(OPEN(SERVERS.echo), 2), /<stream:features/);
  assert.match(await ask(AUTH, 1), /<success /);
  await ask(OPEN(SERVERS.echo), 2);
  return { say: (payload) => ask(payload, 1), close: () => socket.destroy() };
}

/** Listeners, and what comes to each. */
const LISTENERS = [
  { keys: 'server = "sockets"', clients: [overHttp1, overWebSocket] },
  { keys: 'server = "deno"', clients: [overHttp1, overHttp2, overWebSocket] },
  // Where there is no WebSocket, the former server goes at once.
  { keys: 'server = "deno"\nserve = ["bosh"]', clients: [overHttp1, overHttp2] },
] as const;

class Session {
  /** Messages that have come back, in their order. */
  messages = 0;
  readonly #speaker: Speaker;

  constructor(speaker: Speaker) {
    this.#speaker = speaker;
  }

  /** Sends messages, one when the one before it is back, until it is told to stop. */
  async talk(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const id = this.messages + 1;
      let heard = await this.#speaker.say(`<message xmlns='jabber:client' id='${id}'/>`);
      while (!/<message/.test(heard)) heard = await this.#speaker.say("");
      assert.deepEqual([...heard.matchAll(/<message[^>]* id='(\d+)'/g)].map(([, id]) => id), [
        String(id),
      ]);
      this.messages = id;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    this.#speaker.close();
  }
}

Deno.test("certificates change five times under load, and no session of either server is lost", async () => {
  await using upstream = await FloodUpstream.listen();
  const folder = await Deno.makeTempDir();
  const write = (name: CertificateName) => {
    Deno.writeTextFileSync(`${folder}/cert.pem`, certificate(name).cert);
    Deno.writeTextFileSync(`${folder}/key.pem`, certificate(name).key);
  };
  write("example.test");
  const tables = LISTENERS.map(({ keys }) =>
    `[[listen]]\nport = 0\n${keys}\ntls = { cert = "cert.pem", key = "key.pem" }\n`
  );
  await Deno.writeTextFile(
    `${folder}/causeway.toml`,
    `${
      tables.join("")
    }[domains."${SERVERS.echo}"]\nconnect = "xmpp://127.0.0.1:${upstream.port}"\n` +
      'tls = "never"\n',
  );
  await using service = new ServeProcess(["serve", "--config", `${folder}/causeway.toml`]);
  const ports: number[] = [];
  for (const index of LISTENERS.keys()) {
    ports.push(Number((await service.urlOf(index)).split(":").at(-1)));
  }
  const urls = ports.map((port) => `https://${NAME}:${port}`);
  const opening = LISTENERS.flatMap(({ clients }, index) =>
    clients.flatMap((open) => Array.from({ length: COUNT }, () => open(urls[index]!)))
  );
  const sessions = (await Promise.all(opening)).map((speaker) => new Session(speaker));
  let isOver = false;
  const talks = Promise.all(sessions.map((session) => session.talk(() => isOver)));
  const going = <T>(what: Promise<T>) =>
    Promise.race([what, talks.then(() => assert.fail("over"))]);
  const shows = async (name: CertificateName) => {
    for (const port of ports) {
      await until(
        async () => await subject(port).catch(() => "") === name || undefined,
        `port ${port} shows ${name}`,
      );
    }
  };
  for (const [round, name] of ROUNDS.entries()) {
    const before = sessions.map(({ messages }) => messages);
    write(name);
    // The last is noticed without a signal.
    if (round < ROUNDS.length - 1) service.hangUp();
    await going(shows(name));
    const goesOn = () => sessions.every(({ messages }, index) => messages > before[index]! + 2);
    await going(until(() => goesOn() || undefined, "every session goes on"));
  }
  isOver = true;
  await talks;
  // A signal that comes late finds that they have been read already, and reads them again.
  const times = () => service.stderr.match(/certificates read anew/g)?.length ?? 0;
  await until(() => times() >= ROUNDS.length * LISTENERS.length || undefined, "the log says so");
  assert.doesNotMatch(service.stderr, / (?:error|warn) /);
  assert.equal(repeated.get(urls[0]!) ?? 0, 0, "the sockets front closes no connection");
  if (isTold) {
    const messages = sessions.reduce((sum, session) => sum + session.messages, 0);
    // deno-lint-ignore no-console
    console.log(
      `${sessions.length} sessions, ${messages} messages there and back, none lost; ` +
        `${urls.map((url) => repeated.get(url) ?? 0)} requests of BOSH repeated`,
    );
  }
  await service.terminate();
  await Deno.remove(folder, { recursive: true });
});

const ROUNDS = ["wildcard", "example.test", "wildcard", "example.test", "wildcard"] as const;
