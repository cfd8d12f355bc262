import assert from "node:assert/strict";
import { authorityFile } from "../support/certificates/certificates.ts";
import { runManager } from "../support/manager.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { MECHANISMS, STARTTLS, streamFeatures, streamHeader } from "../support/upstream_server.ts";
import { farewell, message, nextHeader, Stage, type StageOptions } from "./stage.ts";
import { CLOSE, connect, FRAMING, OPEN, OUR_CLOSE, START_TAG, talk } from "./websocket_stage.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";

const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
const AUTH = `<auth xmlns='${SASL}' mechanism='PLAIN'>AGEAYQ==</auth>`;
const SUCCESS = `<success xmlns='${SASL}'/>`;
const BIND = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
const SECURED = `tls = "required"\nca = "${authorityFile}"`;

onBothFronts(
  "W-014 a first message that is not <open/> gets <open/>, an error and <close/>, and no server hears of it",
  async () => {
    await using stage = await Stage.set();
    for (const first of ["<presence/>", AUTH, "<stream:features xmlns:stream='urn:x'/>"]) {
      using socket = await connect(stage);
      socket.text(first);
      assert.match(await socket.message(), /^<open .* id='[^']{10,}' .*version="1.0"\/>$/);
      assert.match(await socket.message(), /^<stream:error xmlns:stream='[^']*'><not-authorized /);
      assert.equal(await socket.message(), OUR_CLOSE);
      socket.text(CLOSE);
      assert.equal(await socket.closed(), 1000);
    }
    assert.equal(stage.server.accepted, 0);
  },
);

onBothFronts(
  "W-015 W-016 W-021 <open/> has what the server's header has, that of the stream after TLS, in the spelling that clients look for",
  async () => {
    await using stage = await Stage.set({ domain: SECURED, certificate: "example.test" });
    for (const from of [undefined, "a@example.test"]) {
      using socket = await connect(stage);
      const claim = from ? ` from='${from}'` : "";
      socket.text(`<open ${FRAMING} to='example.test'${claim} version='1.0' xml:lang='fr'/>`);
      const upstream = await stage.server.accept();
      await nextHeader(upstream);
      upstream.write(streamHeader("clear") + streamFeatures(STARTTLS));
      await upstream.startTls();
      const header = await nextHeader(upstream);
      assert.match(header, / to='example.test'/);
      assert.match(header, / xml:lang='fr'/);
      assert.equal(socket.waiting, 0, "nothing comes before the server's header");
      upstream.write(
        streamHeader("secure", "from='example.test' version='1.0' xml:lang='de'") +
          streamFeatures(MECHANISMS),
      );
      const to = from ? ` to='${from}'` : "";
      assert.equal(
        await socket.message(),
        `<open ${FRAMING} from='example.test' id='secure'${to} xml:lang='de' version="1.0"/>`,
      );
      assert.match(await socket.message(), /^<stream:features /);
    }
  },
);

onBothFronts(
  "W-017 <open/> and <close/> of another namespace, and <stream:stream> where it is off, are an invalid-namespace",
  async () => {
    await using stage = await Stage.set({ more: "[websocket]\nlegacy_framing = false" });
    for (
      const first of [
        "<open xmlns='jabber:client' to='example.test' version='1.0'/>",
        "<open to='example.test' version='1.0'/>",
        "<open xmlns='http://etherx.jabber.org/streams' to='example.test' version='1.0'/>",
        "<close xmlns='jabber:client'/>",
        "<close/>",
        START_TAG,
        START_TAG.replace(/>$/, "/>"),
        "</stream:stream>",
      ]
    ) {
      using socket = await connect(stage);
      socket.text(first);
      assert.match(await socket.message(), /^<open /, first);
      assert.match(await socket.message(), /<invalid-namespace /, first);
      assert.equal(await socket.message(), OUR_CLOSE);
    }
    assert.equal(stage.server.accepted, 0);
    using open = await talk(stage);
    open.socket.text("<close/>");
    assert.match(await open.socket.message(), /<invalid-namespace /);
    assert.equal(await open.upstream.expect("</stream:stream>"), "</stream:stream>");
  },
);

onBothFronts(
  "W-018 W-019 what is wrong with <open/> is told after an <open/>, and the WebSocket closes with 1000",
  async () => {
    await using stage = await Stage.set();
    const cases: [string, string][] = [
      ["to='unknown.test' version='1.0'", "host-unknown"],
      ["version='1.0'", "improper-addressing"],
      ["to='' version='1.0'", "improper-addressing"],
      ["to='a b' version='1.0'", "improper-addressing"],
      ["to='example.test'", "unsupported-version"],
      ["to='example.test' version=''", "unsupported-version"],
      ["to='example.test' version='0.9'", "unsupported-version"],
      ["to='example.test' version='1'", "unsupported-version"],
      ["to='example.test' version='one'", "unsupported-version"],
    ];
    for (const [attributes, condition] of cases) {
      using socket = await connect(stage);
      socket.text(`<open ${FRAMING} ${attributes}/>`);
      assert.match(await socket.message(), /^<open .* id='[^']+'/, attributes);
      assert.match(
        await socket.message(),
        new RegExp(`^<stream:error .*<${condition} `),
        attributes,
      );
      assert.equal(await socket.message(), OUR_CLOSE);
      socket.text(CLOSE);
      assert.equal(await socket.closed(), 1000);
    }
    assert.equal(stage.server.accepted, 0);
    using newer = await talk(stage, { opening: OPEN.replace("1.0", "1.23456") });
    assert.match(newer.opened, /version="1.0"/);
  },
);

onBothFronts(
  "W-019 a client that names no domain gets the default one, where there is one",
  async () => {
    await using stage = await Stage.set();
    const toml = `domain_default = "example.test"\n[domains."example.test"]\n` +
      `connect = "xmpp://127.0.0.1:${stage.server.port}"\ntls = "never"`;
    await using running = await runManager({ toml });
    using socket = await RawWebSocket.connect(`${running.url}/xmpp-websocket`);
    socket.text(`<open ${FRAMING} version='1.0'/>`);
    await stage.welcome();
    assert.match(await socket.message(), /^<open .*from='example.test'/);
  },
);

onBothFronts(
  "W-020 W-018 a server that cannot be reached, or is not the right one, is remote-connection-failed",
  async () => {
    type Behaviour = (stage: Stage) => unknown;
    const cases: [string, StageOptions, Behaviour][] = [
      ["refused", {}, (stage) => stage.server[Symbol.asyncDispose]()],
      ["silent", { domain: 'tls = "never"\nconnect_timeout = 1' }, () => {}],
      ["no TLS where it must be", { domain: SECURED }, (stage) => stage.welcome()],
      ["another's certificate", { domain: SECURED, certificate: "other.test" }, async (stage) => {
        const upstream = await stage.welcome(STARTTLS);
        await upstream.startTls().catch(() => {});
      }],
    ];
    await Promise.all(cases.map(async ([name, options, behave]) => {
      await using stage = await Stage.set(options);
      if (name === "refused") await behave(stage);
      using socket = await connect(stage);
      socket.text(OPEN);
      if (name !== "refused") await behave(stage);
      assert.match(await socket.message(), /^<open .*from='example.test' id='[^']+'/, name);
      assert.match(await socket.message(), /<remote-connection-failed .*<text [^>]*>.{20,}</, name);
      assert.equal(await socket.message(), OUR_CLOSE, name);
    }));
  },
);

onBothFronts(
  "W-022 as in MongooseIM's suite: a login that is sent at once, before the server is there, goes up in order after TLS",
  async () => {
    await using stage = await Stage.set({ domain: SECURED, certificate: "example.test" });
    using socket = await connect(stage);
    for (const text of [OPEN, AUTH, OPEN, BIND]) socket.text(text);
    const upstream = await stage.server.accept();
    await nextHeader(upstream);
    upstream.write(streamHeader("clear") + streamFeatures(STARTTLS));
    await upstream.startTls();
    await nextHeader(upstream);
    upstream.write(streamHeader("first") + streamFeatures(MECHANISMS));
    assert.equal(await upstream.expect("</auth>"), AUTH);
    upstream.write(SUCCESS);
    await nextHeader(upstream);
    upstream.write(streamHeader("second") + streamFeatures());
    assert.equal(await upstream.expect("</iq>"), BIND);
    const messages = [];
    for (let i = 0; i < 5; i++) messages.push(await socket.message());
    assert.deepEqual(
      messages.map((text) => / id='(\w+)'/.exec(text)?.[1] ?? /^<([\w:]+)/.exec(text)?.[1]),
      ["first", "stream:features", "success", "second", "stream:features"],
    );
  },
);

const NARROW = "queued_bytes = 65_536\nclient_stanza = 10_000\nserver_stanza = 65_536\n" +
  "unauthenticated_bytes = 1_000_000";

onFront(
  "deno",
  "W-022 what waits for a server that does not come is bounded, and more ends the session",
  async () => {
    await using stage = await Stage.set({ limits: NARROW });
    using socket = await connect(stage);
    socket.text(OPEN);
    await stage.server.accept();
    for (let i = 0; i < 8; i++) socket.text(message(i, "x".repeat(9_000)));
    assert.match(await socket.message(), /^<open /);
    assert.match(await socket.message(), /<policy-violation .*does not read/);
    assert.equal(await socket.message(), OUR_CLOSE);
    assert.equal(await socket.closed(), 1000);
  },
);

onFront(
  "sockets",
  "W-022 W-040 what waits for a server that does not come is bounded, and the client waits with the rest",
  async () => {
    await using stage = await Stage.set({ limits: NARROW });
    using socket = await connect(stage);
    socket.text(OPEN);
    const upstream = await stage.server.accept();
    for (let i = 0; i < 20; i++) socket.text(message(i, "x".repeat(9_000)));
    await nextHeader(upstream);
    upstream.write(streamHeader("late") + streamFeatures(MECHANISMS));
    for (let i = 0; i < 20; i++) {
      assert.match(await upstream.expect("</message>"), new RegExp(`^<message id='${i}'>`));
    }
    assert.match(await socket.message(), /^<open .* id='late'/);
  },
);

onBothFronts(
  "W-023 W-024 <open/> after SASL restarts the stream on the same connection, without a closing tag",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage);
    const { socket, upstream } = open;
    assert.match(open.opened, / id='stream-1'/);
    socket.text(AUTH);
    assert.equal(await upstream.expect("</auth>"), AUTH);
    upstream.write(SUCCESS);
    assert.equal(await socket.message(), SUCCESS);
    socket.text(OPEN);
    const header = await nextHeader(upstream);
    assert.match(header, /^<\?xml version='1.0'\?><stream:stream [^<]* to='example.test'[^<]*>$/);
    upstream.write(streamHeader("stream-2") + streamFeatures("<bind xmlns='urn:x'/>"));
    assert.match(await socket.message(), /^<open .* id='stream-2'/);
    assert.match(await socket.message(), /^<stream:features .*<bind /);
    socket.text(BIND);
    assert.equal(await upstream.expect("</iq>"), BIND);
    assert.equal(stage.server.accepted, 1);
  },
);

onBothFronts(
  "W-023 W-025 <open/> when nothing was authenticated since the last one is a policy violation",
  async () => {
    await using stage = await Stage.set();
    using twice = await talk(stage);
    twice.socket.text(OPEN);
    assert.match(await twice.socket.message(), /<policy-violation /);
    assert.equal(await twice.upstream.expect("</stream:stream>"), "</stream:stream>");

    using failed = await talk(stage);
    failed.socket.text(AUTH);
    await failed.upstream.expect("</auth>");
    failed.upstream.write(`<failure xmlns='${SASL}'><not-authorized/></failure>`);
    assert.match(await failed.socket.message(), /^<failure /);
    failed.socket.text(OPEN);
    assert.match(await failed.socket.message(), /<policy-violation /);
    assert.equal(await failed.upstream.expect("</stream:stream>"), "</stream:stream>");
    assert.equal(stage.server.accepted, 2);
  },
);

onBothFronts(
  "W-026 W-028 <close/> closes the server's stream, what still comes is delivered, then <close/> is answered",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage);
    open.socket.text("<presence type='unavailable'/>");
    open.socket.text(CLOSE);
    open.socket.text("<presence id='too late'/>");
    assert.equal(
      await open.upstream.expect("</stream:stream>"),
      "<presence type='unavailable'/></stream:stream>",
    );
    open.upstream.write(message("last"));
    assert.match(await open.socket.message(), /id='last'/);
    open.upstream.write("</stream:stream>");
    assert.equal(await open.socket.message(), OUR_CLOSE);
    assert.equal(await open.upstream.expectEnd(), "");
    open.socket.close(1000);
    assert.deepEqual(await open.socket.rest(), ["close 1000"]);
  },
);

onBothFronts(
  "W-026 neither a server that does not close its stream nor a client that does not close its WebSocket is waited for beyond two seconds",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage);
    open.socket.text(CLOSE);
    await open.upstream.expect("</stream:stream>");
    stage.running.jump(2_000);
    assert.equal(await open.socket.message(), OUR_CLOSE);
    stage.running.jump(2_000);
    assert.equal(await open.socket.closed(), 1000);
  },
);

onBothFronts(
  "W-027 a server that ends the stream gets its closing tag, the client <close/>, and 1000 when it has answered or not",
  async () => {
    await using stage = await Stage.set();
    for (const answers of [true, false]) {
      using open = await talk(stage);
      open.upstream.write(`${message("last")}</stream:stream>`);
      assert.match(await open.socket.message(), /id='last'/);
      assert.equal(await open.socket.message(), OUR_CLOSE);
      assert.equal(await open.upstream.expectEnd(), "</stream:stream>");
      if (answers) open.socket.text(CLOSE);
      else stage.running.jump(2_000);
      assert.equal(await open.socket.closed(), 1000);
    }
  },
);

onBothFronts(
  "W-029 T-05 a stream error of the server is one message, whole, each child with an xmlns of its own",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage);
    const content = "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
      "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>a &lt; b</text>" +
      "<more xmlns='urn:x'><inner/></more>";
    open.upstream.write(`<stream:error>${content}<bare/></stream:error></stream:stream>`);
    assert.equal(
      await open.socket.message(),
      "<stream:error xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>" +
        `${content}<bare xmlns='jabber:client'/></stream:error>`,
    );
    assert.equal(await open.socket.message(), OUR_CLOSE);
    assert.equal(await open.upstream.expectEnd(), "</stream:stream>");
    open.socket.text(CLOSE);
    assert.equal(await open.socket.closed(), 1000);
  },
);

onBothFronts(
  "W-030 T-39 a WebSocket that is gone without <close/> leaves no closing tag; one that said it does",
  async () => {
    await using stage = await Stage.set();
    using killed = await talk(stage);
    const start = performance.now();
    killed.socket.destroy();
    assert.equal(await killed.upstream.expectEnd(), "");
    assert.ok(performance.now() - start < 1_000);
    using closed = await talk(stage);
    closed.socket.close(1000);
    assert.equal(await closed.upstream.expectEnd(), "");
    using polite = await talk(stage);
    polite.socket.text(CLOSE);
    polite.socket.destroy();
    assert.equal(await farewell(polite.upstream), "</stream:stream>");
  },
);

onBothFronts(
  "W-031 a server's connection that is lost is remote-connection-failed, then <close/> and 1000",
  async () => {
    await using stage = await Stage.set();
    for (const lose of ["reset", "end"] as const) {
      using open = await talk(stage);
      open.upstream[lose]();
      assert.match(await open.socket.message(), /^<stream:error [^>]*><remote-connection-failed /);
      assert.equal(await open.socket.message(), OUR_CLOSE);
      open.socket.text(CLOSE);
      assert.equal(await open.socket.closed(), 1000);
    }
  },
);

onBothFronts(
  "W-032 at a shutdown clients are sent to the address that is configured for it, and the server's streams are closed",
  async () => {
    await using stage = await Stage.set({
      more: '[websocket]\nsee_other_uri = "wss://other.test/xmpp-websocket?a=1&b=2"',
    });
    using open = await talk(stage);
    using early = await connect(stage);
    early.text(OPEN);
    await stage.server.accept();
    using old = await talk(stage, { opening: START_TAG });
    const down = stage.running.manager.shutdown();
    const sent = `<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" ` +
      'see-other-uri="wss://other.test/xmpp-websocket?a=1&amp;b=2" />';
    assert.equal(await open.socket.message(), sent);
    assert.equal(await open.socket.closed(), 1001);
    assert.equal(await open.upstream.expect("</stream:stream>"), "</stream:stream>");
    assert.match(await early.message(), /^<open /);
    assert.equal(await early.message(), sent);
    assert.equal(await early.closed(), 1001);
    assert.match(await old.socket.message(), /<system-shutdown /);
    await down;
  },
);

onBothFronts(
  "W-033 at a shutdown clients are told system-shutdown, <close/>, and 1001",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage);
    const down = stage.running.manager.shutdown();
    assert.match(await open.socket.message(), /^<stream:error [^>]*><system-shutdown /);
    assert.equal(await open.socket.message(), OUR_CLOSE);
    assert.equal(await open.socket.closed(), 1001);
    assert.equal(await open.upstream.expect("</stream:stream>"), "</stream:stream>");
    await down;
    using late = await connect(stage);
    assert.equal(late.status, 503);
  },
);
