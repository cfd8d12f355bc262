/** How many connections the sockets front takes, and from where. */
import assert from "node:assert/strict";
import { FakeConnector } from "../support/fake_connector.ts";
import { onFront } from "../support/fronts.ts";
import { runManager } from "../support/manager.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { besideSessions, head, SocketsStage } from "../support/sockets_stage.ts";
import { settled, type Wire } from "../support/wire.ts";

const REFUSAL =
  /^HTTP\/1\.1 503 Service Unavailable\r\n(?:.+\r\n)*Connection: close\r\n\r\nThere are too many connections here now; come later \(listen\.max_connections(?:_per_address)?\)\.\n$/;

async function isTaken(wire: Wire): Promise<boolean> {
  wire.write(head("/length"));
  return await wire.expect(/\r\n\r\n0$/).then(() => true, () => false);
}

Deno.test("S-007 connections beyond max_connections are told 503 and closed; when one goes, one may come", async () => {
  await using stage = await SocketsStage.set({ listen: { maxConnections: 3 } });
  const wires = [await stage.connect(), await stage.connect(), await stage.connect("127.0.0.2")];
  for (const wire of wires) assert.ok(await isTaken(wire));
  for (let i = 0; i < 5; i++) {
    // Those that speak first get to read it too.
    const wire = await stage.connect(`127.0.0.${i + 1}`);
    if (i % 2 === 1) wire.write(head("/length"));
    assert.match(await wire.rest(), REFUSAL);
  }
  for (const wire of wires) assert.ok(await isTaken(wire), "those that are there stay");
  for (const leave of ["destroy", "reset", "end"] as const) {
    wires.shift()![leave]();
    await settled();
    wires.push(await stage.connect());
    assert.ok(await isTaken(wires.at(-1)!), leave);
  }
  assert.match(await (await stage.connect()).rest(), REFUSAL);
});

Deno.test("S-007 connections of one address beyond max_connections_per_address are refused, those of others not", async () => {
  await using stage = await SocketsStage.set({ listen: { maxConnectionsPerAddress: 2 } });
  const first = [await stage.connect("127.0.0.2"), await stage.connect("127.0.0.2")];
  assert.match(await (await stage.connect("127.0.0.2")).rest(), REFUSAL);
  for (let i = 0; i < 2; i++) assert.ok(await isTaken(await stage.connect("127.0.0.3")));
  assert.match(await (await stage.connect("127.0.0.3")).rest(), REFUSAL);
  first[0]!.destroy();
  await settled();
  assert.ok(await isTaken(await stage.connect("127.0.0.2")));
  assert.deepEqual(stage.refused, [
    { limit: "listen.max_connections_per_address", address: "127.0.0.2", count: 1 },
  ]);
});

Deno.test("S-007 a trusted proxy may have any number of connections, as far as there are any", async () => {
  await using stage = await SocketsStage.set({
    listen: { maxConnections: 6, maxConnectionsPerAddress: 1 },
    trusts: ({ address }) => address === "127.0.0.9",
  });
  for (let i = 0; i < 5; i++) assert.ok(await isTaken(await stage.connect("127.0.0.9")));
  assert.ok(await isTaken(await stage.connect("127.0.0.2")));
  for (const address of ["127.0.0.9", "127.0.0.3"]) {
    assert.match(await (await stage.connect(address)).rest(), REFUSAL);
  }
});

Deno.test("on an IPv6 listener IPv4 and IPv6 clients are counted apart, by their own addresses", async () => {
  await using stage = await SocketsStage.set({
    listen: { at: { address: "::", port: 0 }, maxConnectionsPerAddress: 1 },
  });
  const { port } = new URL(stage.url);
  const addresses = ["127.0.0.1", "[::1]"];
  const sockets = [];
  for (const address of addresses) {
    sockets.push(await RawWebSocket.connect(`http://${address}:${port}/xmpp-websocket`));
  }
  for (const address of addresses) {
    const { status } = await RawWebSocket.connect(`http://${address}:${port}/xmpp-websocket`);
    assert.equal(status, 503);
  }
  assert.deepEqual(stage.refused.map(({ address }) => address), ["127.0.0.1"]);
  stage.clock.advance(10_000);
  assert.equal(
    (await RawWebSocket.connect(`http://[::1]:${port}/xmpp-websocket`)).status,
    503,
  );
  assert.deepEqual(stage.refused[1], {
    limit: "listen.max_connections_per_address",
    address: "::1",
    count: 2,
  });
  for (const socket of sockets) socket.destroy();
});

Deno.test("a connection that became a WebSocket counts until it is gone", async () => {
  await using stage = await SocketsStage.set({ listen: { maxConnections: 1 } });
  for (let i = 0; i < 3; i++) {
    const socket = await RawWebSocket.connect(`${stage.url}/xmpp-websocket`);
    assert.equal(socket.status, 101);
    assert.match(await (await stage.connect()).rest(), REFUSAL);
    if (i === 0) {
      socket.close(1000);
      await socket.closed();
    } else socket.destroy();
    await settled();
  }
  assert.ok(await isTaken(await stage.connect()));
});

Deno.test("that connections were refused is told at once, and then at most every ten seconds with their number", async () => {
  await using stage = await SocketsStage.set({ listen: { maxConnections: 1 } });
  const there = await stage.connect("127.0.0.5");
  assert.ok(await isTaken(there));
  const refuse = async (times: number) => {
    for (let i = 0; i < times; i++) await (await stage.connect()).rest();
  };
  await refuse(4);
  const told = { limit: "listen.max_connections", address: "127.0.0.1" };
  assert.deepEqual(stage.refused, [{ ...told, count: 1 }]);
  stage.clock.advance(9_900);
  await refuse(2);
  assert.equal(stage.refused.length, 1);
  stage.clock.advance(100);
  await refuse(2);
  assert.deepEqual(stage.refused.slice(1), [{ ...told, count: 6 }]);
  stage.clock.advance(100_000);
  await refuse(1);
  assert.deepEqual(stage.refused.slice(2), [{ ...told, count: 2 }]);
});

besideSessions(
  "S-007 a stranger with all the connections that he may have takes nobody's place",
  { listen: { maxConnectionsPerAddress: 50, maxConnections: 100 } },
  async (stage) => {
    const wires = [];
    for (let i = 0; i < 200; i++) wires.push(await stage.connect("127.0.0.66"));
    await settled(100);
    assert.equal(wires.filter(({ isEnded }) => isEnded).length, 150);
    assert.equal(stage.refused.length, 1);
    assert.ok(await isTaken(await stage.connect()));
  },
);

onFront(
  "sockets",
  "S-007 refused connections are an event of the connection manager's",
  async () => {
    const toml = '[[listen]]\nserver = "sockets"\nmax_connections = 1';
    await using running = await runManager({ toml, connector: new FakeConnector() });
    using there = await RawWebSocket.connect(`${running.url}/xmpp-websocket`);
    assert.equal(there.status, 101);
    for (let i = 0; i < 3; i++) {
      using refused = await RawWebSocket.connect(`${running.url}/xmpp-websocket`);
      assert.equal(refused.status, 503);
    }
    assert.deepEqual(running.events, [
      { type: "limit-reached", limit: "listen.max_connections", address: "127.0.0.1", count: 1 },
    ]);
  },
);
