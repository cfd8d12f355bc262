import assert from "node:assert/strict";
import { AdminStage, Events } from "../support/admin_stage.ts";
import { onBothFronts } from "../support/fronts.ts";
import { until } from "../support/patience.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { message } from "../conformance/stage.ts";
import { OPEN } from "../support/websocket_conversation.ts";
import { Traces } from "../../src/admin/traces.ts";
import { Times } from "../../src/admin/times.ts";
import type { BodyWriter } from "../../src/server/exchange.ts";
import type { Actor, Registry } from "../../src/server/registry.ts";
import { TestClock } from "../support/test_clock.ts";

const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
const PASSWORD = new TextEncoder().encode("\0alice\0her-password").toBase64();

async function trace(admin: AdminStage, session: string): Promise<Events> {
  const response = await admin.ask(`/sessions/${session}/trace`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type")!, /^text\/event-stream/);
  await until(
    async () => (await admin.told(200, `/sessions/${session}`)).traces > 0 || undefined,
    "it is traced",
  );
  return new Events(response);
}

onBothFronts(
  "S-004 a trace shows what goes through a BOSH session from where it begins, without what logs in, and its end",
  async () => {
    await using admin = await AdminStage.set();
    const { client, upstream } = await admin.stage.open();
    const session = client.sid.slice(0, 8);
    // The login has begun before the trace.
    const first = client.send("", `<auth ${SASL} mechanism='SCRAM-SHA-1'>${PASSWORD}</auth>`);
    await upstream.expect("</auth>");
    await using events = await trace(admin, session);
    upstream.write(`<challenge ${SASL}>${PASSWORD}</challenge>`);
    await first.answer;
    const second = client.send("", `<response ${SASL}>${PASSWORD}</response>`);
    await upstream.expect("</response>");
    upstream.write(`<success ${SASL}>${PASSWORD}</success>`);
    await second.answer;
    const third = client.send("", message(1));
    await upstream.expect("</message>");
    upstream.write(message(2));
    await third.answer;
    const mark = `[${PASSWORD.length} bytes redacted]`;
    const wanted = [
      ["down", `<challenge ${SASL}>${mark}</challenge>`],
      ["up", `<response ${SASL}>${mark}</response>`],
      ["down", `<success ${SASL}>${mark}</success>`],
      ["up", message(1)],
      ["down", message(2)],
    ];
    for (const [direction, xml] of wanted) {
      const { event, data } = (await events.next())!;
      assert.deepEqual([event, data.direction, data.xml], ["stanza", direction, xml]);
      assert.ok(data.bytes > 10 && Math.abs(Date.parse(data.at) - Date.now()) < 60_000);
    }
    await admin.told(202, `/sessions/${session}`, { method: "DELETE", body: { reason: "enough" } });
    admin.stage.running.jump(2_000);
    assert.deepEqual(await events.next(), {
      event: "ended",
      data: { condition: "policy-violation", reason: "enough" },
    });
    assert.equal(await events.next(), undefined);
  },
);

onBothFronts(
  "several read the trace of one WebSocket, and one that leaves takes nothing from the others",
  async () => {
    await using admin = await AdminStage.set();
    using socket = await RawWebSocket.connect(`${admin.stage.running.url}/xmpp-websocket`);
    socket.text(OPEN);
    const upstream = await admin.stage.welcome();
    await socket.message();
    await socket.message();
    const { sessions: [{ session }] } = await admin.told(200, "/sessions");
    await using first = await trace(admin, session);
    const second = await trace(admin, session);
    await using third = await trace(admin, session);
    const count = async () => (await admin.told(200, `/sessions/${session}`)).traces;
    await until(async () => await count() === 3 || undefined, "three read it");
    upstream.write(message(1));
    for (const events of [first, second, third]) {
      assert.equal((await events.next())!.data.xml, message(1));
    }
    await second[Symbol.asyncDispose]();
    // A front sees that a reader has left when it writes to him, or soon.
    await until(async () => {
      admin.stage.running.jump(15_000);
      return await count() === 2 || undefined;
    }, "two read it");
    socket.text(message(2));
    await upstream.expect("</message>");
    for (const events of [first, third]) {
      assert.equal((await events.next())!.data.xml, message(2));
      assert.ok(events.comments > 1);
    }
  },
);

onBothFronts("S-007 ten traces are read at a time, and no more", async () => {
  await using admin = await AdminStage.set();
  const { client } = await admin.stage.open();
  const session = client.sid.slice(0, 8);
  // Who asks for the head alone reads none.
  for (let i = 0; i < 12; i++) {
    await (await admin.ask(`/sessions/${session}/trace`, { method: "HEAD" })).body?.cancel();
  }
  const open: Events[] = [];
  for (let i = 0; i < 10; i++) open.push(await trace(admin, session));
  await until(
    async () => (await admin.told(200, `/sessions/${session}`)).traces === 10 || undefined,
    "ten read it",
  );
  const { detail } = await admin.told(429, `/sessions/${session}/trace`);
  assert.match(detail, /close one/);
  for (const events of open) await events[Symbol.asyncDispose]();
});

/** A session without anything behind it, and a reader who takes what he likes. */
function slowReader() {
  const actor = { name: "one", tap: undefined } as Actor;
  const registry = { named: () => actor } as unknown as Registry;
  const clock = new TestClock();
  const parts = { clock, times: new Times(clock, () => 0), registry, emit() {} };
  let text = "";
  const body = {
    queuedBytes: 0,
    write(bytes: Uint8Array) {
      text += new TextDecoder().decode(bytes);
      body.queuedBytes += bytes.length;
    },
    end: () => text += "END",
  };
  const traces = new Traces(parts);
  const source = traces.begin(actor);
  source.start(body as BodyWriter);
  const take = () => {
    const taken = text;
    text = "";
    body.queuedBytes = 0;
    return taken;
  };
  return { actor, clock, source, take, body };
}

Deno.test("S-007 a reader who does not keep up misses stanzas and is told how many; they wait nowhere", () => {
  const { actor, clock, source, take, body } = slowReader();
  const stanza = new TextEncoder().encode(`<message><body>${"x".repeat(1_000)}</body></message>`);
  for (let i = 0; i < 1_000; i++) actor.tap!.sent(stanza);
  assert.ok(body.queuedBytes < 270_000, String(body.queuedBytes));
  const got = take().match(/^event: stanza$/gm)!.length;
  assert.ok(got > 100 && got < 1_000);
  actor.tap!.sent(stanza);
  assert.match(
    take(),
    new RegExp(`^event: missed\ndata: {"count":${1_000 - got}}\n\nevent: stanza\n`),
  );
  // One that comes to an end while it is behind is told as well, when it has caught up.
  for (let i = 0; i < 1_000; i++) actor.tap!.sent(stanza);
  take();
  clock.advance(15_000);
  assert.match(take(), /^event: missed\ndata: {"count":[0-9]+}\n\n$/);
  clock.advance(15_000);
  assert.equal(take(), ": \n\n");
  source.stopped();
  assert.equal(actor.tap, undefined);
  assert.equal(clock.timers, 0);
});
