import assert from "node:assert/strict";
import type { ManagerEvent } from "../../src/events.ts";
import { AdminStage, BASIC } from "../support/admin_stage.ts";
import { onBothFronts } from "../support/fronts.ts";
import { until } from "../support/patience.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { CREATION, farewell } from "../conformance/stage.ts";
import { OPEN } from "../support/websocket_conversation.ts";

const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

onBothFronts(
  "REST tells of the program, of its sessions and of what went wrong as openapi.json says",
  async () => {
    await using admin = await AdminStage.set({
      more: `[domains."gone.test"]\nconnect = "xmpp://127.0.0.1:1"\ntls = "never"`,
    });
    const { stage } = admin;
    const { client, upstream } = await stage.open(`${CREATION} ua='a client of ours'`, {
      headers: { "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https" },
    });
    using socket = await RawWebSocket.connect(`${stage.running.url}/xmpp-websocket`);
    socket.text(OPEN);
    await stage.welcome();
    await socket.message();

    const status = await admin.told(200, "/status");
    assert.deepEqual(status.sessions, { bosh: 1, websocket: 1, total: 2 });
    assert.equal(status.state, "serving");
    assert.deepEqual(status.listeners, [{
      url: stage.running.url,
      serve: ["bosh", "websocket", "admin"],
    }]);

    const { sessions, total, next } = await admin.told(200, "/sessions?sort=address&order=desc");
    assert.deepEqual([total, next], [2, null]);
    const [bosh, websocket] = sessions;
    const { age, idle, created, session, ...rest } = bosh;
    assert.ok(age >= 0 && idle <= age && Math.abs(Date.parse(created) - Date.now()) < 60_000);
    assert.ok(client.sid.startsWith(session) && session.length === 8);
    assert.deepEqual(rest, {
      transport: "bosh",
      state: "open",
      domain: "example.test",
      address: "192.0.2.7",
      port: 0,
      userAgent: "a client of ours",
      tls: true,
      streams: 1,
      held: 0,
      queued: { up: 0, down: 0 },
      upstream: `127.0.0.1:${stage.server.port}`,
    });
    assert.deepEqual([websocket.transport, websocket.tls, websocket.address], [
      "websocket",
      false,
      "127.0.0.1",
    ]);

    const held = client.send();
    await until(
      async () => (await admin.told(200, `/sessions/${session}`)).held === 1 || undefined,
      "it is held",
    );
    upstream.write(SUCCESS);
    await held.answer;
    const details = await admin.told(200, `/sessions/${session}`);
    assert.equal(details.state, "authenticated");
    assert.deepEqual([details.wait, details.hold, details.requests, details.version], [
      10,
      1,
      2,
      "1.6",
    ]);
    assert.ok(details.expires > 0 && details.expires <= 60);
    assert.equal((await admin.told(200, `/sessions/${websocket.session}`)).framing, "rfc7395");

    for (
      const [query, count] of [
        ["domain=EXAMPLE.test", 2],
        ["domain=other.test", 0],
        ["address=192.0.2.0/24", 1],
        ["address=192.0.2.7", 1],
        ["transport=websocket", 1],
        ["state=authenticated", 1],
        ["minAge=1000", 0],
        ["maxAge=1000", 2],
        ["search=OF%20OURS", 1],
        [`search=${session}`, 1],
        [`search=:${stage.server.port}`, 2],
      ] as const
    ) {
      assert.equal((await admin.told(200, `/sessions?${query}`)).total, count, query);
    }

    // A session that cannot reach its server.
    const lost = stage.client();
    await lost.create(CREATION.replace("example.test", "gone.test"));
    const errors = await until(async () => {
      const errors = await admin.told(200, "/errors?minutes=5");
      return errors.ended["remote-connection-failed"] === 1 ? errors : undefined;
    }, "the end is counted");
    assert.deepEqual(errors.upstream, { tcp: 1 });
    assert.match(
      errors.recent[0].text,
      /^session ended session=.{8} domain=gone\.test .*remote-connection-failed/,
    );
    const { upstreams } = await admin.told(200, "/upstreams");
    assert.deepEqual(
      upstreams.map((
        { domain, open, health, phase }: Record<string, unknown>,
      ) => [domain, open, health, phase]),
      [["gone.test", 0, "failing", "tcp"], ["example.test", 2, "ok", null]],
    );

    await admin.told(200, "/metrics");
    assert.deepEqual(await admin.told(200, "/history?minutes=1"), { interval: 10, series: [] });
    stage.running.jump(10_000);
    const { series } = await admin.told(200, "/history");
    assert.deepEqual(series.map(({ sessions }: { sessions: unknown }) => sessions), [{
      bosh: 1,
      websocket: 1,
    }]);
    assert.ok(series[0].created > 0 && series[0].resident > 1_000_000);
    // These are by the names that the metrics have.
    const { requests, stanzasDown, bytesDown } = series[0];
    assert.ok(requests > 0 && stanzasDown > 0 && bytesDown > 0, JSON.stringify(series));
    const { data } = await admin.graphql(
      '{ metric { getMetricsAsDicts(name: ["causeway", "held", "_"]) { name dict { key value } } } }',
    );
    assert.deepEqual(data.metric.getMetricsAsDicts, [
      { name: ["causeway", "held", "requests"], dict: [{ key: "value", value: 0 }] },
    ]);
    assert.deepEqual(stage.running.events.filter(({ type }) => type === "fault"), []);
  },
);

onBothFronts("REST does what an operator wants, and tells who wanted it", async () => {
  await using admin = await AdminStage.set();
  const post = { method: "POST" };
  assert.deepEqual(await admin.told(200, "/drain", post), { state: "draining" });
  assert.equal((await admin.told(200, "/status")).state, "draining");
  assert.deepEqual(await admin.told(200, "/undrain", { ...post, body: {} }), { state: "serving" });
  assert.deepEqual(
    await admin.told(200, "/log-level", { method: "PUT", body: { level: "debug" } }),
    {
      level: "debug",
    },
  );
  assert.equal(admin.controls.logLevel, "debug");
  assert.deepEqual(await admin.told(200, "/log-level"), { level: "debug" });
  assert.deepEqual(await admin.told(200, "/reload", post), admin.controls.report);
  admin.controls.report = { applied: [], restart: [], mistakes: ["c.toml:1: no such key"] };
  const { detail, mistakes } = await admin.told(422, "/reload", post);
  assert.match(detail, /mend them/);
  assert.deepEqual(mistakes, ["c.toml:1: no such key"]);
  const config = await admin.told(200, "/config");
  assert.equal(config.bosh.max_wait, 60);
  const acted = (events: readonly ManagerEvent[]) =>
    events.flatMap((event) =>
      event.type === "operator-acted" ? [`${event.address} ${event.action}`] : []
    );
  assert.deepEqual(acted(admin.stage.running.events), [
    "127.0.0.1 drains",
    "127.0.0.1 takes back the drain",
    "127.0.0.1 set the log level to debug",
    "127.0.0.1 reloads the configuration",
    "127.0.0.1 reloads the configuration",
  ]);
});

onBothFronts(
  "a request that cannot be served gets a problem with the cure, and nothing of it back",
  async () => {
    await using admin = await AdminStage.set();
    const secret = "what-nobody-shall-read";
    const cases: readonly (readonly [number, string, string, unknown?])[] = [
      [400, "GET", "/sessions?limit=1001"],
      [400, "GET", "/sessions?limit=1.5"],
      [400, "GET", `/sessions?limit=${secret}`],
      [400, "GET", "/sessions?limits=1"],
      [400, "GET", `/sessions?address=${secret}`],
      [400, "GET", `/sessions?cursor=${secret}`],
      [400, "GET", `/sessions?search=${"x".repeat(201)}`],
      [400, "GET", "/history?minutes=61"],
      [400, "PUT", "/log-level", { level: secret }],
      [400, "PUT", "/log-level", { level: "info", more: secret }],
      [400, "PUT", "/log-level"],
      [404, "GET", `/sessions/${secret}`],
      [404, "GET", `/sessions/${secret}/trace`],
      [404, "DELETE", `/sessions/${secret}`],
      [400, "DELETE", "/sessions/x", { reason: "x".repeat(201) }],
      [400, "DELETE", "/sessions/x", { reason: "  " }],
    ];
    for (const [status, method, path, body] of cases) {
      const problem = await admin.told(status, path, { method, body });
      assert.ok(!JSON.stringify(problem).includes(secret), JSON.stringify(problem));
      assert.ok(problem.detail.length > 20);
    }
    const missing = await admin.ask("/nothing");
    assert.equal(missing.status, 404);
    assert.equal(missing.headers.get("content-type"), "application/problem+json");
    await missing.body!.cancel();
    const method = await admin.ask("/log-level", { method: "DELETE" });
    assert.equal(method.status, 405);
    assert.equal(method.headers.get("allow"), "GET, PUT");
    await method.body!.cancel();
    const patch = await admin.ask("/log-level", { method: "PATCH" });
    assert.deepEqual([patch.status, patch.headers.get("allow")], [
      405,
      "GET, HEAD, POST, PUT, DELETE",
    ]);
    await patch.body!.cancel();
    // The Fetch API cannot send one, nor hold one.
    const { hostname, port } = new URL(admin.api);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    await connection.write(new TextEncoder().encode(
      `TRACE /admin/api/v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: ${BASIC}\r\n` +
        "Content-Type: application/json\r\nConnection: close\r\n\r\n",
    ));
    assert.match(await new Response(connection.readable).text(), /^HTTP\/1\.1 405 /);
    const long = await admin.ask("/drain", { method: "POST", body: { x: "x".repeat(70_000) } });
    assert.equal(long.status, 413);
    await long.body!.cancel();
    const json = await fetch(`${admin.api}/drain`, {
      method: "POST",
      headers: {
        "authorization": BASIC,
        "content-type": "application/json",
      },
      body: "{",
    });
    assert.equal(json.status, 400);
    await json.body!.cancel();
    assert.equal(admin.controls.state, "serving");
    assert.deepEqual(admin.stage.running.events.filter(({ type }) => type === "fault"), []);
  },
);

onBothFronts(
  "an operator ends a BOSH session: its client is told why, and the senders of what it did not get",
  async () => {
    await using admin = await AdminStage.set();
    const { client, upstream } = await admin.stage.open();
    const session = client.sid.slice(0, 8);
    const held = client.send();
    await until(
      async () => (await admin.told(200, `/sessions/${session}`)).held === 1 || undefined,
      "it is held",
    );
    const ended = await admin.told(202, `/sessions/${session}`, {
      method: "DELETE",
      body: { reason: "too much <noise> & so on" },
    });
    assert.deepEqual(ended, { session, reason: "too much <noise> & so on" });
    const answer = await held.answer;
    assert.equal(answer.get("condition"), "policy-violation");
    assert.equal(answer.get("message"), "too much <noise> & so on");
    await farewell(upstream);
    await admin.told(404, `/sessions/${session}`);
  },
);

onBothFronts(
  "a client between two requests has two seconds to ask why its session was ended, and what it missed is returned",
  async () => {
    await using admin = await AdminStage.set();
    const { client, upstream } = await admin.stage.open();
    const session = client.sid.slice(0, 8);
    upstream.write(
      `<message from='a@example.test' to='b@example.test' id='1'><body>x</body></message>`,
    );
    await until(
      async () => (await admin.told(200, `/sessions/${session}`)).queued.down > 0 || undefined,
      "the message waits",
    );
    await admin.told(202, `/sessions/${session}`, { method: "DELETE" });
    admin.stage.running.jump(2_000);
    const last = await farewell(upstream);
    assert.match(last, /<message [^>]*type=['"]error['"]/);
    assert.equal((await client.ask()).get("condition"), "policy-violation");
    const ending = admin.stage.running.events.find(({ type }) => type === "session-ended");
    assert.deepEqual(ending?.type === "session-ended" && [ending.condition, ending.reason], [
      "policy-violation",
      "ended by the operator",
    ]);
  },
);

onBothFronts(
  "an operator ends a WebSocket session: its client gets a stream error with the reason",
  async () => {
    await using admin = await AdminStage.set();
    using socket = await RawWebSocket.connect(`${admin.stage.running.url}/xmpp-websocket`);
    socket.text(OPEN);
    const upstream = await admin.stage.welcome();
    await socket.message();
    await socket.message();
    const { sessions: [{ session }] } = await admin.told(200, "/sessions");
    await admin.told(202, `/sessions/${session}`, {
      method: "DELETE",
      body: { reason: "go away" },
    });
    assert.match(await socket.message(), /<policy-violation .*<text [^>]*>go away<\/text>/s);
    assert.match(await socket.message(), /<close /);
    assert.equal(await socket.closed(), 1008);
    await farewell(upstream);
    await admin.told(404, `/sessions/${session}`);
  },
);
