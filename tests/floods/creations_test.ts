/** Whoever opens sessions and never uses them gets as many as the limits let him, and they end. */
import assert from "node:assert/strict";
import { bodyOf } from "../support/bosh_client.ts";
import { post, posted } from "../support/flood_clients.ts";
import { FloodProbe } from "../support/flood_probe.ts";
import { addressOf, flood, type FloodStage, size, times } from "../support/flood_stage.ts";
import { until } from "../support/patience.ts";
import { SERVERS } from "../support/flood_upstream.ts";

const CREATIONS = size(1_000, 50_000);
const SIDE_BY_SIDE = 20;
const SESSIONS = size(300, 9_000);
/** Those of the probe. */
const OTHERS = FloodProbe.SESSIONS;
/** MiB; an idle program has some sixty. */
const MEMORY = size(72, 200);
const INACTIVITY = size(2, 20);
const BOSH = `[bosh]\npolling = 1\ninactivity = ${INACTIVITY}\n`;
/** As they are unless they are configured. */
const PER_ADDRESS = 200;
const PER_MINUTE = 600;

flood({
  name: `S-007 ${CREATIONS} sessions that are created and not used, from one address`,
  ceiling: 120,
  toml: BOSH,
  async work(stage) {
    const begun = performance.now();
    const { created, refusals } = await create(stage, SERVERS.echo, () => "203.0.113.7");
    const minutes = (performance.now() - begun) / 60_000;
    assert.ok(created <= PER_MINUTE * (1 + minutes), `${created} in ${minutes} minutes`);
    assert.ok(created >= PER_ADDRESS);
    for (const refusal of refusals) {
      assert.match(refusal, /limits\.(?:sessions_per_address|new_sessions_per_minute)/);
    }
    assert.ok(refusals.size > 0);
    assert.ok(stage.child.holdings.sessions <= PER_ADDRESS + OTHERS);
  },
});

flood({
  name: `S-007 ${CREATIONS} sessions that are created and not used, from as many addresses`,
  ceiling: 110 + SESSIONS * 20 / 1024,
  toml: `${BOSH}[limits]\nsessions = ${SESSIONS}`,
  async work(stage) {
    const { created, refusals } = await create(stage, SERVERS.echo, stranger);
    assert.ok(created >= SESSIONS - OTHERS);
    for (const refusal of refusals) assert.match(refusal, /limits\.sessions\b/);
    assert.ok(refusals.size > 0);
    assert.ok(stage.child.holdings.sessions <= SESSIONS);
  },
});

flood({
  name: `S-007 ${CREATIONS} sessions for a server that says nothing, by clients that leave at once`,
  ceiling: 110 + SESSIONS * 20 / 1024,
  toml: `${BOSH}[limits]\nsessions = ${SESSIONS}\nconnecting = ${SESSIONS / 3}\n` +
    "[upstream]\nconnect_timeout = 2",
  async work({ connect, child }) {
    const bytes = post(creation(SERVERS.mute));
    await times(CREATIONS, SIDE_BY_SIDE, async (index) => {
      const socket = await connect(addressOf(index));
      await new Promise((resolve) => socket.write(bytes, resolve));
      socket.destroy();
    });
    // They have left before anybody looked at what they sent.
    await until(() => child.created >= SESSIONS / 3 || undefined, "as many as may be connecting");
    assert.ok(child.holdings.sessions <= SESSIONS);
  },
});

flood({
  name: `S-007 ${CREATIONS} sessions that are created and not used, with memory as the only limit`,
  ceiling: MEMORY + 30,
  toml: `${BOSH}[limits]\nsessions = 1_000_000\nmemory = ${MEMORY * 1_048_576}`,
  async work(stage) {
    const { created, refusals } = await create(stage, SERVERS.echo, stranger);
    assert.ok(created > 0);
    for (const refusal of refusals) assert.match(refusal, /limits\.memory\b/);
    assert.ok(refusals.size > 0);
  },
});

/** Each on a connection that goes on; how many were let, and what the others were told. */
async function create(
  stage: FloodStage,
  server: string,
  address: (index: number) => string,
): Promise<{ readonly created: number; readonly refusals: ReadonlySet<string> }> {
  let created = 0;
  const refusals = new Set<string>();
  const each = Math.floor(CREATIONS / SIDE_BY_SIDE);
  await times(SIDE_BY_SIDE, SIDE_BY_SIDE, async (worker) => {
    const socket = await stage.connect(addressOf(worker));
    for (let i = 0; i < each; i++) {
      const client = `X-Forwarded-For: ${address(worker * each + i)}`;
      const answer = await posted(socket, creation(server), client);
      if (/ sid='/.test(answer)) created++;
      else refusals.add(answer.slice(answer.indexOf("<body")));
    }
  });
  return { created, refusals };
}

function creation(server: string): string {
  return bodyOf(`rid='1' to='${server}' wait='60' hold='1' ver='1.11' xmpp:version='1.0'`);
}

/** Addresses of the ranges that are there for tests (RFC 2544), one for each number. */
function stranger(index: number): string {
  return `198.${18 + (index >> 16 & 1)}.${index >> 8 & 255}.${index & 255}`;
}
