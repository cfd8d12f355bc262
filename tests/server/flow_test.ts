import assert from "node:assert/strict";
import { BoshClient, stayUnanswered } from "../support/bosh_client.ts";
import { FakeConnector, type FakeUpstream } from "../support/fake_connector.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";
import { OPCODE, RawWebSocket } from "../support/raw_websocket.ts";

const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>";
const CLOSE = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";

interface Talk {
  readonly socket: RawWebSocket;
  readonly upstream: FakeUpstream;
}

async function talk(running: RunningManager, connector: FakeConnector): Promise<Talk> {
  const socket = await RawWebSocket.connect(`${running.url}/xmpp-websocket`);
  socket.text(OPEN);
  for (let i = 0; i < 2; i++) await socket.message();
  // The server knows its client.
  connector.last.say("<presence/>");
  await socket.message();
  return { socket, upstream: connector.last };
}

/** What was sent before by others has come by when a message has come that was sent now. */
async function moment({ socket, upstream }: Talk): Promise<void> {
  const calls = upstream.log.length;
  socket.text("<message/>");
  await until(() => upstream.log.length > calls || undefined, "the neighbour is read");
}

onFront(
  "sockets",
  "W-040 a client is not read while its upstream takes nothing, nor what had come with the last message",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const neighbour = await talk(running, connector);
    const { socket, upstream } = await talk(running, connector);
    const send = upstream.send.bind(upstream);
    upstream.send = (content) => {
      send(content);
      upstream.takes(false);
    };
    for (const name of ["a", "b", "c"]) socket.text(`<${name}/>`);
    await until(() => upstream.log.length > 0 || undefined, "the first is read");
    for (const [index, name] of ["a", "b", "c"].entries()) {
      for (let i = 0; i < 20; i++) await moment(neighbour);
      assert.equal(upstream.log.length, index + 1);
      assert.equal(upstream.log.at(-1), `send <${name}/>`);
      upstream.takes(true);
      await until(() => upstream.log.length > index + 1 || index === 2 || undefined, "the next");
    }
    // What comes down is not held up.
    upstream.takes(false);
    upstream.say("<message id='down'/>");
    assert.match(await socket.message(), /id='down'/);
    socket.destroy();
    neighbour.socket.destroy();
  },
);

onFront(
  "sockets",
  "W-035 W-040 a client that is not read is pinged, and is not lost for its pongs, which nobody reads",
  async () => {
    const connector = new FakeConnector();
    const toml = "[websocket]\nping_interval = 50\nidle_timeout = 100";
    await using running = await runManager({ connector, toml });
    const { socket, upstream } = await talk(running, connector);
    upstream.takes(false);
    for (let pings = 0; pings < 6; pings++) {
      running.jump(51_000);
      const { opcode } = await socket.frameIn();
      assert.equal(opcode, OPCODE.ping);
      socket.frame(OPCODE.pong);
      // Something of what waits has left.
      upstream.takes(false);
    }
    assert.equal(running.manager.sessions, 1);
    socket.text("<message/>");
    upstream.takes(true);
    await until(() => upstream.log.length > 0 || undefined, "it is read");
    assert.deepEqual(upstream.log, ["send <message/>"]);
    socket.destroy();
  },
);

onBothFronts(
  "W-040 an upstream that takes nothing for a minute ends the session with a reason, whether the client is there or not",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    for (const isThere of [true, false]) {
      const { socket, upstream } = await talk(running, connector);
      upstream.takes(false);
      socket.text("<presence/>");
      if (!isThere) socket.destroy();
      running.jump(59_000);
      if (isThere) assert.equal(running.manager.sessions, 1);
      running.jump(1_000);
      await until(() => running.manager.sessions === 0 || undefined, "the session is over");
      assert.equal(upstream.log.at(-1), "abort");
      if (!isThere) continue;
      assert.match(
        await socket.message(),
        /<remote-connection-failed .*the XMPP server has taken nothing for 60 s/,
      );
      assert.match(await socket.message(), /^<close /);
      socket.text(CLOSE);
      assert.equal(await socket.closed(), 1000);
    }
  },
);

onFront(
  "sockets",
  "W-026 W-040 a closing handshake goes through, though nobody was read",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const { socket, upstream } = await talk(running, connector);
    upstream.takes(false);
    socket.text("<late/>");
    upstream.end({ type: "closed" });
    assert.match(await socket.message(), /^<close /);
    socket.text(CLOSE);
    assert.equal(await socket.closed(), 1000);
  },
);

onFront(
  "deno",
  "W-040 this front reads whatever comes: what an upstream does not take waits for it",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const { socket, upstream } = await talk(running, connector);
    upstream.takes(false);
    await moment({ socket, upstream });
    socket.destroy();
  },
);

onBothFronts(
  "B-106 a BOSH client whose upstream takes nothing has its requests held, and released when it does",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const client = new BoshClient(`${running.url}/http-bind`);
    await client.create("to='example.test' wait='60' hold='1' ver='1.6'");
    const upstream = connector.last;
    upstream.takes(false);
    const first = client.send("", "<message id='1'/>");
    const second = client.send("", "<message id='2'/>");
    await until(() => upstream.log.length === 2 || undefined, "both are processed");
    await stayUnanswered(first, second);
    upstream.say("<message id='down'/>");
    assert.match((await first.answer).text, /id='down'/);
    const third = client.send();
    await stayUnanswered(second, third);
    upstream.takes(true);
    assert.equal((await second.answer).payloads.length, 0);
    await stayUnanswered(third);
    client.close();
  },
);

onBothFronts(
  "B-106 W-040 more than limits.queued_bytes ends a session, and the reason names it",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const reason = "the XMPP server does not read what the client sends (limits.queued_bytes)";
    const client = new BoshClient(`${running.url}/http-bind`);
    await client.create("to='example.test' wait='60' hold='1' ver='1.6'");
    const bosh = connector.last;
    bosh.queuedBytes = 4_194_305;
    const { condition, get } = await client.ask("", "<message/>");
    assert.deepEqual([condition, get("message")], ["policy-violation", reason]);
    assert.equal(bosh.log.at(-1), "abort");
    client.close();

    const { socket, upstream } = await talk(running, connector);
    upstream.queuedBytes = 4_194_305;
    socket.text("<message/>");
    assert.match(
      await socket.message(),
      new RegExp(`<policy-violation .*${RegExp.escape(reason)}`),
    );
    const ends = running.events.filter(({ type }) => type === "session-ended");
    assert.deepEqual(
      ends.map((event) => event.type === "session-ended" && [event.condition, event.reason]),
      Array(2).fill(["policy-violation", reason]),
    );
    socket.destroy();
  },
);
