import assert from "node:assert/strict";
import {
  type BoshResponse,
  HTTPBIND,
  HttpConnection,
  readResponse,
} from "../support/bosh_client.ts";
import { canonical, parseStream } from "../support/xml_element.ts";
import { CREATION, gather, idsOf, message, Stage, type Talk } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const NS = `xmlns='${HTTPBIND}'`;

onBothFronts(
  "B-020 B-021 the root must be body in its namespace, whatever its prefix; that of answers has none",
  async () => {
    await using stage = await Stage.set();
    for (
      const root of [
        "<foo/>",
        `<foo rid='1' ${NS}/>`,
        "<body rid='1' to='example.test'/>",
        "<body rid='1' to='example.test' xmlns='x'/>",
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'/>",
      ]
    ) {
      assert.equal((await post(stage, root)).condition, "bad-request", root);
    }
    const creating = post(
      stage,
      `<b:body xmlns:b='${HTTPBIND}' rid='1' to='example.test' ver='1.6'/>`,
    );
    await stage.welcome();
    assert.ok((await creating).get("sid"));
  },
);

onBothFronts(
  "B-022 what XMPP forbids of XML is refused, and nothing of the request is forwarded",
  async () => {
    await using stage = await Stage.set();
    const bomb = "<!DOCTYPE body [<!ENTITY a 'aaaaaaaaaa'>" +
      [..."bcdefghij"].map((name, i) => `<!ENTITY ${name} '${`&${"abcdefghi"[i]};`.repeat(10)}'>`)
        .join("") +
      "]>";
    for (
      const [before, inside] of [
        ["", "<!-- a comment -->"],
        ["<!-- a comment -->", ""],
        ["", "<?php ?>"],
        ["<?xml-stylesheet href='x'?>", ""],
        [`<!DOCTYPE body SYSTEM 'http://127.0.0.1:1/x'>`, ""],
        ["<!DOCTYPE body [<!ENTITY x 'y'>]>", "<a>&x;</a>"],
        [bomb, "<a>&j;</a>"],
        ["", "<a>&nbsp;</a>"],
      ]
    ) {
      const { client, upstream } = await stage.open();
      const xml = `${before}<body ${NS} rid='${client.rid + 1}' sid='${client.sid}'>` +
        `${message("never")}${inside}</body>`;
      assert.equal((await post(stage, xml)).condition, "bad-request", xml);
      // Only behind the wrapper's start tag is it known whose request it is.
      if (before === "") assert.equal(await upstream.expectEnd(), "", xml);
      else {
        client.send("", message("next"));
        assert.equal(await upstream.expect("</message>"), message("next"), xml);
      }
    }
    const { client, upstream } = await stage.open();
    const declared = `<?xml version='1.0' encoding='UTF-8'?><body ${NS} rid='${client.rid + 1}' ` +
      `sid='${client.sid}'>${message(1)}</body>`;
    void post(stage, declared).catch(() => {});
    await upstream.expect("</message>");
  },
);

onBothFronts(
  "B-023 CDATA, entities, character references and special attributes mean the same on the other side, both ways",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const special = [
      message(1, "<body>a &amp; b &lt; c &gt; d &quot;e&quot; &apos;f&apos;</body>"),
      message(2, "<body><![CDATA[a<b&c>d]]> and <![CDATA[]]]]><![CDATA[>]]></body>"),
      message(3, "<body>&#x1F600;&#228; &lt;&amp;&#10;ü</body>"),
      `<message id='4' a="it's &lt;&amp;&quot;&#10;&#9;" b='say "hi"'><x y='&#x1F600;'/></message>`,
      message(5, "<x xmlns='urn:a'><p:y xmlns:p='urn:b' p:z='1'> mixed <p:w/> content </p:y></x>"),
      message(6, "<body xml:lang='de' xml:space='preserve'>  \t two lines\n </body>"),
    ].join("");
    const answer = client.send("", special);
    const received = await upstream.expect("</body></message>") +
      await rest(upstream, "id='6'");
    const expected = parseStream(special).map(canonical);
    assert.deepEqual(parseStream(received).map(canonical), expected);
    upstream.write(special);
    const answers = await gather(client, 6, [answer]);
    assert.deepEqual(answers.flatMap(({ payloads }) => payloads.map(canonical)), expected);
  },
);

onBothFronts("B-024 white space between payloads is ignored, other text refused", async () => {
  await using stage = await Stage.set();
  const { client, upstream } = await stage.open();
  client.send("", `\n  ${message(1)}\n\t${message(2)} \n`);
  assert.equal(
    await upstream.expect("</message>") + await upstream.expect("</message>"),
    message(1) + message(2),
  );
  assert.equal((await client.ask("", "x")).condition, "bad-request");
});

onBothFronts(
  "B-025 a request that is not well-formed is refused alone: its session goes on",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const wrapper = `<body ${NS} sid='${client.sid}' rid='${client.rid + 1}'`;
    for (
      const xml of [
        `${wrapper}><iq>`,
        `${wrapper}><iq></message></body>`,
        `${wrapper}/>${wrapper}/>`,
        `${wrapper}/>garbage`,
        `${wrapper}>${message(1)}</body><!-- x -->`,
        `${wrapper} rid='2'/>`,
        `${wrapper}><a:b/></body>`,
      ]
    ) {
      assert.equal((await post(stage, xml)).condition, "bad-request", xml);
    }
    client.send("", message("alive"));
    assert.equal(await upstream.expect("</message>"), message("alive"));
  },
);

onBothFronts(
  "B-026 B-124 forbidden XML inside a session's own request ends the session, and its held request is told",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const held = client.send("", message(1));
    await upstream.expect("</message>");
    assert.equal((await client.ask("", "<message><!-- x --></message>")).condition, "bad-request");
    assert.equal((await held.answer).type, "terminate");
    await upstream.expectEnd();
    assert.equal((await client.ask()).type, "terminate");
  },
);

onBothFronts(
  "B-027 X-003 X-005 payloads of any namespace stand alone on the other side",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    void post(
      stage,
      `<body ${NS} xmlns:j='urn:j' xmlns:k='urn:k' sid='${client.sid}' rid='${++client.rid}'>` +
        "<j:x j:a='1' b='2'><j:y k:c='3'/><z xmlns=''/></j:x><w xmlns='urn:w'/>" +
        "<message j:d='4'><body>x</body></message><last xmlns='urn:l'/></body>",
    ).catch(() => {});
    const received = parseStream(await upstream.expect("<last xmlns='urn:l'/>")).map(canonical);
    assert.deepEqual(received, [
      '<{urn:j}x {urn:j}a="1" {}b="2"><{urn:j}y {urn:k}c="3"></><{}z></></>',
      "<{urn:w}w></>",
      '<{jabber:client}message {urn:j}d="4"><{jabber:client}body>"x"</></>',
      "<{urn:l}last></>",
    ]);
  },
);

onBothFronts(
  "B-028 only UTF-8 is read; a byte order mark is skipped, and no charsets are offered",
  async () => {
    await using stage = await Stage.set();
    const creation = `<body ${NS} rid='1' ${CREATION}>`;
    const bytes = new TextEncoder();
    const invalid = [...bytes.encode(`${creation}<a>`), 0xc3, 0x28, ...bytes.encode("</a></body>")];
    assert.equal((await post(stage, new Uint8Array(invalid))).condition, "bad-request");
    const latin1 = `<?xml version='1.0' encoding='ISO-8859-1'?>${creation}</body>`;
    assert.equal((await post(stage, latin1)).condition, "bad-request");
    const charset = { "Content-Type": "text/xml; charset=ISO-8859-1" };
    assert.equal((await post(stage, `${creation}</body>`, charset)).condition, "bad-request");
    assert.equal(stage.server.accepted, 0);
    const creating = post(stage, `\ufeff${creation}</body>`);
    await stage.welcome();
    assert.equal((await creating).get("charsets"), undefined);
    assert.ok((await creating).get("sid"));
  },
);

onBothFronts(
  "B-029 attributes that nobody knows are ignored, whatever their namespace",
  async () => {
    await using stage = await Stage.set();
    const unknown = "window='5' ua='x' secure='false' charset='x' foo='bar' " +
      "xmlns:z='urn:z' z:sid='1' z:type='terminate' z:pause='1'";
    const { client, upstream } = await stage.open(`${CREATION} ${unknown}`);
    const waiting = client.send(`${unknown} inactivity='9'`, message(1));
    await upstream.expect("</message>");
    upstream.write(message(2));
    assert.deepEqual(idsOf(await waiting.answer), ["2"]);
  },
);

async function post(
  stage: Stage,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<BoshResponse> {
  const connection = new HttpConnection(stage.url);
  try {
    return readResponse(await connection.send({ body, headers }));
  } finally {
    connection.abort();
  }
}

/** What comes up to the end of the message with this attribute. */
async function rest(upstream: Talk["upstream"], attribute: string): Promise<string> {
  return await upstream.expect(attribute) + await upstream.expect("</message>");
}
