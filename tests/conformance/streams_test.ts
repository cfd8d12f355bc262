import assert from "node:assert/strict";
import type { BoshResponse } from "../support/bosh_client.ts";
import {
  type ScriptedConnection,
  ScriptedServer,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import {
  CREATION,
  farewell,
  gather,
  idsOf,
  message,
  nextHeader,
  Stage,
  type Talk,
} from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

/** A session with a stream to example.test and one to second.test. */
interface TwoStreams extends Talk {
  readonly first: string;
  readonly second: string;
  /** The second one's server side. */
  readonly other: ScriptedConnection;
}

class TwoServers implements AsyncDisposable {
  readonly stage: Stage;
  readonly second: ScriptedServer;

  private constructor(stage: Stage, second: ScriptedServer) {
    this.stage = stage;
    this.second = second;
  }

  static async set(bosh = ""): Promise<TwoServers> {
    const second = await ScriptedServer.listen();
    const stage = await Stage.set({
      bosh,
      more: `[domains."second.test"]\nconnect = "xmpp://127.0.0.1:${second.port}"\ntls = "never"`,
    });
    return new TwoServers(stage, second);
  }

  async open(): Promise<TwoStreams> {
    const talk = await this.stage.open();
    const opening = talk.client.send("to='second.test' xmpp:version='1.0'");
    const other = await this.second.accept();
    assert.match(await nextHeader(other), / to='second.test'/);
    other.write(streamHeader("other", "from='second.test' version='1.0'") + streamFeatures());
    const opened = await opening.answer;
    assert.equal(opened.payloads[0]?.name, "features");
    return { ...talk, first: streamOf(talk.creation), second: streamOf(opened), other };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    await this.second[Symbol.asyncDispose]();
  }
}

onBothFronts(
  "B-112a B-112 clients that write to on every request open no second stream by it",
  async () => {
    await using servers = await TwoServers.set();
    const { stage } = servers;
    const always = "to='example.test' xml:lang='en'";
    // libpurple's traffic, by its name and without: a 'to' beside payloads tells.
    for (const headers of [{ "User-Agent": "libpurple 2.14" }, {}]) {
      const { client, upstream } = await stage.open(CREATION, { headers });
      client.send(always, message("auth"));
      await upstream.expect("</message>");
      const restart = client.send(`${always} xmpp:restart='true'`);
      await nextHeader(upstream);
      upstream.write(streamHeader("2") + streamFeatures());
      await gather(client, 1, [restart]);
      client.send(always);
      client.send("to='second.test'", message("more"));
      await upstream.expect("</message>");
      await client.ask(`${always} type='terminate'`);
      await farewell(upstream);
    }
    const named = await stage.open(CREATION, { headers: { "User-Agent": "libpurple" } });
    const poll = named.client.send("to='second.test'");
    named.upstream.write(message(1));
    assert.deepEqual(idsOf(await poll.answer), ["1"]);
    assert.equal(stage.server.accepted, 3);
    assert.equal(servers.second.accepted, 0);
  },
);

onBothFronts(
  "B-112 off: no stream is named, and a to, route or from later is nothing",
  async () => {
    await using servers = await TwoServers.set("max_streams = 1");
    const { client, upstream, creation } = await servers.stage.open();
    assert.equal(creation.get("stream"), undefined);
    const poll = client.send("to='second.test' route='xmpp:127.0.0.1:1' from='a@b' xml:lang='de'");
    upstream.write(message(1));
    const answer = await poll.answer;
    assert.deepEqual(idsOf(answer), ["1"]);
    assert.equal(answer.get("stream"), undefined);
    assert.equal(servers.second.accepted, 0);
  },
);

onBothFronts(
  "B-113 an empty body with to opens another stream, whose answer says little more than its name",
  async () => {
    await using servers = await TwoServers.set();
    const { client, upstream, creation, first, second } = await servers.open();
    assert.match(first, /^[A-Za-z0-9_-]{16,}$/);
    assert.match(second, /^[A-Za-z0-9_-]{16,}$/);
    assert.notEqual(first, second);
    assert.notEqual(first, creation.get("sid"));
    // That nothing of a creation response is in it, the client checked.
    const poll = client.send();
    upstream.write(message(1));
    const answer = await poll.answer;
    assert.deepEqual([streamOf(answer), idsOf(answer)], [first, ["1"]]);
  },
);

onBothFronts(
  "B-113 a stream that may not be opened is ended by its name, and the session goes on",
  async () => {
    await using servers = await TwoServers.set("max_streams = 2");
    const { client, first, upstream } = await servers.open();
    const refused = await client.ask("to='second.test'");
    assert.deepEqual([refused.type, refused.condition], ["terminate", "policy-violation"]);
    assert.notEqual(streamOf(refused), first);
    const poll = client.send();
    upstream.write(message(1));
    assert.deepEqual(idsOf(await poll.answer), ["1"]);
  },
);

onBothFronts(
  "B-114 payloads go to the stream they name or to all, and every answer is of one",
  async () => {
    await using servers = await TwoServers.set();
    const { client, upstream, other, first, second } = await servers.open();
    const requests = [client.send(`stream='${second}'`, message("to second"))];
    assert.equal(await other.expect("</message>"), message("to second"));
    requests.push(client.send("", message("to all")));
    assert.equal(await other.expect("</message>"), message("to all"));
    assert.equal(await upstream.expect("</message>"), message("to all"));
    requests.push(client.send(`stream='${first}'`, message("to first")));
    assert.equal(await upstream.expect("</message>"), message("to first"));
    requests.push(client.send("stream='unheard-of'"));
    upstream.write(message("a1") + message("a2"));
    other.write(message("b1") + message("b2"));
    const answers = (await gather(client, 4, requests)).filter(({ payloads }) =>
      payloads.length > 0
    );
    const byStream = (name: string) =>
      idsOf(...answers.filter((answer) => streamOf(answer) === name));
    assert.deepEqual(byStream(first), ["a1", "a2"]);
    assert.deepEqual(byStream(second), ["b1", "b2"]);
  },
);

onBothFronts("B-115 a stream ends by itself; only with the last one the session does", async () => {
  await using servers = await TwoServers.set();
  const { client, upstream, other, first, second } = await servers.open();
  const ended = await client.ask(`stream='${second}' type='terminate'`, message("bye"));
  assert.deepEqual([ended.type, streamOf(ended)], ["terminate", second]);
  assert.equal(await farewell(other), `${message("bye")}</stream:stream>`);
  client.send(`stream='${second}'`, message("too late"));
  client.send(`stream='${first}'`, message("alive"));
  assert.equal(await upstream.expect("</message>"), message("alive"));
  const last = client.send(`stream='${first}' type='terminate'`);
  await farewell(upstream);
  await last.answer;
  assert.equal((await client.ask()).type, "terminate");
});

onBothFronts(
  "B-115 terminate without stream ends all; a stream that nobody knows ends the session",
  async () => {
    await using servers = await TwoServers.set();
    const all = await servers.open();
    await all.client.ask("type='terminate'", message("bye"));
    for (const side of [all.upstream, all.other]) {
      assert.equal(await farewell(side), `${message("bye")}</stream:stream>`);
    }
    const unknown = await servers.open();
    const { condition } = await unknown.client.ask("stream='unheard-of'", message("never"));
    assert.equal(condition, "item-not-found");
    assert.equal(await unknown.upstream.expectEnd(), "");
    assert.equal(await unknown.other.expectEnd(), "");
  },
);

onBothFronts("B-115 X-015 the failure of one server ends its stream and no other", async () => {
  await using servers = await TwoServers.set();
  const { client, upstream, other, second } = await servers.open();
  const poll = client.send();
  other.reset();
  const ended = await poll.answer;
  assert.deepEqual(
    [ended.type, ended.condition, streamOf(ended)],
    ["terminate", "remote-connection-failed", second],
  );
  const next = client.send();
  upstream.write(message(1));
  assert.deepEqual(idsOf(await next.answer), ["1"]);
});

function streamOf(response: BoshResponse): string {
  return response.get("stream") ?? assert.fail(`no stream in ${response.text}`);
}
