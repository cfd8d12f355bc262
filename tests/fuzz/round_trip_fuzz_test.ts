/*
 * Invariant: whatever a stanza holds, its infoset is the same on the other side of the connection
 * manager, in both directions and by both transports.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readBody } from "../../src/protocol/bosh/body.ts";
import { bodyOf, outgoing } from "../../src/protocol/bosh/response.ts";
import { C2sStream } from "../../src/protocol/stream/c2s.ts";
import { readMessage } from "../../src/protocol/websocket/framing.ts";
import { payloadMessages } from "../../src/protocol/websocket/messages.ts";
import { XmlTokenizer } from "../../src/protocol/xml/tokenizer.ts";
import { fuzz } from "../support/fuzz_corpus.ts";
import { streamFeatures, streamHeader } from "../support/upstream_server.ts";
import { documents, PREFIXES } from "../support/xml_documents.ts";
import { canonical, parseStream, parseXml } from "../support/xml_element.ts";

const limits = { payloadBytes: 1 << 20, depth: 1000, attributes: 1000 };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const DECLARED = PREFIXES.map((prefix, i) => ` xmlns:${prefix}='urn:outer:${i}'`).join("");

/** Stanzas whose prefixes are declared in them, or on what is around them. */
const stanzas = fc.tuple(documents(PREFIXES), fc.constantFrom("message", "iq", "presence"))
  .map(([document, name]) => {
    // What may stand before a document may not stand inside of an element.
    const content = document.replace(/^\ufeff?(<\?xml[^>]*>)?/, "");
    return `<${name} xmlns='jabber:client'>${content}</${name}>`;
  });

/** What the stanza means where these prefixes are declared. */
function meaning(stanza: string): string {
  const [child] = parseXml(`<x xmlns='jabber:client'${DECLARED}>${stanza}</x>`).children;
  return canonical(child!);
}

const tokenizer = new XmlTokenizer(limits);

fuzz("U-018 B-023 a client's stanza means the same to the server, by BOSH", {
  target: "stanzas",
  inputs: stanzas,
  check(stanza) {
    const text = `<body xmlns='http://jabber.org/protocol/httpbind'${DECLARED} sid='s' rid='1'>` +
      `${stanza}</body>`;
    const body = readBody(encoder.encode(text), tokenizer);
    assert.equal(body.type, "continue", JSON.stringify(body));
    if (body.type !== "continue") return;
    const [sent, ...more] = parseStream(decoder.decode(body.content));
    assert.deepEqual(more, []);
    assert.equal(canonical(sent!), meaning(stanza));
  },
});

fuzz("U-018 B-023 a client's stanza means the same to the server, by WebSocket", {
  target: "stanzas",
  inputs: stanzas,
  check(stanza) {
    const text = stanza.replace("'jabber:client'", `'jabber:client'${DECLARED}`);
    const message = readMessage(encoder.encode(text), tokenizer);
    assert.equal(message.type, "payload", JSON.stringify(message));
    if (message.type !== "payload") return;
    const [sent, ...more] = parseStream(decoder.decode(message.content));
    assert.deepEqual(more, []);
    assert.equal(canonical(sent!), meaning(stanza));
  },
});

fuzz("U-018 B-023 a server's stanza means the same to the client, by BOSH and by WebSocket", {
  target: "stanzas_in_pieces",
  inputs: fc.record({ stanza: stanzas, size: fc.integer({ min: 1, max: 60 }) }),
  check({ stanza, size }) {
    const stream = new C2sStream({
      opening: { to: "example.test", version: "1.0" },
      tls: "never",
      direct: false,
      limits: { payloadBytes: 1 << 20, depth: 1000, attributes: 128 },
      timeout: 1000,
      keepalive: 0,
    });
    stream.connected(0);
    const header = streamHeader("1", `version='1.0'${DECLARED}`);
    stream.receive(0, encoder.encode(header + streamFeatures()));
    while (stream.poll());
    const bytes = encoder.encode(stanza);
    const came: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      stream.receive(0, bytes.slice(at, at + size));
      for (let action; (action = stream.poll());) {
        assert.equal(action.type, "deliver");
        if (action.type !== "deliver") continue;
        for (const payload of action.payloads) {
          came.push(decoder.decode(payloadMessages([payload])[0]));
          const body = parseXml(decoder.decode(bodyOf([outgoing(payload)])));
          assert.equal(canonical(body.children[0]!), meaning(stanza));
        }
      }
    }
    assert.equal(came.length, 1);
    assert.equal(canonical(parseXml(came[0]!)), meaning(stanza));
  },
});
