import assert from "node:assert/strict";
import type { ManagerEvent } from "../../src/events.ts";
import type { UpstreamEvents } from "../../src/upstream/connector.ts";
import { tracingConnector } from "../../src/upstream/tracing.ts";
import { FakeConnector, type FakeUpstream } from "../support/fake_connector.ts";

const encoder = new TextEncoder();
const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";

function open(connector: FakeConnector, address: string) {
  const told: ManagerEvent[] = [];
  const heard: string[] = [];
  const events: UpstreamEvents = {
    opened: ({ id }) => void heard.push(`opened ${id}`),
    deliver: (payloads) => void heard.push(`deliver ${payloads.map(({ name }) => name)}`),
    flow: (open) => void heard.push(`flow ${open}`),
    ended: ({ type }) => void heard.push(`ended ${type}`),
  };
  const request = {
    opening: { to: "example.test", version: "1.0" },
    session: "s1",
    client: { address, port: 1, transport: "bosh" },
  } as const;
  const traced = tracingConnector(connector, (a) => a === "192.0.2.1", (e) => told.push(e));
  return { upstream: traced.open(request, events), told, heard };
}

Deno.test("S-004 the stream of a client that is not traced is the connector's own", async () => {
  const connector = new FakeConnector();
  const { upstream, told, heard } = open(connector, "192.0.2.2");
  assert.equal(upstream, connector.last);
  await Promise.resolve();
  assert.deepEqual([told, heard], [[], ["opened stream-1", "deliver features"]]);
});

Deno.test("S-004 the stream of a client that is traced goes through, and every payload is told", async () => {
  const connector = new FakeConnector();
  const { upstream, told, heard } = open(connector, "192.0.2.1");
  await Promise.resolve();
  const server: FakeUpstream = connector.last;
  server.queuedBytes = 7;
  assert.equal(upstream.queuedBytes, 7);
  upstream.send(encoder.encode(`<auth ${SASL} mechanism='PLAIN'>pw</auth><presence/>`));
  upstream.restart({ attributes: [["a", "b"]] });
  upstream.flow(false);
  upstream.close();
  upstream.abort();
  server.say(`<success ${SASL}>pw</success>`);
  server.say(`<message>${"x".repeat(5_000)}</message>`);
  server.takes(false);
  server.takes(true);
  server.end({ type: "closed" });
  assert.deepEqual(server.log, [
    `send <auth ${SASL} mechanism='PLAIN'>pw</auth><presence/>`,
    'restart [["a","b"]]',
    "flow closed",
    "close",
    "abort",
  ]);
  assert.deepEqual(heard, [
    "opened stream-1",
    "deliver features",
    "deliver success",
    "deliver message",
    "flow false",
    "flow true",
    "ended closed",
  ]);
  const client = { address: "192.0.2.1", port: 1, transport: "bosh" };
  const trace = (direction: "up" | "down", bytes: number, xml: string) => (
    { type: "trace", session: "s1", domain: "example.test", client, direction, bytes, xml }
  );
  assert.deepEqual(told, [
    trace("down", 18, "<stream:features/>"),
    trace("up", 74, `<auth ${SASL} mechanism='PLAIN'>[2 bytes redacted]</auth>`),
    trace("up", 11, "<presence/>"),
    trace("down", 62, `<success ${SASL}>[2 bytes redacted]</success>`),
    trace("down", 5_019, `<message>${"x".repeat(3_990)}…`),
  ]);
});
