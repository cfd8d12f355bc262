/** What anybody may do who has not logged in, as seen from outside. */
import assert from "node:assert/strict";
import type { LimitName } from "../../src/events.ts";
import { bodyOf } from "../support/bosh_client.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";
import { until } from "../support/patience.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { CREATION, Stage } from "./stage.ts";

const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>";

function from(address: string) {
  return { headers: { "X-Forwarded-For": address } };
}

function met(stage: Stage): LimitName[] {
  return [...stage.running.manager.limitsReached.keys()];
}

onBothFronts(
  "S-007 so many sessions of one address and no more, by BOSH and WebSocket together; others have theirs",
  async () => {
    await using stage = await Stage.set({ limits: "sessions_per_address = 2" });
    stage.welcomeAll();
    const first = stage.client(from("192.0.2.1"));
    assert.ok((await first.create(CREATION)).get("sid"));
    using socket = await RawWebSocket.connect(`${stage.running.url}/xmpp-websocket`, {
      "x-forwarded-for": "192.0.2.1",
    });
    assert.equal(socket.status, 101);
    const refused = await stage.client(from("192.0.2.1")).create(CREATION);
    assert.equal(refused.get("condition"), "policy-violation");
    assert.match(refused.get("message") ?? "", /limits\.sessions_per_address/);
    using another = await RawWebSocket.connect(`${stage.running.url}/xmpp-websocket`, {
      "x-forwarded-for": "192.0.2.1",
    });
    assert.equal(another.status, 429);
    assert.deepEqual(another.headers.get("retry-after"), ["60"]);
    assert.deepEqual(met(stage), ["limits.sessions_per_address"]);
    assert.equal(stage.running.manager.limitsReached.get("limits.sessions_per_address"), 2);
    assert.equal(
      stage.running.events.filter(({ type }) => type === "limit-reached").length,
      1,
      "it is told once in a while",
    );
    assert.ok((await stage.client(from("192.0.2.2")).create(CREATION)).get("sid"));
    await first.ask("type='terminate'");
    assert.ok((await stage.client(from("192.0.2.1")).create(CREATION)).get("sid"));
  },
);

onBothFronts("S-007 so many sessions a minute from one address and no more", async () => {
  await using stage = await Stage.set({ limits: "new_sessions_per_minute = 3" });
  stage.welcomeAll();
  const create = () => stage.client(from("2001:db8:1:2::1")).create(CREATION);
  for (let i = 0; i < 3; i++) assert.ok((await create()).get("sid"));
  assert.match((await create()).get("message") ?? "", /limits\.new_sessions_per_minute/);
  const neighbour = await stage.client(from("2001:db8:1:2:3::1")).create(CREATION);
  assert.equal(neighbour.get("condition"), "policy-violation", "the same /64");
  stage.running.jump(20_000);
  assert.ok((await create()).get("sid"));
});

onBothFronts(
  "S-007 a session without authentication is over after limits.unauthenticated_time",
  async () => {
    await using stage = await Stage.set({ limits: "unauthenticated_time = 30" });
    const patient = CREATION.replace("wait='10'", "wait='60'");
    const stranger = await stage.open(patient);
    const known = await stage.open(patient);
    known.upstream.write(SUCCESS);
    await known.client.send().answer;
    const [held, other] = [stranger.client.send(), known.client.send()];
    using socket = await RawWebSocket.connect(`${stage.running.url}/xmpp-websocket`);
    socket.text(OPEN);
    await stage.welcome();
    await socket.message();
    stage.running.jump(31_000);
    const end = await held.answer;
    assert.equal(end.get("condition"), "policy-violation");
    assert.match(end.get("message") ?? "", /limits\.unauthenticated_time/);
    let text = "";
    while (!text.includes("stream:error")) text = await socket.message();
    assert.match(text, /policy-violation.*limits\.unauthenticated_time/);
    assert.ok(met(stage).includes("limits.unauthenticated_time"));
    known.upstream.write("<message id='1'/>");
    assert.equal((await other.answer).payloads.length, 1, "who has authenticated goes on");
  },
);

onBothFronts(
  "S-007 more than limits.unauthenticated_bytes before authentication ends a session",
  async () => {
    await using stage = await Stage.set({ limits: "unauthenticated_bytes = 10_000" });
    const much = `<a xmlns='urn:a'>${"x".repeat(9_970)}</a>`;
    const { client, upstream } = await stage.open();
    client.send("", "<b xmlns='urn:b'/>");
    const refused = await client.ask("", much);
    assert.equal(refused.get("condition"), "policy-violation");
    assert.match(refused.get("message") ?? "", /limits\.unauthenticated_bytes/);
    assert.ok(!(await upstream.expectEnd()).includes("xxx"));
    const creation = await stage.client().create(CREATION, much + much);
    assert.match(creation.get("message") ?? "", /limits\.unauthenticated_bytes/);
    using socket = await RawWebSocket.connect(`${stage.running.url}/xmpp-websocket`);
    socket.text(OPEN);
    const other = await stage.welcome();
    await socket.message();
    await socket.message();
    socket.text(much + "x".repeat(100));
    assert.match(await socket.message(), /limits\.unauthenticated_bytes/);
    using known = await RawWebSocket.connect(`${stage.running.url}/xmpp-websocket`);
    known.text(OPEN);
    const third = await stage.welcome();
    await known.message();
    await known.message();
    third.write(SUCCESS);
    await known.message();
    known.text(`<a xmlns='urn:a'>${"x".repeat(20_000)}</a>`);
    await third.expect("</a>");
    other.destroy();
  },
);

onBothFronts("S-007 bodies that are being read have so much room together", async () => {
  await using stage = await Stage.set({
    limits: "bodies = 1_048_576",
    http: "max_body = 500_000",
  });
  const { client } = await stage.open();
  const head = (length: number) =>
    `POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
  const slow = [client.connect(), client.connect()];
  for (const connection of slow) connection.write(`${head(500_000)}<body`);
  const large = bodyOf("rid='1'").padEnd(60_000);
  const refused = await until(async () => {
    const answer = await client.connect().send({ body: large });
    return answer.status === 503 ? answer : undefined;
  }, "both are being read");
  assert.match(new TextDecoder().decode(refused.body), /limits\.bodies/);
  assert.equal(refused.headers.get("access-control-allow-origin"), "*");
  assert.equal(refused.headers.get("retry-after"), "5");
  assert.equal((await client.connect().send({ body: bodyOf("rid='1'") })).status, 200, "small");
  for (const connection of slow) connection.reset();
  await until(
    async () => (await client.connect().send({ body: large })).status === 200 || undefined,
    "the room of those who left is free",
  );
});

onBothFronts("S-007 so many streams are opened at a time and no more", async () => {
  await using stage = await Stage.set({ limits: "connecting = 1" });
  const slow = stage.client().create(CREATION);
  const upstream = await stage.server.accept();
  const refused = await stage.client().create(CREATION);
  assert.equal(refused.get("condition"), "remote-connection-failed");
  assert.match(refused.get("message") ?? "", /limits\.connecting/);
  assert.deepEqual(met(stage), ["limits.connecting"]);
  upstream.destroy();
  await slow;
  assert.ok((await stage.open()).creation.get("sid"));
});

onBothFronts(
  "S-007 without memory nobody new is served, and those that are there go on",
  async () => {
    await using stage = await Stage.set();
    const { client } = await stage.open();
    const tight = await Stage.set({ limits: "memory = 67_108_864" });
    const refused = await tight.client().create(CREATION);
    assert.equal(refused.get("condition"), "internal-server-error");
    assert.match(refused.get("message") ?? "", /limits\.memory/);
    using socket = await RawWebSocket.connect(`${tight.running.url}/xmpp-websocket`);
    assert.equal(socket.status, 503);
    assert.deepEqual(met(tight), ["limits.memory"]);
    await tight[Symbol.asyncDispose]();
    assert.equal((await client.ask("type='terminate'")).http.status, 200);
  },
);

onBothFronts(
  "S-002 a request in the clear for a session of TLS gets no answer of BOSH, and the session goes on",
  async () => {
    await using stage = await Stage.set();
    const https = { headers: { "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1" } };
    const { client, upstream } = await stage.open(CREATION, https);
    const [sid, rid] = [client.sid, client.rid + 1];
    const body = bodyOf(`rid='${rid}' sid='${sid}'`, "<a xmlns='urn:a'/>");
    for (const headers of [{}, { "X-Forwarded-Proto": "http" }]) {
      const connection = client.connect();
      const answer = await connection.send({ body, headers });
      assert.equal(answer.status, 403);
      assert.ok(!new TextDecoder().decode(answer.body).includes("<body"));
    }
    client.send("", "<b xmlns='urn:b'/>");
    assert.ok(!(await upstream.expect("<b ")).includes("<a"), "nor was it processed");
  },
);

onFront(
  "sockets",
  "S-007 a connection that was opened ahead and left silent is closed, and told to nobody",
  async () => {
    await using stage = await Stage.set();
    const { client } = await stage.open();
    const silent = client.connect();
    await new Promise((resolve) => setTimeout(resolve, 100));
    stage.running.jump(31_000);
    await silent.closed;
    assert.deepEqual(met(stage), []);
  },
);

onFront("sockets", "S-007 what takes too long is counted by the key of its time", async () => {
  await using stage = await Stage.set();
  const { client } = await stage.open();
  client.connect().write("POST /http-bind HTTP/1.1\r\nHost:");
  client.connect().write("POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n<");
  await new Promise((resolve) => setTimeout(resolve, 100));
  stage.running.jump(31_000);
  await until(
    () => met(stage).length >= 2 || undefined,
    "both have been waited for",
  );
  assert.deepEqual(met(stage).sort(), ["http.body_timeout", "http.head_timeout"]);
});
