import assert from "node:assert/strict";
import { parseXml } from "../support/xml_element.ts";
import { message, nextHeader, Stage } from "./stage.ts";
import { connect, FRAMING, OPEN, OUR_CLOSE, talk, type WebSocketTalk } from "./websocket_stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const COMPRESSION = "<compression xmlns='http://jabber.org/features/compress'>" +
  "<method>zlib</method></compression>";

/** The stream errors' condition of a session that ended for what the client sent. */
async function refusal({ socket, upstream }: WebSocketTalk): Promise<string> {
  const [error, close, ...rest] = [await socket.message(), await socket.message()];
  socket.close(1000);
  assert.equal(close, OUR_CLOSE);
  assert.deepEqual([...rest, ...await socket.rest()], ["close 1000"]);
  assert.equal(await upstream.expect("</stream:stream>"), "</stream:stream>", "nothing forwarded");
  const { name, namespace, children } = parseXml(error);
  assert.deepEqual([name, namespace], ["error", "http://etherx.jabber.org/streams"]);
  const [condition, text] = children;
  assert.ok(typeof condition === "object" && typeof text === "object");
  assert.equal(condition.namespace, "urn:ietf:params:xml:ns:xmpp-streams");
  assert.equal(condition.attributes.get("xmlns")?.value, condition.namespace);
  return condition.name;
}

onBothFronts(
  "W-006 fifty elements that come together are fifty messages, one that comes in fifty pieces is one",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage);
    const { socket, upstream } = open;
    const ids = Array.from({ length: 50 }, (_, id) => id);
    upstream.write(ids.map((id) => message(id)).join(" \n"));
    for (const id of ids) {
      assert.equal(
        await socket.message(),
        message(id).replace("<message", "<message xmlns='jabber:client'"),
      );
    }
    const stanza = message("pieces", "<body>ü 😀</body>");
    await upstream.writePieces(stanza, 1);
    assert.equal(
      await socket.message(),
      stanza.replace("<message", "<message xmlns='jabber:client'"),
    );
    assert.equal(socket.waiting, 0);
  },
);

onBothFronts(
  "W-006 W-007 T-04 T-05 each message stands alone, with literal prefixes and the declarations of the server's header",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage, {
      features: "<c:caps xmlns:c='urn:c'/><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    });
    const features = parseXml(open.features);
    assert.equal(open.features.slice(0, 17), "<stream:features ");
    assert.deepEqual([features.prefix, features.namespace], [
      "stream",
      "http://etherx.jabber.org/streams",
    ]);
    assert.equal(features.attributes.get("xmlns")?.value, "jabber:client");
    open.upstream.write("<presence/><r xmlns='urn:xmpp:sm:3'/><x:y xmlns:x='urn:x'/>");
    const messages = [open.opened, open.features];
    for (let i = 0; i < 3; i++) messages.push(await open.socket.message());
    assert.deepEqual(messages.slice(2), [
      "<presence xmlns='jabber:client'/>",
      "<r xmlns='urn:xmpp:sm:3'/>",
      "<x:y xmlns='jabber:client' xmlns:x='urn:x'/>",
    ]);
    for (const text of messages) {
      assert.match(text, /^<[^?\s].*>$/s);
      parseXml(text);
    }

    // A server that declares a prefix once and for all.
    using declared = await talkTo(stage, " xmlns:db='jabber:server:dialback'");
    declared.upstream.write("<message><db:x db:y='1'/></message>");
    assert.equal(
      await declared.socket.message(),
      "<message xmlns='jabber:client' xmlns:db='jabber:server:dialback'><db:x db:y='1'/></message>",
    );
  },
);

onBothFronts(
  "W-008 W-010 a message that is not one element, or holds what XMPP forbids, ends the session; nothing of it is forwarded",
  async () => {
    await using stage = await Stage.set();
    const cases: [string, string][] = [
      ["", "not-well-formed"],
      ["<a/><b/>", "not-well-formed"],
      ["<a>", "not-well-formed"],
      ["</a>", "not-well-formed"],
      ["<a></b>", "not-well-formed"],
      ["<a/>b", "not-well-formed"],
      ["<x:a/>", "not-well-formed"],
      [" <a/>", "bad-format"],
      ["text", "bad-format"],
      ["<message><!-- comment --></message>", "restricted-xml"],
      ["<message><?instruction ?></message>", "restricted-xml"],
      ["<!DOCTYPE message><message/>", "restricted-xml"],
      ["<message>&custom;</message>", "restricted-xml"],
      ["<?xml version='1.0' encoding='utf-16'?><message/>", "unsupported-encoding"],
      ["<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>", "bad-format"],
    ];
    for (const [text, condition] of cases) {
      using open = await talk(stage);
      open.socket.text(text);
      open.socket.text("<presence id='after'/>");
      assert.equal(await refusal(open), condition, JSON.stringify(text));
    }
  },
);

onBothFronts(
  "W-008 W-009 W-013 white space alone is nothing, a declaration is removed, what has no namespace is the client's",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage, { opening: `<?xml version='1.0'?>${OPEN}` });
    const { socket, upstream } = open;
    for (const blank of [" ", "\n", "\r\n\t "]) socket.text(blank);
    socket.text("<?xml version='1.0' encoding='UTF-8'?>\n<presence/>\n");
    socket.text("<iq xmlns='jabber:client'/>");
    socket.text("<unknown/>");
    socket.text("<message><body>a &lt; b &amp; <![CDATA[<c>]]></body></message>");
    assert.equal(
      await upstream.expect("</message>"),
      "<presence/><iq xmlns='jabber:client'/><unknown/>" +
        "<message><body>a &lt; b &amp; <![CDATA[<c>]]></body></message>",
    );
  },
);

onBothFronts(
  "W-021 W-038 X-006 features come after <open/>, without TLS and compression, which a client asks for in vain",
  async () => {
    await using stage = await Stage.set({ domain: 'tls = "never"' });
    using open = await talk(stage, {
      features: "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + COMPRESSION +
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    });
    assert.match(open.opened, /^<open /);
    const { children } = parseXml(open.features);
    assert.deepEqual(children.map((child) => typeof child === "object" && child.name), [
      "mechanisms",
    ]);
    open.socket.text("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert.match(await open.socket.message(), /^<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/);
    open.socket.text(
      "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
    );
    assert.match(await open.socket.message(), /^<failure xmlns='http:\/\/jabber.org\/protocol\/co/);
    open.socket.text("<presence/>");
    assert.equal(await open.upstream.expect("<presence/>"), "<presence/>");
  },
);

onBothFronts("W-034 the server's white space is kept from the client", async () => {
  await using stage = await Stage.set();
  using open = await talk(stage);
  for (let i = 0; i < 5; i++) {
    open.upstream.write(` \n${message(i)}\n \t`);
    assert.match(await open.socket.message(), new RegExp(`^<message .*id='${i}'`));
  }
  open.upstream.write(`\n\n${message("last")}`);
  assert.match(await open.socket.message(), /id='last'/);
  assert.equal(open.socket.waiting, 0);
});

onBothFronts("W-039 T-39 stream management passes as it is, both ways", async () => {
  await using stage = await Stage.set();
  using open = await talk(stage, { features: "<sm xmlns='urn:xmpp:sm:3'/>" });
  assert.match(open.features, /<sm xmlns='urn:xmpp:sm:3'\/>/);
  const up = [
    "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
    "<r xmlns='urn:xmpp:sm:3'/>",
    "<a xmlns='urn:xmpp:sm:3' h='1'/>",
    "<resume xmlns='urn:xmpp:sm:3' h='2' previd='x'/>",
  ];
  const down = [
    "<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>",
    "<a xmlns='urn:xmpp:sm:3' h='0'/>",
    "<r xmlns='urn:xmpp:sm:3'/>",
    "<resumed xmlns='urn:xmpp:sm:3' h='1' previd='x'/>",
  ];
  for (const [i, nonza] of up.entries()) {
    open.socket.text(nonza);
    assert.equal(await open.upstream.expect("/>"), nonza);
    open.upstream.write(down[i]!);
    assert.equal(await open.socket.message(), down[i]);
  }
});

/** A talk to a server whose header has more to say. */
async function talkTo(stage: Stage, declarations: string): Promise<WebSocketTalk> {
  const socket = await connect(stage);
  socket.text(OPEN);
  const upstream = await stage.server.accept();
  await nextHeader(upstream);
  upstream.write(
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' " +
      `id='declared' from='example.test' version='1.0'${declarations}><stream:features/>`,
  );
  const opened = await socket.message();
  assert.match(opened, new RegExp(`^<open ${FRAMING} .*id='declared'`));
  const features = await socket.message();
  return { socket, upstream, opened, features, [Symbol.dispose]: () => socket.destroy() };
}
