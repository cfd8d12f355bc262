import assert from "node:assert/strict";
import {
  type C2sAction,
  type C2sOptions,
  C2sStream,
  CLOSE_TIMEOUT,
} from "../../../src/protocol/stream/c2s.ts";
import { streamFeatures, streamHeader } from "../../support/upstream_server.ts";
import { BIND, MECHANISMS, STARTTLS } from "../../support/upstream_server.ts";

const TIMEOUT = 10_000;
const TLS_NS = "urn:ietf:params:xml:ns:xmpp-tls";
const PROCEED = `<proceed xmlns='${TLS_NS}'/>`;
const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const OUR_HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' to='example.test' version='1.0'>";
const OUR_FROM_HEADER = OUR_HEADER.replace(
  " version='1.0'>",
  " from='j@example.test' version='1.0'>",
);
const SHOWN = streamFeatures(MECHANISMS);

/** A conversation between a stream and a server, with a clock that the test holds. */
class Conversation {
  now = 0;
  readonly stream: C2sStream;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();

  constructor(options: Partial<C2sOptions> = {}) {
    this.stream = new C2sStream({
      opening: { to: "example.test", version: "1.0" },
      tls: "never",
      direct: false,
      limits: { payloadBytes: 10_000, depth: 50, attributes: 128 },
      timeout: TIMEOUT,
      keepalive: 0,
      ...options,
    });
  }

  /** A stream that is up, without TLS. */
  static open(options: Partial<C2sOptions> = {}): Conversation {
    const talk = new Conversation(options);
    talk.stream.connected(0);
    talk.server(streamHeader("1"), SHOWN);
    talk.actions();
    return talk;
  }

  /** What the server writes, each argument as one chunk, of a buffer that is used again. */
  server(...chunks: string[]): void {
    for (const chunk of chunks) {
      const buffer = this.#encoder.encode(chunk);
      this.stream.receive(this.now, buffer);
      this.#perform();
      buffer.fill(0x3f);
    }
  }

  client(content: string): void {
    this.stream.send(this.#encoder.encode(content));
  }

  /** Moves the clock, with a call at the deadline if it lies between. */
  wait(ms: number): void {
    this.now += ms;
    const { deadline } = this.stream;
    if (deadline !== undefined && deadline <= this.now) this.stream.handleTimeout(this.now);
  }

  /** What the stream has asked for since the last call; consecutive writes are one. */
  actions(): string[] {
    this.#perform();
    const actions: string[] = [];
    for (const action of this.#performed.splice(0)) {
      const last = actions.at(-1);
      if (action.startsWith("write ") && last?.startsWith("write ")) {
        actions[actions.length - 1] = last + action.slice("write ".length);
      } else actions.push(action);
    }
    return actions;
  }

  readonly #performed: string[] = [];

  #perform(): void {
    for (let action; (action = this.stream.poll());) this.#performed.push(this.#inWords(action));
  }

  #inWords(action: C2sAction): string {
    switch (action.type) {
      case "write":
        return `write ${this.#decoder.decode(action.bytes)}`;
      case "opened":
        return `opened ${action.header.id}`;
      case "deliver":
        return `deliver ${action.payloads.map((p) => this.#decoder.decode(p.bytes)).join(" | ")}`;
      case "start-tls":
      case "disconnect":
        return action.type;
      case "ended":
        switch (action.end.type) {
          case "closed":
            return "ended closed";
          case "stream-error":
            return `ended stream-error ${this.#decoder.decode(action.end.error.bytes)}`;
          case "connection-failed":
            return `ended connection-failed ${action.end.reason}`;
        }
    }
  }
}

Deno.test("U-001 U-002 U-003 the stream is up when header and features have come", () => {
  const talk = new Conversation();
  talk.stream.connected(0);
  assert.deepEqual(talk.actions(), [`write ${OUR_HEADER}`]);
  talk.server(streamHeader("1"));
  assert.deepEqual(talk.actions(), []);
  talk.server(SHOWN);
  assert.deepEqual(talk.actions(), ["opened 1", `deliver ${SHOWN}`]);
  assert.equal(talk.stream.deadline, undefined);
});

Deno.test("U-003 the header that is shown is the server's; id, from and language may be missing", () => {
  for (
    const [attributes, header] of [
      ["from='example.test' version='1.0' xml:lang='de' to='x'", {
        id: "1",
        from: "example.test",
        lang: "de",
        version: "1.0",
      }],
      ["version='1.1'", { id: "1", from: undefined, lang: undefined, version: "1.1" }],
    ] as const
  ) {
    const stream = new C2sStream({
      opening: { to: "example.test", version: "1.0" },
      tls: "never",
      direct: false,
      limits: { payloadBytes: 1000, depth: 10, attributes: 128 },
      timeout: TIMEOUT,
      keepalive: 0,
    });
    stream.connected(0);
    stream.receive(0, new TextEncoder().encode(streamHeader("1", attributes) + SHOWN));
    stream.poll();
    assert.deepEqual(stream.poll(), { type: "opened", header });
  }
  const talk = new Conversation();
  talk.stream.connected(0);
  talk.server(streamHeader("1").replace(" id='1'", ""), SHOWN);
  assert.ok(talk.actions().includes("opened undefined"));
});

Deno.test("U-003 a server from before XMPP 1.0 is refused", () => {
  for (const version of ["", "version='0.9'", "version='one'"]) {
    const talk = new Conversation();
    talk.stream.connected(0);
    talk.server(streamHeader("1", version));
    assert.deepEqual(talk.actions(), [
      `write ${OUR_HEADER}<stream:error><unsupported-version ` +
      `xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`,
      "disconnect",
      "ended connection-failed the server does not speak XMPP 1.0",
    ]);
  }
});

Deno.test("U-004 a root that is not a client's stream is refused with invalid-namespace", () => {
  for (
    const root of [
      "<foo>",
      "<stream:stream xmlns='jabber:client' xmlns:stream='urn:x' version='1.0'>",
      "<stream xmlns='jabber:client' version='1.0'>",
      streamHeader("1").replace("jabber:client", "jabber:server"),
      "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
    ]
  ) {
    const talk = new Conversation();
    talk.stream.connected(0);
    talk.server(root);
    const [write, ...rest] = talk.actions();
    assert.match(write ?? "", /<stream:error><invalid-namespace .*<\/stream:stream>$/, root);
    assert.match(rest.join(), /^disconnect,ended connection-failed the server/, root);
  }
});

Deno.test("U-004 a server that speaks something else is not well-formed", () => {
  const talk = new Conversation();
  talk.stream.connected(0);
  talk.server("HTTP/1.1 400 Bad Request\r\n\r\n");
  const [write, disconnect, ended] = talk.actions();
  assert.match(write ?? "", /<stream:error><not-well-formed /);
  assert.equal(disconnect, "disconnect");
  assert.match(ended ?? "", /^ended connection-failed the server's XML was refused: /);
});

Deno.test("U-005 U-006 U-016 B-043 X-006 STARTTLS comes before everything of the client", () => {
  const talk = new Conversation({
    tls: "required",
    opening: { to: "example.test", from: "j@example.test/r", version: "1.0" },
  });
  talk.stream.connected(0);
  talk.client("<auth/>");
  talk.server(streamHeader("clear") + streamFeatures(STARTTLS + "<mechanisms xmlns='clear'/>"));
  assert.deepEqual(talk.actions(), [`write ${OUR_HEADER}<starttls xmlns='${TLS_NS}'/>`]);
  talk.client("<more/>");
  talk.server(PROCEED);
  assert.deepEqual(talk.actions(), ["start-tls"]);
  talk.client("<again/>");
  assert.deepEqual(talk.actions(), []);
  talk.stream.secured(0);
  assert.deepEqual(talk.actions(), [`write ${OUR_FROM_HEADER}`]);
  talk.server(streamHeader("safe"));
  assert.deepEqual(talk.actions(), []);
  talk.server(streamFeatures(STARTTLS + MECHANISMS));
  assert.deepEqual(talk.actions(), [
    "opened safe",
    `deliver ${SHOWN}`,
    "write <auth/><more/><again/>",
  ]);
});

Deno.test("U-007 optional STARTTLS is used where it is offered, and only there", () => {
  const offered = new Conversation({ tls: "optional" });
  offered.stream.connected(0);
  offered.server(streamHeader("1"), streamFeatures(STARTTLS));
  assert.match(offered.actions().join(), /<starttls /);

  const absent = new Conversation({ tls: "optional" });
  absent.stream.connected(0);
  absent.server(streamHeader("1"), SHOWN);
  assert.deepEqual(absent.actions().slice(1), ["opened 1", `deliver ${SHOWN}`]);
});

Deno.test("U-007 STARTTLS that is never to be used is neither used nor shown", () => {
  const talk = new Conversation({ tls: "never" });
  talk.stream.connected(0);
  talk.server(streamHeader("1"), streamFeatures(STARTTLS + MECHANISMS));
  assert.deepEqual(talk.actions().slice(1), ["opened 1", `deliver ${SHOWN}`]);
});

Deno.test("U-007 a server without the required STARTTLS is given up, and the reason says the cure", () => {
  const talk = new Conversation({ tls: "required" });
  talk.stream.connected(0);
  talk.client("<auth/>");
  talk.server(streamHeader("1"), SHOWN);
  assert.deepEqual(talk.actions(), [
    `write ${OUR_HEADER}</stream:stream>`,
    "disconnect",
    "ended connection-failed the server offers no STARTTLS; to connect without encryption, write " +
    'tls = "optional" or tls = "never" for the domain example.test',
  ]);
});

Deno.test("U-007 a refusal of STARTTLS, or any other answer, is a failed connection", () => {
  for (
    const [answer, reason] of [
      [`<failure xmlns='${TLS_NS}'/>`, "the server offered STARTTLS and then refused it"],
      ["<proceed/>", "the server answered STARTTLS with something else"],
      ["<message/>", "the server answered STARTTLS with something else"],
    ] as const
  ) {
    const talk = new Conversation({ tls: "required" });
    talk.stream.connected(0);
    talk.server(streamHeader("1"), streamFeatures(STARTTLS));
    talk.actions();
    talk.server(answer);
    assert.deepEqual(talk.actions(), ["disconnect", `ended connection-failed ${reason}`], answer);
  }
});

Deno.test("U-005 T-42 whatever follows <proceed/> in the clear fails the connection", () => {
  for (const more of ["<message/>", " ", "\n", "\u0016", streamHeader("evil") + SHOWN]) {
    const talk = new Conversation({ tls: "required" });
    talk.stream.connected(0);
    talk.server(streamHeader("1"), streamFeatures(STARTTLS));
    talk.actions();
    talk.server(PROCEED + more);
    assert.deepEqual(talk.actions(), [
      "disconnect",
      "ended connection-failed the server sent more in the clear after it agreed to TLS",
    ]);
  }
});

Deno.test("U-005 what follows the offer of STARTTLS before the answer is not delivered", () => {
  const talk = new Conversation({ tls: "required" });
  talk.stream.connected(0);
  talk.server(streamHeader("1") + streamFeatures(STARTTLS) + "<message/>");
  assert.deepEqual(talk.actions().slice(1), [
    "disconnect",
    "ended connection-failed the server answered STARTTLS with something else",
  ]);
});

Deno.test("U-008 on direct TLS there is no STARTTLS, and from is written at once", () => {
  const talk = new Conversation({
    tls: "required",
    direct: true,
    opening: { to: "example.test", from: "j@example.test", version: "1.0" },
  });
  talk.stream.connected(0);
  talk.server(streamHeader("1"), streamFeatures(STARTTLS + MECHANISMS));
  assert.deepEqual(talk.actions(), [
    `write ${OUR_FROM_HEADER}`,
    "opened 1",
    `deliver ${SHOWN}`,
  ]);
});

Deno.test("X-013 X-019 a restart writes a header and no closing tag, also twice", () => {
  const talk = Conversation.open();
  for (const id of ["2", "3"]) {
    talk.stream.restart();
    assert.deepEqual(talk.actions(), [`write ${OUR_HEADER}`]);
    talk.server(streamHeader(id) + streamFeatures(BIND));
    assert.deepEqual(talk.actions(), [`opened ${id}`, `deliver ${streamFeatures(BIND)}`]);
  }
});

Deno.test("U-021 T-22 the new header may come before or after ours was written", () => {
  const after = Conversation.open();
  after.client("<auth/>");
  after.server(SUCCESS);
  after.stream.restart();
  after.server(streamHeader("2"), streamFeatures(BIND));
  assert.deepEqual(after.actions(), [
    "write <auth/>",
    `deliver ${SUCCESS}`,
    `write ${OUR_HEADER}`,
    "opened 2",
    `deliver ${streamFeatures(BIND)}`,
  ]);

  const pipelined = Conversation.open();
  pipelined.client("<auth/>");
  pipelined.stream.restart();
  pipelined.client("<iq/>");
  pipelined.server(`<a/>${SUCCESS}${streamHeader("2")}${streamFeatures(BIND)}<iq id='1'/>`);
  assert.deepEqual(pipelined.actions(), [
    `write <auth/>${OUR_HEADER}<iq/>`,
    `deliver <a/> | ${SUCCESS}`,
    "opened 2",
    `deliver ${streamFeatures(BIND)} | <iq id='1'/>`,
  ]);

  const eager = Conversation.open();
  eager.server(SUCCESS + streamHeader("2"));
  eager.stream.restart();
  eager.server(streamFeatures(BIND));
  assert.deepEqual(eager.actions(), [
    `deliver ${SUCCESS}`,
    "opened 2",
    `write ${OUR_HEADER}`,
    `deliver ${streamFeatures(BIND)}`,
  ]);
});

Deno.test("X-019 data of the old document that comes after our new header is delivered", () => {
  const talk = Conversation.open();
  talk.stream.restart();
  talk.server("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "<message/>");
  talk.stream.restart();
  talk.server(streamHeader("2"), SHOWN);
  assert.deepEqual(talk.actions(), [
    `write ${OUR_HEADER}`,
    "deliver <failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "deliver <message/>",
    `write ${OUR_HEADER}`,
    "opened 2",
    `deliver ${SHOWN}`,
  ]);
});

Deno.test("X-021 U-028 SASL2 goes on in the same stream, in one read or two", () => {
  const success = "<success xmlns='urn:xmpp:sasl:2'><bound xmlns='urn:xmpp:bind:0'/></success>";
  const features = streamFeatures("<sm xmlns='urn:xmpp:sm:3'/>");
  const once = Conversation.open();
  once.server(success + features);
  assert.deepEqual(once.actions(), [`deliver ${success} | ${features}`]);
  const twice = Conversation.open();
  twice.server(success, features, "<message/>");
  assert.deepEqual(twice.actions(), [
    `deliver ${success}`,
    `deliver ${features}`,
    "deliver <message/>",
  ]);
});

Deno.test("X-006 features after a restart do not show STARTTLS either", () => {
  const talk = Conversation.open();
  talk.stream.restart();
  talk.server(streamHeader("2"), streamFeatures(STARTTLS + BIND));
  assert.deepEqual(talk.actions().at(-1), `deliver ${streamFeatures(BIND)}`);
});

Deno.test("X-005 U-015 U-026 U-029 everything else passes both ways, in order and unchanged", () => {
  const talk = Conversation.open();
  const nonzas = [
    "<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>",
    "<r xmlns='urn:xmpp:sm:3'/>",
    "<message><body>a &amp; b</body></message>",
    "<active xmlns='urn:xmpp:csi:0'/>",
    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>abc=</challenge>",
  ];
  talk.server(nonzas.join(""));
  for (const nonza of nonzas) talk.client(nonza);
  assert.deepEqual(talk.actions(), [
    `deliver ${nonzas.join(" | ")}`,
    `write ${nonzas.join("")}`,
  ]);
});

Deno.test("W-022 a login sent before the stream is up is written in order, restart included", () => {
  const talk = new Conversation();
  talk.client("<auth/>");
  talk.stream.restart();
  talk.client("<iq/>");
  assert.deepEqual(talk.actions(), []);
  talk.stream.connected(0);
  talk.server(streamHeader("1"), SHOWN);
  assert.deepEqual(talk.actions(), [
    `write ${OUR_HEADER}`,
    "opened 1",
    `deliver ${SHOWN}`,
    `write <auth/>${OUR_HEADER}<iq/>`,
  ]);
  talk.server(SUCCESS + streamHeader("2") + streamFeatures(BIND));
  assert.deepEqual(talk.actions(), [
    `deliver ${SUCCESS}`,
    "opened 2",
    `deliver ${streamFeatures(BIND)}`,
  ]);
});

Deno.test("W-034 whitespace of the server is swallowed", () => {
  const talk = Conversation.open();
  talk.server(" ", "\n\n", " <a/> \n <b/> ");
  assert.deepEqual(talk.actions(), ["deliver <a/> | <b/>"]);
});

Deno.test("X-004 prefixes that the server's header declares are told with the payload", () => {
  const stream = new Conversation().stream;
  stream.connected(0);
  stream.receive(
    0,
    new TextEncoder().encode(
      streamHeader("1", "version='1.0' xmlns:f='urn:f'") + SHOWN + "<message><f:x/></message>",
    ),
  );
  const payloads = [];
  for (let action; (action = stream.poll());) {
    if (action.type === "deliver") payloads.push(...action.payloads);
  }
  assert.deepEqual(payloads[1]?.inherits, [{ prefix: "f", namespace: "urn:f" }]);
});

Deno.test("X-015 a stream error comes last, complete, as a copy", () => {
  const error = "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
    "<text xml:lang='en' xmlns='urn:ietf:params:xml:ns:xmpp-streams'>no</text>" +
    "<x xmlns='urn:x'/></stream:error>";
  const stream = Conversation.open().stream;
  const chunk = new TextEncoder().encode(`<message/>${error}</stream:stream>`);
  stream.receive(0, chunk);
  const actions = [];
  for (let action; (action = stream.poll());) actions.push(action);
  assert.deepEqual(actions.map(({ type }) => type), ["deliver", "write", "disconnect", "ended"]);
  chunk.fill(0);
  const ended = actions.at(-1);
  assert.ok(ended?.type === "ended" && ended.end.type === "stream-error");
  assert.equal(new TextDecoder().decode(ended.end.error.bytes), error);
  assert.deepEqual(ended.end.error.inherits.map(({ prefix }) => prefix), ["stream"]);
});

Deno.test("U-022 a stream error before the features ends the stream with that error", () => {
  const error = "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>" +
    "[::1]:5223</see-other-host></stream:error>";
  const talk = new Conversation({ tls: "required" });
  talk.stream.connected(0);
  talk.server(streamHeader("1") + error);
  assert.deepEqual(talk.actions(), [
    `write ${OUR_HEADER}</stream:stream>`,
    "disconnect",
    `ended stream-error ${error}`,
  ]);
});

Deno.test("U-013 U-014 B-120 XML that must not be is answered with its stream error", () => {
  const cases = {
    "<a></b>": "not-well-formed",
    "<x:a/>": "not-well-formed",
    "<a>\u0000</a>": "not-well-formed",
    "<a b='1' b='2'/>": "not-well-formed",
    "text": "not-well-formed",
    "<!-- c -->": "restricted-xml",
    "<a><?pi?></a>": "restricted-xml",
    "<!DOCTYPE a>": "restricted-xml",
    "<a>&custom;</a>": "restricted-xml",
    [`<a>${"x".repeat(10_000)}</a>`]: "policy-violation",
    ["<a>".repeat(60)]: "policy-violation",
  };
  for (const [xml, condition] of Object.entries(cases)) {
    const talk = Conversation.open();
    talk.server(`<ok/>${xml}`);
    const [deliver, write, disconnect, ended, ...none] = talk.actions();
    const what = xml.slice(0, 40);
    assert.equal(deliver, "deliver <ok/>", what);
    assert.equal(
      write,
      `write <stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>` +
        `</stream:error></stream:stream>`,
      what,
    );
    assert.equal(disconnect, "disconnect", what);
    assert.match(ended ?? "", /^ended connection-failed the server's XML was refused: /, what);
    assert.deepEqual(none, [], what);
  }
  const talk = Conversation.open();
  talk.stream.receive(0, Uint8Array.of(0x3c, 0x61, 0x3e, 0xc3, 0x28));
  assert.match(talk.actions().join(), /<unsupported-encoding .*ended connection-failed/);
});

Deno.test("U-019 a payload at the limit passes, one byte more does not", () => {
  const frame = "<a></a>";
  const payload = (length: number) => `<a>${"x".repeat(length - frame.length)}</a>`;
  const talk = Conversation.open();
  talk.server(payload(10_000));
  assert.equal(talk.actions().length, 1);
  talk.server(payload(10_001));
  assert.match(talk.actions().join(), /policy-violation/);
});

Deno.test("something else before the features is a failed connection", () => {
  const talk = new Conversation();
  talk.stream.connected(0);
  talk.server(streamHeader("1"), "<message/>");
  assert.deepEqual(talk.actions(), [
    `write ${OUR_HEADER}</stream:stream>`,
    "disconnect",
    "ended connection-failed the server sent something else before its stream features",
  ]);
});

Deno.test("W-027 the server's closing tag is answered, and what it follows is delivered", () => {
  const talk = Conversation.open();
  talk.server("<message/></stream:stream>");
  assert.deepEqual(talk.actions(), [
    "deliver <message/>",
    "write </stream:stream>",
    "disconnect",
    "ended closed",
  ]);
  talk.client("<late/>");
  talk.stream.restart();
  talk.stream.close(0);
  talk.stream.disconnected();
  talk.server("<message/>");
  assert.deepEqual(talk.actions(), []);
});

Deno.test("a server that closes before its features is a failed connection", () => {
  for (
    const text of [streamHeader("1") + "</stream:stream>", streamHeader("1").replace(/>$/, "/>")]
  ) {
    const talk = new Conversation();
    talk.stream.connected(0);
    talk.server(text);
    assert.equal(
      talk.actions().at(-1),
      "ended connection-failed the server closed the stream before it was up",
    );
  }
});

Deno.test("U-020 close waits for the server's closing tag and delivers what still comes", () => {
  const talk = Conversation.open();
  talk.stream.close(0);
  talk.client("<late/>");
  assert.deepEqual(talk.actions(), ["write </stream:stream>"]);
  assert.equal(talk.stream.deadline, CLOSE_TIMEOUT);
  talk.server("<message/>");
  talk.server("</stream:stream>");
  assert.deepEqual(talk.actions(), ["deliver <message/>", "disconnect", "ended closed"]);
});

Deno.test("U-020 close waits no longer than two seconds", () => {
  const talk = Conversation.open();
  talk.stream.close(0);
  talk.actions();
  talk.wait(1_999);
  talk.server("<message/>");
  assert.deepEqual(talk.actions(), ["deliver <message/>"]);
  talk.wait(1);
  assert.deepEqual(talk.actions(), ["disconnect", "ended closed"]);
});

Deno.test("U-020 a loss while closing is a good end", () => {
  const talk = Conversation.open();
  talk.stream.close(0);
  talk.stream.disconnected("reset");
  assert.deepEqual(talk.actions(), ["write </stream:stream>", "disconnect", "ended closed"]);
});

Deno.test("close before the stream is up ends it at once", () => {
  const idle = new Conversation();
  idle.stream.close(0);
  assert.deepEqual(idle.actions(), ["disconnect", "ended closed"]);

  const negotiating = new Conversation();
  negotiating.stream.connected(0);
  negotiating.stream.close(0);
  assert.deepEqual(negotiating.actions(), [
    `write ${OUR_HEADER}</stream:stream>`,
    "disconnect",
    "ended closed",
  ]);

  const securing = new Conversation({ tls: "required" });
  securing.stream.connected(0);
  securing.server(streamHeader("1"), streamFeatures(STARTTLS), PROCEED);
  securing.actions();
  securing.stream.close(0);
  securing.stream.secured(0);
  assert.deepEqual(securing.actions(), ["disconnect", "ended closed"]);
});

Deno.test("U-023 a connection that ends without a closing tag is lost", () => {
  const silent = Conversation.open();
  silent.stream.disconnected();
  assert.deepEqual(silent.actions(), [
    "disconnect",
    "ended connection-failed the server closed the connection without closing the stream",
  ]);
  const broken = Conversation.open();
  broken.stream.disconnected("the cable was cut");
  assert.equal(broken.actions().at(-1), "ended connection-failed the cable was cut");
});

Deno.test("the server has the whole timeout for its header, its features and its answer, and no more", () => {
  const steps: [missing: string, ...chunks: string[]][] = [
    ["no stream header from the server within 10 s"],
    ["no stream header from the server within 10 s", "<stream:stream "],
    ["no stream features from the server within 10 s", streamHeader("1")],
    [
      "no answer to STARTTLS from the server within 10 s",
      streamHeader("1") + streamFeatures(STARTTLS),
    ],
  ];
  for (const [missing, ...chunks] of steps) {
    const talk = new Conversation({ tls: "required" });
    talk.stream.connected(0);
    talk.server(...chunks);
    talk.actions();
    talk.wait(TIMEOUT - 1);
    talk.server(" ");
    assert.deepEqual(talk.actions(), []);
    talk.wait(1);
    assert.equal(talk.actions().at(-1), `ended connection-failed ${missing}`);
  }
});

Deno.test("a server that dribbles gains no time, and TLS begins it afresh", () => {
  const talk = new Conversation({ tls: "required" });
  talk.stream.connected(0);
  talk.wait(9_000);
  talk.server(streamHeader("1"));
  assert.equal(talk.stream.deadline, TIMEOUT);
  talk.server(streamFeatures(STARTTLS), PROCEED);
  assert.equal(talk.stream.deadline, undefined);
  talk.stream.secured(talk.now);
  assert.equal(talk.stream.deadline, talk.now + TIMEOUT);
  talk.actions();
  talk.wait(TIMEOUT);
  assert.match(talk.actions().join(), /ended connection-failed no stream header /);
});

/** A whole login, as the server writes it; in between is what the shell and the client do. */
const LOGIN: readonly (string | ((talk: Conversation) => void))[] = [
  (talk) => talk.stream.connected(0),
  streamHeader("1") + streamFeatures(STARTTLS),
  PROCEED,
  (talk) => talk.stream.secured(0),
  streamHeader("2") + streamFeatures(MECHANISMS + STARTTLS),
  (talk) => {
    talk.client("<auth/>");
    talk.stream.restart();
  },
  `<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>\n${SUCCESS}` +
  `${streamHeader("3")}${
    streamFeatures(BIND)
  }<message><body>é€😀</body></message> </stream:stream>`,
];

/** What the login leads to, with consecutive deliveries as one. */
function login(split: (text: string) => string[]): string[] {
  const talk = new Conversation({ tls: "required" });
  for (const step of LOGIN) {
    if (typeof step === "string") talk.server(...split(step));
    else step(talk);
  }
  const actions: string[] = [];
  for (const action of talk.actions()) {
    const last = actions.at(-1);
    if (action.startsWith("deliver ") && last?.startsWith("deliver ")) {
      actions[actions.length - 1] = `${last} | ${action.slice("deliver ".length)}`;
    } else actions.push(action);
  }
  return actions;
}

Deno.test("U-021 a login is the same wherever the server's bytes are cut", () => {
  const whole = login((text) => [text]);
  assert.deepEqual(whole, [
    `write ${OUR_HEADER}<starttls xmlns='${TLS_NS}'/>`,
    "start-tls",
    `write ${OUR_HEADER}`,
    "opened 2",
    `deliver ${SHOWN}`,
    `write <auth/>${OUR_HEADER}`,
    `deliver <challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/> | ${SUCCESS}`,
    "opened 3",
    `deliver ${streamFeatures(BIND)} | <message><body>é€😀</body></message>`,
    "write </stream:stream>",
    "disconnect",
    "ended closed",
  ]);
  const longest = Math.max(...LOGIN.map((step) => typeof step === "string" ? step.length : 0));
  for (let at = 1; at < longest; at++) {
    const cut = (text: string) => at < text.length ? [text.slice(0, at), text.slice(at)] : [text];
    // A cut through a character outside of the BMP would not survive as text.
    if (
      LOGIN.some((step) => typeof step === "string" && /[\ud800-\udbff]$/.test(cut(step)[0] ?? ""))
    ) {
      continue;
    }
    assert.deepEqual(login(cut), whole, `cut at ${at}`);
  }
  assert.deepEqual(login((text) => [...text]), whole, "character by character");
});

Deno.test("U-017 a stream that is logged in is never silent for longer than it may be", () => {
  for (const success of [SUCCESS, "<success xmlns='urn:xmpp:sasl:2'/>"]) {
    const talk = Conversation.open({ keepalive: 60_000 });
    assert.equal(talk.stream.deadline, undefined, "nothing is written between SASL elements");
    talk.wait(3_600_000);
    talk.client("<auth/>");
    talk.server(success);
    assert.deepEqual(talk.actions(), ["write <auth/>", `deliver ${success}`]);
    if (success === SUCCESS) {
      assert.equal(talk.stream.deadline, undefined, "nothing stands before a new stream's header");
      talk.wait(3_600_000);
      talk.stream.restart();
      talk.server(streamHeader("2"), SHOWN);
      assert.deepEqual(talk.actions(), [`write ${OUR_HEADER}`, "opened 2", `deliver ${SHOWN}`]);
    }
    // The longest silences: just over half of the time before the first look.
    talk.wait(30_000);
    talk.wait(29_999);
    assert.deepEqual(talk.actions(), []);
    talk.wait(1);
    assert.deepEqual(talk.actions(), ["write  "]);
    for (let seconds = 0; seconds < 600; seconds += 20) {
      talk.client("<presence/>");
      talk.wait(20_000);
    }
    assert.deepEqual(talk.actions(), [`write ${"<presence/>".repeat(30)}`]);
    let silence = 0;
    let blanks = 0;
    for (let seconds = 0; seconds < 600; seconds++) {
      talk.wait(1_000);
      silence += 1;
      if (talk.actions().length > 0) [silence, blanks] = [0, blanks + 1];
      assert.ok(silence <= 60, `${silence} s of silence`);
    }
    assert.ok(blanks >= 10 && blanks <= 20, `${blanks} blanks`);
    talk.stream.close(talk.now);
    talk.wait(CLOSE_TIMEOUT);
    assert.deepEqual(talk.actions(), ["write </stream:stream>", "disconnect", "ended closed"]);
  }
});

Deno.test("U-017 without a keepalive, and with other elements of the same name, nothing is written", () => {
  const silent = Conversation.open();
  silent.server(SUCCESS);
  assert.equal(silent.stream.deadline, undefined);
  const strange = Conversation.open({ keepalive: 60_000 });
  strange.server("<success xmlns='urn:example'/>", "<success/>");
  assert.equal(strange.stream.deadline, undefined);
});

Deno.test("U-025 U-030 what is hidden is hidden from the features of every stream on the connection", () => {
  const hidden = { channelBinding: true, mechanisms: ["ANONYMOUS"] };
  const offer = (...names: string[]) =>
    streamFeatures(
      "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" +
        `${names.map((name) => `<mechanism>${name}</mechanism>`).join("")}</mechanisms>`,
    );
  const talk = new Conversation({ hidden });
  talk.stream.connected(0);
  talk.server(streamHeader("1"), offer("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "ANONYMOUS"));
  talk.actions();
  talk.stream.restart();
  talk.server(streamHeader("2"), offer("ANONYMOUS", "PLAIN"));
  assert.equal(talk.actions().at(-1), `deliver ${offer("PLAIN")}`);
});
