import assert from "node:assert/strict";
import { streamFeatures, streamHeader } from "../support/upstream_server.ts";
import { parseXml, type XmlElement } from "../support/xml_element.ts";
import { farewell, message, nextHeader, Stage } from "./stage.ts";
import { CLOSE, connect, OPEN, START_TAG, talk } from "./websocket_stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
const EMPTY_TAG = START_TAG.replace(/>$/, "/>");

/**
 * A message as an old client takes it in, who reads each as a document: one that begins with
 * `<stream:stream ` is closed first, where it is not.
 */
function read(text: string): XmlElement {
  if (!text.startsWith("<stream:stream ")) return parseXml(text);
  assert.doesNotMatch(text, /\n/, "a start tag is looked for in one line");
  return parseXml(text.endsWith("/>") ? text : `${text}</stream:stream>`);
}

onBothFronts(
  "W-017 a login in the older framing, as old Strophe.js has it: start tags, stanzas, a restart, the end tag",
  async () => {
    await using stage = await Stage.set();
    using open = await talk(stage, { opening: START_TAG });
    const { socket, upstream } = open;
    const header = read(open.opened);
    assert.deepEqual([header.name, header.namespace], [
      "stream",
      "http://etherx.jabber.org/streams",
    ]);
    const attribute = (name: string) => header.attributes.get(name)?.value;
    assert.deepEqual(["from", "id", "version", "xmlns"].map(attribute), [
      "example.test",
      "stream-1",
      "1.0",
      "jabber:client",
    ]);
    assert.match(open.opened, /[^/]>$/, "left open, as the client's");
    assert.match(open.features, /^<stream:features [^>]*xmlns:stream=/);
    assert.equal(read(open.features).name, "features");

    socket.text(`<auth xmlns='${SASL}' mechanism='PLAIN'>AGEAYQ==</auth>`);
    await upstream.expect("</auth>");
    upstream.write(`<success xmlns='${SASL}'/>`);
    assert.equal(read(await socket.message()).name, "success");
    socket.text(START_TAG);
    assert.doesNotMatch(await nextHeader(upstream), /<\/stream:stream>/);
    upstream.write(streamHeader("stream-2") + streamFeatures());
    assert.match(await socket.message(), /^<stream:stream .* id='stream-2'/);
    assert.equal(read(await socket.message()).name, "features");

    socket.text(message("up"));
    socket.text("<presence xmlns='jabber:client'/>");
    assert.equal(
      await upstream.expect("<presence xmlns='jabber:client'/>"),
      `${message("up")}<presence xmlns='jabber:client'/>`,
    );
    upstream.write(message("down"));
    assert.equal(read(await socket.message()).namespace, "jabber:client");
    socket.text(" ");
    socket.text("</stream:stream>");
    assert.equal(await upstream.expect("</stream:stream>"), "</stream:stream>");
    upstream.write(`${message("last")}</stream:stream>`);
    assert.match(await socket.message(), /id='last'/);
    assert.equal(await socket.message(), "</stream:stream>");
    socket.close(1000);
    assert.deepEqual(await socket.rest(), ["close 1000"]);
  },
);

onBothFronts(
  "W-017 a declaration before the start tag, as Tsung writes it, and a start tag that closes itself, which is answered in kind",
  async () => {
    await using stage = await Stage.set();
    using declared = await talk(stage, { opening: `<?xml version='1.0'?>${START_TAG}` });
    assert.match(declared.opened, /^<stream:stream [^>]*[^/]>$/);
    using empty = await talk(stage, { opening: EMPTY_TAG });
    assert.match(empty.opened, /^<stream:stream [^>]*\/>$/);
    assert.equal(parseXml(empty.opened).name, "stream");
    using both = await talk(stage, { opening: `${START_TAG}</stream:stream>` });
    assert.match(both.opened, /\/>$/);
  },
);

onBothFronts(
  "W-017 W-018 W-029 W-031 errors of the older framing: a start tag where there was none, the error, the end tag",
  async () => {
    await using stage = await Stage.set();
    using unknown = await connect(stage);
    unknown.text(START_TAG.replace("example.test", "unknown.test"));
    assert.match(await unknown.message(), /^<stream:stream .* id='[^']+'/);
    assert.match(await unknown.message(), /^<stream:error [^>]*><host-unknown /);
    assert.equal(await unknown.message(), "</stream:stream>");
    unknown.text("</stream:stream>");
    assert.equal(await unknown.closed(), 1000);

    using conflict = await talk(stage, { opening: START_TAG });
    conflict.upstream.write(
      "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    );
    const error = await conflict.socket.message();
    assert.match(error, /^<stream:error [^>]*xmlns:stream=[^>]*><conflict xmlns=/);
    assert.equal(await conflict.socket.message(), "</stream:stream>");

    using lost = await talk(stage, { opening: START_TAG });
    lost.upstream.reset();
    assert.match(await lost.socket.message(), /<remote-connection-failed /);
    assert.equal(await lost.socket.message(), "</stream:stream>");

    using broken = await talk(stage, { opening: START_TAG });
    broken.socket.text("<message>");
    assert.match(await broken.socket.message(), /<not-well-formed /);
    assert.equal(await broken.upstream.expect("</stream:stream>"), "</stream:stream>");
  },
);

onBothFronts(
  "W-027 W-030 ends of the older framing: by the server, by a client that leaves at once, by one that is lost",
  async () => {
    await using stage = await Stage.set();
    using ended = await talk(stage, { opening: START_TAG });
    ended.upstream.write("</stream:stream>");
    assert.equal(await ended.socket.message(), "</stream:stream>");
    ended.socket.text("</stream:stream>");
    assert.equal(await ended.socket.closed(), 1000);
    // Old Strophe.js does not wait for an answer.
    using hasty = await talk(stage, { opening: START_TAG });
    hasty.socket.text("</stream:stream>");
    hasty.socket.close();
    assert.equal(await farewell(hasty.upstream), "</stream:stream>");
    using lost = await talk(stage, { opening: START_TAG });
    lost.socket.destroy();
    assert.equal(await lost.upstream.expectEnd(), "");
  },
);

onBothFronts(
  "W-002 W-017 the framing stays, and <open/> needs the subprotocol that the older framing does not",
  async () => {
    await using stage = await Stage.set();
    for (
      const [opening, later] of [
        [OPEN, START_TAG],
        [OPEN, "</stream:stream>"],
        [START_TAG, OPEN],
        [START_TAG, CLOSE],
      ] as const
    ) {
      using open = await talk(stage, { opening });
      open.socket.text(later);
      assert.match(await open.socket.message(), /<invalid-namespace /, later);
      assert.equal(await open.upstream.expect("</stream:stream>"), "</stream:stream>");
    }
    using unasked = await connect(stage, { "sec-websocket-protocol": "" });
    unasked.text(OPEN);
    assert.match(await unasked.message(), /^<open /);
    assert.match(await unasked.message(), /<policy-violation .*subprotocol/);
    assert.equal(stage.server.accepted, 4);
  },
);
