import assert from "node:assert/strict";
import { HttpConnection } from "../support/bosh_client.ts";
import { BIND, CREATE, HttpClient, post, sidOf, until } from "../support/bosh_http.ts";
import { FakeConnector } from "../support/fake_connector.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";

const XML = "text/xml; charset=utf-8";
const ERROR =
  "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
/** A creation request of a client that knows no `ver`. */
const LEGACY = `<body ${BIND} rid='1' to='example.test' wait='5' hold='1'/>`;

/** A creation request with more attributes. */
function creation(attributes: string): string {
  return CREATE.replace("/>", ` ${attributes}/>`);
}

async function textOf(response: Promise<Response>): Promise<string> {
  return await (await response).text();
}

// ---- what is said of sessions that are no more

onBothFronts(
  "B-105 B-096 a sid whose session is dead is answered why it died, again and again",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const client = await HttpClient.open(running);
    const held = client.request("", "<presence/>");
    await until(() => connector.last.log.length === 1);
    connector.last.fail(ERROR);
    assert.match(await textOf(held), /condition='remote-stream-error'.*<conflict /);
    for (let i = 0; i < 3; i++) {
      assert.equal(
        await textOf(client.request()),
        `<body ${BIND} type='terminate' condition='remote-stream-error' ` +
          "message='the XMPP server closed the stream: conflict'/>",
      );
    }
  },
);

onBothFronts("B-105 a session that ended in good order is not found afterwards", async () => {
  await using running = await runManager({ connector: new FakeConnector() });
  const client = await HttpClient.open(running);
  await textOf(client.request("type='terminate'"));
  assert.equal(
    await textOf(client.request()),
    `<body ${BIND} type='terminate' condition='item-not-found' ` +
      "message='the client ended the session'/>",
  );
});

onBothFronts(
  "S-003 a wrong sid, a wrong rid and a wrong key are answered alike, byte by byte",
  async () => {
    await using running = await runManager({ connector: new FakeConnector() });
    const unknown = await textOf(post(running, `<body ${BIND} sid='unknown' rid='2'/>`));
    assert.equal(
      unknown,
      `<body ${BIND} type='terminate' condition='item-not-found' ` +
        "message='there is no such session or request'/>",
    );
    const other = `<body ${BIND} sid='${"x".repeat(22)}' rid='2'><iq/></body>`;
    assert.equal(await textOf(post(running, other)), unknown);
    const ahead = await HttpClient.open(running);
    ahead.rid += 100;
    assert.equal(await textOf(ahead.request()), unknown);
    const behind = await HttpClient.open(running);
    behind.rid = -1;
    behind.rid = 4;
    assert.equal(await textOf(behind.request()), unknown);
    const keyed = await HttpClient.open(running, creation(`newkey='${"0".repeat(40)}'`));
    assert.equal(await textOf(keyed.request(`key='${"1".repeat(40)}'`)), unknown);
    const bare = await HttpClient.open(running, creation(`newkey='${"0".repeat(40)}'`));
    assert.equal(await textOf(bare.request()), unknown);
  },
);

// ---- clients from before binding conditions

onBothFronts(
  "B-117 B-118 clients without ver learn of three conditions by the status, also of dead sessions",
  async () => {
    await using running = await runManager({ connector: new FakeConnector() });
    const broken: [string, number, number][] = [
      ["rid='99'", 404, 200],
      ["rid='2' pause='100000'", 403, 200],
      ["rid='2' pause='0'", 400, 200],
    ];
    for (const [attributes, legacyStatus, status] of broken) {
      for (const [create, expected] of [[LEGACY, legacyStatus], [CREATE, status]] as const) {
        const { sid } = await HttpClient.open(running, create);
        for (const time of ["first", "again"]) {
          const response = await post(running, `<body ${BIND} sid='${sid}' ${attributes}/>`);
          assert.equal(response.status, expected, `${attributes} ${time}`);
          assert.match(await response.text(), /^<body [^>]*type='terminate' condition='/);
        }
      }
    }
    const unknown = await post(running, `<body ${BIND} sid='unknown' rid='2'/>`);
    assert.equal(unknown.status, 200, "who asks there is not known");
    await unknown.body?.cancel();
  },
);

onBothFronts("B-118 no other condition is a status", async () => {
  const connector = new FakeConnector();
  const toml = "[domains.'example.test']";
  await using running = await runManager({ toml, connector });
  const refused = await post(running, LEGACY.replace("example.test", "other.test"));
  assert.equal(refused.status, 200);
  assert.match(await refused.text(), /condition='host-unknown'/);
  const client = await HttpClient.open(running, LEGACY);
  connector.last.end({ type: "connection-failed", reason: "gone" });
  for (let i = 0; i < 2; i++) {
    const response = await client.request();
    assert.equal(response.status, 200);
    assert.match(await response.text(), /condition='remote-connection-failed' message='gone'/);
  }
});

// ---- media types and character sets

/** The media types of a session's responses: creation, data, repetition, end, and afterwards. */
async function typesOf(running: RunningManager, content: string): Promise<Set<string | null>> {
  const types = new Set<string | null>();
  const send = async (body: string) => {
    const response = await post(running, body);
    types.add(response.headers.get("content-type"));
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.equal(response.headers.get("x"), null);
    return await response.text();
  };
  const client = new HttpClient(running, sidOf(await send(creation(content))));
  const pause = client.body("pause='1'");
  await send(pause);
  await send(pause);
  await send(client.body("type='terminate'"));
  await send(client.body());
  return types;
}

onBothFronts(
  "B-006 B-007 every response of a session has the media type that its client asked for",
  async () => {
    await using running = await runManager({ connector: new FakeConnector() });
    assert.deepEqual(await typesOf(running, ""), new Set([XML]));
    for (
      const type of [
        "application/xml; charset=utf-8",
        "text/xml",
        "text/plain; charset=UTF-8",
        "text/xml;charset=utf-8",
      ]
    ) assert.deepEqual(await typesOf(running, `content='${type}'`), new Set([type]));
  },
);

onBothFronts(
  "S-009 a media type that browsers would run, or that ends the header, is not given",
  async () => {
    await using running = await runManager({ connector: new FakeConnector() });
    for (
      const type of [
        "text/html",
        "text/html; charset=utf-8",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/javascript",
        "text/xml&#13;&#10;X: y",
        "a/b&#13;&#10;X: y",
        "text/xml; charset=utf-8&#10;",
        "text/xml; charset=utf-7",
        "text/xml, text/html",
        "",
      ]
    ) assert.deepEqual(await typesOf(running, `content='${type}'`), new Set([XML]), type);
  },
);

onBothFronts(
  "B-028 a request that says it is in another character set is refused, whatever it contains",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    for (const charset of ["iso-8859-1", '"UTF-16"', "utf-7"]) {
      const response = await post(running, CREATE, {
        "content-type": `text/xml; charset=${charset}`,
      });
      assert.equal(response.status, 200);
      assert.match(
        await response.text(),
        /condition='bad-request' message='only UTF-8 is read'/,
      );
    }
    assert.equal(connector.upstreams.length, 0);
    for (
      const type of [
        "text/xml;charset=UTF-8",
        'text/xml; charset="utf-8"',
        "text/xml; charset=utf8",
      ]
    ) {
      assert.match(await textOf(post(running, CREATE, { "content-type": type })), / sid='/);
    }
  },
);

// ---- creation

onBothFronts("B-044 equal creation requests make sessions of their own", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const first = await HttpClient.open(running);
  const second = await HttpClient.open(running);
  assert.notEqual(first.sid, second.sid);
  assert.equal(connector.upstreams.length, 2);
  assert.equal(running.manager.sessions, 2);
});

onBothFronts("X-008 a restart whose prefix was never declared is one all the same", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const client = await HttpClient.open(running);
  const restarted = client.request("xmpp:restart='true'");
  await until(() => connector.last.log.includes("restart"));
  connector.last.opened();
  connector.last.say("<stream:features/>");
  assert.match(await textOf(restarted), /<stream:features /);
  const other = await textOf(client.request("undeclared:restart='true'"));
  assert.match(other, /condition='bad-request'/);
});

onBothFronts(
  "B-045 a client's wish for an encrypted upstream is handed on, and only then",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    for (
      const [attribute, wished] of [
        ["secure='true'", true],
        ["secure='1'", true],
        ["secure='false'", false],
        ["", false],
      ] as const
    ) {
      await HttpClient.open(running, creation(attribute));
      assert.equal(connector.last.request.secure, wished, attribute);
    }
  },
);

onFront("deno", "T-12 T-13 clients that pipeline are told not to, in every answer", async () => {
  await using running = await runManager({ connector: new FakeConnector() });
  const url = `${running.url}/http-bind`;
  for (
    const [agent, told] of [
      ["gloox/1.0.24", true],
      ["Pidgin 2.7.11 (libpurple 2.7.11)", true],
      ["libpurple 2.12.0", true],
      ["libpurple", true],
      ["Pidgin 2.13.0 (libpurple 2.13.0)", false],
      ["libpurple 2.14.12", false],
      ["libpurple 3.0.0", false],
      ["Mozilla/5.0", false],
    ] as const
  ) {
    for (const body of [CREATE, "nonsense", ""]) {
      const connection = new HttpConnection(url);
      const { headers } = await connection.send({ headers: { "User-Agent": agent }, body });
      assert.equal(headers.get("connection")?.includes("close") ?? false, told, agent);
      connection.abort();
      await connection.closed;
    }
  }
});
