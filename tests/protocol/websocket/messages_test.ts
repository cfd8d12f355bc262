import assert from "node:assert/strict";
import { payloadsOf } from "../../support/bosh_conversation.ts";
import { receivedErrorMessage } from "../../../src/protocol/websocket/messages.ts";

const ERRORS = "xmlns='urn:ietf:params:xml:ns:xmpp-streams'";
const START =
  "<stream:error xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

Deno.test("W-029 T-05 each child of a stream error gets an xmlns of its own, where it has none", () => {
  const cases: [string, string][] = [
    [`<conflict ${ERRORS}/><text ${ERRORS}>x</text>`, ""],
    ["<app/>", "<app xmlns='jabber:client'/>"],
    [`<conflict ${ERRORS}/><a><b/></a><c xmlns='urn:c'/><d x='1'/>`, ""],
    ["<p:app xmlns:p='urn:p'/>", ""],
  ];
  cases[2]![1] = `<conflict ${ERRORS}/><a xmlns='jabber:client'><b/></a><c xmlns='urn:c'/>` +
    "<d xmlns='jabber:client' x='1'/>";
  for (const [content, expected] of cases) {
    assert.equal(shown(`<stream:error>${content}</stream:error>`), message(expected || content));
  }
  const inherited = `<stream:error ${ERRORS}><conflict/><text>x</text></stream:error>`;
  assert.equal(
    shown(inherited).replace(/^<[^>]*>/, ""),
    `<conflict ${ERRORS}/><text ${ERRORS}>x</text></stream:error>`,
  );
});

function shown(error: string): string {
  return new TextDecoder().decode(receivedErrorMessage(payloadsOf(error)[0]!));
}

function message(content: string): string {
  return `${START}${content}</stream:error>`;
}
