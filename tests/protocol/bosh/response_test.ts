import assert from "node:assert/strict";
import {
  bodyOf,
  creationAttributes,
  EMPTY_BODY,
  kindOf,
  outgoing,
  refusalBody,
  terminalBody,
} from "../../../src/protocol/bosh/response.ts";
import { payloadsOf } from "../../support/bosh_conversation.ts";

const GRANTED = {
  wait: 60_000,
  hold: 1,
  requests: 2,
  inactivity: 60_000,
  polling: 5_000,
  maxPause: undefined,
  acks: false,
  ver: "1.6",
  isPolling: false,
};

Deno.test("what an answer is shows in its bytes, whatever else stands in the wrapper", () => {
  const stanza = payloadsOf("<message type='chat'/>").map(outgoing);
  const features = payloadsOf("<stream:features/>").map(outgoing);
  const error = payloadsOf("<stream:error><reset xmlns='urn:x'/></stream:error>").map(outgoing);
  const creation = creationAttributes("sid", GRANTED);
  const attributes = [
    "",
    " ack='7'",
    " time='3' report='5'",
    " stream='x'",
    " to='x' type='terminate'",
  ];
  for (const more of [...attributes, creation]) {
    assert.equal(kindOf(bodyOf([], more)), "empty", more);
    assert.equal(kindOf(bodyOf(stanza, more)), "payloads", more);
    assert.equal(kindOf(bodyOf(features, more)), "payloads", more);
  }
  assert.equal(kindOf(EMPTY_BODY), "empty");
  const terminal = [
    terminalBody(undefined, undefined),
    terminalBody("host-gone", "it is gone"),
    terminalBody("remote-stream-error", "x", { payloads: error }),
    terminalBody("remote-stream-error", "x", { payloads: error, stream: "y" }),
    refusalBody("item-not-found", "x"),
  ];
  for (const body of terminal) {
    assert.equal(kindOf(body), "terminal", new TextDecoder().decode(body));
  }
});
