import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { systemClock } from "../../src/clock.ts";
import type { UpstreamConfig } from "../../src/config/config.ts";
import type { ManagerEvent } from "../../src/events.ts";
import type { StreamOpening } from "../../src/protocol/stream/c2s.ts";
import type { Upstream, UpstreamEvents } from "../../src/upstream/connector.ts";
import { tcpConnector, type TcpConnectorOptions } from "../../src/upstream/tcp_connector.ts";
import { load } from "../support/configuration.ts";
import { authority } from "../support/certificates/certificates.ts";
import { haveProgram } from "../support/programs.ts";
import { NameServer } from "../support/upstream_dns.ts";
import {
  BIND,
  MECHANISMS,
  type ScriptedConnection,
  ScriptedServer,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";

const SHOWN = streamFeatures(MECHANISMS);
const decoder = new TextDecoder();
const encode = (text: string) => new TextEncoder().encode(text);

interface Setup {
  settings?: Partial<UpstreamConfig>;
  connector?: Partial<TcpConnectorOptions>;
  opening?: Partial<StreamOpening>;
  /** Called for every event of the upstream, as the session would be. */
  on?: (event: string, upstream: Upstream) => void;
}

/** A session as far as an upstream sees it: it remembers what it is told. */
class Session {
  readonly upstream: Upstream;
  readonly told: string[] = [];
  /** What it was told of the client's reading. */
  readonly flow: boolean[] = [];
  readonly events: ManagerEvent[] = [];
  #wake: (() => void) | undefined;

  constructor({ settings, connector, opening, on }: Setup) {
    const { upstream } = load(undefined);
    const config: UpstreamConfig = {
      ...upstream,
      connectTimeout: 5_000,
      ca: authority(),
      ...settings,
    };
    let telling = false;
    const tell = (event: string) => {
      assert.ok(!telling, `${event} is told from within another event`);
      telling = true;
      this.told.push(event);
      try {
        on?.(event, this.upstream);
      } finally {
        telling = false;
        this.#wake?.();
      }
    };
    const events: UpstreamEvents = {
      opened: ({ id }) => tell(`opened ${id}`),
      deliver: (payloads) => {
        for (const { bytes } of payloads) tell(decoder.decode(bytes));
      },
      flow: (open) => this.flow.push(open),
      ended: (end) =>
        tell(end.type === "connection-failed" ? `ended: ${end.reason}` : `ended ${end.type}`),
    };
    this.upstream = tcpConnector({
      settings: () => config,
      limits: () => ({ serverStanza: 100_000, depth: 50, queuedBytes: 1 << 20 }),
      clock: systemClock,
      emit: (event) => this.events.push(event),
      random: () => 0,
      ...connector,
    }).open({
      opening: { to: "example.test", version: "1.0", ...opening },
      session: "s1",
      client: CLIENT,
    }, events);
  }

  /** A session with one fixed target. */
  static at(server: { port: number }, setup: Setup & { direct?: boolean } = {}): Session {
    const { direct = false, settings, ...rest } = setup;
    const connect = [{ direct, hostname: "127.0.0.1", port: server.port }];
    return new Session({ settings: { connect, ...settings }, ...rest });
  }

  /** Waits until it has been told something that begins so. */
  async until(beginning: string): Promise<string> {
    for (;;) {
      const event = this.told.find((event) => event.startsWith(beginning));
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Bytes that were told to be lost. */
  get unsent(): number[] {
    return this.events.flatMap((event) => event.type === "unsent" ? [event.bytes] : []);
  }

  /** `upstream-failed` events as `phase target (retrying)`. */
  get failures(): string[] {
    return this.events.flatMap((event) =>
      event.type === "upstream-failed"
        ? [`${event.phase} ${event.target}${event.retrying ? " retrying" : ""}`]
        : []
    );
  }
}

/** What a server does until the stream is up, with STARTTLS. */
async function greetWithTls(connection: ScriptedConnection): Promise<void> {
  await connection.expect("version='1.0'>");
  connection.write(streamHeader("clear") + streamFeatures(STARTTLS));
  await connection.startTls();
  await connection.expect("version='1.0'>");
  connection.write(streamHeader("up") + SHOWN);
}

/** The same without TLS. */
async function greet(connection: ScriptedConnection): Promise<void> {
  await connection.expect("version='1.0'>");
  connection.write(streamHeader("up") + SHOWN);
}

const CLIENT = { address: "127.0.0.1", port: 1, transport: "bosh" } as const;

const IN_CLEAR = { settings: { tls: "never" } } as const;

function socketTest(name: string, fn: () => Promise<void>, program?: string): void {
  Deno.test({
    name,
    sanitizeOps: true,
    sanitizeResources: true,
    ...(program === undefined ? {} : haveProgram(program)),
    fn,
  });
}

socketTest("U-005 U-009 U-016 a stream comes up through STARTTLS", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server, { opening: { from: "j@example.test/r", lang: "de" } });
  session.upstream.send(encode("<auth/>"));
  assert.ok(session.upstream.queuedBytes > 7, "a piece costs more than its bytes");
  const connection = await server.accept();
  const header = await connection.expect("xml:lang='de'>");
  assert.ok(!header.includes("from="), header);
  connection.write(streamHeader("clear") + streamFeatures(STARTTLS));
  const { serverName, alpn } = await connection.startTls();
  assert.deepEqual({ serverName, alpn }, { serverName: "example.test", alpn: "xmpp-client" });
  assert.equal(
    await connection.expect("xml:lang='de'>"),
    header.replace(" to='example.test'", "$& from='j@example.test'"),
  );
  connection.write(streamHeader("up") + streamFeatures(MECHANISMS + STARTTLS));
  assert.equal(await connection.expect("<auth/>"), "<auth/>");
  await session.until(SHOWN);
  assert.deepEqual(session.told, ["opened up", SHOWN]);
  assert.deepEqual(session.events, [{
    type: "upstream-connected",
    session: "s1",
    domain: "example.test",
    client: CLIENT,
    target: `127.0.0.1:${server.port}`,
    tls: "starttls",
  }]);
  session.upstream.close();
  assert.equal(await connection.expect("</stream:stream>"), "</stream:stream>");
  connection.write("</stream:stream>");
  assert.equal(await session.until("ended"), "ended closed");
  await connection.expectEnd();
  assert.equal(session.upstream.queuedBytes, 0);
});

socketTest(
  "U-008 direct TLS names the domain and the protocol, and has no STARTTLS inside",
  async () => {
    await using server = await ScriptedServer.listen();
    const session = Session.at(server, { direct: true });
    const connection = await server.accept();
    const { serverName, alpn } = await connection.secure();
    assert.deepEqual({ serverName, alpn }, { serverName: "example.test", alpn: "xmpp-client" });
    await connection.expect("version='1.0'>");
    connection.write(streamHeader("up") + streamFeatures(STARTTLS + MECHANISMS));
    await session.until(SHOWN);
    assert.deepEqual(session.told, ["opened up", SHOWN]);
    assert.equal(
      session.events[0]?.type === "upstream-connected" && session.events[0].tls,
      "direct",
    );
    session.upstream.abort();
    assert.equal(await connection.expectEnd(), "");
    await session.until("ended closed");
  },
);

socketTest("U-009 a wildcard certificate is good for a name one label below", async () => {
  await using server = await ScriptedServer.listen({ certificate: "wildcard" });
  const session = Session.at(server, { opening: { to: "chat.example.test" } });
  await greetWithTls(await server.accept());
  await session.until("opened up");
  session.upstream.abort();
  await session.until("ended");
});

for (
  const [name, to, cause] of [
    ["other.test", "example.test", "is not valid for that name, only for other.test"],
    ["expired", "example.test", "has expired"],
    ["unknown", "example.test", "is signed by nobody we trust"],
    ["wildcard", "example.test", "is not valid for that name, only for \\*.example.test"],
    ["wildcard", "a.b.example.test", "is not valid for that name"],
  ] as const
) {
  for (const direct of [false, true]) {
    socketTest(
      `U-009 certificate ${name} is refused for ${to}, ${direct ? "direct TLS" : "STARTTLS"}`,
      async () => {
        await using server = await ScriptedServer.listen({ certificate: name, direct });
        const session = Session.at(server, { direct, opening: { to } });
        const connection = await server.accept();
        if (!direct) await assert.rejects(greetWithTls(connection));
        const target = `127.0.0.1:${server.port}`;
        assert.match(
          await session.until("ended"),
          new RegExp(
            `^ended: No stream to ${to}: TLS with ${target} failed: the certificate of ${to} ${cause}`,
          ),
        );
        assert.deepEqual(session.failures, [`tls ${target}`]);
        assert.deepEqual(session.told.length, 1);
      },
    );
  }
}

socketTest(
  "U-010 a private authority is trusted besides the usual ones, several in one text too",
  async () => {
    await using server = await ScriptedServer.listen();
    const unknown = Deno.readTextFileSync(
      new URL("../support/certificates/unknown.pem", import.meta.url),
    );
    const session = Session.at(server, { settings: { ca: unknown + authority() } });
    await greetWithTls(await server.accept());
    await session.until("opened up");
    session.upstream.abort();
    await session.until("ended");

    const without = Session.at(server, { settings: { ca: undefined } });
    await assert.rejects(greetWithTls(await server.accept()));
    assert.match(await without.until("ended"), /signed by nobody we trust; .* name that in "ca"/);
  },
);

socketTest("a server that does not speak TLS where it should is named so", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server, { direct: true });
  (await server.accept()).write("<?xml version='1.0'?><stream:stream>");
  assert.match(
    await session.until("ended"),
    /TLS with 127.* failed: the server does not speak TLS there$/,
  );
});

socketTest(
  "U-005 nothing of the client follows the request for TLS, and the clear is not shown",
  async () => {
    await using server = await ScriptedServer.listen();
    const session = Session.at(server);
    session.upstream.send(encode("<auth/>"));
    const connection = await server.accept();
    await connection.expect("version='1.0'>");
    connection.write(streamHeader("clear") + streamFeatures(STARTTLS));
    await connection.expect("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    session.upstream.send(encode("<more/>"));
    connection.write("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message/>");
    assert.equal(await connection.expectEnd(), "");
    assert.match(await session.until("ended"), /the stream with .* failed: .*in the clear/);
    assert.equal(session.told.length, 1);
  },
);

socketTest("X-013 U-021 a login with a pipelined restart goes through one connection", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server);
  const connection = await server.accept();
  await greetWithTls(connection);
  await session.until("opened up");
  session.upstream.send(encode("<auth/>"));
  session.upstream.restart();
  session.upstream.send(encode("<iq/>"));
  const sent = await connection.expect("<iq/>");
  assert.match(sent, /^<auth\/><\?xml [^>]*><stream:stream [^>]*version='1.0'><iq\/>$/);
  await connection.writePieces(
    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>" + streamHeader("2") +
      streamFeatures(BIND) + "<iq id='1'/>",
    7,
  );
  await session.until("<iq id='1'/>");
  assert.deepEqual(session.told.slice(2), [
    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "opened 2",
    streamFeatures(BIND),
    "<iq id='1'/>",
  ]);
  assert.equal(server.accepted, 1);
  session.upstream.abort();
  await session.until("ended");
});

socketTest("W-022 a login sent before there is a connection is written in order", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server);
  session.upstream.send(encode("<auth/>"));
  session.upstream.restart();
  session.upstream.send(encode("<iq/>"));
  const connection = await server.accept();
  await greetWithTls(connection);
  assert.match(
    await connection.expect("<iq/>"),
    /^<auth\/><\?xml [^>]*><stream:stream [^>]*><iq\/>$/,
  );
  session.upstream.abort();
  await session.until("ended");
});

socketTest("U-015 many stanzas pass both ways in order, whatever their size", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server);
  const connection = await server.accept();
  await greetWithTls(connection);
  await session.until(SHOWN);
  const stanzas = Array.from(
    { length: 300 },
    (_, i) => `<message id='${i}'>${"é".repeat(i * 7 % 2_000)}</message>`,
  );
  stanzas.push(`<message id='large'>${"x".repeat(90_000)}</message>`);
  for (const stanza of stanzas) {
    connection.write(stanza);
    session.upstream.send(encode(stanza));
  }
  connection.write("<last/>");
  assert.equal(await connection.expect("x</message>"), stanzas.join(""));
  await session.until("<last/>");
  assert.deepEqual(session.told.slice(2, -1), stanzas);
  assert.equal(session.upstream.queuedBytes, 0);
  session.upstream.abort();
  await session.until("ended");
});

socketTest("U-007 without STARTTLS the reason says how to allow it", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server);
  const connection = await server.accept();
  await greet(connection);
  assert.match(await session.until("ended"), /the stream with .* failed: .* tls = "optional"/);
  assert.match(await connection.expectEnd(), /<\/stream:stream>$/);
});

socketTest("U-007 a domain that needs no TLS is spoken to in the clear", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server, { settings: { tls: "optional" } });
  await greet(await server.accept());
  await session.until(SHOWN);
  assert.equal(session.events[0]?.type === "upstream-connected" && session.events[0].tls, "none");
  session.upstream.abort();
  await session.until("ended");
});

socketTest(
  "U-013 U-019 what the server must not send is answered with a stream error",
  async () => {
    for (
      const [xml, condition] of [
        ["<!-- c -->", "restricted-xml"],
        ["<a></b>", "not-well-formed"],
        [`<a>${"x".repeat(100_000)}</a>`, "policy-violation"],
      ] as const
    ) {
      await using server = await ScriptedServer.listen();
      const session = Session.at(server, IN_CLEAR);
      const connection = await server.accept();
      await greet(connection);
      connection.write("<ok/>" + xml);
      await connection.expect(
        `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`,
      );
      assert.match(
        await session.until("ended"),
        /^ended: The stream to example.test was lost: the server's XML was refused: /,
      );
      assert.equal(session.told.at(-2), "<ok/>");
    }
  },
);

socketTest(
  "X-015 a stream error reaches the session although the connection goes with it",
  async () => {
    await using server = await ScriptedServer.listen();
    const session = Session.at(server, IN_CLEAR);
    const connection = await server.accept();
    await greet(connection);
    await session.until(SHOWN);
    connection.write(
      "<message/><stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>" +
        "</stream:stream>",
    );
    connection.end();
    session.upstream.send(encode("<presence/>".repeat(1_000)));
    await session.until("ended stream-error");
    assert.deepEqual(session.told.slice(2), ["<message/>", "ended stream-error"]);
  },
);

socketTest("U-020 what the server sends after our closing tag is delivered", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server);
  const connection = await server.accept();
  await greetWithTls(connection);
  await session.until(SHOWN);
  session.upstream.close();
  session.upstream.send(encode("<late/>"));
  await connection.expect("</stream:stream>");
  connection.write("<message/>");
  await session.until("<message/>");
  connection.write("</stream:stream>");
  await session.until("ended closed");
  assert.equal(await connection.expectEnd(), "");
});

socketTest("W-030 U-026 abort leaves without a closing tag", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server);
  const connection = await server.accept();
  await greetWithTls(connection);
  await session.until(SHOWN);
  session.upstream.abort();
  session.upstream.abort();
  session.upstream.close();
  assert.equal(await connection.expectEnd(), "");
  await session.until("ended closed");
  assert.deepEqual(session.told, ["opened up", SHOWN, "ended closed"]);
});

socketTest("U-023 a server that goes away without a word is lost", async () => {
  for (const how of ["end", "reset"] as const) {
    await using server = await ScriptedServer.listen();
    const session = Session.at(server, IN_CLEAR);
    const connection = await server.accept();
    await greet(connection);
    await session.until(SHOWN);
    connection[how]();
    assert.match(
      await session.until("ended"),
      how === "end" ? /lost: the server closed the connection without/ : /lost: the server dropped/,
    );
  }
});

socketTest("U-024 every session has a connection of its own", async () => {
  await using server = await ScriptedServer.listen();
  for (let i = 1; i <= 5; i++) {
    const session = Session.at(server, IN_CLEAR);
    const connection = await server.accept();
    await greet(connection);
    await session.until(SHOWN);
    session.upstream.close();
    await connection.expect("</stream:stream>");
    connection.write("</stream:stream>");
    await session.until("ended closed");
    assert.equal(server.accepted, i);
  }
});

socketTest("flow stops reading and resumes without a loss", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server, IN_CLEAR);
  const connection = await server.accept();
  await greet(connection);
  await session.until(SHOWN);
  connection.write("<before/>");
  await session.until("<before/>");
  session.upstream.flow(false);
  const stanza = `<message>${"x".repeat(990)}</message>`;
  for (let i = 0; i < 20; i++) connection.write(stanza);
  // The read that was under way may bring one buffer; an answer shows that there was time for more.
  session.upstream.send(encode("<ping/>"));
  await connection.expect("<ping/>");
  await new Promise((resolve) => setTimeout(resolve, 50));
  const held = session.told.length;
  assert.ok(held <= 4, `${held} events`);
  session.upstream.flow(true);
  connection.write("<after/>");
  await session.until("<after/>");
  assert.equal(session.told.filter((event) => event === stanza).length, 20);
  session.upstream.abort();
  await session.until("ended");
});

socketTest("flow that is stopped before the stream is up takes effect when it is", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server, IN_CLEAR);
  session.upstream.flow(false);
  const connection = await server.accept();
  await greet(connection);
  await session.until(SHOWN);
  connection.write("<held/>");
  session.upstream.send(encode("<ping/>"));
  await connection.expect("<ping/>");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(session.told, ["opened up", SHOWN]);
  session.upstream.flow(true);
  await session.until("<held/>");
  session.upstream.abort();
  await session.until("ended");
});

socketTest("an upstream can be called from within its own events", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server, {
    ...IN_CLEAR,
    on(event, upstream) {
      if (event === "opened up") upstream.send(encode("<zero/>"));
      if (event === SHOWN) {
        upstream.send(encode("<one/>"));
        upstream.restart();
        upstream.send(encode("<two/>"));
      }
      if (event === "<bye/>") upstream.close();
    },
  });
  const connection = await server.accept();
  await greet(connection);
  assert.match(await connection.expect("<two/>"), /^<zero\/><one\/><\?xml.*<two\/>$/);
  connection.write("<bye/><rest/>");
  await connection.expect("</stream:stream>");
  connection.write("<more/></stream:stream>");
  await session.until("ended");
  assert.deepEqual(session.told.slice(1), [SHOWN, "<bye/>", "<rest/>", "<more/>", "ended closed"]);
});

socketTest("an upstream aborted from within an event says no more than that it ended", async () => {
  await using server = await ScriptedServer.listen();
  const session = Session.at(server, {
    ...IN_CLEAR,
    on(event, upstream) {
      if (event === "<bye/>") upstream.abort();
    },
  });
  const connection = await server.accept();
  await greet(connection);
  await session.until(SHOWN);
  connection.write("<bye/></stream:stream>");
  await session.until("ended");
  assert.equal(await connection.expectEnd(), "");
  assert.deepEqual(session.told, ["opened up", SHOWN, "<bye/>", "ended closed"]);
});

socketTest(
  "S-017 a session that throws is a fault of ours and ends its upstream only",
  async () => {
    await using server = await ScriptedServer.listen();
    const error = new Error("a bug");
    const session = Session.at(server, {
      ...IN_CLEAR,
      on(event) {
        if (event === "<bug/>") throw error;
      },
    });
    const connection = await server.accept();
    await greet(connection);
    connection.write("<bug/>");
    assert.match(await session.until("ended"), /lost: an internal error/);
    await connection.expectEnd();
    assert.deepEqual(session.events.slice(1), [{
      type: "fault",
      session: "s1",
      client: CLIENT,
      error,
    }]);
  },
);

socketTest("a connection that is refused is named with its target", async () => {
  const server = await ScriptedServer.listen();
  const { port } = server;
  await server[Symbol.asyncDispose]();
  const session = Session.at({ port });
  assert.equal(
    await session.until("ended"),
    `ended: No stream to example.test: the connection to 127.0.0.1:${port} failed: ` +
      `connection refused by 127.0.0.1:${port}`,
  );
  assert.deepEqual(session.failures, [`tcp 127.0.0.1:${port}`]);
});

socketTest("a name of the hosts file is good for connect", async () => {
  await using server = await ScriptedServer.listen();
  const connect = [{ direct: false, hostname: "localhost", port: server.port }];
  const session = new Session({ settings: { connect, tls: "never" } });
  await greet(await server.accept());
  await session.until("opened up");
  session.upstream.abort();
  await session.until("ended");
});

socketTest("a server that says nothing is given up after the timeout, in each phase", async () => {
  const impatient = { connectTimeout: 100 };
  await using server = await ScriptedServer.listen();
  const silent = Session.at(server, { settings: impatient });
  assert.match(
    await silent.until("ended"),
    /the stream with .*: no stream header .* within 0.1 s$/,
  );
  await (await server.accept()).expectEnd();

  const tls = Session.at(server, { direct: true, settings: impatient });
  assert.match(await tls.until("ended"), /TLS with .*: no TLS handshake within 0.1 s$/);
  await (await server.accept()).destroy();

  const late = Session.at(server, { settings: { ...impatient, tls: "never" } });
  const connection = await server.accept();
  connection.write(streamHeader("1"));
  assert.match(await late.until("ended"), /no stream features from the server within 0.1 s$/);
});

socketTest("a domain without settings is not reached at all", async () => {
  const session = new Session({ connector: { settings: () => undefined } });
  assert.equal(
    await session.until("ended"),
    "ended: No stream to example.test: the domain is not served here",
  );
});

socketTest("closing and aborting cancel what is under way, and ended comes once", async () => {
  await using server = await ScriptedServer.listen();
  for (const how of ["close", "abort"] as const) {
    const atOnce = Session.at(server);
    atOnce.upstream[how]();
    atOnce.upstream[how]();
    assert.deepEqual(atOnce.told, [], "not before the call returns");
    await atOnce.until("ended closed");

    const negotiating = Session.at(server);
    const connection = await server.accept();
    await connection.expect("version='1.0'>");
    negotiating.upstream[how]();
    assert.equal(await connection.expectEnd(), how === "close" ? "</stream:stream>" : "");
    await negotiating.until("ended closed");

    const securing = Session.at(server, { direct: true });
    const silent = await server.accept();
    securing.upstream[how]();
    await silent.expectEnd();
    await securing.until("ended closed");
    assert.deepEqual([...negotiating.told, ...securing.told], ["ended closed", "ended closed"]);
    assert.deepEqual([...negotiating.events, ...securing.events], []);
  }
});

const loopback = { connector: { mayDial: (address: string) => address.startsWith("127.") } };

socketTest(
  "D-008 D-010 the servers of the SRV records are tried in order, each address",
  async () => {
    await using first = await ScriptedServer.listen({ certificate: "other.test" });
    await using second = await ScriptedServer.listen({ hostname: "127.0.0.2", direct: true });
    await using nameserver = await NameServer.start(
      `srv-host=_xmpp-client._tcp.example.test,a.example.test,${first.port},1`,
      `srv-host=_xmpps-client._tcp.example.test,b.example.test,${second.port},2`,
      "host-record=a.example.test,127.0.0.1",
      "host-record=b.example.test,127.0.0.3",
      "host-record=b.example.test,127.0.0.2",
    );
    const session = new Session({ settings: { nameserver }, ...loopback });
    session.upstream.send(encode("<auth/>"));
    await assert.rejects(greetWithTls(await first.accept()));
    const connection = await second.accept();
    await connection.expect("version='1.0'>");
    connection.write(streamHeader("up") + SHOWN);
    await connection.expect("<auth/>");
    await session.until(SHOWN);
    assert.equal(session.failures[0], `tls a.example.test:${first.port} retrying`);
    assert.ok(
      session.failures.slice(1).every((f) => f === `tcp b.example.test:${second.port} retrying`),
    );
    assert.deepEqual(session.events.at(-1), {
      type: "upstream-connected",
      session: "s1",
      domain: "example.test",
      client: CLIENT,
      target: `b.example.test:${second.port}`,
      tls: "direct",
    });
    assert.deepEqual(session.told, ["opened up", SHOWN]);
    session.upstream.abort();
    await session.until("ended");
  },
  "dnsmasq",
);

socketTest(
  "T-17 a stream that fails before it is up leads to the next target, not one that was up",
  async () => {
    await using first = await ScriptedServer.listen();
    await using second = await ScriptedServer.listen();
    await using nameserver = await NameServer.start(
      `srv-host=_xmpp-client._tcp.example.test,xmpp.example.test,${first.port},1`,
      `srv-host=_xmpp-client._tcp.example.test,xmpp.example.test,${second.port},2`,
      "host-record=xmpp.example.test,127.0.0.1",
    );
    const session = new Session({ settings: { nameserver, tls: "never" }, ...loopback });
    const broken = await first.accept();
    await broken.expect("version='1.0'>");
    broken.write(
      streamHeader("1") + "<stream:error><system-shutdown " +
        "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
    );
    const connection = await second.accept();
    await greet(connection);
    await session.until(SHOWN);
    assert.deepEqual(session.failures, [`stream xmpp.example.test:${first.port} retrying`]);
    connection.reset();
    await session.until("ended: The stream to example.test was lost");
    assert.deepEqual([first.accepted, second.accepted], [1, 1]);
  },
  "dnsmasq",
);

socketTest(
  "T-17 after the last target the session hears why, in the server's own words if it had any",
  async () => {
    await using server = await ScriptedServer.listen();
    const session = Session.at(server);
    const connection = await server.accept();
    await connection.expect("version='1.0'>");
    connection.write(
      streamHeader("1") + "<stream:error><host-unknown " +
        "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
    );
    await session.until("ended stream-error");
    assert.deepEqual(session.failures, [`stream 127.0.0.1:${server.port}`]);
    assert.match(JSON.stringify(session.events[0]), /host-unknown/);
  },
);

socketTest("D-011 a domain that says it has no service is not dialled", async () => {
  await using nameserver = await NameServer.start(
    "srv-host=_xmpp-client._tcp.example.test",
    "host-record=example.test,127.0.0.1",
  );
  const session = new Session({ settings: { nameserver }, ...loopback });
  assert.equal(
    await session.until("ended"),
    "ended: No stream to example.test: name lookup of example.test failed: " +
      "its DNS records say that it has no XMPP service for clients",
  );
}, "dnsmasq");

socketTest(
  "D-012 SRV records that lead nowhere are the end, whatever address the domain has",
  async () => {
    await using nameserver = await NameServer.start(
      "srv-host=_xmpp-client._tcp.example.test,nobody.example.test,5222",
      "host-record=example.test,127.0.0.1",
    );
    const session = new Session({ settings: { nameserver }, ...loopback });
    assert.match(await session.until("ended"), /DNS has no address for nobody.example.test$/);
    assert.deepEqual(session.failures, ["lookup nobody.example.test:5222"]);
    assert.ok(!nameserver.queries.includes("A example.test"));
  },
  "dnsmasq",
);

socketTest("D-012 without SRV records the domain's own address is tried on port 5222", async () => {
  await using nameserver = await NameServer.start("host-record=example.test,127.0.0.4");
  const asked: string[] = [];
  // Somebody else may be listening on that port: it is asked for and not dialled.
  const mayDial = (address: string) => asked.push(address) < 0;
  const session = new Session({ settings: { nameserver }, connector: { mayDial } });
  await session.until("ended");
  assert.deepEqual(asked, ["127.0.0.4"]);
  assert.deepEqual(session.failures, ["lookup example.test:5222"]);
}, "dnsmasq");

socketTest("D-013 a name server that is silent is given up after the timeout", async () => {
  const silent = createSocket("udp4");
  await new Promise<void>((resolve) => silent.bind(0, "127.0.0.1", resolve));
  const { port } = silent.address();
  const settings = { nameserver: { address: "127.0.0.1", port }, connectTimeout: 100 };
  const session = new Session({ settings });
  assert.equal(
    await session.until("ended"),
    "ended: No stream to example.test: name lookup of example.test failed: " +
      "no answer from the name server within 0.1 s",
  );
  assert.deepEqual(session.failures, ["lookup example.test"]);
  const cancelled = new Session({ settings: { ...settings, connectTimeout: 60_000 } });
  await Promise.resolve();
  cancelled.upstream.close();
  await cancelled.until("ended closed");
  await new Promise<void>((resolve) => silent.close(resolve));
});

socketTest(
  "S-006 T-44 a name that leads to a private address is not dialled, and the reason says what to write",
  async () => {
    await using server = await ScriptedServer.listen();
    await using nameserver = await NameServer.start(
      `srv-host=_xmpp-client._tcp.example.test,xmpp.example.test,${server.port},1`,
      `srv-host=_xmpps-client._tcp.example.test,10.0.0.1,${server.port},2`,
      "host-record=xmpp.example.test,127.0.0.1,fd00::1",
    );
    const session = new Session({ settings: { nameserver } });
    assert.match(
      await session.until("ended"),
      /write: \[domains\."example\.test"\] connect = "xmpps:\/\/10\.0\.0\.1:/,
    );
    assert.deepEqual(session.failures.map((failure) => failure.split(" ")[0]), [
      "lookup",
      "lookup",
      "lookup",
    ]);
    const reasons = session.events.map((event) => event.type === "upstream-failed" && event.reason);
    assert.match(String(reasons[0]), /not public \(private\)/);
    assert.match(
      String(reasons[1]),
      /not public \(loopback\).*connect = "xmpp:\/\/xmpp.example.test:/,
    );
    assert.equal(server.accepted, 0);
  },
  "dnsmasq",
);

for (const to of ["localhost", "127.0.0.1", "[::1]", "169.254.169.254", "[::ffff:10.0.0.1]"]) {
  socketTest(`S-006 a client that names ${to} itself is refused without a connection`, async () => {
    const session = new Session({ opening: { to } });
    assert.match(await session.until("ended"), /is not public \([a-z-]+\); if that is where/);
    assert.ok(session.failures.every((failure) => failure.startsWith("lookup ")));
  });
}

socketTest("what cannot be a domain is refused without a lookup", async () => {
  const session = new Session({ opening: { to: 'a"b' } });
  assert.match(await session.until("ended"), /not a name that DNS can have$/);
});

socketTest("a mapped host is asked of the configured name server, and may be private", async () => {
  await using server = await ScriptedServer.listen();
  await using nameserver = await NameServer.start("host-record=inside.test,127.0.0.1");
  const connect = [{ direct: false, hostname: "inside.test", port: server.port }];
  const session = new Session({ settings: { connect, nameserver, tls: "never" } });
  await greet(await server.accept());
  await session.until("opened up");
  session.upstream.abort();
  await session.until("ended");
}, "dnsmasq");

socketTest("D-010 of many places, sixteen are dialled for one session", async () => {
  const gone = await ScriptedServer.listen();
  const { port } = gone;
  await gone[Symbol.asyncDispose]();
  const place = { direct: false, hostname: "127.0.0.1", port };
  const session = new Session({ settings: { connect: Array(20).fill(place), tls: "never" } });
  await session.until("ended: ");
  assert.equal(session.failures.length, 16);
  assert.equal(session.failures.at(-1), `tcp 127.0.0.1:${port}`);
});

const PIECE = encode(`<message>${"x".repeat(60_000)}</message>`);

/** Sends until it is told to stop; how many pieces that took. */
function pour({ upstream, flow }: Session): number {
  let count = 0;
  while (flow.at(-1) !== false) {
    upstream.send(PIECE);
    count++;
  }
  return count;
}

socketTest(
  "W-022 W-040 what waits for a stream to be opened stops its client at half of what may wait, and all of it goes up",
  async () => {
    await using server = await ScriptedServer.listen();
    const session = Session.at(server, IN_CLEAR);
    const count = pour(session);
    assert.equal(count, 9, "half of a mebibyte");
    assert.deepEqual(session.flow, [false]);
    const connection = await server.accept();
    await greet(connection);
    let got = 0;
    while (got < count * PIECE.length) got += (await connection.expect("</message>")).length;
    await session.until(SHOWN);
    assert.equal(session.flow.at(-1), true);
    session.upstream.abort();
    await session.until("ended");
    assert.deepEqual(session.unsent, []);
  },
);

socketTest(
  "W-040 a server that does not read stops its client, and lets it go on when little waits",
  async () => {
    await using server = await ScriptedServer.listen();
    const session = Session.at(server, IN_CLEAR);
    const connection = await server.accept();
    await greet(connection);
    await session.until(SHOWN);
    connection.pause();
    let sent = 0;
    // The system takes some before anything has to wait.
    while (session.flow.length === 0) {
      session.upstream.send(PIECE);
      sent += PIECE.length;
      await new Promise((resolve) => setTimeout(resolve));
    }
    assert.deepEqual(session.flow[0], false);
    assert.ok(session.upstream.queuedBytes > 1 << 19);
    connection.resume();
    let got = 0;
    while (got < sent) got += (await connection.expect("</message>")).length;
    assert.equal(session.flow.at(-1), true);
    assert.ok(session.flow.slice(0, -1).every((open) => !open));
    assert.ok(session.flow.length > 2, "that some has left is told");
    session.upstream.abort();
    await session.until("ended");
    assert.deepEqual(session.unsent, []);
  },
);

socketTest(
  "what a client sent to a server that does not read is told when the stream is dropped",
  async () => {
    await using server = await ScriptedServer.listen();
    const session = Session.at(server, IN_CLEAR);
    const connection = await server.accept();
    await greet(connection);
    await session.until(SHOWN);
    connection.pause();
    while (session.flow.length === 0) {
      session.upstream.send(PIECE);
      await new Promise((resolve) => setTimeout(resolve));
    }
    const { queuedBytes } = session.upstream;
    session.upstream.abort();
    const [unsent = 0] = session.unsent;
    assert.ok(unsent > 400_000 && unsent <= queuedBytes, `${unsent} of ${queuedBytes}`);
    await session.until("ended");
    assert.equal(session.unsent.length, 1);
  },
);

socketTest("what a client sent to a stream that never came up is told", async () => {
  await using server = await ScriptedServer.listen();
  for (const end of ["close", "abort"] as const) {
    const session = Session.at(server, IN_CLEAR);
    session.upstream.send(encode("<auth/>"));
    session.upstream.restart();
    session.upstream[end]();
    await session.until("ended");
    assert.deepEqual(session.unsent, [7]);
  }
  const refused = Session.at({ port: 1 }, IN_CLEAR);
  refused.upstream.send(encode("<auth/>"));
  assert.match(await refused.until("ended"), /^ended: No stream/);
  assert.deepEqual(refused.events.at(-1), {
    type: "unsent",
    session: "s1",
    domain: "example.test",
    client: { address: "127.0.0.1", port: 1, transport: "bosh" },
    to: "server",
    bytes: 7,
  });
});

socketTest(
  "W-022 what waits for a stream keeps no whole request in memory for a part of it",
  async () => {
    await using server = await ScriptedServer.listen();
    const session = Session.at(server, IN_CLEAR);
    // A copy does not change.
    const sendPart = () => {
      const request = encode(`<auth/>${"x".repeat(10_000)}`);
      session.upstream.send(request.subarray(0, 7));
      request.fill(0x79);
    };
    sendPart();
    const connection = await server.accept();
    await connection.expect("version='1.0'>");
    sendPart();
    connection.write(streamHeader("up") + SHOWN);
    assert.equal(await connection.expect("<auth/><auth/>"), "<auth/><auth/>");
    session.upstream.abort();
    await session.until("ended");
  },
);
