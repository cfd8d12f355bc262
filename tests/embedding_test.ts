import assert from "node:assert/strict";
import type { Config } from "../src/config/config.ts";
import { ConnectionManager, readPayloads } from "../src/mod.ts";
import { BoshClient } from "./support/bosh_client.ts";
import { configOf } from "./support/manager.ts";
import { HANDSHAKE, RawWebSocket } from "./support/raw_websocket.ts";
import {
  MECHANISMS,
  ScriptedServer,
  streamFeatures,
  streamHeader,
} from "./support/upstream_server.ts";

const PAGE = new URL("../docs/embedding.md", import.meta.url);
Deno.test("docs/embedding.md: an embedder serves something that is no XMPP server", async () => {
  const { manager } = await example<{ manager: ConnectionManager }>(1);
  await serving(manager, async (url) => {
    const client = new BoshClient(`${url}/http-bind`);
    const creation = await client.create("to='echo.example' wait='10' hold='1' ver='1.6'");
    assert.equal(creation.payloads[0]?.name, "features");
    const answer = await client.ask("", "<presence/><message id='1'><body>x</body></message>");
    assert.deepEqual(answer.payloads.map(({ attributes }) => attributes.get("id")?.value), ["1"]);
    const restarted = await client.ask("xmpp:restart='true'");
    assert.equal(restarted.payloads[0]?.name, "features");
    assert.equal((await client.ask("type='terminate'")).type, "terminate");
    client.close();

    const socket = await RawWebSocket.connect(`${url}/xmpp-websocket`, HANDSHAKE);
    socket.text(
      "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='echo.example' version='1.0'/>",
    );
    assert.match(await socket.message(), /^<open /);
    assert.match(await socket.message(), /^<stream:features/);
    socket.text("<message id='2'/>");
    assert.equal(await socket.message(), "<message xmlns='jabber:client' id='2'/>");
    socket.destroy();
  });
});

Deno.test("docs/embedding.md: an embedder watches every stream", async () => {
  const { start, seen, happened } = await example<{
    start(config: Config): ConnectionManager;
    seen: Record<string, number>;
    happened: string[];
  }>(2);
  await using server = await ScriptedServer.listen();
  const manager = start(configOf(
    `[domains."example.test"]\nconnect = "xmpp://127.0.0.1:${server.port}"\ntls = "never"`,
  ));
  await serving(manager, async (url) => {
    const client = new BoshClient(`${url}/http-bind`);
    const creating = client.create("to='example.test' wait='10' hold='1' ver='1.6' ack='1'");
    const upstream = await server.accept();
    await upstream.expect("version='1.0'>");
    upstream.write(streamHeader("1") + streamFeatures(MECHANISMS));
    const creation = await creating;
    const request = client.send(`ack='${creation.get("ack")}'`, "<message/>");
    await upstream.expect("<message/>");
    upstream.write("<presence/><iq/>");
    assert.equal((await request.answer).payloads.length, 2);
    const restart = client.send("xmpp:restart='true'");
    await upstream.expect("version='1.0'>");
    upstream.write(streamHeader("2") + streamFeatures());
    await restart.answer;
    const terminate = client.send("type='terminate'");
    await upstream.expect("</stream:stream>");
    upstream.write("</stream:stream>");
    await terminate.answer;
    client.close();
  });
  assert.deepEqual(seen, { streams: 1, up: "<message/>".length, down: 4, restarts: 1 });
  assert.deepEqual(happened, [
    "session-created",
    "upstream-connected",
    "responses-acknowledged",
    "session-ended",
  ]);
});

Deno.test("docs/embedding.md lists every event there is", async () => {
  const source = await Deno.readTextFile(new URL("../src/events.ts", import.meta.url));
  const types = [...source.matchAll(/readonly type: "([a-z-]+)"/g)].map(([, type]) => type);
  assert.ok(types.length > 5);
  const page = await Deno.readTextFile(PAGE);
  const [, table = ""] = page.split("## Events");
  const listed = [...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, type]) => type);
  for (const type of types) assert.ok(listed.includes(type), type);
});

Deno.test("payloads that an embedder makes up are those of a client's stream, or an error", () => {
  const [features, message, other] = readPayloads(
    "<stream:features/> <message a='1'><x/></message><y xmlns='urn:y'/>",
  );
  assert.equal(features?.namespace, "http://etherx.jabber.org/streams");
  assert.equal(message?.namespace, "jabber:client");
  assert.equal(new TextDecoder().decode(message?.bytes), "<message a='1'><x/></message>");
  assert.equal(other?.namespace, "urn:y");
  assert.deepEqual(readPayloads(""), []);
  for (const wrong of ["<a", "<a>", "text", "<a/></stream:stream>", "<p:a/>", "<!-- -->"]) {
    assert.throws(() => readPayloads(wrong), SyntaxError, wrong);
  }
});

/** What an example of the page exports. */
async function example<T>(number: number): Promise<T> {
  const page = await Deno.readTextFile(PAGE);
  const [, ...blocks] = page.split("```ts\n");
  const source = blocks[number - 1]!.split("```")[0]!
    .replace('"../src/mod.ts"', JSON.stringify(new URL("../src/mod.ts", import.meta.url).href));
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, source);
    const config = new URL("../deno.json", import.meta.url).pathname;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "--config", config, file],
      env: { NO_COLOR: "1" },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return await import(`file://${file}`);
  } finally {
    await Deno.remove(file);
  }
}

/** Serves it as an embedder would, for as long as it is used. */
async function serving(
  manager: ConnectionManager,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, manager.fetch);
  try {
    await use(`http://127.0.0.1:${server.addr.port}`);
  } finally {
    await manager.shutdown();
    await server.shutdown();
  }
}
