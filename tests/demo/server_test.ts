import assert from "node:assert/strict";
import { startDemoServer } from "../../src/demo/server.ts";
import { auth, RawClient, response, saslData, scramAnswer } from "../support/raw_client.ts";

const STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams";
const HEADER_FOR = (to: string) =>
  `<stream:stream to='${to}' version='1.0' xmlns='jabber:client'` +
  " xmlns:stream='http://etherx.jabber.org/streams'>";

/** A test with a server of its own, which is closed whatever happens. */
function test(name: string, conversation: (port: number) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: true,
    sanitizeResources: true,
    sanitizeExit: true,
    async fn() {
      const server = startDemoServer({ hostname: "127.0.0.1", port: 0 });
      try {
        await conversation(server.port);
      } finally {
        await server.close();
      }
    },
  });
}

Deno.test("the SCRAM client of these tests agrees with the example of RFC 5802 §5", () => {
  const { clientFinal, serverFinal } = scramAnswer(
    "pencil",
    "n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
  );
  assert.equal(
    clientFinal,
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
  );
  assert.equal(serverFinal, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
});

test("the demo server offers SCRAM first, then binds on the restarted stream", async (port) => {
  using client = await RawClient.connect(port);
  const first = await client.open();
  assert.match(first, /^<\?xml version='1.0'\?><stream:stream from='localhost' id='[^']+'/);
  assert.deepEqual(
    [...first.matchAll(/<mechanism>(.*?)<\/mechanism>/g)].map(([, name]) => name),
    ["SCRAM-SHA-1", "PLAIN", "ANONYMOUS"],
  );
  await client.send(auth("PLAIN", "\0alice\0alice"));
  await client.expect("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  const second = await client.open();
  assert.match(second, /<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'\/>/);
  assert.notEqual(/ id='[^']+'/.exec(first)?.[0], / id='[^']+'/.exec(second)?.[0]);
  await client.bind("home");
  await client.send("</stream:stream>");
  assert.equal(await client.rest(), "</stream:stream>");
});

test("SCRAM-SHA-1 succeeds and proves the server to the client", async (port) => {
  using client = await RawClient.connect(port);
  await client.open();
  await client.send(auth("SCRAM-SHA-1", "n,,n=alice,r=abcdef"));
  const challenge = saslData(await client.expect("</challenge>"));
  assert.match(challenge, /^r=abcdef.+,s=.+,i=4096$/);
  const { clientFinal, serverFinal } = scramAnswer("alice", "n=alice,r=abcdef", challenge);
  await client.send(response(clientFinal));
  assert.equal(saslData(await client.expect("</success>")), serverFinal);
});

test("SCRAM-SHA-1 without an initial response is asked for it", async (port) => {
  using client = await RawClient.connect(port);
  await client.open();
  await client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'/>");
  await client.expect("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  await client.send(response("n,,n=bob,r=abcdef"));
  const challenge = saslData(await client.expect("</challenge>"));
  await client.send(response(scramAnswer("bob", "n=bob,r=abcdef", challenge).clientFinal));
  await client.expect("</success>");
});

test("SCRAM-SHA-1 with a wrong password fails, and another try may follow", async (port) => {
  using client = await RawClient.connect(port);
  await client.open();
  for (const [password, answer] of [["wrong", "</failure>"], ["alice", "</success>"]] as const) {
    await client.send(auth("SCRAM-SHA-1", "n,,n=alice,r=abcdef"));
    const challenge = saslData(await client.expect("</challenge>"));
    await client.send(response(scramAnswer(password, "n=alice,r=abcdef", challenge).clientFinal));
    const said = await client.expect(answer);
    if (password === "wrong") assert.match(said, /<not-authorized\/>/);
  }
});

for (
  const [what, message, condition] of [
    ["an unknown account", "n,,n=mallory,r=abcdef", "not-authorized"],
    ["channel binding", "p=tls-unique,,n=alice,r=abcdef", "malformed-request"],
    ["a mandatory extension", "n,,m=new,n=alice,r=abcdef", "malformed-request"],
    ["somebody else's name to act as", "n,a=bob@localhost,n=alice,r=abcdef", "invalid-authzid"],
  ] as const
) {
  test(`SCRAM-SHA-1 refuses ${what}`, async (port) => {
    using client = await RawClient.connect(port);
    await client.open();
    await client.send(auth("SCRAM-SHA-1", message));
    assert.match(await client.expect("</failure>"), new RegExp(`<${condition}/>`));
  });
}

test("SCRAM-SHA-1 refuses a proof for another nonce or another GS2 header", async (port) => {
  for (
    const change of [
      (s: string) => s.replace(",r=", ",r=x"),
      (s: string) => s.replace("biws", "eSws"),
    ]
  ) {
    using client = await RawClient.connect(port);
    await client.open();
    await client.send(auth("SCRAM-SHA-1", "n,,n=alice,r=abcdef"));
    const challenge = saslData(await client.expect("</challenge>"));
    const { clientFinal } = scramAnswer("alice", "n=alice,r=abcdef", challenge);
    await client.send(response(change(clientFinal)));
    assert.match(await client.expect("</failure>"), /<not-authorized\/>/);
  }
});

test("PLAIN with a wrong password fails; the third failure ends the stream", async (port) => {
  using client = await RawClient.connect(port);
  await client.open();
  for (let i = 0; i < 3; i++) {
    await client.send(auth("PLAIN", "\0alice\0bob"));
    assert.match(await client.expect("</failure>"), /<not-authorized\/>/);
  }
  assert.match(await client.rest(), /<policy-violation .*<\/stream:stream>$/);
});

test("SASL says what is wrong with a request", async (port) => {
  const sasl = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
  for (
    const [request, condition] of [
      [auth("SCRAM-SHA-512", "n,,n=alice,r=abcdef"), "invalid-mechanism"],
      [`<auth ${sasl} mechanism='PLAIN'>!</auth>`, "incorrect-encoding"],
      [auth("PLAIN", "alice"), "malformed-request"],
      [response("out of the blue"), "malformed-request"],
      [`<abort ${sasl}/>`, "aborted"],
    ] as const
  ) {
    using client = await RawClient.connect(port);
    await client.open();
    await client.send(request);
    assert.match(await client.expect("</failure>"), new RegExp(`<${condition}/>`));
  }
});

test("ANONYMOUS gives each guest a name of its own and an empty roster", async (port) => {
  const names = new Set<string>();
  for (let i = 0; i < 2; i++) {
    using client = await RawClient.connect(port);
    await client.open();
    await client.send(auth("ANONYMOUS", ""));
    await client.expect("<success");
    await client.open();
    await client.send(
      "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
    );
    const [, local = ""] =
      /<jid>(guest-.+)@localhost\/.+<\/jid>/.exec(await client.expect("</iq>")) ?? [];
    names.add(local);
    await client.send("<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>");
    assert.match(await client.expect("</iq>"), /<query xmlns='jabber:iq:roster'\/>/);
  }
  assert.equal(names.size, 2);
});

test("binding a resource that is taken closes the older stream with conflict", async (port) => {
  using older = await RawClient.login(port, "alice", "home");
  using newer = await RawClient.login(port, "alice", "home");
  assert.match(
    await older.rest(),
    new RegExp(`<conflict xmlns='${STREAM_ERRORS}'/>.*</stream:stream>$`),
  );
  await newer.send("<iq type='get' id='1' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
  await newer.expect("id='1'");
});

test("a resource that is no resource is a bad request, and another may follow", async (port) => {
  using client = await RawClient.connect(port);
  await client.open();
  await client.send(auth("PLAIN", "\0alice\0alice"));
  await client.expect("<success");
  await client.open();
  await client.send(
    "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
      `<resource>${"x".repeat(2000)}</resource></bind></iq>`,
  );
  assert.match(await client.expect("</iq>"), /<bad-request /);
  await client.bind("home");
});

test("the server answers session, ping and disco, and refuses what it does not know", async (port) => {
  using alice = await RawClient.login(port, "alice", "home");
  const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
  for (
    const [type, content, to, answer] of [
      ["set", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>", undefined, /type='result'/],
      ["get", "<ping xmlns='urn:xmpp:ping'/>", "localhost", /type='result'.*from='localhost'/],
      ["get", info, "localhost", /<identity category='server' type='im'/],
      ["get", info, "localhost", /<feature var='urn:xmpp:ping'\/>/],
      ["get", info.replace("/>", " node='x'/>"), "localhost", /<item-not-found /],
      ["get", info.replace("#info", "#items"), "localhost", /type='result'/],
      ["get", "<unknown xmlns='urn:example'/>", "localhost", /type='cancel'><service-unavailable /],
      ["get", "<ping xmlns='urn:xmpp:ping'/>", "bob@localhost", /<service-unavailable /],
      ["get", "<ping xmlns='urn:xmpp:ping'/>", "bob@localhost/gone", /<service-unavailable /],
      ["get", "<ping xmlns='urn:xmpp:ping'/>", "example.org", /<remote-server-not-found /],
      ["get", "<ping xmlns='urn:xmpp:ping'/>", "a@b@c", /<jid-malformed /],
      ["get", "", "localhost", /<bad-request /],
    ] as const
  ) assert.match(await alice.ask(type, content, to), answer);
});

test("alice and bob have each other in the roster, and cannot change that", async (port) => {
  for (const [name, friend] of [["alice", "bob"], ["bob", "alice"]] as const) {
    using client = await RawClient.login(port, name, "home");
    const item = `<item jid='${friend}@localhost' name='${friend}' subscription='both'/>`;
    const roster = await client.ask("get", "<query xmlns='jabber:iq:roster'/>");
    assert.ok(roster.includes(`<query xmlns='jabber:iq:roster'>${item}</query>`), roster);
    const change = "<query xmlns='jabber:iq:roster'><item jid='x@localhost'/></query>";
    assert.match(await client.ask("set", change), /<not-allowed /);
  }
});

test("presence reaches the contact's and one's own resources, with the goodbye at the end", async (port) => {
  using bob = await RawClient.login(port, "bob", "home");
  await bob.send("<presence><status>reading</status></presence>");
  await bob.expect(
    "from='bob@localhost/home' to='bob@localhost/home'><status>reading</status></presence>",
  );
  {
    using alice = await RawClient.login(port, "alice", "home");
    using mobile = await RawClient.login(port, "alice", "mobile");
    await alice.send("<presence/>");
    await bob.expect("<presence from='alice@localhost/home' to='bob@localhost/home'/>");
    await alice.expect("<status>reading</status></presence>");
    await mobile.send("<presence/>");
    await alice.expect("<presence from='alice@localhost/mobile' to='alice@localhost/home'/>");
    await mobile.expect("<presence from='alice@localhost/home' to='alice@localhost/mobile'/>");
    await alice.send("<presence type='unavailable'><status>tea</status></presence>");
    assert.match(await bob.expect("<status>tea</status></presence>"), /type='unavailable'/);
    await bob.send("<presence type='probe' to='alice@localhost'/>");
    await bob.expect("<presence from='alice@localhost/mobile' to='bob@localhost/home'/>");
  }
  await bob.expect(
    "<presence type='unavailable' from='alice@localhost/mobile' to='bob@localhost/home'/>",
  );
});

test("directed presence makes a guest known to those it names, until it goes", async (port) => {
  using bob = await RawClient.login(port, "bob", "home");
  {
    using guest = await RawClient.connect(port);
    await guest.open();
    await guest.send(auth("ANONYMOUS", ""));
    await guest.expect("<success");
    await guest.open();
    await guest.bind("visit");
    await guest.send("<presence/><presence to='bob@localhost/home'/>");
    await bob.expect(/<presence to='bob@localhost\/home' from='guest-[^']+\/visit'\/>/);
  }
  const goodbye = await bob.expect(/<presence type='unavailable' from='guest-[^>]+>/);
  assert.equal(goodbye.match(/<presence/g)?.length, 1);
});

test("messages go both ways, with the sender's full JID stamped on them", async (port) => {
  using alice = await RawClient.login(port, "alice", "home");
  using bob = await RawClient.login(port, "bob", "home");
  await bob.send("<presence/>");
  await bob.expect("<presence");
  await alice.send(
    "<message to='bob@localhost' type='chat' id='1' from='mallory@localhost'><body>Hi &amp; hello</body></message>",
  );
  const message = await bob.expect("</message>");
  assert.match(message, /from='alice@localhost\/home'/);
  assert.match(message, /<body>Hi &amp; hello<\/body>/);
  assert.doesNotMatch(message, /mallory/);
  await bob.send("<message to='alice@localhost/home' type='chat'><body>Hi</body></message>");
  assert.match(await alice.expect("</message>"), /from='bob@localhost\/home'><body>Hi</);
});

test("a message to a bare JID reaches every available resource of priority 0 and more", async (port) => {
  using alice = await RawClient.login(port, "alice", "home");
  using first = await RawClient.login(port, "bob", "first");
  using second = await RawClient.login(port, "bob", "second");
  using bot = await RawClient.login(port, "bob", "bot");
  using hidden = await RawClient.login(port, "bob", "hidden");
  await first.send("<presence/>");
  await second.send("<presence><priority>5</priority></presence>");
  await bot.send("<presence><priority>-1</priority></presence>");
  for (const resource of ["first", "second", "bot"]) {
    await first.expect(`from='bob@localhost/${resource}'`);
  }
  await alice.send("<message to='BOB@localhost' type='chat'><body>all</body></message>");
  await first.expect("<body>all</body>");
  await second.expect("<body>all</body>");
  await alice.send(
    "<message to='bob@localhost/bot' type='chat'><body>exactly you</body></message>",
  );
  assert.doesNotMatch(await bot.expect("<body>exactly you</body>"), /<body>all/);
  await alice.send("<message to='bob@localhost/hidden' type='chat'><body>you too</body></message>");
  assert.doesNotMatch(await hidden.expect("<body>you too</body>"), /<body>all/);
  await alice.send("<message to='bob@localhost/gone' type='chat'><body>anybody</body></message>");
  await first.expect("<body>anybody</body>");
});

test("a message that reaches nobody comes back, unless it is an error or a headline", async (port) => {
  using alice = await RawClient.login(port, "alice", "home");
  for (const type of ["error", "headline", "chat"]) {
    await alice.send(
      `<message to='bob@localhost' type='${type}' id='${type}'><body>x</body></message>`,
    );
  }
  const answer = await alice.expect("</message>");
  assert.match(
    answer,
    /^<message type='error' id='chat' from='bob@localhost' to='alice@localhost\/home'>/,
  );
  assert.match(answer, /<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'\/>/);
  await alice.send("<message to='nobody@localhost' id='2'><body>x</body></message>");
  assert.match(await alice.expect("</message>"), /id='2'.*<service-unavailable /);
});

test("an iq for another client and its result are routed", async (port) => {
  using alice = await RawClient.login(port, "alice", "home");
  using bob = await RawClient.login(port, "bob", "home");
  await alice.send("<iq type='get' id='v1' to='bob@localhost/home'><v xmlns='urn:example'/></iq>");
  await bob.expect(
    "<iq type='get' id='v1' to='bob@localhost/home' from='alice@localhost/home'><v xmlns='urn:example'/></iq>",
  );
  await bob.send("<iq type='result' id='v1' to='alice@localhost/home'/>");
  await alice.expect(
    "<iq type='result' id='v1' to='alice@localhost/home' from='bob@localhost/home'/>",
  );
});

for (
  const [what, bytes, condition] of [
    ["tags that do not match", "<message></presence>", "not-well-formed"],
    ["a comment", "<!-- hello -->", "restricted-xml"],
    ["a stanza of more than 64 KiB", `<message><body>${"x".repeat(70_000)}`, "policy-violation"],
    ["an element that is no stanza", "<letter xmlns='urn:example'/>", "unsupported-stanza-type"],
    ["a stream in the stream", HEADER_FOR("localhost"), "policy-violation"],
  ] as const
) {
  test(`${what} gets ${condition}, and nobody else notices`, async (port) => {
    using alice = await RawClient.login(port, "alice", "home");
    using bob = await RawClient.login(port, "bob", "home");
    await alice.send(bytes);
    assert.equal(
      await alice.rest(),
      `<stream:error><${condition} xmlns='${STREAM_ERRORS}'/></stream:error></stream:stream>`,
    );
    assert.match(await bob.ask("get", "<ping xmlns='urn:xmpp:ping'/>"), /type='result'/);
  });
}

for (
  const [what, bytes, condition] of [
    ["for another domain", HEADER_FOR("example.org"), "host-unknown"],
    ["of no version", HEADER_FOR("localhost").replace("version='1.0' ", ""), "unsupported-version"],
    [
      "of another content namespace",
      HEADER_FOR("localhost").replace("client", "server"),
      "invalid-namespace",
    ],
    [
      "of another stream namespace",
      HEADER_FOR("localhost").replace("/streams", "/rivers"),
      "invalid-namespace",
    ],
    ["that is no stream", "<html/>", "invalid-namespace"],
    ["that is no XML", "GET / HTTP/1.1\r\n\r\n", "not-well-formed"],
    ["with a stanza before SASL", `${HEADER_FOR("localhost")}<presence/>`, "not-authorized"],
  ] as const
) {
  test(`a stream ${what} gets ${condition} after the server's own header`, async (port) => {
    using client = await RawClient.connect(port);
    await client.send(bytes);
    assert.match(
      await client.rest(),
      new RegExp(
        `^<\\?xml version='1.0'\\?><stream:stream [^>]*>.*<stream:error><${condition} .*</stream:stream>$`,
      ),
    );
  });
}

test("a stanza between SASL and bind gets not-authorized", async (port) => {
  using client = await RawClient.connect(port);
  await client.open();
  await client.send(auth("PLAIN", "\0bob\0bob"));
  await client.expect("<success");
  await client.open();
  await client.send("<presence/>");
  assert.match(await client.rest(), /<not-authorized /);
});

test("the 101st connection is told that there is no room", async (port) => {
  const clients: RawClient[] = [];
  try {
    for (let i = 0; i < 100; i++) {
      const client = await RawClient.connect(port);
      clients.push(client);
      await client.open();
    }
    using late = await RawClient.connect(port);
    assert.match(await late.rest(), /<resource-constraint /);
  } finally {
    for (const client of clients) client.close();
  }
});

test("a client that vanishes in the middle of a stanza leaves the others in peace", async (port) => {
  using bob = await RawClient.login(port, "bob", "home");
  {
    using alice = await RawClient.login(port, "alice", "home");
    await alice.send("<message to='bob@local");
  }
  assert.match(await bob.ask("get", "<ping xmlns='urn:xmpp:ping'/>"), /type='result'/);
});

test("a client that does not read loses its connection, not the server its memory", async (port) => {
  using alice = await RawClient.login(port, "alice", "home");
  using bob = await RawClient.login(port, "bob", "home");
  await bob.send("<presence/>");
  await bob.expect("<presence");
  const body = "x".repeat(60_000);
  // More than what the two ends' socket buffers and the server together hold for bob.
  for (let i = 0; i < 400; i++) {
    await alice.send(`<message to='bob@localhost' type='chat'><body>${body}</body></message>`);
  }
  await alice.expect("<service-unavailable ");
});

Deno.test("closing the demo server ends every stream with system-shutdown", async () => {
  const server = startDemoServer({ hostname: "127.0.0.1", port: 0 });
  using alice = await RawClient.login(server.port, "alice", "home");
  using silent = await RawClient.connect(server.port);
  (await RawClient.connect(server.port)).close();
  await alice.ask("get", "<ping xmlns='urn:xmpp:ping'/>");
  await server.close();
  assert.match(await alice.rest(), /<system-shutdown .*<\/stream:stream>$/);
  assert.match(await silent.rest(), /^<\?xml .*<system-shutdown .*<\/stream:stream>$/);
});
