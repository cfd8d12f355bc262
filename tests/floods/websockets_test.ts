/** A WebSocket that says nothing costs a few kilobytes, before its stream is opened and after. */
import assert from "node:assert/strict";
import { answered, HANDSHAKE_REQUEST } from "../support/flood_clients.ts";
import { OPEN } from "../support/flood_probe.ts";
import { addressOf, fileDescriptors, flood, size, times } from "../support/flood_stage.ts";
import { SERVERS } from "../support/flood_upstream.ts";
import { text } from "../support/rfc6455.ts";

const CLIENTS = size(500, 10_000);
/** Each of these takes two descriptors of the program, and two of the test. */
const WITH_STREAMS = Math.min(CLIENTS, Math.floor(fileDescriptors() / 2) - 200);

flood({
  name: `S-007 ${CLIENTS} WebSockets that have not opened a stream`,
  ceiling: 100 + CLIENTS * 12 / 1024,
  listen: `max_connections = ${CLIENTS + 10}`,
  toml: `[limits]\nsessions = ${CLIENTS + 10}`,
  async work({ connect, probe }) {
    await times(CLIENTS, 50, async (index) => {
      const socket = await connect(addressOf(index));
      await answered(socket, HANDSHAKE_REQUEST, /^HTTP\/1\.1 101 /);
    });
    await probe.onceMore();
  },
});

flood({
  name: `S-007 ${WITH_STREAMS} WebSockets that have opened a stream and do not log in`,
  ceiling: 100 + WITH_STREAMS * 20 / 1024,
  listen: `max_connections = ${WITH_STREAMS + 10}`,
  async work({ connect, probe, upstream }) {
    const open = text(OPEN(SERVERS.echo));
    await times(WITH_STREAMS, 50, async (index) => {
      const socket = await connect(addressOf(index));
      await answered(socket, HANDSHAKE_REQUEST, /^HTTP\/1\.1 101 /);
      await answered(socket, open, /<\/stream:features>/);
    });
    assert.ok(upstream.connections >= WITH_STREAMS);
    await probe.onceMore();
  },
});
