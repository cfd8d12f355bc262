import assert from "node:assert/strict";
import { eventLogger, Log } from "../../src/log.ts";
import { BIND, CREATE, HttpClient, post, settled, until } from "../support/bosh_http.ts";
import { FakeConnector } from "../support/fake_connector.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager } from "../support/manager.ts";

const XBOSH = "xmlns:xmpp='urn:xmpp:xbosh'";

function creation(attributes: string): string {
  return CREATE.replace("/>", ` ${attributes}/>`);
}

async function textOf(response: Promise<Response>): Promise<string> {
  return await (await response).text();
}

// ---- where streams go, and what their headers say

onBothFronts("B-037 a route is ignored where the operator allows none", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  for (const route of ["xmpp:127.0.0.1:22", "nonsense"]) {
    await HttpClient.open(running, creation(`route='${route}'`));
    assert.equal(connector.last.request.route, undefined);
  }
});

onBothFronts(
  "B-037 a route that is allowed is handed on; others are refused by their name",
  async () => {
    const connector = new FakeConnector();
    const toml = "[upstream]\nallow_route = ['xmpp.example.test:5222', '127.0.0.1:*']";
    await using running = await runManager({ toml, connector });
    await HttpClient.open(running, creation("route='xmpp:XMPP.example.test:5222'"));
    assert.deepEqual(connector.last.request.route, {
      hostname: "xmpp.example.test",
      port: 5222,
      isNamed: true,
    });
    assert.equal(connector.last.request.opening.to, "example.test");
    await HttpClient.open(running, creation("route='xmpp:127.0.0.1:9'"));
    assert.deepEqual(connector.last.request.route, {
      hostname: "127.0.0.1",
      port: 9,
      isNamed: true,
    });
    await HttpClient.open(running);
    assert.equal(connector.last.request.route, undefined);
    for (
      const [route, condition] of [
        ["xmpp:xmpp.example.test:5223", "host-unknown"],
        ["xmpp:other.test:5222", "host-unknown"],
        ["http:xmpp.example.test:5222", "bad-request"],
        ["xmpp.example.test", "bad-request"],
      ] as const
    ) {
      const refused = await textOf(post(running, creation(`route='${route}'`)));
      assert.match(refused, new RegExp(`condition='${condition}'`), route);
    }
    assert.equal(connector.upstreams.length, 3);
  },
);

onBothFronts(
  "stream_attrs of the creation request and of a restart reach the stream's header",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const client = await HttpClient.open(running, creation(`stream_attrs='{"foo":"b&amp;r"}'`));
    assert.deepEqual(connector.last.request.opening.attributes, [["foo", "b&r"]]);
    const restarted = client.request(`${XBOSH} xmpp:restart='true' stream_attrs='{"x":"y"}'`);
    await until(() => connector.last.log.length > 0);
    assert.deepEqual(connector.last.log, ['restart [["x","y"]]']);
    connector.last.opened();
    connector.last.say("<stream:features/>");
    await textOf(restarted);
    const plain = client.request(`${XBOSH} xmpp:restart='true'`);
    await until(() => connector.last.log.length > 1);
    assert.equal(connector.last.log[1], "restart");
    const refused = await textOf(post(running, creation(`stream_attrs='{"to":"other.test"}'`)));
    assert.match(refused, /condition='bad-request' message='stream_attrs must be/);
    connector.last.say("<stream:features/>");
    await textOf(plain);
  },
);

// ---- several streams

onBothFronts(
  "B-113 B-114 B-115 two streams through one session, each with its own upstream",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const created = await textOf(post(running, CREATE));
    const [, sid = "", first = ""] = /sid='([^']+)'.* stream='([^']+)'/.exec(created) ?? [];
    const client = new HttpClient(running, sid);
    const second = / stream='([^']+)'/.exec(await textOf(client.request("to='second.test'")))![1]!;
    assert.notEqual(second, first);
    assert.match(second, /^[A-Za-z0-9_-]{22}$/);
    const [one, two] = connector.upstreams;
    assert.equal(two!.request.opening.to, "second.test");
    assert.equal(two!.request.session, one!.request.session);

    const held = client.request(`stream='${second}'`, "<a/>");
    await until(() => two!.log.length === 1);
    one!.say("<message id='1'/>");
    assert.match(await textOf(held), new RegExp(`^<body ${BIND} stream='${first}'><message `));
    const all = client.request("", "<b/>");
    await until(() => one!.log.length === 1);
    two!.say("<message id='2'/>");
    assert.match(await textOf(all), new RegExp(`^<body ${BIND} stream='${second}'><message `));

    const closed = await textOf(client.request(`stream='${second}' type='terminate'`, "<c/>"));
    assert.match(closed, new RegExp(`type='terminate' stream='${second}'`));
    assert.deepEqual(two!.log, ["send <a/>", "send <b/>", "send <c/>", "close"]);
    assert.equal(running.manager.sessions, 1);
    assert.match(await textOf(client.request("type='terminate'")), /type='terminate'/);
    assert.deepEqual(one!.log, ["send <b/>", "close"]);
    assert.equal(running.manager.sessions, 0);
  },
);

onBothFronts(
  "B-114 when two streams shared a session, answers go on saying which they are of",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const client = await HttpClient.open(running);
    const second = / stream='([^']+)'/.exec(await textOf(client.request("to='second.test'")))![1]!;
    connector.last.say("<message id='late'/>");
    connector.last.end({ type: "closed" });
    const late = await textOf(client.request());
    assert.equal(
      late,
      `<body ${BIND} stream='${second}'><message xmlns='jabber:client' id='late'/></body>`,
    );
  },
);

onBothFronts(
  "B-113 a stream to a domain that is not served ends at once, and the session goes on",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ toml: "[domains.'example.test']", connector });
    const client = await HttpClient.open(running);
    const refused = await textOf(client.request("to='other.test'"));
    assert.match(refused, /type='terminate' condition='host-unknown' stream='[^']+' message='/);
    assert.equal(connector.upstreams.length, 1);
    assert.equal(running.manager.sessions, 1);
  },
);

onBothFronts(
  "B-112 B-112a T-12 libpurple writes 'to' everywhere, and opens one stream",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const headers = { "user-agent": "Pidgin/2.14.1 (libpurple 2.14.1)" };
    const client = await HttpClient.open(running, creation("xml:lang='en' secure='true'"), headers);
    const to = "to='example.test' xml:lang='en'";
    const polled = client.request(to);
    await settled();
    const sent = client.request(to, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    assert.equal(await textOf(polled), `<body ${BIND}/>`);
    await until(() => connector.last.log.length === 1);
    const restarted = client.request(`${to} ${XBOSH} xmpp:restart='true'`);
    assert.equal(await textOf(sent), `<body ${BIND}/>`);
    connector.last.say("<stream:features/>");
    await textOf(restarted);
    await textOf(client.request(`${to} type='terminate'`));
    assert.equal(connector.upstreams.length, 1);
  },
);

onBothFronts(
  "B-112a another client that writes 'to' beside payloads is known by that",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const client = await HttpClient.open(running);
    const sent = client.request("to='example.test'", "<presence/>");
    await until(() => connector.last.log.length === 1);
    const polled = client.request("to='second.test'");
    assert.equal(await textOf(sent), `<body ${BIND}/>`);
    connector.last.say("<message/>");
    assert.match(await textOf(polled), /<message /);
    assert.equal(connector.upstreams.length, 1);
  },
);

// ---- what operators learn

onBothFronts("what a client says it is stands in the event of its session", async () => {
  await using running = await runManager({ connector: new FakeConnector() });
  await HttpClient.open(running, creation("ua='A client/1.0'"));
  await HttpClient.open(running);
  assert.deepEqual(
    running.events.map((event) => event.type === "session-created" && event.userAgent),
    ["A client/1.0", undefined],
  );
});

onBothFronts(
  "X-020 stanzas that no client took are an event, a line in the log, and news to their senders",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const client = await HttpClient.open(running);
    connector.last.say("<message from='a@b' id='m'><body>secret</body></message><presence/>");
    client.rid += 100;
    await textOf(client.request());
    assert.deepEqual(connector.last.log, [
      "send <message xmlns='jabber:client' type='error' id='m' to='a@b'><error type='wait'>" +
      "<recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
      "close",
    ]);
    const event = running.events.find((event) => event.type === "undelivered");
    assert.equal(event?.payloads.length, 2);
    assert.match(new TextDecoder().decode(event.payloads[0]!.bytes), /^<message .*secret/);
    const lines: string[] = [];
    const log = new Log({
      level: "info",
      format: "text",
      write: (line) => void lines.push(line),
      now: () => 0,
    });
    eventLogger(log)(event);
    assert.match(
      lines.join(""),
      /^\S+ warn stanzas not delivered session=[\w-]{8} domain=example\.test transport=bosh client=127\.0\.0\.1 port=\d+ stanzas=2\n$/,
    );
  },
);
