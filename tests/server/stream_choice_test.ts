import assert from "node:assert/strict";
import type { StreamRequest } from "../../src/protocol/bosh/body.ts";
import { chooseStream } from "../../src/server/stream_choice.ts";
import { configOf } from "../support/manager.ts";

function choose(toml: string, request: Partial<StreamRequest>) {
  return chooseStream(configOf(toml), {
    to: "example.test",
    from: undefined,
    lang: undefined,
    route: undefined,
    xmppVersion: "1.0",
    attributes: undefined,
    ...request,
  });
}

/** `host:port` of the route, `none`, or the condition of the refusal. */
function route(toml: string, text: string, to = "example.test"): string {
  const choice = choose(toml, { route: text, to });
  if (choice.type === "refused") return choice.condition;
  return choice.route ? `${choice.route.hostname} ${choice.route.port}` : "none";
}

Deno.test("B-037 by default whatever a route says is ignored", () => {
  for (const text of ["xmpp:127.0.0.1:22", "xmpp:x.test:5222", "nonsense"]) {
    assert.equal(route("", text), "none");
  }
});

Deno.test("B-037 S-006 only what a pattern allows is a route: the host, its sub-domains, one port or any", () => {
  const allow = (patterns: string) => `[upstream]\nallow_route = [${patterns}]`;
  const exact = allow("'x.test:5222'");
  assert.equal(route(exact, "xmpp:x.test:5222"), "x.test 5222");
  assert.equal(route(exact, "xmpp:X.TEST.:5222"), "x.test 5222");
  assert.equal(route(exact, "xmpp:y.test:5222"), "host-unknown");
  assert.equal(route(exact, "xmpp:a.x.test:5222"), "host-unknown");
  assert.equal(route(exact, "xmpp:x.test:5223"), "host-unknown");
  const below = allow("'*.x.test:*'");
  assert.equal(route(below, "xmpp:a.x.test:1"), "a.x.test 1");
  assert.equal(route(below, "xmpp:x.test:1"), "host-unknown");
  assert.equal(route(below, "xmpp:evilx.test:1"), "host-unknown");
  const isNamed = (toml: string, host: string) => {
    const choice = choose(toml, { route: `xmpp:${host}:5222` });
    return choice.type === "open" && choice.route?.isNamed;
  };
  assert.equal(isNamed(exact, "x.test"), true);
  assert.equal(isNamed(below, "a.x.test"), false);
  assert.equal(isNamed(allow("'*.x.test:5222', 'a.x.test:*'"), "a.x.test"), true);
});

Deno.test("B-037 what is no xmpp:host:port is malformed", () => {
  const toml = "[upstream]\nallow_route = ['x.test:5222']";
  for (
    const text of [
      "x.test:5222",
      "http:x.test:5222",
      "xmpp://x.test:5222",
      "xmpp:x.test",
      "xmpp:x.test:0",
      "xmpp:x.test:65536",
      "xmpp:x.test:five",
      "xmpp:x.test:5222/path",
      "xmpp::5222",
      "xmpp:u@x.test:5222",
      "xmpp:x .test:5222",
      "xmpp:127.1:5222",
    ]
  ) assert.equal(route(toml, text), "bad-request", text);
});

Deno.test("B-037 a domain may allow what others do not", () => {
  const toml = "[domains.'a.test']\nallow_route = ['x.test:1']\n[domains.'b.test']";
  assert.equal(route(toml, "xmpp:x.test:1", "a.test"), "x.test 1");
  assert.equal(route(toml, "xmpp:x.test:1", "b.test"), "none");
  assert.equal(route(toml, "xmpp:x.test:1", "c.test"), "host-unknown");
});

Deno.test("B-038 B-039 X-007 what a client says of its stream is in the opening, and nothing that it did not say", () => {
  const bare = choose("", {});
  assert.deepEqual(bare.type === "open" && bare.opening, { to: "example.test", version: "1.0" });
  const full = choose("", {
    from: "a@example.test",
    lang: "de",
    xmppVersion: "1.1",
    attributes: [["a", "b"]],
  });
  assert.deepEqual(full.type === "open" && full.opening, {
    to: "example.test",
    version: "1.1",
    from: "a@example.test",
    lang: "de",
    attributes: [["a", "b"]],
  });
});
