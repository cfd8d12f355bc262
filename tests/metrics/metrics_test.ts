/** What happens, as the metrics have it: conversations of clients, and what is read at `/metrics` afterwards. */
import assert from "node:assert/strict";
import type { Family, Labels } from "../../src/metrics/family.ts";
import { CREATION, farewell, message, Stage, type StageOptions } from "../conformance/stage.ts";
import { CLOSE, talk } from "../conformance/websocket_stage.ts";
import { readExposition, valueOf } from "../support/exposition.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";
import { configOf, runManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";
import { BIND, STARTTLS, streamFeatures, streamHeader } from "../support/upstream_server.ts";

const SERVED = 'serve = ["bosh", "websocket", "discovery", "health", "metrics"]';
const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

/** A stage that serves metrics. */
function measured(options: StageOptions = {}): Promise<Stage> {
  return Stage.set({ ...options, listen: SERVED });
}

async function read(stage: Stage): Promise<Family[]> {
  const response = await fetch(`${stage.running.url}/metrics`);
  assert.equal(response.status, 200);
  return readExposition(await response.text(), "prometheus");
}

/** Reads until a sample has this value. */
async function reads(stage: Stage, name: string, labels: Labels, value: number): Promise<void> {
  let last = NaN;
  await until(
    async () => {
      last = valueOf(await read(stage), name, labels);
      return last === value || undefined;
    },
    `${name} ${JSON.stringify(labels)} is ${value}`,
    5_000,
  )
    .catch((error) => assert.fail(`${error.message}, but ${last}`));
}

onBothFronts(
  "sessions are counted where they are, what goes through them, and how they end",
  async () => {
    await using stage = await measured({ bosh: "max_wait = 60" });
    const bosh = { transport: "bosh" };
    const creating = stage.client().create(CREATION);
    const upstream = await stage.server.accept();
    await reads(stage, "causeway_sessions", { ...bosh, state: "connecting" }, 1);
    await upstream.expect("<stream:stream ");
    upstream.write(streamHeader("a") + streamFeatures(BIND));
    await creating;
    let now = await read(stage);
    assert.equal(valueOf(now, "causeway_sessions", { ...bosh, state: "open" }), 1);
    assert.equal(valueOf(now, "causeway_upstreams"), 1);
    assert.equal(valueOf(now, "causeway_sessions_created_total", bosh), 1);
    upstream.write(SUCCESS);
    await reads(stage, "causeway_sessions", { ...bosh, state: "authenticated" }, 1);
    const [success, features] = [SUCCESS.length, streamFeatures(BIND).length];
    now = await read(stage);
    const down = { ...bosh, direction: "down" };
    assert.equal(valueOf(now, "causeway_stanzas_total", down), 2);
    assert.equal(valueOf(now, "causeway_stanza_bytes_total", down), success + features);
    // Nobody has asked for it.
    assert.ok(valueOf(now, "causeway_queued_bytes", { direction: "down" }) >= success);
    assert.equal(valueOf(now, "causeway_queued_bytes", { direction: "up" }), 0);
  },
);

onBothFronts(
  "payloads of a request count one by one, and a repetition is none of them",
  async () => {
    await using stage = await measured();
    const { client, upstream } = await stage.open();
    const two = message(1) + message(2);
    const asked = client.send("", two);
    await upstream.expect(message(2));
    upstream.write(message(3));
    await asked.answer;
    await client.ask("", two, { rid: asked.rid });
    const now = await read(stage);
    const up = { transport: "bosh", direction: "up" };
    assert.equal(valueOf(now, "causeway_stanzas_total", up), 2);
    assert.equal(valueOf(now, "causeway_stanza_bytes_total", up), two.length);
    assert.equal(valueOf(now, "causeway_retransmissions_total"), 1);
  },
);

onBothFronts(
  "a WebSocket's messages are counted, and its session from the handshake on",
  async () => {
    await using stage = await measured();
    const transport = "websocket";
    {
      using client = await talk(stage, { features: BIND });
      client.upstream.write(SUCCESS + message(1));
      await client.socket.message();
      await client.socket.message();
      client.socket.text(message(2));
      await client.upstream.expect(message(2));
      const now = await read(stage);
      assert.equal(valueOf(now, "causeway_sessions", { transport, state: "authenticated" }), 1);
      assert.equal(valueOf(now, "causeway_sessions_created_total", { transport }), 1);
      const [up, down] = [{ transport, direction: "up" }, { transport, direction: "down" }];
      assert.equal(valueOf(now, "causeway_stanzas_total", up), 1);
      assert.equal(valueOf(now, "causeway_stanza_bytes_total", up), message(2).length);
      assert.equal(valueOf(now, "causeway_stanzas_total", down), 3);
      const handshake = { endpoint: "websocket", outcome: "answered" };
      assert.equal(valueOf(now, "causeway_requests_total", handshake), 1);
      client.socket.text(CLOSE);
      await farewell(client.upstream);
      await client.socket.message();
    }
    await reads(stage, "causeway_sessions_ended_total", { transport, condition: "none" }, 1);
    {
      using client = await talk(stage);
      await client.upstream.expect("");
    }
    await reads(
      stage,
      "causeway_sessions_ended_total",
      { transport, condition: "connection-lost" },
      1,
    );
    const now = await read(stage);
    for (const state of ["connecting", "open", "authenticated"]) {
      assert.equal(valueOf(now, "causeway_sessions", { transport, state }), 0);
    }
    assert.equal(valueOf(now, "causeway_upstreams"), 0);
  },
);

onBothFronts("every request has its outcome", async () => {
  await using stage = await measured({ http: "max_body = 2000" });
  const { client, upstream } = await stage.open();
  const bosh = async (outcome: string, count: number) =>
    await reads(stage, "causeway_requests_total", { endpoint: "bosh", outcome }, count);
  await bosh("answered", 1);
  // A newer request takes the place of one that nothing came for.
  const first = client.send();
  await reads(stage, "causeway_held_requests", {}, 1);
  const second = client.send();
  await first.answer;
  await bosh("empty", 1);
  // The time of its wait is over.
  stage.running.jump(11_000);
  await second.answer;
  await bosh("empty", 2);
  const leaving = client.send();
  await reads(stage, "causeway_held_requests", {}, 1);
  leaving.abort();
  await leaving.answer.catch(() => {});
  await bosh("lost", 1);
  await reads(stage, "causeway_held_requests", {}, 0);
  await client.ask("type='terminate'");
  await bosh("terminal", 1);
  await farewell(upstream);
  const status = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${stage.running.url}${path}`, init);
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await status("/http-bind", { method: "POST", body: "x".repeat(3_000) }), 413);
  assert.equal(await status("/http-bind", { method: "POST", body: "" }), 400);
  assert.equal(await status("/http-bind", { method: "PUT" }), 405);
  await bosh("refused", 3);
  assert.equal(await status("/http-bind", { method: "POST", body: "no XML" }), 200);
  await bosh("terminal", 2);
  assert.equal(await status("/http-bind"), 200);
  await bosh("answered", 2);
  assert.equal(await status("/health/ready"), 200);
  stage.running.manager.drain();
  assert.equal(await status("/health/ready"), 503);
  assert.equal(await status("/xmpp-websocket", { method: "POST" }), 405);
  assert.equal(await status("/.well-known/host-meta"), 404);
  assert.equal(await status("/nowhere"), 404);
  const now = await read(stage);
  const requests = (endpoint: string, outcome: string) =>
    valueOf(now, "causeway_requests_total", { endpoint, outcome });
  assert.equal(requests("health", "answered"), 1);
  assert.equal(requests("health", "failed"), 1);
  assert.equal(requests("websocket", "refused"), 1);
  assert.equal(requests("discovery", "refused"), 1);
  assert.equal(requests("none", "refused"), 1);
  assert.ok(requests("metrics", "answered") > 5);
  assert.equal(valueOf(now, "causeway_draining"), 1);
  const ended = { transport: "bosh", condition: "none" };
  assert.equal(valueOf(now, "causeway_sessions_ended_total", ended), 1);
});

onBothFronts("the time that a request was held is no time of service", async () => {
  await using stage = await measured({ bosh: "max_wait = 60" });
  const { client, upstream } = await stage.open(CREATION.replace("wait='10'", "wait='60'"));
  const before = await read(stage);
  const held = client.send();
  await reads(stage, "causeway_held_requests", {}, 1);
  stage.running.jump(40_000);
  upstream.write(message(1));
  await held.answer;
  const after = await read(stage);
  const grown = (name: string, labels: Labels = {}) =>
    valueOf(after, name, labels) - valueOf(before, name, labels);
  const endpoint = { endpoint: "bosh" };
  assert.equal(grown("causeway_request_hold_seconds_count"), 1);
  const hold = grown("causeway_request_hold_seconds_sum");
  assert.ok(hold >= 40 && hold < 60, `held for ${hold} s`);
  assert.equal(grown("causeway_request_service_seconds_count", endpoint), 1);
  const service = grown("causeway_request_service_seconds_sum", endpoint);
  assert.ok(service < 5, `served in ${service} s`);
});

onBothFronts("what is undelivered, limits that bit and faults are counted", async () => {
  await using stage = await measured({ limits: "client_stanza = 10_000" });
  const { client, upstream } = await stage.open();
  upstream.write(message(1) + message(2));
  await reads(stage, "causeway_stanzas_total", { transport: "bosh", direction: "down" }, 3);
  // It asks for nothing any more.
  stage.running.jump(200_000);
  await reads(stage, "causeway_undelivered_stanzas_total", {}, 2);
  assert.match((await client.ask()).text, /item-not-found/);
  const large = await stage.open();
  await large.client.ask("", message(1, "x".repeat(11_000)));
  const limit = { limit: "limits.client_stanza" };
  await reads(stage, "causeway_limits_reached_total", limit, 1);
  await reads(stage, "causeway_limits_reached_total", { limit: "limits.sessions" }, 0);
  const condition = { transport: "bosh", condition: "policy-violation" };
  await reads(stage, "causeway_sessions_ended_total", condition, 1);
  stage.running.manager.fault(new Error("ours"));
  await reads(stage, "causeway_faults_total", {}, 1);
});

onBothFronts("an ending that a server made up is no label", async () => {
  await using stage = await measured();
  using client = await talk(stage);
  const error = (name: string) =>
    `<stream:error><${name} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`;
  client.upstream.write(error("made-up"));
  await client.socket.message();
  stage.running.jump(3_000);
  const transport = "websocket";
  await reads(stage, "causeway_sessions_ended_total", { transport, condition: "other" }, 1);
  using another = await talk(stage);
  another.upstream.write(error("conflict"));
  await another.socket.message();
  stage.running.jump(3_000);
  await reads(stage, "causeway_sessions_ended_total", { transport, condition: "conflict" }, 1);
});

onBothFronts("each step of reaching an XMPP server is counted and timed", async () => {
  await using stage = await measured({ domain: 'verify = false\ntls = "required"' });
  const creating = stage.client().create(CREATION);
  const upstream = await stage.server.accept();
  await upstream.expect("<stream:stream ");
  upstream.write(streamHeader("a") + streamFeatures(STARTTLS));
  await upstream.startTls();
  await upstream.expect("<stream:stream ");
  upstream.write(streamHeader("b") + streamFeatures(BIND));
  await creating;
  let now = await read(stage);
  const dials = (phase: string, outcome: string) =>
    valueOf(now, "causeway_upstream_dials_total", { phase, outcome });
  for (const phase of ["tcp", "tls", "stream"]) {
    assert.equal(dials(phase, "succeeded"), 1, phase);
    assert.equal(dials(phase, "failed"), 0, phase);
    assert.equal(valueOf(now, "causeway_upstream_dial_seconds_count", { phase }), 1, phase);
  }
  assert.equal(dials("lookup", "succeeded"), 0);
  await stage.server[Symbol.asyncDispose]();
  assert.match((await stage.client().create(CREATION)).text, /remote-connection-failed/);
  now = await read(stage);
  assert.equal(dials("tcp", "failed"), 1);
  assert.equal(dials("stream", "succeeded"), 1);
});

onBothFronts(
  "GET and HEAD have the metrics, other methods are refused, and no page may read them",
  async () => {
    await using stage = await measured({ http: 'headers = { "x-mine" = "1" }' });
    const url = `${stage.running.url}/metrics`;
    const response = await fetch(url, { headers: { origin: "https://page.test" } });
    assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.equal(response.headers.get("access-control-allow-origin"), null);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.equal(response.headers.get("x-mine"), "1");
    await response.body?.cancel();
    const accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    const open = await fetch(url, { headers: { accept } });
    assert.match(
      open.headers.get("content-type")!,
      /^application\/openmetrics-text; version=1\.0\.0/,
    );
    const families = readExposition(await open.text(), "openmetrics");
    assert.ok(families.length > 25);
    const head = await fetch(url, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(await head.text(), "");
    for (const method of ["POST", "OPTIONS", "DELETE"]) {
      const refused = await fetch(url, { method });
      assert.equal(refused.status, 405, method);
      assert.equal(refused.headers.get("allow"), "GET, HEAD");
      await refused.body?.cancel();
    }
  },
);

onBothFronts("a listener that does not name metrics has none", async () => {
  await using running = await runManager();
  const response = await fetch(`${running.url}/metrics`);
  assert.equal(response.status, 404);
  await response.body?.cancel();
});

Deno.test("no family is there twice, every one says what it is, and all is told as plain data", async () => {
  await using running = await runManager({ toml: `[[listen]]\n${SERVED}` });
  const metrics = await running.manager.metrics();
  const families = metrics.families();
  const names = families.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.ok(families.every(({ help }) => /^\S.*\.$/.test(help)));
  const plain = JSON.parse(JSON.stringify(families));
  assert.deepEqual(plain.map(({ name }: Family) => name), names);
  const read = readExposition(metrics.expose(), "prometheus");
  assert.deepEqual(
    read.map(({ name, type, help }) => [name, type, help]),
    families
      .map(({ name, type, help }) => [name, type, help]),
  );
  assert.equal(valueOf(read, "causeway_sessions_limit"), configOf("").limits.sessions);
  assert.equal(valueOf(read, "causeway_build_info"), 1);
  const start = valueOf(read, "process_start_time_seconds");
  assert.ok(start > Date.now() / 1000 - 3_600 && start <= Date.now() / 1000);
  assert.ok(valueOf(read, "process_resident_memory_bytes") > 20e6);
  assert.ok(valueOf(read, "causeway_heap_used_bytes") > 1e6);
  assert.ok(valueOf(read, "process_cpu_seconds_total") > 0.1);
  if (Deno.build.os === "linux") assert.ok(valueOf(read, "process_open_fds") > 3);
});

onFront("sockets", "connections are counted for each listener", async () => {
  await using stage = await measured();
  const { client } = await stage.open();
  const second = client.connect();
  await second.send({ method: "GET" });
  const listener = stage.running.url;
  const before = valueOf(await read(stage), "causeway_connections", { listener });
  // The session's, this one, and the one that asks.
  assert.ok(before >= 3, `${before}`);
  second.abort();
  await reads(stage, "causeway_connections", { listener }, before - 1);
});

Deno.test("how late the event loop is shows, from when somebody has asked", async () => {
  await using running = await runManager();
  const metrics = await running.manager.metrics();
  const late = () => {
    const families = metrics.families();
    const name = "causeway_event_loop_lag_seconds";
    const all = valueOf(families, `${name}_count`);
    return all - valueOf(families, `${name}_bucket`, { le: "0.1" });
  };
  assert.equal(late(), 0);
  const end = performance.now() + 450;
  while (performance.now() < end);
  await until(() => late() > 0 || undefined, "a timer was late");
});
