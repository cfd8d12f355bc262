import assert from "node:assert/strict";
import type { ManagerEvent } from "../../src/events.ts";
import { ConnectionManager } from "../../src/manager.ts";
import type { Answer, MessageEvents, UpgradeOptions } from "../../src/server/exchange.ts";
import { FakeConnector } from "../support/fake_connector.ts";
import { FakeExchange } from "../support/fake_exchange.ts";
import { configOf } from "../support/manager.ts";

const CLOSE = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>";

Deno.test("W-006 W-007 the stanzas of one read are messages of their own, in one write", async () => {
  const connector = new FakeConnector();
  const manager = new ConnectionManager({ config: configOf(""), connector });
  const exchange = new UpgradedExchange();
  manager.handler(["websocket"])(exchange);
  exchange.events!.message(new TextEncoder().encode(OPEN), false);
  await Promise.resolve();
  // By a stanza the session learns that its client has authenticated.
  connector.last.say("<presence/>");
  exchange.writes.length = 0;
  connector.last.say("<a xmlns='urn:a'/><message id='1'/><message id='2'>x</message><b xmlns=''/>");
  assert.deepEqual(exchange.writes, [[
    "<a xmlns='urn:a'/>",
    "<message xmlns='jabber:client' id='1'/>",
    "<message xmlns='jabber:client' id='2'>x</message>",
    "<b xmlns=''/>",
  ]]);
  exchange.events!.closed();
});

Deno.test("W-026 what is still on its way to a client that has ended the session is not told as unsent", async () => {
  for (const [last, unsent] of [[CLOSE, []], ["<presence/>", [27]]] as const) {
    const connector = new FakeConnector();
    const events: ManagerEvent[] = [];
    const onEvent = (event: ManagerEvent) => void events.push(event);
    const manager = new ConnectionManager({ config: configOf(""), connector, onEvent });
    const exchange = new UpgradedExchange();
    manager.handler(["websocket"])(exchange);
    exchange.events!.message(new TextEncoder().encode(OPEN), false);
    await Promise.resolve();
    exchange.queuedBytes = 27;
    exchange.events!.message(new TextEncoder().encode(last), false);
    exchange.events!.closed();
    assert.deepEqual(
      events.flatMap((event) => event.type === "unsent" ? [event.bytes] : []),
      unsent,
    );
  }
});

/** A handshake whose WebSocket writes down what each call sends. */
class UpgradedExchange extends FakeExchange {
  events: MessageEvents | undefined;
  readonly writes: string[][] = [];
  queuedBytes = 0;

  constructor() {
    super({
      path: "/xmpp-websocket",
      headers: {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-protocol": "xmpp",
      },
    });
  }

  override upgrade(_options: UpgradeOptions, events: MessageEvents) {
    this.events = events;
    const decoder = new TextDecoder();
    const answer: Answer = { status: 101, headers: {} };
    const queuedBytes = () => this.queuedBytes;
    const socket = {
      maxMessage: 65_536,
      get queuedBytes() {
        return queuedBytes();
      },
      send: (messages: readonly Uint8Array[]) => {
        this.writes.push(messages.map((message) => decoder.decode(message)));
      },
      flow() {},
      close() {},
      drop() {},
    };
    return { answer, socket };
  }
}
