/** Every way in which a session may be left. Each does its part, and returns without tidying up. */
import { bodyOf, HTTPBIND } from "../support/bosh_client.ts";
import { HANDSHAKE } from "../support/raw_websocket.ts";
import { clientFrame, close, ping, text } from "../support/rfc6455.ts";
import { type Line, SERVERS, type World } from "./world.ts";

/** Opens one session, or tries to, uses it and leaves it. */
export type Scenario = (world: Leaving) => Promise<void>;

/** A world that knows the lines of whoever has been in it. */
export class Leaving {
  readonly #world: World;
  readonly lines: Line[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  async connect(): Promise<Line> {
    const line = await this.#world.connect();
    this.lines.push(line);
    return line;
  }
}

// ---- BOSH

const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABz</auth>";
const MESSAGE = "<message xmlns='jabber:client'><body>hello</body></message>";
const ANSWER = /HTTP\/1\.1 \d\d\d [^]*?<body [^>]*(?:\/>|[^/]>[^]*?<\/body>)/;

class Bosh {
  readonly line: Line;
  readonly #world: Leaving;
  #rid = 1_000;
  #sid = "";

  private constructor(world: Leaving, line: Line) {
    this.#world = world;
    this.line = line;
  }

  /** Asks for a session with one of the servers, and does not wait for it. */
  static async ask(world: Leaving, server: string, { hold = 1 } = {}): Promise<Bosh> {
    const bosh = new Bosh(world, await world.connect());
    const wanted = `to='${server}' wait='60' hold='${hold}' ver='1.11' xml:lang='en' ` +
      "xmpp:version='1.0' ack='1'";
    bosh.line.write(post(bodyOf(`rid='${bosh.#rid}' ${wanted}`), `${someAddress()}\r\n`));
    return bosh;
  }

  static async create(world: Leaving, server: string, { hold = 1 } = {}): Promise<Bosh> {
    const bosh = await Bosh.ask(world, server, { hold });
    const answer = await bosh.answer();
    bosh.#sid = /sid='([^']*)'/.exec(answer)?.[1] ?? "";
    if (bosh.#sid === "") throw new Error(`no session: ${answer}`);
    return bosh;
  }

  static async login(world: Leaving): Promise<Bosh> {
    const bosh = await Bosh.create(world, SERVERS.fine);
    await bosh.request(AUTH);
    await bosh.request("", "xmpp:restart='true'");
    return bosh;
  }

  send(content = "", attributes = "", { line = this.line, ahead = 0, again = 0 } = {}): void {
    const rid = again > 0 ? this.#rid - again + 1 : this.#rid + 1 + ahead;
    if (again === 0 && ahead === 0) this.#rid++;
    line.write(post(bodyOf(`rid='${rid}' sid='${this.#sid}' ${attributes}`, content)));
  }

  answer(line = this.line): Promise<string> {
    return line.expect(ANSWER);
  }

  request(content = "", attributes = ""): Promise<string> {
    this.send(content, attributes);
    return this.answer();
  }

  /** A second connection. */
  another(): Promise<Line> {
    return this.#world.connect();
  }
}

function post(body: string, more = ""): string {
  return "POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml; charset=utf-8\r\n" +
    `${more}Content-Length: ${body.length}\r\n\r\n${body}`;
}

const HALF = post("x".repeat(15_000)).slice(0, -1_000);

let clients = 0;

/** A header by which each client is another one, for a while: what is known of addresses is to go too. */
function someAddress(): string {
  const client = clients++ % 65_536;
  return `X-Forwarded-For: 198.18.${client >> 8 & 255}.${client & 255}`;
}

const bosh: Record<string, Scenario> = {
  async "before features"(world) {
    await Bosh.ask(world, SERVERS.mute);
  },
  async "before features, and the client is lost"(world) {
    (await Bosh.ask(world, SERVERS.mute)).line.destroy();
  },
  async "before it is answered"(world) {
    (await Bosh.ask(world, SERVERS.fine)).line.destroy();
  },
  async "with features"(world) {
    await Bosh.create(world, SERVERS.fine);
  },
  async "during SASL"(world) {
    const { line } = await sent(Bosh.create(world, SERVERS.fine), AUTH);
    line.destroy();
  },
  async "after SASL"(world) {
    await (await Bosh.create(world, SERVERS.fine)).request(AUTH);
  },
  async "logged in"(world) {
    await Bosh.login(world);
  },
  async "in a gap"(world) {
    const session = await Bosh.login(world);
    session.send(MESSAGE, "", { ahead: 1 });
  },
  async "in a gap, and the client is lost"(world) {
    const session = await Bosh.login(world);
    session.send(MESSAGE, "", { ahead: 1 });
    session.line.destroy();
  },
  async "paused"(world) {
    await (await Bosh.login(world)).request("", "pause='100'");
  },
  async "with held requests"(world) {
    const session = await Bosh.create(world, SERVERS.fine, { hold: 2 });
    session.send();
    session.send("", "", { line: await session.another() });
  },
  async "with a held request, and the client is lost"(world) {
    const session = await Bosh.login(world);
    session.send();
    session.line.destroy();
  },
  async "with a held request, and the client has closed its side"(world) {
    const session = await Bosh.login(world);
    session.send();
    session.line.end();
  },
  async "with a held request that is repeated elsewhere"(world) {
    const session = await Bosh.login(world);
    session.send();
    // Both connections wait for half a second, and that is how they are left.
    session.send("", "", { again: 1, line: await session.another() });
  },
  async "with kept answers"(world) {
    const session = await Bosh.login(world);
    for (let i = 0; i < 3; i++) await session.request(MESSAGE);
    session.send(MESSAGE, "", { again: 1 });
    await session.answer();
  },
  async "with stanzas that nobody took"(world) {
    const session = await Bosh.login(world);
    // The pause answers its request before the message comes back.
    await session.request(MESSAGE, "pause='20'");
  },
  async "upstream lost, and a request is held"(world) {
    const session = await sent(Bosh.create(world, SERVERS.lost), MESSAGE);
    await session.answer();
  },
  async "upstream lost, and nobody listens"(world) {
    const { line } = await sent(Bosh.create(world, SERVERS.lost), MESSAGE);
    line.destroy();
  },
  async "upstream refuses the stream"(world) {
    const session = await Bosh.ask(world, SERVERS.gone);
    await session.line.expect(/condition='remote-stream-error'/);
  },
  async "upstream cannot be dialled"(world) {
    const session = await Bosh.ask(world, SERVERS.refusing);
    await session.line.expect(/condition='remote-connection-failed'/);
  },
  async "upstream does not speak TLS"(world) {
    const session = await Bosh.ask(world, SERVERS.untls);
    await session.line.expect(/condition='remote-connection-failed'/);
  },
  async "terminated"(world) {
    await (await Bosh.login(world)).request("", "type='terminate'");
  },
  async "terminated beside a held request"(world) {
    const session = await Bosh.login(world);
    session.send();
    const line = await session.another();
    session.send(MESSAGE, "type='terminate'", { line });
    await session.answer(line);
  },
  async "ended by a request far outside of the window"(world) {
    const session = await Bosh.login(world);
    session.send("", "", { ahead: 50 });
    await session.line.expect(/condition='item-not-found'/);
  },
  async "ended by a body that cannot be read"(world) {
    const session = await Bosh.login(world);
    await session.request("<message>");
  },
  async "with two streams"(world) {
    const session = await Bosh.login(world);
    await session.request("", `to='${SERVERS.fine}' xmpp:version='1.0' xml:lang='en'`);
    await session.request(MESSAGE);
  },
  async "with a second stream that cannot be dialled"(world) {
    const session = await Bosh.login(world);
    await session.request("", `to='${SERVERS.refusing}' xmpp:version='1.0' xml:lang='en'`);
  },
  async "by script syntax"(world) {
    const line = await world.connect();
    const body = bodyOf(`rid='1' to='${SERVERS.fine}' wait='60' hold='1' ver='1.11'`);
    line.write(`GET /http-bind?${encodeURIComponent(body)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await line.expect(/_BOSH_\("[^]*sid=/);
  },
  async "creation refused: a stranger's domain"(world) {
    await (await Bosh.ask(world, "stranger.test")).line.expect(/condition='host-unknown'/);
  },
  async "creation refused: not XML"(world) {
    const line = await world.connect();
    line.write(post("<body"));
    await line.expect(/condition='bad-request'/);
  },
  async "creation refused: too long"(world) {
    const line = await world.connect();
    line.write(post(bodyOf(`rid='1' to='${SERVERS.fine}'`, "x".repeat(20_000))));
    await line.expect(/ 413 /);
  },
  async "no such session"(world) {
    const line = await world.connect();
    line.write(post(bodyOf("rid='1' sid='nobody'")));
    await line.expect(/condition='item-not-found'/);
  },
  async "half of a head"(world) {
    (await world.connect()).write("POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-");
  },
  async "half of a body"(world) {
    (await world.connect()).write(HALF);
  },
  async "half of a body, and the client is lost"(world) {
    const line = await world.connect();
    line.write(HALF);
    line.destroy();
  },
  async "half of a chunk"(world) {
    const head = "POST /http-bind HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    (await world.connect()).write(`${head}100\r\n<body xmlns='${HTTPBIND}'`);
  },
  async "no HTTP at all"(world) {
    const line = await world.connect();
    line.write("\x16\x03\x01 hello\r\n\r\n");
    await line.expect(/ 400 /);
  },
  async "nothing but a connection"(world) {
    await world.connect();
  },
  async "several requests behind each other"(world) {
    const session = await Bosh.login(world);
    for (let i = 0; i < 2; i++) session.send(MESSAGE);
    session.line.write("GET /http-bind HTTP/1.1\r\nHost: x\r\n\r\n".repeat(5));
    await session.answer();
    session.line.destroy();
  },
};

/** The session has sent this. */
async function sent(creating: Promise<Bosh>, content: string): Promise<Bosh> {
  const session = await creating;
  session.send(content);
  return session;
}

// ---- WebSocket

const OPEN = (server: string) =>
  `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='${server}' version='1.0'/>`;
const CLOSE = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";

async function upgrade(world: Leaving): Promise<Line> {
  const line = await world.connect();
  line.write(handshake());
  await line.expect(/^HTTP\/1\.1 101 [^]*?\r\n\r\n/);
  return line;
}

function handshake(more: Record<string, string> = {}): string {
  const headers = { ...HANDSHAKE, ...more };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET /xmpp-websocket HTTP/1.1\r\nhost: x\r\n${someAddress()}\r\n${lines.join("")}\r\n`;
}

async function opened(world: Leaving, server: string = SERVERS.fine): Promise<Line> {
  const line = await upgrade(world);
  line.write(text(OPEN(server)));
  await line.expect(/<\/stream:features>/);
  return line;
}

async function loggedIn(world: Leaving): Promise<Line> {
  const line = await opened(world);
  line.write(text(AUTH));
  await line.expect(/<success [^]*\/>/);
  line.write(text(OPEN(SERVERS.fine)));
  await line.expect(/<\/stream:features>/);
  return line;
}

const websocket: Record<string, Scenario> = {
  async "WebSocket: mid handshake"(world) {
    (await world.connect()).write(handshake().slice(0, -2));
  },
  async "WebSocket: mid handshake, and the client is lost"(world) {
    const line = await world.connect();
    line.write(handshake().slice(0, -2));
    line.destroy();
  },
  async "WebSocket: handshake refused"(world) {
    const line = await world.connect();
    line.write(handshake({ "sec-websocket-version": "8" }));
    await line.expect(/ 426 /);
  },
  async "WebSocket: nothing opened"(world) {
    await upgrade(world);
  },
  async "WebSocket: nothing opened, and the client is lost"(world) {
    (await upgrade(world)).destroy();
  },
  async "WebSocket: before features"(world) {
    (await upgrade(world)).write(text(OPEN(SERVERS.mute)));
  },
  async "WebSocket: before features, and the client is lost"(world) {
    const line = await upgrade(world);
    line.write(text(OPEN(SERVERS.mute)));
    line.destroy();
  },
  async "WebSocket: during SASL"(world) {
    (await opened(world)).write(text(AUTH));
  },
  async "WebSocket: logged in"(world) {
    await loggedIn(world);
  },
  async "WebSocket: logged in, and the client is lost"(world) {
    const line = await loggedIn(world);
    line.write(text(MESSAGE));
    line.destroy();
  },
  async "WebSocket: logged in, and the client has closed its side"(world) {
    (await loggedIn(world)).end();
  },
  async "WebSocket: mid message"(world) {
    (await loggedIn(world)).write(text(MESSAGE).slice(0, -5));
  },
  async "WebSocket: mid message, and the client is lost"(world) {
    const line = await loggedIn(world);
    line.write(text(MESSAGE).slice(0, -5));
    line.destroy();
  },
  async "WebSocket: between two fragments"(world) {
    (await loggedIn(world)).write(text(MESSAGE, false));
  },
  async "WebSocket: with messages"(world) {
    const line = await loggedIn(world);
    for (let i = 0; i < 3; i++) {
      line.write(text(MESSAGE));
      await line.expect(/<\/message>/);
    }
  },
  async "WebSocket: closed in good order"(world) {
    const line = await loggedIn(world);
    line.write(text(CLOSE));
    await line.expect(/<close [^]*\/>/);
    line.write(close(1000));
  },
  async "WebSocket: closed, and the closing not answered"(world) {
    (await loggedIn(world)).write(text(CLOSE));
  },
  async "WebSocket: a close frame alone"(world) {
    (await loggedIn(world)).write(close());
  },
  async "WebSocket: upstream lost"(world) {
    const line = await opened(world, SERVERS.lost);
    line.write(text(MESSAGE));
    await line.expect(/remote-connection-failed/);
  },
  async "WebSocket: upstream cannot be dialled"(world) {
    const line = await upgrade(world);
    line.write(text(OPEN(SERVERS.refusing)));
    await line.expect(/remote-connection-failed/);
  },
  async "WebSocket: upstream does not speak TLS"(world) {
    const line = await upgrade(world);
    line.write(text(OPEN(SERVERS.untls)));
    await line.expect(/remote-connection-failed/);
  },
  async "WebSocket: a stranger's domain"(world) {
    const line = await upgrade(world);
    line.write(text(OPEN("stranger.test")));
    await line.expect(/host-unknown/);
  },
  async "WebSocket: a binary message"(world) {
    (await loggedIn(world)).write(clientFrame({ opcode: 2, payload: "x" }));
  },
  async "WebSocket: a message that is too long"(world) {
    (await loggedIn(world)).write(text("x".repeat(10_001)));
  },
  async "WebSocket: a frame that is not masked"(world) {
    (await loggedIn(world)).write(clientFrame({ opcode: 1, payload: "x", masked: false }));
  },
  async "WebSocket: no XML"(world) {
    const line = await loggedIn(world);
    line.write(text("<a></b>"));
    await line.expect(/not-well-formed/);
  },
  async "WebSocket: a ping, and the client is lost"(world) {
    const line = await loggedIn(world);
    line.write(ping("ping"));
    line.destroy();
  },
  async "WebSocket: the older framing"(world) {
    const line = await upgrade(world);
    const attributes = `to='${SERVERS.fine}' version='1.0' xmlns='jabber:client' ` +
      "xmlns:stream='http://etherx.jabber.org/streams'";
    line.write(text(`<stream:stream ${attributes}>`));
    await line.expect(/<\/stream:features>/);
  },
};

export const SCENARIOS: Readonly<Record<string, Scenario>> = { ...bosh, ...websocket };
