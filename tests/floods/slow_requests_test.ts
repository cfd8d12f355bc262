/** Whoever is slow with a request costs a connection's few kilobytes, and that no longer than the timeout. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { addressOf, flood, type FloodStage, size, times } from "../support/flood_stage.ts";

const CLIENTS = size(400, 9_000);
/** Room that is left under `max_connections` for the sessions that are watched. */
const ROOM = 10;
const TIMEOUT = size(2, 10);
/** MiB: the program itself, and 12 KiB a connection. */
const CEILING = 100 + CLIENTS * 12 / 1024;

const SLOW = {
  heads: () => "POST /http-bind HTTP/1.1\r\nHost: x\r\nX-Slow: ",
  /** Bodies that need no leave, and some that want more than `limits.bodies`. */
  bodies: (index: number) =>
    "POST /http-bind HTTP/1.1\r\nHost: x\r\n" +
    `Content-Length: ${index % 8 > 0 ? 4_000 : 250_000}\r\n\r\n<body`,
};

for (const [what, beginning] of Object.entries(SLOW)) {
  flood({
    name: `S-007 S-008 ${CLIENTS} clients with slow ${what}, an octet at a time, up to the cap`,
    ceiling: CEILING,
    listen: `max_connections = ${CLIENTS + ROOM}`,
    toml: `[http]\nhead_timeout = ${TIMEOUT}\nbody_timeout = ${TIMEOUT}`,
    work: (stage) => slowly(stage, beginning),
  });
}

async function slowly(stage: FloodStage, beginning: (index: number) => string): Promise<void> {
  const open = new Set<Socket>();
  let refused = 0;
  const join = async (index: number) => {
    const socket = await stage.connect(addressOf(index));
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.write(beginning(index));
    return socket;
  };
  await times(CLIENTS, 100, async (index) => void await join(index));
  // There is no room for so many more.
  await times(10 * ROOM, 10, async (index) => {
    (await join(index)).on("data", (chunk) => {
      if (/^HTTP\/1\.1 503 /.test(chunk.toString("latin1"))) refused++;
    });
  });
  // They go on for as long as they are let.
  while (open.size > 0) {
    for (const socket of open) socket.write("x");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(refused > 0);
}
