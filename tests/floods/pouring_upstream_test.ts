/** A server that pours at a client that does not read has to wait, and nothing of it is lost. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { bodyOf } from "../support/bosh_client.ts";
import { loggedIn, posted } from "../support/flood_clients.ts";
import { AUTH } from "../support/flood_probe.ts";
import { flood, type FloodStage, size } from "../support/flood_stage.ts";
import { SERVERS, STANZA } from "../support/flood_upstream.ts";

const MEBIBYTE = 1_048_576;
const POURED = size(64, 4_096) * MEBIBYTE;
/** With the head of a frame for each stanza (RFC 6455 §5.2). */
const FRAMED = POURED / STANZA * (STANZA + 4);
/** What the client reads between two pauses. */
const SIP = size(32, 256) * MEBIBYTE;
/** What the system's own buffers and `limits.queued_bytes` may have of it while nobody reads. */
const WITHHELD = 48 * MEBIBYTE;

flood({
  name: `W-040 B-106 ${POURED / MEBIBYTE} MiB from a server for a WebSocket client that pauses`,
  ceiling: 140,
  // A ping would count as something that was poured.
  toml: "[websocket]\nping_interval = 0",
  async work(stage) {
    const { upstream } = stage;
    const socket = await loggedIn(stage, SERVERS.pour);
    let read = 0;
    let pauseAt = 0;
    socket.on("data", (chunk) => {
      read += chunk.length;
      if (read >= pauseAt) socket.pause();
    });
    socket.pause();
    upstream.pour(POURED);
    while (read < FRAMED) {
      await stalled(stage);
      const withheld = upstream.poured - read * STANZA / (STANZA + 4);
      assert.ok(withheld < WITHHELD, `${withheld} bytes are withheld`);
      pauseAt = Math.min(read + SIP, FRAMED);
      await paused(socket);
    }
    // Not an octet too few, and none too many.
    await stage.probe.onceMore();
    assert.equal(read, FRAMED);
  },
});

flood({
  name: `B-106 ${POURED / MEBIBYTE} MiB from a server for a BOSH client that does not ask`,
  ceiling: 140,
  toml: "[bosh]\npolling = 1\ninactivity = 2",
  async work(stage) {
    const { upstream } = stage;
    const socket = await stage.connect();
    const creation = `rid='1' to='${SERVERS.pour}' wait='60' hold='1' ver='1.11'`;
    const answer = await posted(socket, bodyOf(creation));
    const sid = / sid='([^']*)'/.exec(answer)![1];
    await posted(socket, bodyOf(`rid='2' sid='${sid}'`, AUTH));
    await posted(socket, bodyOf(`rid='3' sid='${sid}' xmpp:restart='true'`));
    upstream.pour(POURED);
    await stalled(stage);
    assert.ok(upstream.poured < WITHHELD, `${upstream.poured} poured`);
  },
});

/** The server has poured something, and can pour no more for now. */
async function stalled({ upstream }: FloodStage): Promise<void> {
  for (let before = -1, looks = 0; looks < 10;) {
    if (upstream.poured === before) looks++;
    else [before, looks] = [upstream.poured, 0];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Lets the client read until it pauses again. */
async function paused(socket: Socket): Promise<void> {
  socket.resume();
  while (!socket.isPaused()) {
    if (socket.destroyed) throw new Error("the connection was closed");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
