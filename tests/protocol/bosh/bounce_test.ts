import assert from "node:assert/strict";
import { returnsFor } from "../../../src/protocol/bosh/bounce.ts";
import { kept, outgoing } from "../../../src/protocol/bosh/response.ts";
import { SessionStream } from "../../../src/protocol/bosh/streams.ts";
import { payloadsOf } from "../../support/bosh_conversation.ts";

/** What the server is sent for these stanzas, which are all of one stream. */
function returned(xml: string, stream = new SessionStream("a")): string {
  const undelivered = payloadsOf(xml).map((payload) => ({
    stream: "a",
    out: kept(outgoing(payload)),
  }));
  return new TextDecoder().decode(returnsFor(stream, undelivered));
}

const GONE = "<error type='wait'><recipient-unavailable " +
  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
const NO_SERVICE = "<error type='cancel'><service-unavailable " +
  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

Deno.test("X-020 requests and messages are answered with the errors of XEP-0206 §7", () => {
  for (const type of ["get", "set"]) {
    assert.equal(
      returned(`<iq type='${type}' id='1' from='a@b/c' to='me@d'><x xmlns='urn:x'/></iq>`),
      `<iq xmlns='jabber:client' type='error' id='1' to='a@b/c'>${NO_SERVICE}</iq>`,
    );
  }
  for (const type of ["", "type='chat'", "type='normal'"]) {
    assert.equal(
      returned(`<message ${type} id='2' from='a@b'><body>x</body></message>`),
      `<message xmlns='jabber:client' type='error' id='2' to='a@b'>${GONE}</message>`,
    );
  }
  assert.equal(
    returned("<message from='a@b'/>"),
    `<message xmlns='jabber:client' type='error' to='a@b'>${GONE}</message>`,
    "without an id",
  );
});

Deno.test("X-020 answers, errors, presence, what was said to many, and what is no stanza are not", () => {
  for (
    const xml of [
      "<iq type='result' id='1' from='a@b'/>",
      "<iq type='error' id='1' from='a@b'/>",
      "<iq id='1' from='a@b'/>",
      "<message type='error' from='a@b'/>",
      "<message type='groupchat' from='a@b'/>",
      "<message type='headline' from='a@b'/>",
      "<message/>",
      "<presence from='a@b'/>",
      "<presence type='subscribe' from='a@b'/>",
      "<r xmlns='urn:xmpp:sm:3'/>",
      "<message xmlns='urn:other' from='a@b'/>",
    ]
  ) assert.equal(returned(xml), "", xml);
});

Deno.test("X-020 what a stranger wrote cannot break out of the answer", () => {
  assert.equal(
    returned(`<message id="'/>&lt;iq" from='a&apos;&lt;b'/>`),
    "<message xmlns='jabber:client' type='error' id='&apos;/&gt;&lt;iq' to='a&apos;&lt;b'>" +
      `${GONE}</message>`,
  );
});

Deno.test("X-020 a stanza that a prefix of the stream's header stands in is understood", () => {
  const answer = returned("<message db:x='1' from='a@b'><db:y/></message>");
  assert.equal(answer, `<message xmlns='jabber:client' type='error' to='a@b'>${GONE}</message>`);
});

Deno.test("U-027 a server with stream management is left to care for them itself", () => {
  const stream = new SessionStream("a");
  const [enabled] = payloadsOf("<enabled xmlns='urn:xmpp:sm:3'/>");
  stream.observe(enabled!);
  assert.equal(returned("<message from='a@b'/>", stream), "");
});

Deno.test("B-114 a stream is sent its own only", () => {
  assert.equal(returned("<message from='a@b'/>", new SessionStream("another")), "");
});
