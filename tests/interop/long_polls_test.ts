import assert from "node:assert/strict";
import type { ProxyName } from "../../src/commands/arguments.ts";
import { onFront } from "../support/fronts.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { behind, type BoshTalk, CARRIERS, logIn, PROXIES } from "../support/proxied.ts";
import { OPCODE, RawWebSocket } from "../support/raw_websocket.ts";
import { OPEN } from "../support/websocket_conversation.ts";

/** Seconds; 60 are too many for nginx and Apache, unless they are told otherwise. */
const WAIT = 65;

// The one test that has to wait for real, so all proxies do at the same time.
onFront(
  "deno",
  "W-035 T-46 behind each proxy, a request is held and a WebSocket is silent for longer than proxies wait by themselves",
  async () => {
    await Promise.all(Object.keys(PROXIES).map((name) => holdBehind(name as ProxyName)));
  },
  haveProgram(...Object.values(PROXIES).map(({ program }) => program)),
);

function holdBehind(name: ProxyName): Promise<void> {
  const toml = `bosh.max_wait = ${WAIT}\nlimits.unauthenticated_time = 600`;
  return behind(name, { toml }, async ({ url, connector }) => {
    const talks: (readonly [protocol: string, talk: BoshTalk])[] = [];
    try {
      for (const [protocol, connect] of Object.entries(CARRIERS)) {
        const talk = await connect(url);
        talks.push([protocol, talk]);
        await logIn(talk, connector, WAIT);
      }
      const held = talks.map(async ([protocol, talk]) => {
        const start = performance.now();
        const { payloads, type } = await talk.ask();
        const seconds = (performance.now() - start) / 1000;
        assert.ok(seconds > WAIT - 1 && seconds < WAIT + 5, `${name}, ${protocol}: ${seconds} s`);
        assert.deepEqual([payloads.length, type], [0, undefined]);
      });
      await Promise.all([...held, stayOpen(url)]);
    } finally {
      for (const [, talk] of talks) talk[Symbol.dispose]();
    }
  });
}

/** A WebSocket on which nothing is said between two pings, and after them something is. */
async function stayOpen(url: string): Promise<void> {
  using socket = await RawWebSocket.connect(`${url}/xmpp-websocket`);
  socket.text(OPEN);
  assert.match(await socket.message(), /^<open /);
  assert.match(await socket.message(), /^<stream:features/);
  for (let pings = 0; pings < 2; pings++) {
    await until(() => socket.waiting > 0 || undefined, "there is a ping", 40_000);
    const { opcode, data } = await socket.frameIn();
    assert.equal(opcode, OPCODE.ping);
    socket.frame(OPCODE.pong, data);
  }
  socket.text("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
  assert.match(await socket.message(), /^<close /);
}
