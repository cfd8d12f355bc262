import assert from "node:assert/strict";
import { OPCODE, type RawWebSocket } from "../support/raw_websocket.ts";
import { message, Stage } from "./stage.ts";
import { OUR_CLOSE, talk, type WebSocketTalk } from "./websocket_stage.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";

type Act = (socket: RawWebSocket) => void;

const BAD_UTF8 = new Uint8Array([0x3c, 0xc3, 0x28]);

const NOT_UTF8: readonly Act[] = [
  (socket) => socket.frame(OPCODE.text, BAD_UTF8),
  (socket) => socket.frame(OPCODE.text, BAD_UTF8.subarray(0, 2)),
  (socket) => socket.frame(OPCODE.text, new Uint8Array([0x3c, 0xed, 0xa0, 0x80])),
  (socket) => {
    socket.frame(OPCODE.text, "<presence>", { fin: false });
    socket.frame(OPCODE.continuation, BAD_UTF8);
  },
  // The reason of a close frame.
  (socket) => socket.frame(OPCODE.close, new Uint8Array([3, 232, 0xc3, 0x28])),
];

/** What RFC 6455 forbids. */
const VIOLATIONS: readonly Act[] = [
  // Reserved bits, without an extension that would give them a meaning.
  ...[1, 2, 4, 7].map((reserved) => (socket: RawWebSocket): void =>
    socket.frame(OPCODE.text, "<presence/>", { reserved })
  ),
  (socket) => socket.frame(OPCODE.ping, "", { reserved: 1 }),
  // Reserved opcodes.
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => (socket: RawWebSocket): void =>
    socket.frame(opcode, "<presence/>")
  ),
  // Control frames that are too long, or fragmented.
  (socket) => socket.frame(OPCODE.ping, "x".repeat(126)),
  (socket) => socket.frame(OPCODE.ping, "x", { fin: false }),
  (socket) => socket.frame(OPCODE.close, new Uint8Array([3, 232]), { fin: false }),
  // A continuation of nothing, and a message that begins inside another.
  (socket) => socket.frame(OPCODE.continuation, "<presence/>"),
  (socket) => socket.frame(OPCODE.continuation, "<presence/>", { fin: false }),
  (socket) => {
    socket.frame(OPCODE.text, "<pre", { fin: false });
    socket.frame(OPCODE.text, "<presence/>");
  },
  // A close frame with half a code.
  (socket) => socket.frame(OPCODE.close, new Uint8Array([3])),
  // A length beyond what a number may say.
  (socket) => socket.bytes(new Uint8Array([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])),
];

/** Asserts that the socket is usable, and that the upstream has got these payloads and no others. */
async function goesOn({ socket, upstream }: WebSocketTalk, before = ""): Promise<void> {
  socket.text("<iq id='on'/>");
  assert.equal(await upstream.expect("<iq id='on'/>"), `${before}<iq id='on'/>`);
}

onBothFronts("W-005 a binary message is refused with 1003, after a stream error", async () => {
  await using stage = await Stage.set();
  for (const data of ["<presence/>", ""]) {
    using open = await talk(stage);
    open.socket.frame(OPCODE.binary, data);
    assert.match(await open.socket.message(), /<bad-format /);
    assert.equal(await open.socket.message(), OUR_CLOSE);
    assert.equal(await open.socket.closed(), 1003);
    assert.equal(await open.upstream.expect("</stream:stream>"), "</stream:stream>");
  }
});

onFront(
  "deno",
  "W-005 W-030 UTF-8 that is none ends the connection (by this front without a close frame), and nothing is forwarded",
  async () => {
    await using stage = await Stage.set();
    await endWith([], stage, NOT_UTF8);
  },
);

onFront(
  "sockets",
  "W-005 W-030 UTF-8 that is none closes with 1007, and nothing is forwarded",
  async () => {
    await using stage = await Stage.set();
    await endWith(["close 1007"], stage, [
      ...NOT_UTF8,
      (socket) => {
        // As soon as it is certain, in the midst of a message.
        socket.frame(OPCODE.text, "<presence>", { fin: false });
        socket.frame(OPCODE.continuation, BAD_UTF8, { fin: false });
      },
    ]);
  },
);

onBothFronts(
  "W-011 T-36 fragments are put together, whatever comes between them and however they are cut",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage);
    const { socket, upstream } = open;
    const stanza = "<message><body>ü 😀 漢字</body></message>";
    for (const length of [1, 2, 3, 7, stanza.length]) {
      socket.fragments(stanza, length);
      assert.equal(await upstream.expect("</message>"), stanza, `${length} bytes each`);
    }
    const bytes = new TextEncoder().encode(stanza);
    socket.frame(OPCODE.text, "", { fin: false });
    for (let i = 0; i < 5; i++) {
      socket.frame(OPCODE.continuation, bytes.subarray(i * 9, (i + 1) * 9), { fin: false });
      socket.frame(OPCODE.ping, `between ${i}`);
      assert.equal(await socket.pong(), `between ${i}`);
      socket.frame(OPCODE.pong, "unasked");
      socket.frame(OPCODE.continuation, "", { fin: false });
    }
    socket.frame(OPCODE.continuation, bytes.subarray(45));
    assert.equal(await upstream.expect("</message>"), stanza);
    await goesOn(open);
  },
);

onBothFronts(
  "W-012 T-37 a message over the limit is a policy violation with 1009, whole or in fragments; one at the limit passes",
  async () => {
    await using stage = await Stage.set({ limits: "client_stanza = 10_000" });
    const stanza = (bytes: number) => `<message>${"ü".repeat((bytes - 19) / 2)}</message>`;
    using good = await talk(stage);
    good.socket.text(stanza(9_999));
    assert.equal(await good.upstream.expect("</message>"), stanza(9_999));
    good.socket.fragments(stanza(9_999), 1_000);
    assert.equal(await good.upstream.expect("</message>"), stanza(9_999));

    const acts: ((socket: RawWebSocket) => void)[] = [
      // Fewer than ten thousand characters, but more bytes.
      (socket) => socket.text(stanza(10_001)),
      (socket) => socket.fragments(stanza(10_001), 1_000),
      (socket) => socket.text(stanza(100_001)),
      (socket) => socket.text(" ".repeat(10_001)),
    ];
    for (const act of acts) {
      using open = await talk(stage);
      act(open.socket);
      open.socket.text("<presence id='after'/>");
      assert.match(await open.socket.message(), /<policy-violation .*at most 10000 bytes/);
      assert.equal(await open.socket.message(), OUR_CLOSE);
      assert.equal(await open.socket.closed(), 1009);
      assert.equal(await open.upstream.expect("</stream:stream>"), "</stream:stream>");
    }
    await goesOn(good);
  },
);

onFront(
  "sockets",
  "W-012 T-37 a message over the limit is refused by the header of its first frame that goes beyond",
  async () => {
    await using stage = await Stage.set({ limits: "client_stanza = 10_000" });
    const acts: readonly Act[] = [
      // 68 MB, of which none comes.
      (socket) => socket.bytes(new Uint8Array([0x81, 0xff, 0, 0, 0, 0, 4, 16, 0, 0, 1, 2, 3, 4])),
      (socket) => {
        socket.frame(OPCODE.text, " ".repeat(9_999), { fin: false });
        socket.bytes(new Uint8Array([0x80, 0x82, 1, 2, 3, 4]));
      },
    ];
    for (const act of acts) {
      using open = await talk(stage);
      act(open.socket);
      assert.match(await open.socket.message(), /<policy-violation .*at most 10000 bytes/);
      assert.equal(await open.socket.message(), OUR_CLOSE);
      assert.equal(await open.socket.closed(), 1009);
    }
  },
);

onBothFronts(
  "W-036 a ping is answered with its data, up to 125 bytes of it; a pong nobody asked for is nothing",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage);
    for (const data of ["", "abc", "x".repeat(125)]) {
      open.socket.frame(OPCODE.ping, data);
      const { opcode, data: answer, fin, masked } = await open.socket.frameIn();
      assert.deepEqual([opcode, fin, masked], [OPCODE.pong, true, false]);
      assert.equal(new TextDecoder().decode(answer), data);
    }
    open.socket.frame(OPCODE.pong, "unasked");
    open.socket.frame(OPCODE.pong);
    await goesOn(open);
    assert.equal(open.socket.waiting, 0);
  },
);

onBothFronts(
  "W-006 messages leave as unmasked text frames, in one piece, without reserved bits",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage);
    for (const length of [1, 200, 70_000]) {
      open.upstream.write(message(length, "x".repeat(length)));
      const { data, ...frame } = await open.socket.frameIn();
      assert.deepEqual(frame, { opcode: OPCODE.text, fin: true, reserved: 0, masked: false });
      assert.ok(data.length > length);
    }
  },
);

onFront(
  "deno",
  "W-030 what violates RFC 6455 ends the connection (by this front without a close frame), and nothing is forwarded",
  async () => {
    await using stage = await Stage.set();
    await endWith([], stage, [
      ...VIOLATIONS,
      // A length beyond what this front takes.
      (socket) => socket.bytes(new Uint8Array([0x81, 0xff, 0, 0, 0, 0, 4, 16, 0, 0, 1, 2, 3, 4])),
    ]);
  },
);

onFront(
  "deno",
  "W-011 W-036 this front takes frames without a mask, which RFC 6455 §5.1 forbids, lengths that are spelled too long, and long pongs",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage);
    open.socket.frame(OPCODE.text, "<presence/>", { masked: false });
    await goesOn(open, "<presence/>");
    open.socket.frame(OPCODE.pong, "x".repeat(126));
    open.socket.bytes(new Uint8Array([0x81, 0xfe, 0, 1, 0, 0, 0, 0, 0x20]));
    await goesOn(open);
  },
);

onFront(
  "sockets",
  "W-011 W-030 what violates RFC 6455 closes with 1002, and nothing is forwarded",
  async () => {
    await using stage = await Stage.set();
    await endWith(["close 1002"], stage, VIOLATIONS);
  },
);

onFront(
  "sockets",
  "W-011 W-030 W-036 frames without a mask close with 1002, as do lengths that are spelled too long, and long pongs",
  async () => {
    await using stage = await Stage.set();
    await endWith(["close 1002"], stage, [
      (socket) => socket.frame(OPCODE.text, "<presence/>", { masked: false }),
      (socket) => socket.frame(OPCODE.ping, "", { masked: false }),
      (socket) => socket.frame(OPCODE.close, "", { masked: false }),
      (socket) => socket.bytes(new Uint8Array([0x81, 0xfe, 0, 1, 0, 0, 0, 0, 0x20])),
      (socket) =>
        socket.bytes(new Uint8Array([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x20])),
      (socket) => socket.frame(OPCODE.pong, "x".repeat(126)),
    ]);
  },
);

onBothFronts(
  "W-030 the client's close frame is answered, with its own code where that may be sent, else with 1002",
  async () => {
    await using stage = await Stage.set();
    const cases: [number | undefined, number][] = [
      ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map((
        code,
      ) => [code, code] as [number, number]),
      [undefined, 1005],
      ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) =>
        [code, 1002] as [number, number]
      ),
    ];
    for (const [sent, answered] of cases) {
      using open = await talk(stage);
      open.socket.close(sent);
      assert.deepEqual(await open.socket.rest(), [`close ${answered}`], String(sent));
      assert.equal(await open.upstream.expectEnd(), "", "no closing tag");
    }
  },
);

/** Each act ends its connection with these frames, and its upstream with no byte. */
async function endWith(
  frames: readonly string[],
  stage: Stage,
  acts: readonly Act[],
): Promise<void> {
  for (const [index, act] of acts.entries()) {
    using open = await talk(stage);
    act(open.socket);
    assert.deepEqual(await open.socket.rest(), frames, `act ${index}`);
    assert.equal(await open.upstream.expectEnd(), "", `act ${index}`);
  }
}
