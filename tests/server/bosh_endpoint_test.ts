import assert from "node:assert/strict";
import { FakeConnector } from "../support/fake_connector.ts";
import { BIND, CREATE, HttpClient, post, settled, sidOf, until } from "../support/bosh_http.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager } from "../support/manager.ts";

onBothFronts(
  "X-013 B-061 B-092 a session by HTTP: create, send, receive, restart, terminate",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const client = await HttpClient.open(running);
    assert.equal(connector.last.request.opening.to, "example.test");
    assert.equal(connector.last.request.client.address, "127.0.0.1");
    assert.equal(connector.last.request.client.transport, "bosh");

    const answer = client.request("", "<message>ü😀</message>");
    await until(() => connector.last.log.length > 0);
    assert.deepEqual(connector.last.log, ["send <message>ü😀</message>"]);
    connector.last.say("<message>ü😀</message>");
    assert.equal(
      await (await answer).text(),
      `<body ${BIND}><message xmlns='jabber:client'>ü😀</message></body>`,
    );

    const restarted = client.request("xmlns:xmpp='urn:xmpp:xbosh' xmpp:restart='true'");
    await until(() => connector.last.log.includes("restart"));
    connector.last.opened();
    connector.last.say("<stream:features/>");
    assert.match(await (await restarted).text(), /<stream:features /);

    const end = await (await client.request("type='terminate'")).text();
    assert.equal(end, `<body ${BIND} type='terminate'/>`);
    assert.equal(connector.last.log.at(-1), "close");
    assert.equal(running.manager.sessions, 0);
    assert.match(await (await client.request()).text(), /condition='item-not-found'/);
    assert.deepEqual(running.events.map((event) => event.type), [
      "session-created",
      "session-ended",
    ]);
  },
);

onBothFronts(
  "B-003 B-006 B-016 B-017 every answer is text/xml with a length, and any page may read it",
  async () => {
    await using running = await runManager({ connector: new FakeConnector() });
    const response = await post(running, CREATE, { origin: "https://page.test" });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/xml; charset=utf-8");
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.equal(response.headers.get("set-cookie"), null);
    assert.equal(response.headers.get("transfer-encoding"), null);
    const body = await response.bytes();
    assert.equal(response.headers.get("content-length"), String(body.length));
  },
);

onBothFronts(
  "B-012 B-014 B-015 methods: a page for GET, leave for OPTIONS, 405 for the rest; the slash does not matter",
  async () => {
    await using running = await runManager({ connector: new FakeConnector() });
    for (const path of ["/http-bind", "/http-bind/", "/http-bind?room=a"]) {
      const page = await fetch(running.url + path);
      assert.equal(page.status, 200);
      assert.match(await page.text(), /BOSH/);
    }
    const head = await fetch(`${running.url}/http-bind`, { method: "HEAD" });
    assert.equal(head.status, 200);
    const preflight = await fetch(`${running.url}/http-bind`, {
      method: "OPTIONS",
      headers: { origin: "https://page.test", "access-control-request-method": "POST" },
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
    assert.match(preflight.headers.get("access-control-allow-methods")!, /POST/);
    assert.equal(preflight.headers.get("access-control-allow-headers"), "Content-Type");
    assert.ok(preflight.headers.get("access-control-max-age"));
    const put = await fetch(`${running.url}/http-bind`, { method: "PUT" });
    assert.equal(put.status, 405);
    assert.match(put.headers.get("allow")!, /POST/);
    assert.equal(put.headers.get("access-control-allow-origin"), "*");
    await put.body?.cancel();
    // A page that posts to a wrong path sees the refusal only if its browser may post there.
    for (const path of ["/elsewhere", "/xmpp-websocket"]) {
      const leave = await fetch(`${running.url}${path}`, { method: "OPTIONS" });
      assert.equal(leave.status, 204);
      assert.match(leave.headers.get("access-control-allow-methods")!, /POST/);
      assert.equal(leave.headers.get("access-control-allow-headers"), "Content-Type");
    }
    const nothing = await fetch(`${running.url}/elsewhere`);
    assert.equal(nothing.status, 404);
    assert.match(await nothing.text(), /Nothing is served/);
  },
);

onBothFronts("B-016 with listed origins only those may read the answers", async () => {
  const toml = "[http]\nallowed_origins = ['https://page.test']";
  await using running = await runManager({ toml, connector: new FakeConnector() });
  const listed = await post(running, CREATE, { origin: "https://page.test" });
  assert.equal(listed.headers.get("access-control-allow-origin"), "https://page.test");
  assert.equal(listed.headers.get("vary"), "Origin");
  await listed.body?.cancel();
  const other = await post(running, CREATE, { origin: "https://other.test" });
  assert.equal(other.headers.get("access-control-allow-origin"), null);
  await other.body?.cancel();
});

onBothFronts("B-005 B-010 neither Content-Type nor an odd Content-Encoding matters", async () => {
  await using running = await runManager({ connector: new FakeConnector() });
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "text/html"]) {
    const response = await post(running, CREATE, {
      "content-type": type,
      "content-encoding": "text/xml; charset=utf-8",
    });
    assert.match(await response.text(), / sid='/);
  }
});

onBothFronts(
  "bad input is answered by its name, and the session beside it does not notice",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const neighbour = await HttpClient.open(running);
    const held = neighbour.request();
    const terminal: [string | Uint8Array<ArrayBuffer>, string][] = [
      ["nonsense", "bad-request"],
      ["<body", "bad-request"],
      [`<body ${BIND} rid='1' to='example.test'><a></body>`, "bad-request"],
      [
        new Uint8Array([...new TextEncoder().encode(CREATE.slice(0, -2)), 0x3e, 0xc3, 0x28]),
        "bad-request",
      ],
      [`<!DOCTYPE body [<!ENTITY a 'b'>]>${CREATE}`, "bad-request"],
      [`<body ${BIND} rid='1' to='a'>${"<a>".repeat(50_000)}`, "policy-violation"],
      [`<body ${BIND} rid='1' sid='unknown'/>`, "item-not-found"],
      [`<body ${BIND} rid='1' sid=''/>`, "item-not-found"],
      [`<body ${BIND} rid='1'/>`, "improper-addressing"],
      [`<body ${BIND} rid='1'><iq/></body>`, "improper-addressing"],
      [`<body ${BIND} rid='1' to='a@b'/>`, "improper-addressing"],
      [`<body ${BIND} rid='0' to='example.test'/>`, "bad-request"],
    ];
    for (const [body, condition] of terminal) {
      const response = await post(running, body);
      assert.equal(response.status, 200);
      assert.match(
        await response.text(),
        new RegExp(`^<body ${BIND} type='terminate' condition='${condition}'`),
      );
    }
    const large = await post(running, `<body ${BIND}>${"<a>".repeat(350_000)}`);
    assert.equal(large.status, 413);
    assert.equal(large.headers.get("access-control-allow-origin"), "*");
    await large.body?.cancel();
    const empty = await post(running, "");
    assert.equal(empty.status, 400);
    await empty.body?.cancel();

    assert.equal(connector.upstreams.length, 1, "none of it opened an upstream");
    connector.last.say("<message/>");
    assert.match(await (await held).text(), /<message xmlns='jabber:client'\/>/);
  },
);

onBothFronts("B-004 B-019 chunked requests are read, up to the limit", async () => {
  await using running = await runManager({ connector: new FakeConnector() });
  const chunks = (text: string) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (const part of text.match(/[^]{1,20000}/g) ?? []) {
          controller.enqueue(new TextEncoder().encode(part));
        }
        controller.close();
      },
    });
  const accepted = await post(running, chunks(CREATE));
  assert.match(await accepted.text(), / sid='/);
  const refused = await post(running, chunks(`<body ${BIND}>${"x".repeat(300_000)}`));
  assert.equal(refused.status, 413);
  await refused.body?.cancel();
});

onBothFronts("B-101 a rid far out ends the session, and its upstream is dropped", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const client = await HttpClient.open(running);
  client.rid += 1000;
  assert.match(await (await client.request()).text(), /condition='item-not-found'/);
  assert.equal(connector.last.log.at(-1), "abort");
});

onBothFronts("B-026 forbidden XML in a session ends it", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const client = await HttpClient.open(running);
  const refused = await (await client.request("", "<a><!-- --></a>")).text();
  assert.match(refused, /condition='bad-request'/);
  assert.equal(connector.last.log.at(-1), "abort");
  assert.equal(running.manager.sessions, 0);
});

onBothFronts("B-046 sids are long, all different, and share nothing", async () => {
  await using running = await runManager({ connector: new FakeConnector() });
  const sids = new Set<string>();
  for (let i = 0; i < 200; i++) sids.add((await HttpClient.open(running)).sid);
  assert.equal(sids.size, 200);
  assert.ok([...sids].every((sid) => /^[A-Za-z0-9_-]{30}$/.test(sid)));
  for (let at = 0; at < 21; at++) {
    assert.ok(new Set([...sids].map((sid) => sid[at])).size > 16, `character ${at} varies`);
  }
});

onBothFronts(
  "B-032 B-033 B-034 only served domains, compared as names are; a default for those who name none",
  async () => {
    const toml =
      "domain_default = 'example.test'\n[domains.'example.test']\n[domains.'bücher.test']";
    const connector = new FakeConnector();
    await using running = await runManager({ toml, connector });
    const create = async (to: string) =>
      await (await post(running, `<body ${BIND} rid='1' ${to} ver='1.6'/>`)).text();
    assert.match(await create("to='EXAMPLE.Test'"), / sid='/);
    assert.match(await create("to='BÜCHER.test'"), / sid='/);
    assert.match(await create("to='xn--bcher-kva.test'"), / sid='/);
    assert.match(await create(""), / sid='/);
    assert.match(await create("to='other.test'"), /condition='host-unknown'/);
    assert.match(await create("to='127.0.0.1:22'"), /condition='improper-addressing'/);
  },
);

onBothFronts("B-123 the session limit refuses new sessions and harms no other", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ toml: "[limits]\nsessions = 1", connector });
  const first = await HttpClient.open(running);
  const refused = await (await post(running, CREATE)).text();
  assert.match(refused, /condition='internal-server-error' message='[^']*limits\.sessions/);
  await (await first.request("type='terminate'")).body?.cancel();
  await HttpClient.open(running);
});

onBothFronts("B-068 B-078 a client that leaves its held request loses nothing", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const client = await HttpClient.open(running);
  const leaving = new AbortController();
  const held = client.request("", "<presence/>", leaving.signal);
  await until(() => connector.last.log.length === 1);
  leaving.abort();
  await assert.rejects(held);
  await settled();
  connector.last.say("<message/>");
  client.rid--;
  assert.match(await (await client.request()).text(), /<message xmlns='jabber:client'\/>/);
  assert.deepEqual(connector.last.log, ["send <presence/>"], "sent once");
});

onBothFronts(
  "B-122 shutdown answers what is held, refuses what is new, and closes the streams",
  async () => {
    const connector = new FakeConnector();
    const running = await runManager({ connector });
    const client = await HttpClient.open(running);
    const held = client.request("", "<presence/>");
    await until(() => connector.last.log.length === 1);
    await running.manager.shutdown();
    assert.match(await (await held).text(), /condition='system-shutdown'/);
    assert.equal(connector.last.log.at(-1), "close");
    assert.match(await (await post(running, CREATE)).text(), /condition='system-shutdown'/);
    await running[Symbol.asyncDispose]();
  },
);

onBothFronts("S-017 a fault of ours ends one session, and says so", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const neighbour = await HttpClient.open(running);
  const held = neighbour.request();
  connector.onOpen = () => {};
  const creating = post(running, CREATE);
  await until(() => connector.upstreams.length === 2);
  // What a connector of an embedder might do.
  Object.defineProperty(connector.last, "send", {
    value: () => {
      throw new TypeError("a mistake");
    },
  });
  connector.last.opened();
  connector.last.say("<stream:features/>");
  const sid = sidOf(await (await creating).text());
  const failed = await post(running, `<body ${BIND} sid='${sid}' rid='2'><iq/></body>`);
  assert.match(await failed.text(), /condition='internal-server-error'/);
  assert.ok(running.events.some((event) => event.type === "fault"));
  connector.upstreams[0]!.say("<message/>");
  assert.match(await (await held).text(), /<message /);
});
