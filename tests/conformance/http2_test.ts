/** BOSH by HTTP/2, as browsers choose it in TLS: all requests on one connection. */
import assert from "node:assert/strict";
import { bodyOf, type BoshResponse, readResponse } from "../support/bosh_client.ts";
import { fileOf } from "../support/certificates/certificates.ts";
import { onFront } from "../support/fronts.ts";
import { H2Client } from "../support/h2_client.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import type { ScriptedConnection } from "../support/upstream_server.ts";
import { OPEN } from "../support/websocket_conversation.ts";
import { CREATION, idsOf, message, pass, Stage } from "./stage.ts";

const TLS = `server = "deno"
tls = { cert = "${fileOf("example.test.pem")}", key = "${fileOf("example.test.key")}" }`;

/** A connection, and a place where TLS is. */
interface Shared extends AsyncDisposable {
  readonly stage: Stage;
  readonly client: H2Client;
  readonly url: string;
}

async function connected(): Promise<Shared> {
  const stage = await Stage.set({ listen: TLS });
  const url = stage.running.url.replace("127.0.0.1", "example.test");
  const client = await H2Client.connect(url);
  assert.equal(client.alpn, "h2");
  return {
    stage,
    client,
    url,
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]();
      client[Symbol.dispose]();
    },
  };
}

/** A session whose requests share a connection with others. */
class Session {
  sid = "";
  /** The highest rid that was sent. */
  rid = 0;
  upstream!: ScriptedConnection;
  readonly #client: H2Client;

  private constructor(client: H2Client) {
    this.#client = client;
  }

  static async open({ stage, client }: Shared): Promise<Session> {
    const session = new Session(client);
    const creating = session.send(CREATION);
    session.upstream = await stage.welcome();
    session.sid = (await creating).get("sid")!;
    return session;
  }

  async send(attributes = "", content = "", { rid = ++this.rid, signal }: {
    readonly rid?: number;
    readonly signal?: AbortSignal;
  } = {}): Promise<BoshResponse> {
    const sid = this.sid && `sid='${this.sid}'`;
    const body = bodyOf(`rid='${rid}' ${sid} ${attributes}`, content);
    const request = { method: "POST", path: "/http-bind", body };
    const answer = await this.#client.send(signal ? { ...request, signal } : request);
    assert.equal(answer.status, 200);
    return readResponse(answer);
  }
}

onFront(
  "deno",
  "B-018 B-056 requests that overtake each other on one connection of HTTP/2 are served in their order",
  async () => {
    await using shared = await connected();
    const session = await Session.open(shared);
    const first = session.rid + 1;
    const later = session.send("", message("b"), { rid: first + 1 });
    const sooner = session.send("", message("a"), { rid: first });
    assert.match(await session.upstream.expect("id='b'"), /id='a'.*id='b'/);
    assert.deepEqual(idsOf(await sooner), []);
    session.upstream.write(message("down"));
    assert.deepEqual(idsOf(await later), ["down"]);
  },
);

onFront(
  "deno",
  "B-018 B-060 B-097 a repeated rid gets the same answer on one connection of HTTP/2, and is forwarded once",
  async () => {
    await using shared = await connected();
    const session = await Session.open(shared);
    const asked = session.send("", message("up"));
    await session.upstream.expect("</message>");
    session.upstream.write(message("down"));
    const { text } = await asked;
    assert.match(text, /id='down'/);
    for (let i = 0; i < 3; i++) {
      assert.equal((await session.send("", message("up"), { rid: session.rid })).text, text);
    }
    const held = session.send();
    session.send("", message("next"));
    assert.equal((await held).payloads.length, 0);
    assert.equal(await session.upstream.expect("</message>"), message("next"));
  },
);

onFront(
  "deno",
  "B-018 B-061 forty sessions hold their requests on one connection of HTTP/2, and each hears its own",
  async () => {
    await using shared = await connected();
    const sessions: Session[] = [];
    for (let i = 0; i < 40; i++) sessions.push(await Session.open(shared));
    const held = sessions.map((session) => session.send());
    // The connection is theirs, and goes on all the same.
    assert.equal((await shared.client.send({ path: "/http-bind" })).status, 200);
    for (const [index, { upstream }] of [...sessions.entries()].reverse()) {
      upstream.write(message(index));
    }
    assert.deepEqual(
      (await Promise.all(held)).map((answer) => idsOf(answer)),
      sessions.map((_, index) => [String(index)]),
    );
  },
);

onFront(
  "deno",
  "B-018 B-078 a request that its client takes back is not held any more, and others of the connection are",
  async () => {
    await using shared = await connected();
    const [leaving, staying] = [await Session.open(shared), await Session.open(shared)];
    const abort = new AbortController();
    const held = staying.send();
    leaving.send("", "", { signal: abort.signal }).catch(() => {});
    await pass(0.4);
    abort.abort();
    await pass(0.1);
    leaving.upstream.write(message("kept"));
    assert.deepEqual(idsOf(await leaving.send()), ["kept"]);
    staying.upstream.write(message("still"));
    assert.deepEqual(idsOf(await held), ["still"]);
  },
);

onFront(
  "deno",
  "B-018 W-001 beside HTTP/2, a WebSocket comes by HTTP/1.1 at the same place",
  async () => {
    await using shared = await connected();
    const session = await Session.open(shared);
    const held = session.send();
    using socket = await RawWebSocket.connect(`${shared.url}/xmpp-websocket`);
    assert.equal(socket.status, 101);
    socket.text(OPEN);
    await shared.stage.welcome();
    assert.match(await socket.message(), /^<open /);
    session.upstream.write(message("down"));
    assert.deepEqual(idsOf(await held), ["down"]);
  },
);
