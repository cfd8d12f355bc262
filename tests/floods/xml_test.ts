/** XML that is made to cost costs no more than its bytes, and ends nothing but its own session. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { bodyOf, HTTPBIND } from "../support/bosh_client.ts";
import { answered, HANDSHAKE_REQUEST, loggedIn, posted } from "../support/flood_clients.ts";
import { AUTH, OPEN } from "../support/flood_probe.ts";
import { addressOf, flood, type FloodStage, size, times } from "../support/flood_stage.ts";
import { SERVERS } from "../support/flood_upstream.ts";
import { text } from "../support/rfc6455.ts";

const ATTACKS = size(200, 20_000);
const CHUNKED = size(4, 200);
const BODIES = size(4, 200);
const STREAMS = size(400, 4_000);
/** Nearly as much as a body or a message may have. */
const MOST = 260_000;

/** Sessions that are left do not keep the test waiting. */
const SHORT_LIVED = "[bosh]\npolling = 1\ninactivity = 2";

/** A billion laughs: nine entities, each of them ten of the one before. */
const LAUGHS = "<!DOCTYPE x [<!ENTITY a0 'ha'>" +
  Array.from({ length: 9 }, (_, i) => `<!ENTITY a${i + 1} '${`&a${i};`.repeat(10)}'>`).join("") +
  "]>";

/** What a payload may be, for a body and for a message. */
const PAYLOADS: Readonly<Record<string, string>> = {
  "a billion laughs inside": `<message>&a9;</message>`,
  "deep nesting": "<a>".repeat(MOST / 3),
  "deep nesting, and out again": "<a>".repeat(MOST / 7) + "</a>".repeat(MOST / 7),
  "many attributes": `<message ${attributes((i) => `a${i}=''`)}/>`,
  "many attributes whose names are nearly the same": `<message ${
    attributes((i) => `${"a".repeat(20)}${String(i).padStart(6, "0")}=''`)
  }/>`,
  "many declarations of namespaces": `<message ${attributes((i) => `xmlns:n${i}='u'`)}/>`,
  "many prefixed attributes of one namespace": `<message ${
    attributes((i) => `xmlns:n${i}='u' n${i}:a=''`)
  }/>`,
  "one attribute many times": `<message ${attributes(() => "a=''")}/>`,
  "a long name": `<${"a".repeat(MOST)}/>`,
  "a long attribute": `<message a='${"x".repeat(MOST)}'/>`,
  "an attribute of references": `<message a='${"&#60;".repeat(MOST / 5)}'/>`,
  "text of references": `<message>${"&amp;".repeat(MOST / 5)}</message>`,
  "a tag without end": `<message ${" ".repeat(MOST)}`,
  "a CDATA section without end": `<message><![CDATA[${"]".repeat(MOST)}`,
  "a comment without end": `<!--${"-".repeat(MOST)}`,
  "a processing instruction": `<?x ${"?".repeat(MOST)}?>`,
};

flood({
  name: `S-008 ${ATTACKS} bodies and messages of XML that is made to cost`,
  ceiling: 160,
  toml: SHORT_LIVED,
  async work(stage) {
    const payloads = Object.entries(PAYLOADS).map(([name, payload]) => {
      // Some of them are good XML, and nobody has to answer those.
      const messages = new Uint8Array([...text(payload), ...text("<")]);
      return { name, payload, messages };
    });
    await times(ATTACKS, 8, async (index) => {
      const { name, payload, messages } = payloads[(index >> 1) % payloads.length]!;
      const answer = index % 2 === 0
        ? await asBody(stage, index, payload)
        : await asMessage(stage, index, messages);
      assert.match(answer, / type='terminate'|<stream:error |<body [^>]* sid=/, name);
    });
  },
});

flood({
  name: `S-008 ${ATTACKS} document types, a billion laughs each`,
  ceiling: 140,
  async work(stage) {
    await times(ATTACKS, 8, async (index) => {
      const socket = await stage.connect(addressOf(index));
      const body = `${LAUGHS}${bodyOf("rid='1' to='&a9;'", "<x>&a9;</x>")}`;
      assert.match(await posted(socket, body), /condition='bad-request'/);
      socket.destroy();
    });
  },
});

flood({
  name: `S-008 ${CHUNKED} bodies of a quarter of a mebibyte, an octet a chunk`,
  ceiling: 140,
  async work({ connect }) {
    const head = "POST /http-bind HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const body = bodyOf("rid='1' sid='nobody'", `<message a='${"x".repeat(MOST - 300)}'/>`);
    const chunks = body.replace(/./g, (octet) => `1\r\n${octet}\r\n`) + "0\r\n\r\n";
    await times(CHUNKED, 4, async (index) => {
      const socket = await connect(addressOf(index));
      assert.match(await answered(socket, head + chunks, /<body [^>]*>$/), /item-not-found/);
      socket.destroy();
    });
  },
});

flood({
  name: `S-008 ${BODIES} bodies and messages of tiny stanzas`,
  ceiling: 260,
  toml: SHORT_LIVED,
  async work(stage) {
    const socket = await stage.connect();
    const sid = await session(socket);
    const stanzas = "<a/>".repeat(MOST / 4 - 100);
    for (let rid = 5; rid < 5 + BODIES; rid++) {
      // They come back, and what does not fit into the answers waits.
      await posted(socket, bodyOf(`rid='${rid}' sid='${sid}'`, stanzas));
    }
    const other = await loggedIn(stage, SERVERS.echo);
    const message = text("<a/>");
    const messages = new Uint8Array(message.length * 5_000);
    for (let at = 0; at < messages.length; at += message.length) messages.set(message, at);
    for (let i = 0; i < BODIES; i++) {
      other.write(messages);
      await answered(other, text(`<message id='${i}'/>`), new RegExp(`id='${i}'`));
    }
  },
});

flood({
  name: `S-007 B-112a ${STREAMS} further streams in one session`,
  ceiling: 140,
  toml: SHORT_LIVED,
  async work({ connect }) {
    const socket = await connect();
    let sid = await session(socket);
    let ended = 0;
    for (let i = 0, rid = 5; i < STREAMS; i++, rid++) {
      const another = `rid='${rid}' sid='${sid}' to='${SERVERS.echo}' xmpp:version='1.0'`;
      const answer = await posted(socket, bodyOf(another));
      if (!/ type='terminate'/.test(answer) || / stream='/.test(answer)) continue;
      // One session has had as many as it may have; the next one goes on.
      ended++;
      sid = await session(socket);
      rid = 4;
    }
    assert.ok(ended > 0);
  },
});

/** Logs in with rid 1 to 4. */
async function session(socket: Socket): Promise<string> {
  const creation = `rid='1' to='${SERVERS.echo}' wait='1' hold='1' ver='1.11' xmpp:version='1.0'`;
  const answer = await posted(socket, bodyOf(creation));
  const sid = / sid='([^']*)'/.exec(answer)![1]!;
  await posted(socket, bodyOf(`rid='2' sid='${sid}'`, AUTH));
  await posted(socket, bodyOf(`rid='3' sid='${sid}' xmpp:restart='true'`));
  await posted(socket, bodyOf(`rid='4' sid='${sid}'`, "<message/>"));
  return sid;
}

async function asBody(stage: FloodStage, index: number, payload: string): Promise<string> {
  const socket = await stage.connect(addressOf(index));
  const attributes = `xmlns='${HTTPBIND}' rid='1' to='${SERVERS.echo}' ver='1.11'`;
  const answer = await posted(socket, `<body ${attributes}>${payload}</body>`);
  socket.destroy();
  return answer;
}

async function asMessage(stage: FloodStage, index: number, messages: Uint8Array): Promise<string> {
  const socket = await stage.connect(addressOf(index));
  await answered(socket, HANDSHAKE_REQUEST, /^HTTP\/1\.1 101 /);
  await answered(socket, text(OPEN(SERVERS.echo)), /<\/stream:features>/);
  const answer = await answered(socket, messages, /<stream:error [^]*<close /);
  socket.destroy();
  return answer;
}

function attributes(make: (index: number) => string): string {
  const all: string[] = [];
  for (let length = 0; length < MOST - 100;) {
    all.push(make(all.length));
    length += all.at(-1)!.length + 1;
  }
  return all.join(" ");
}
