import assert from "node:assert/strict";
import { until } from "../support/patience.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { Stage } from "./stage.ts";
import { connect, START_TAG, talk, webSocketUrl } from "./websocket_stage.ts";
import { onBothFronts } from "../support/fronts.ts";

/** The subprotocols that the answer names, header by header. */
function agreed(socket: RawWebSocket): readonly string[] | undefined {
  return socket.headers.get("sec-websocket-protocol");
}

const PROTOCOL = "sec-websocket-protocol";

onBothFronts(
  "W-001 T-38 as in MongooseIM's suite: from one or many subprotocols, in one header or several, xmpp is agreed to",
  async () => {
    await using stage = await Stage.set();
    for (
      const offered of [
        "xmpp",
        "xmpp, other",
        "other, xmpp",
        "other,xmpp",
        "xmpp,other",
        " a ,,  xmpp ",
        ["other", "xmpp"],
        ["xmpp", "other, third"],
      ]
    ) {
      using socket = await connect(stage, { [PROTOCOL]: offered });
      assert.equal(socket.status, 101, String(offered));
      assert.deepEqual(agreed(socket), ["xmpp"], String(offered));
    }
  },
);

onBothFronts("W-002 the client's spelling is answered; what is not xmpp is refused", async () => {
  await using stage = await Stage.set();
  for (const spelling of ["XMPP", "Xmpp", "other, xMPP"]) {
    using socket = await connect(stage, { [PROTOCOL]: spelling });
    assert.equal(socket.status, 101);
    assert.deepEqual(agreed(socket), [spelling.replace("other, ", "")]);
  }
  for (const spelling of ["other", "xmpp2", "xmpp-framing, x"]) {
    using socket = await connect(stage, { [PROTOCOL]: spelling });
    assert.equal(socket.status, 400, spelling);
  }
  await until(() => stage.running.manager.sessions === 0 || undefined, "the sockets are gone");
});

onBothFronts(
  "W-002 without a subprotocol there is the older framing, where it is on, and nothing else",
  async () => {
    await using stage = await Stage.set();
    using old = await talk(stage, { headers: { [PROTOCOL]: "" }, opening: START_TAG });
    assert.equal(old.socket.status, 101);
    assert.equal(agreed(old.socket), undefined);
    assert.match(old.opened, /^<stream:stream /);
    using asked = await talk(stage, { opening: START_TAG });
    assert.deepEqual(agreed(asked.socket), ["xmpp"]);
    assert.match(asked.opened, /^<stream:stream /);

    await using strict = await Stage.set({ more: "[websocket]\nlegacy_framing = false" });
    using refused = await connect(strict, { [PROTOCOL]: "" });
    assert.equal(refused.status, 400);
  },
);

onBothFronts(
  "W-003 a handshake is accepted with the key's answer, however its headers are spelled",
  async () => {
    await using stage = await Stage.set();
    for (
      const headers of [
        {},
        { "upgrade": "WebSocket", "connection": "keep-alive, upgrade" },
        { "upgrade": "websocket", "connection": ["keep-alive", "Upgrade"] },
      ]
    ) {
      using socket = await connect(stage, headers);
      assert.equal(socket.status, 101);
      // RFC 6455 §1.3: the answer to its example key.
      assert.deepEqual(socket.headers.get("sec-websocket-accept"), [
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
      ]);
      assert.deepEqual(socket.headers.get("upgrade")?.map((it) => it.toLowerCase()), ["websocket"]);
    }
  },
);

onBothFronts(
  "W-003 what is no handshake, or not a whole one, is told what is missing",
  async () => {
    await using stage = await Stage.set();
    const cases: [Record<string, string>, number][] = [
      [{ "sec-websocket-version": "8" }, 426],
      [{ "sec-websocket-version": "" }, 426],
      [{ "sec-websocket-version": "14" }, 426],
      [{ "sec-websocket-key": "" }, 426],
      [{ "connection": "keep-alive" }, 426],
      [{ "sec-websocket-key": "x" }, 400],
      [{ "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ" }, 400],
      [{ "upgrade": "" }, 200],
      [{ "upgrade": "h2c" }, 200],
    ];
    for (const [headers, status] of cases) {
      using socket = await connect(stage, headers);
      assert.equal(socket.status, status, JSON.stringify(headers));
      const version = status === 426 ? ["13"] : undefined;
      assert.deepEqual(socket.headers.get("sec-websocket-version"), version);
    }
  },
);

onBothFronts(
  "W-003 other methods are refused, and on the BOSH path a POST stays one, whatever it would upgrade to",
  async () => {
    await using stage = await Stage.set();
    for (const method of ["POST", "PUT", "DELETE"]) {
      using socket = await RawWebSocket.connect(webSocketUrl(stage), {}, method);
      assert.equal(socket.status, 405);
      assert.deepEqual(socket.headers.get("allow"), ["GET, HEAD"]);
    }
    using head = await RawWebSocket.connect(webSocketUrl(stage), {}, "HEAD");
    assert.equal(head.status, 200);
    using post = await RawWebSocket.connect(stage.url, { "content-length": "0" }, "POST");
    assert.equal(post.status, 400, "an empty BOSH request");
    using shared = await RawWebSocket.connect(stage.url);
    assert.equal(shared.status, 101);
    using slash = await RawWebSocket.connect(`${webSocketUrl(stage)}/`);
    assert.equal(slash.status, 101);
  },
);

onBothFronts("W-003 extensions are offered in vain", async () => {
  await using stage = await Stage.set();
  using socket = await connect(stage, {
    "sec-websocket-extensions": "permessage-deflate; client_max_window_bits, x-other",
  });
  assert.equal(socket.status, 101);
  assert.equal(socket.headers.get("sec-websocket-extensions"), undefined);
});

onBothFronts("W-004 a list of origins admits those, and clients that are no pages", async () => {
  await using stage = await Stage.set({ http: "allowed_origins = ['https://page.test']" });
  for (
    const [origin, status] of [
      ["https://page.test", 101],
      ["", 101],
      ["https://other.test", 403],
      ["https://page.test.other.test", 403],
      ["null", 403],
    ] as const
  ) {
    using socket = await connect(stage, { origin });
    assert.equal(socket.status, status, origin);
  }
  await using open = await Stage.set();
  using any = await connect(open, { origin: "https://other.test" });
  assert.equal(any.status, 101);
});
