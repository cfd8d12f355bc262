import assert from "node:assert/strict";
import {
  type BoshResponse,
  CLIENT,
  stayUnanswered,
  STREAMS,
  XBOSH,
} from "../support/bosh_client.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import {
  BIND,
  MECHANISMS,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import { canonical, parseStream, type XmlElement } from "../support/xml_element.ts";
import { CREATION, farewell, gather, idsOf, message, nextHeader, pass, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
const SASL2 = "xmlns='urn:xmpp:sasl:2'";
const SM = "xmlns='urn:xmpp:sm:3'";
const RESTART = "xmpp:restart='true'";

onBothFronts(
  "X-001 X-009 X-010 X-012 the creation response has literally the names that clients look for",
  async () => {
    await using stage = await Stage.set();
    const { creation } = await stage.open();
    assert.match(creation.text, new RegExp(`^<body [^>]*xmlns:stream=['"]${STREAMS}['"]`));
    assert.match(creation.text, new RegExp(`^<body [^>]*xmlns:xmpp=['"]${XBOSH}['"]`));
    assert.match(creation.text, /<stream:features[ >/]/);
    assert.equal(creation.get("xmpp:version"), "1.0");
    assert.equal(creation.get("xmpp:restartlogic"), "true");
    assert.equal(creation.get("authid"), "stream-1");
    assert.equal(creation.get("from"), "example.test");
    assert.equal(creation.payloads[0]?.namespace, STREAMS);
  },
);

onBothFronts(
  "X-002 X-004 B-027 stanzas that come down stand alone, in jabber:client and with every prefix that they use",
  async () => {
    await using stage = await Stage.set();
    const client = stage.client();
    const creating = client.create(CREATION);
    const upstream = await stage.server.accept();
    await nextHeader(upstream);
    upstream.write(
      streamHeader(
        "1",
        "version='1.0' from='example.test' xmlns:db='jabber:server:dialback' xmlns:f='urn:f'",
      ) + streamFeatures(MECHANISMS),
    );
    await creating;
    const stanzas = "<message id='1'><body>x</body><f:x f:y='z'><db:z/></f:x></message>" +
      "<presence id='2'/><iq id='3' type='result'><query xmlns='urn:q'><item/></query></iq>" +
      "<f:first id='4'/><odd xmlns='urn:odd' id='5'/>";
    upstream.write(stanzas);
    const answers = await gather(client, 5);
    assert.deepEqual(answers.flatMap(({ payloads }) => payloads.map(canonical)), [
      '<{jabber:client}message {}id="1"><{jabber:client}body>"x"</>' +
      '<{urn:f}x {urn:f}y="z"><{jabber:server:dialback}z></></></>',
      '<{jabber:client}presence {}id="2"></>',
      '<{jabber:client}iq {}id="3" {}type="result"><{urn:q}query><{urn:q}item></></></>',
      '<{urn:f}first {}id="4"></>',
      '<{urn:odd}odd {}id="5"></>',
    ]);
    for (const { payloads } of answers) {
      for (const { name, attributes } of payloads.slice(0, 3)) {
        if (["message", "presence", "iq"].includes(name)) {
          assert.equal(attributes.get("xmlns")?.value, CLIENT, name);
        }
      }
    }
  },
);

onBothFronts(
  "X-003 stanzas that inherit the wrapper's namespace are the server's own, all the way down",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    client.send(
      "",
      "<message to='a@b'><body>x</body><x xmlns='urn:x'><y/></x></message><presence/>" +
        "<iq type='get' id='last'><q xmlns='urn:q'/></iq>",
    );
    assert.deepEqual(parseStream(await upstream.expect("</iq>")).map(canonical), [
      '<{jabber:client}message {}to="a@b"><{jabber:client}body>"x"</><{urn:x}x><{urn:x}y></></></>',
      "<{jabber:client}presence></>",
      '<{jabber:client}iq {}id="last" {}type="get"><{urn:q}q></></>',
    ]);
  },
);

onBothFronts(
  "X-005 U-015 elements of every kind pass both ways, as they are and in order",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const up = [
      `<auth ${SASL} mechanism='X'>AA==</auth>`,
      `<response ${SASL}/>`,
      `<abort ${SASL}/>`,
      message(1),
      `<enable ${SM} resume='true'/>`,
      `<r ${SM}/>`,
      `<a ${SM} h='1'/>`,
      "<active xmlns='urn:xmpp:csi:0'/>",
      "<inactive xmlns='urn:xmpp:csi:0'/>",
      message(2),
      `<authenticate ${SASL2} mechanism='X'><user-agent id='u'/></authenticate>`,
      "<anything xmlns='urn:any' id='last'/>",
    ].join("");
    const waiting = client.send("", up);
    assert.equal(await upstream.expect("<anything xmlns='urn:any' id='last'/>"), up);
    const down = [
      `<challenge ${SASL}>AA==</challenge>`,
      message(1),
      `<failure ${SASL}><not-authorized/></failure>`,
      `<r ${SM}/>`,
      `<a ${SM} h='1'/>`,
      `<failed ${SM}/>`,
      message(2),
      `<continue ${SASL2}><tasks/></continue>`,
      "<anything xmlns='urn:any'/>",
    ];
    upstream.write(down.join(""));
    const answers = await gather(client, down.length, [waiting]);
    assert.deepEqual(
      answers.flatMap(({ payloads }) => payloads.map(canonical)),
      parseStream(down.join("")).map(canonical),
    );
  },
);

onBothFronts(
  "X-006 U-012 STARTTLS and stream compression are kept from the client, and it cannot ask for them",
  async () => {
    await using stage = await Stage.set({
      domain: `tls = "required"\nca = "${authorityFile}"`,
      certificate: "example.test",
    });
    const client = stage.client();
    const creating = client.create(CREATION);
    const upstream = await stage.welcome(STARTTLS);
    await upstream.startTls();
    await nextHeader(upstream);
    const offered = STARTTLS + MECHANISMS +
      "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>" +
      "<x xmlns='urn:x'/>";
    upstream.write(streamHeader("2") + streamFeatures(offered));
    const features = (await creating).payloads[0];
    assert.deepEqual(
      features?.children.map((child) => typeof child === "object" && child.name),
      ["mechanisms", "x"],
    );
    const refused = client.send(
      "",
      "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" +
        "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
    );
    const answers = await gather(client, 2, [refused]);
    assert.deepEqual(
      answers.flatMap(({ payloads }) => payloads.map(({ name }) => name)),
      ["failure", "failure"],
    );
    client.send("", message("alive"));
    assert.equal(await upstream.expect("</message>"), message("alive"));
  },
);

onBothFronts(
  "X-007 the client's XMPP version goes into the header; without one it is 1.0, and features come all the same",
  async () => {
    await using stage = await Stage.set();
    for (
      const [attributes, version] of [["", "1.0"], ["xmpp:version='1.0'", "1.0"], [
        "xmpp:version='1.1'",
        "1.1",
      ]]
    ) {
      const creating = stage.client().create(`to='example.test' ver='1.6' ${attributes}`);
      const upstream = await stage.server.accept();
      assert.match(await nextHeader(upstream), new RegExp(` version=['"]${version}['"]`));
      upstream.write(streamHeader("1") + streamFeatures(MECHANISMS));
      assert.equal((await creating).payloads[0]?.name, "features");
    }
  },
);

onBothFronts(
  "X-008 X-013 a restart is known by its namespace, whatever the prefix, even by one that is not declared",
  async () => {
    await using stage = await Stage.set();
    for (
      const attributes of [
        `xmlns:x='${XBOSH}' x:restart='true'`,
        `xmlns:x='${XBOSH}' x:restart='1'`,
        "xmpp:restart='true'",
      ]
    ) {
      const { client, upstream } = await stage.open();
      const connection = client.connect();
      const body = `<body xmlns='http://jabber.org/protocol/httpbind' sid='${client.sid}' ` +
        `rid='${client.rid + 1}' ${attributes}/>`;
      const answer = connection.send({ body });
      await nextHeader(upstream);
      upstream.write(streamHeader("2") + streamFeatures(BIND));
      assert.match(new TextDecoder().decode((await answer).body), /<bind /);
    }
    const { client, upstream } = await stage.open();
    client.send("xmpp:restart='false'", message("ordinary"));
    assert.equal(await upstream.expect("</message>"), message("ordinary"));
  },
);

onBothFronts(
  "X-011 X-013 X-014 X-019 a restart writes a header on the same connection, and its features belong to its answer",
  async () => {
    await using stage = await Stage.set();
    // There is room to hold the older request too: it is released for the features' sake.
    const { client, upstream } = await stage.open(
      "to='example.test' wait='10' hold='2' ver='1.6' xml:lang='de' xmpp:version='1.0'",
    );
    for (let i = 0; i < 2; i++) {
      const older = client.send("", `<auth ${SASL} mechanism='X'/>`);
      await upstream.expect("<auth");
      await upstream.expect(">");
      upstream.write(`<success ${SASL}/>`);
      assert.equal((await older.answer).payloads[0]?.name, "success");
      const poll = client.send();
      const restart = client.send(`${RESTART} to='example.test'`, "<iq id='ignored'/>");
      assert.equal((await poll.answer).payloads.length, 0);
      const header = await nextHeader(upstream);
      assert.match(header, / to='example.test'/);
      assert.match(header, / xml:lang='de'/);
      assert.doesNotMatch(header, /<\/stream:stream>|ignored/);
      await stayUnanswered(restart);
      upstream.write(streamHeader(`again-${i}`) + streamFeatures(BIND));
      const { payloads, text } = await restart.answer;
      assert.deepEqual(payloads.map(({ name }) => name), ["features"]);
      assert.match(text, /<stream:features/);
    }
    assert.equal(stage.server.accepted, 1);
    client.send("", message("after"));
    assert.equal(await upstream.expect("</message>"), message("after"));
  },
);

onBothFronts(
  "X-014 X-019 U-021 a restart that overtakes success, and a server that answers in any pieces",
  async () => {
    await using stage = await Stage.set();
    const both = `<success ${SASL}/>${streamHeader("2")}${streamFeatures(BIND)}`;
    for (const size of [both.length, 1, 17]) {
      const { client, upstream } = await stage.open();
      const requests = [client.send("", `<response ${SASL}/>`)];
      requests.push(client.send(RESTART));
      await upstream.expect("<response");
      await nextHeader(upstream);
      await upstream.writePieces(both, size);
      const answers = await gather(client, 2, requests);
      assert.deepEqual(
        answers.flatMap(({ payloads }) => payloads.map(({ name }) => name)),
        ["success", "features"],
      );
    }
  },
);

onBothFronts(
  "X-015 X-016 a stream error is told complete, behind what came before it",
  async () => {
    await using stage = await Stage.set();
    const error = "<stream:error>" +
      "<policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
      "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>No &lt;more&gt;</text>" +
      "<too-loud xmlns='urn:app'/></stream:error>";
    for (const open of [1, 2]) {
      const { client, upstream } = await stage.open(CREATION.replace("hold='1'", `hold='${open}'`));
      const requests = Array.from({ length: open }, () => client.send());
      requests.push(client.send("", message("sync")));
      await upstream.expect("</message>");
      upstream.write(`${message("last")}${error}</stream:stream>`);
      const answers: BoshResponse[] = [];
      while (answers.at(-1)?.type === undefined) {
        answers.push(await (requests.shift() ?? client.send()).answer);
      }
      const final = answers.at(-1)!;
      assert.equal(final.condition, "remote-stream-error");
      assert.match(final.text, /<stream:error/);
      assert.deepEqual(idsOf(...answers).filter(Boolean), ["last"]);
      const [expected] = parseStream(error);
      assert.equal(canonical(final.payloads.at(-1)!), canonical(expected!));
      for (const child of final.payloads.at(-1)!.children as XmlElement[]) {
        assert.ok(child.attributes.get("xmlns"), "clients look for the literal attribute");
      }
    }
  },
);

onBothFronts(
  "X-015 as in MongooseIM's suite: a forged sender ends the stream with the server's own words",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const forged = client.send("", "<message from='other@example.test' id='1'/>");
    await upstream.expect("id='1'");
    upstream.write(
      "<stream:error><invalid-from xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
    );
    const { condition, payloads } = await forged.answer;
    assert.equal(condition, "remote-stream-error");
    const [name] = payloads[0]!.children as XmlElement[];
    assert.equal(name?.name, "invalid-from");
    await upstream.expectEnd();
    assert.equal((await client.ask()).type, "terminate");
  },
);

onBothFronts(
  "X-017 X-018 what stands beside a restart is ignored, and so is a to that leads elsewhere",
  async () => {
    await using stage = await Stage.set();
    for (const to of ["to='example.test'", "to='elsewhere.test'", ""]) {
      const { client, upstream } = await stage.open();
      const restart = client.send(`${RESTART} ${to}`, "<iq type='get' id='ignored'/>");
      const header = await nextHeader(upstream);
      assert.match(header, / to='example.test'/);
      upstream.write(streamHeader("2") + streamFeatures(BIND));
      assert.equal((await restart.answer).payloads[0]?.name, "features");
      client.send("", message("next"));
      assert.equal(await upstream.expect("</message>"), message("next"));
    }
    assert.equal(stage.server.accepted, 3);
  },
);

onBothFronts(
  "X-020 as in Punjab's suite: what the client never got is answered as its kind is, unless the server cares itself",
  async () => {
    const stanzas = "<iq type='get' id='1' from='a@b'><q xmlns='urn:q'/></iq>" +
      "<iq type='result' id='2' from='a@b'/><message id='3' from='a@b' type='chat'/>" +
      "<message id='4' from='a@b' type='groupchat'/><message id='5' from='a@b' type='error'/>" +
      "<message id='6' from='a@b' type='headline'/><presence id='7' from='a@b'/>";
    await Promise.all([false, true].map(async (hasStreamManagement) => {
      await using stage = await Stage.set({ bosh: "inactivity = 1\npolling = 0" });
      const { client, upstream } = await stage.open();
      if (hasStreamManagement) {
        const enabling = client.send("", `<enable ${SM}/>`);
        upstream.write(`<enabled ${SM} id='x' resume='true'/>`);
        await enabling.answer;
      }
      upstream.write(stanzas);
      if (hasStreamManagement) {
        assert.equal(await upstream.expectEnd(), `<enable ${SM}/>`);
        return;
      }
      const last = await farewell(upstream);
      const returned = parseStream(last.replace("</stream:stream>", ""));
      assert.deepEqual(
        returned.map(({ name, attributes }) =>
          `${name} ${attributes.get("type")?.value} ${attributes.get("id")?.value} to ${
            attributes.get("to")?.value
          }`
        ),
        ["iq error 1 to a@b", "message error 3 to a@b"],
      );
      const conditions = returned.map(({ children }) =>
        (children as XmlElement[]).flatMap((error) => (error.children as XmlElement[])[0]?.name)
      );
      assert.deepEqual(conditions, [["service-unavailable"], ["recipient-unavailable"]]);
    }));
  },
);

onBothFronts(
  "X-021 U-028 with SASL2 the features follow success without a restart, together or later",
  async () => {
    await using stage = await Stage.set();
    for (const together of [true, false]) {
      const { client, upstream } = await stage.open();
      const login = client.send("", `<authenticate ${SASL2} mechanism='X'/>`);
      await upstream.expect("<authenticate");
      const success = `<success ${SASL2}><bound xmlns='urn:xmpp:bind:0'/></success>`;
      const features = streamFeatures("<x xmlns='urn:x'/>");
      if (together) upstream.write(success + features);
      else {
        upstream.write(success);
        await pass(0.2);
        upstream.write(features);
      }
      const answers = await gather(client, 2, [login]);
      assert.deepEqual(
        answers.flatMap(({ payloads }) => payloads.map(({ name }) => name)),
        ["success", "features"],
      );
      client.send("", message("next"));
      assert.equal((await upstream.expect("</message>")).replace(/^.*?\/>/, ""), message("next"));
    }
  },
);

onBothFronts(
  "X-011 B-053 as in Punjab's suite: delayed features come once, and the challenge behind them",
  async () => {
    await using stage = await Stage.set();
    const client = stage.client();
    const creating = client.create("to='example.test' wait='0' hold='1' ver='1.6'");
    const upstream = await stage.server.accept();
    await nextHeader(upstream);
    const early = (await creating).payloads;
    assert.equal(early.length, 0);
    const login = client.send("", `<auth ${SASL} mechanism='X'/>`);
    await login.answer;
    upstream.write(streamHeader("1") + streamFeatures(MECHANISMS));
    await upstream.expect("<auth");
    upstream.write(`<challenge ${SASL}/>`);
    const names: string[] = [];
    while (!names.includes("challenge")) {
      // A client that polls may not hurry.
      names.push(
        ...(await client.ask("", "<r xmlns='urn:xmpp:sm:3'/>")).payloads.map(({ name }) => name),
      );
    }
    assert.deepEqual(names, ["features", "challenge"]);
  },
);

onBothFronts("X-002 B-061 as in MongooseIM's suite: a chat, one message each way", async () => {
  await using stage = await Stage.set();
  const { client, upstream } = await stage.open();
  const poll = client.send();
  const chat = client.send(
    "",
    "<message to='bob@example.test' type='chat'><body>hi &amp; bye</body></message>",
  );
  assert.match(await upstream.expect("</message>"), /<body>hi &amp; bye<\/body>/);
  assert.equal((await poll.answer).payloads.length, 0);
  upstream.write("<message from='bob@example.test' type='chat' id='1'><body>ho</body></message>");
  const [answer] = await gather(client, 1, [chat]);
  assert.equal(answer!.payloads[0]?.namespace, CLIENT);
  assert.deepEqual(idsOf(answer!), ["1"]);
});
