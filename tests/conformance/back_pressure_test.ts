/*
 * Invariant: whoever does not take what is sent stops the reading of the other end; nothing grows
 * between them, nobody else notices, and all arrives in order when the one moves again.
 *
 * PRESSURE_MB says how many megabytes are poured; the bounds do not depend on it.
 */
// Runs apart: it looks at how much its process grows.
import assert from "node:assert/strict";
import type { BoshClient } from "../support/bosh_client.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";
import { until } from "../support/patience.ts";
import type { ScriptedConnection } from "../support/upstream_server.ts";
import { COUNT, FRONT_TLS, InOrder, messages, PressureStage, type Way } from "./pressure_stage.ts";

onBothFronts(
  "B-106 what a server pours at a BOSH client that does not ask stays with the server, until it asks",
  () => pourAtBosh("in the clear"),
);
onBothFronts(
  "W-040 what a server pours at a WebSocket client that does not read stays with the server, until it reads",
  () => pourAtWebSocket("in the clear"),
);
onBothFronts(
  "B-106 what a BOSH client pours at a server that does not read stays with the client, until it reads",
  () => pourByBosh("in the clear"),
);
onFront(
  "sockets",
  "W-040 what a WebSocket client pours at a server that does not read stays with the client, until it reads",
  () => pourByWebSocket("in the clear"),
);

for (const way of ["by Deno's TLS", "by node's TLS"] as const) {
  onFront(
    "sockets",
    `B-106 W-040 what one end pours and the other does not take stays where it is, with a server reached ${way}`,
    async (t) => {
      await t.step("down, BOSH", () => pourAtBosh(way));
      await t.step("down, WebSocket", () => pourAtWebSocket(way));
      await t.step("up, BOSH", () => pourByBosh(way));
      await t.step("up, WebSocket", () => pourByWebSocket(way));
    },
  );
}

onFront(
  "sockets",
  "W-040 what one end pours and the other does not take stays where it is, with a client that comes by TLS",
  async () => {
    await pourAtWebSocket("in the clear", FRONT_TLS);
    await pourByWebSocket("in the clear", FRONT_TLS);
  },
);

onFront(
  "deno",
  "W-040 this front cannot stop a client: more than may wait ends its session, and what was lost is told",
  async () => {
    await using pressure = await PressureStage.set("in the clear");
    const { socket, upstream } = await pressure.webSocket();
    upstream.pause();
    // One at a time, so that the system's buffers are full before ours are.
    for (const text of messages()) {
      socket.text(text);
      await pressure.round();
      if (pressure.events("session-ended").length > 0) break;
    }
    assert.match(
      await socket.message(),
      /<policy-violation .*does not read what the client sends \(limits.queued_bytes\)/,
    );
    socket.destroy();
    const [ended] = pressure.events("session-ended");
    assert.ok(ended?.type === "session-ended" && ended.condition === "policy-violation");
    const unsent = await until(() => {
      // Each step of the end has its time.
      pressure.stage.running.jump(2_000);
      return pressure.events("unsent")[0];
    }, "what was lost is told");
    assert.ok(unsent.type === "unsent" && unsent.to === "server", JSON.stringify(unsent));
    assert.ok(unsent.bytes > 900_000 && unsent.bytes < 1_200_000, `${unsent.bytes}`);
    await pressure.round();
  },
);

async function pourAtBosh(way: Way): Promise<void> {
  await using pressure = await PressureStage.set(way);
  const { client, upstream } = await pressure.bosh();
  const poured = upstream.pour(messages());
  await pressure.staysBounded(() => upstream.taken);
  const got = new InOrder();
  while (got.count < COUNT) {
    const { text, type } = await client.ask();
    assert.equal(type, undefined, text.slice(0, 500));
    got.add(text);
  }
  await poured;
}

async function pourAtWebSocket(way: Way, listen?: string): Promise<void> {
  await using pressure = await PressureStage.set(way, listen);
  const { socket, upstream } = await pressure.webSocket();
  socket.pause();
  const poured = upstream.pour(messages());
  await pressure.staysBounded(() => upstream.taken);
  socket.resume();
  const got = new InOrder();
  for (let i = 0; i < COUNT; i++) got.add(await socket.message());
  assert.equal(got.count, COUNT, "all has arrived, in order");
  await poured;
  socket.destroy();
}

async function pourByBosh(way: Way): Promise<void> {
  await using pressure = await PressureStage.set(way);
  const { client, upstream } = await pressure.bosh();
  upstream.pause();
  const pouring = new BoshPouring(client, 2);
  const poured = pouring.run(messages());
  await pressure.staysBounded(() => pouring.sent);
  await arrives(pressure, upstream, poured);
}

async function pourByWebSocket(way: Way, listen?: string): Promise<void> {
  await using pressure = await PressureStage.set(way, listen);
  const { socket, upstream } = await pressure.webSocket();
  upstream.pause();
  const poured = socket.pour(messages());
  await pressure.staysBounded(() => socket.taken);
  await arrives(pressure, upstream, poured);
  socket.destroy();
}

/** Lets the server read on: all that is poured has to arrive, in order. */
async function arrives(
  pressure: PressureStage,
  upstream: ScriptedConnection,
  poured: Promise<void>,
): Promise<void> {
  const got = new InOrder();
  upstream.giveTo((text) => got.add(text));
  upstream.resume();
  await poured;
  await until(() => got.count === COUNT || undefined, "all has arrived, in order");
  assert.deepEqual(pressure.events("unsent"), []);
}

/** A client that sends as fast as it may: with no more than so many requests under way. */
class BoshPouring {
  sent = 0;
  readonly #client: BoshClient;
  readonly #most: number;
  readonly #open = new Set<Promise<unknown>>();

  constructor(client: BoshClient, most: number) {
    this.#client = client;
    this.#most = most;
  }

  async run(texts: Iterable<string>): Promise<void> {
    for (const text of texts) {
      while (this.#open.size >= this.#most) await Promise.race(this.#open);
      this.sent += text.length;
      const answer = this.#client.ask("", text).then(({ type }) => {
        assert.equal(type, undefined);
        this.#open.delete(answer);
      });
      answer.catch(() => {});
      this.#open.add(answer);
    }
  }
}
