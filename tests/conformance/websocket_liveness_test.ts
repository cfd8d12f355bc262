import assert from "node:assert/strict";
import { until } from "../support/patience.ts";
import { OPCODE, type RawWebSocket } from "../support/raw_websocket.ts";
import { message, pass, Stage, type StageOptions } from "./stage.ts";
import { connect, OUR_CLOSE, talk } from "./websocket_stage.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";

/** A stage whose clients need not authenticate. */
function unhurried(options: StageOptions = {}): Promise<Stage> {
  return Stage.set({
    ...options,
    limits: `unauthenticated_time = 86_400\n${options.limits ?? ""}`,
  });
}

const IDLE = { more: "[websocket]\nidle_timeout = 600\nping_interval = 0" };

onFront(
  "deno",
  "W-030 W-035 pings: a client that ignores them is lost, one that answers stays",
  async () => {
    await using stage = await unhurried({ more: "[websocket]\nping_interval = 1" });
    using answering = await talk(stage);
    using ignoring = await talk(stage);
    const start = performance.now();
    const answers = (async () => {
      for (let pings = 0; pings < 3; pings++) {
        const { opcode, data } = await answering.socket.frameIn();
        assert.equal(opcode, OPCODE.ping);
        answering.socket.frame(OPCODE.pong, data);
      }
    })();
    assert.equal(await ignoring.upstream.expectEnd(), "", "no closing tag");
    const waited = performance.now() - start;
    assert.ok(waited > 1_300 && waited < 2_700, `${waited}`);
    await answers;
    answering.upstream.write(message("still"));
    assert.match(await answering.socket.message(), /id='still'/);
    assert.equal(stage.running.manager.sessions, 1);
  },
);

onFront(
  "sockets",
  "W-030 W-035 pings: a client that ignores two of them for their time is lost, one that answers stays",
  async () => {
    await using stage = await unhurried({ more: "[websocket]\nping_interval = 60" });
    using answering = await talk(stage);
    using ignoring = await talk(stage);
    // Deadlines are looked at every half second.
    const aLittle = 600;
    for (let pings = 0; pings < 2; pings++) {
      stage.running.jump(60_000 - 2 * aLittle);
      await inOrder(answering.socket);
      assert.equal(answering.socket.waiting, 0, "no ping before its time");
      stage.running.jump(3 * aLittle);
      for (const { socket } of [answering, ignoring]) {
        const { opcode, data, masked, fin } = await socket.frameIn();
        assert.deepEqual([opcode, data.length, masked, fin], [OPCODE.ping, 0, false, true]);
      }
      answering.socket.frame(OPCODE.pong);
      await inOrder(answering.socket);
    }
    assert.equal(stage.running.manager.sessions, 2);
    stage.running.jump(60_000 + aLittle);
    assert.equal(await ignoring.upstream.expectEnd(), "", "no closing tag");
    assert.deepEqual(await ignoring.socket.rest(), []);
    answering.upstream.write(message("still"));
    assert.match(await answering.socket.message(), /id='still'/);
    assert.equal(stage.running.manager.sessions, 1);
  },
);

onFront(
  "sockets",
  "W-030 W-035 a client that vanishes is lost in less than three intervals and a second",
  async () => {
    await using stage = await unhurried({ more: "[websocket]\nping_interval = 1" });
    using vanished = await talk(stage);
    const start = performance.now();
    assert.equal(await vanished.upstream.expectEnd(), "", "no closing tag");
    const waited = performance.now() - start;
    assert.ok(waited > 2_400 && waited < 6_000, `${waited}`);
  },
);

onBothFronts("W-035 no pings where they are off", async () => {
  await using stage = await unhurried({ more: "[websocket]\nping_interval = 0" });
  using open = await talk(stage);
  open.socket.frame(OPCODE.ping, "theirs");
  assert.equal(await open.socket.pong(), "theirs");
  assert.equal(open.socket.waiting, 0);
});

onBothFronts(
  "W-037 as in MongooseIM's suite: a silent session is ended with connection-timeout, by messages of either side it is not",
  async () => {
    await using stage = await unhurried(IDLE);
    using open = await talk(stage);
    stage.running.jump(599_000);
    open.socket.text("<presence/>");
    await open.upstream.expect("<presence/>");
    stage.running.jump(599_000);
    open.upstream.write(message("down"));
    assert.match(await open.socket.message(), /id='down'/);
    stage.running.jump(599_000);
    open.socket.text(" ");
    open.socket.frame(OPCODE.ping, "in order");
    await open.socket.pong();
    stage.running.jump(599_000);
    assert.equal(open.socket.waiting, 0);
    stage.running.jump(2_000);
    assert.match(await open.socket.message(), /<connection-timeout .*600 s/);
    assert.equal(await open.socket.message(), OUR_CLOSE);
    assert.equal(await open.upstream.expectEnd(), "", "its session may be resumed");
    stage.running.jump(2_000);
    assert.equal(await open.socket.closed(), 1000);
  },
);

onFront(
  "deno",
  "W-036 W-037 pings and pongs do not count on this front, whose platform keeps them to itself",
  async () => {
    await using stage = await unhurried(IDLE);
    using open = await talk(stage);
    stage.running.jump(599_000);
    open.socket.frame(OPCODE.pong, "alive");
    open.socket.frame(OPCODE.ping, "alive");
    await open.socket.pong();
    stage.running.jump(2_000);
    assert.match(await open.socket.message(), /<connection-timeout /);
  },
);

onFront("sockets", "W-036 W-037 a ping and a pong are signs of life", async () => {
  await using stage = await unhurried(IDLE);
  for (const opcode of [OPCODE.ping, OPCODE.pong]) {
    using open = await talk(stage);
    for (let i = 0; i < 3; i++) {
      stage.running.jump(599_000);
      open.socket.frame(opcode, "alive");
      // Nothing tells when a pong has come.
      if (opcode === OPCODE.pong) await pass(0.1);
      else assert.equal(await open.socket.pong(), "alive");
    }
    stage.running.jump(599_000);
    assert.equal(open.socket.waiting, 0);
    stage.running.jump(2_000);
    assert.match(await open.socket.message(), /<connection-timeout /);
  }
});

onBothFronts(
  "W-037 without a limit an open session may be silent; a client that never opens one has a minute",
  async () => {
    await using stage = await unhurried();
    using open = await talk(stage);
    stage.running.jump(80_000_000);
    open.socket.text("<presence/>");
    await open.upstream.expect("<presence/>");
    using silent = await connect(stage);
    stage.running.jump(59_000);
    assert.equal(silent.waiting, 0);
    stage.running.jump(2_000);
    assert.match(await silent.message(), /^<open /);
    assert.match(await silent.message(), /<connection-timeout /);
    assert.equal(await silent.message(), OUR_CLOSE);
  },
);

onBothFronts(
  "W-040 a client that does not read stops the reading of its server, harms nobody, and gets it all in order when it reads",
  async () => {
    await using stage = await unhurried({
      limits: QUEUE,
    });
    using neighbour = await talk(stage);
    using slow = await talk(stage);
    slow.socket.pause();
    const count = await flood(slow);
    neighbour.upstream.write(message("next door"));
    assert.match(await neighbour.socket.message(), /id='next door'/);
    slow.socket.resume();
    for (let i = 0; i < count; i++) {
      assert.match(await slow.socket.message(), new RegExp(`^<message [^>]*id='${i}'`));
    }
  },
);

onBothFronts(
  "W-030 W-040 a client that reads nothing for a minute is lost: its server hears no closing tag",
  async () => {
    await using stage = await unhurried({
      limits: QUEUE,
    });
    using neighbour = await talk(stage);
    using stalled = await talk(stage);
    stalled.socket.pause();
    await flood(stalled);
    stage.running.jump(50_000);
    assert.equal(stage.running.manager.sessions, 2);
    stage.running.jump(10_000);
    assert.equal(await stalled.upstream.expectEnd(), "");
    assert.equal(stage.running.manager.sessions, 1);
    const ending = await until(
      () => stage.running.events.find(({ type }) => type === "session-ended"),
      "the end is told",
    );
    assert.ok(ending.type === "session-ended" && ending.condition === "connection-lost");
    assert.equal(ending.reason, "the client does not read");
    const unsent = stage.running.events.find(({ type }) => type === "unsent");
    assert.ok(unsent?.type === "unsent" && unsent.to === "client" && unsent.bytes > 1_048_576);
    neighbour.upstream.write(message("next door"));
    assert.match(await neighbour.socket.message(), /id='next door'/);
  },
);

/** Settles when what was sent before has been read. */
async function inOrder(socket: RawWebSocket): Promise<void> {
  socket.frame(OPCODE.ping, "in order");
  assert.equal(await socket.pong(), "in order");
}

const QUEUE = "queued_bytes = 1_048_576";
/** Bytes of one message of a flood, and how many of them are too many: the system's buffers take some. */
const LARGE = 60_000;
const TOO_MANY = 2_000;

/** Writes numbered messages to the client until no more are taken, and says how many that were. */
async function flood({ upstream }: Awaited<ReturnType<typeof talk>>): Promise<number> {
  const text = "x".repeat(LARGE);
  for (let count = 0; count < TOO_MANY; count++) {
    upstream.write(message(count, text));
    const start = performance.now();
    while (upstream.unsent > 0) {
      if (performance.now() - start > 500) return count + 1;
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  throw new Error(`${TOO_MANY} messages are taken`);
}
