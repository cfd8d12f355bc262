/** What a client may say of its upstream: that it must be encrypted, and where it is to be found. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/clock.ts";
import type { TlsPolicy } from "../../src/config/config.ts";
import type { UpstreamRequest } from "../../src/upstream/connector.ts";
import { tcpConnector } from "../../src/upstream/tcp_connector.ts";
import { load } from "../support/configuration.ts";
import { authority } from "../support/certificates/certificates.ts";
import {
  MECHANISMS,
  ScriptedServer,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";

/** Opens a stream; settles with how it began or ended. */
function open(
  wishes: Pick<UpstreamRequest, "secure" | "route">,
  { port, tls }: { port: number | undefined; tls: TlsPolicy },
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const upstream = tcpConnector({
    settings: () => ({
      ...load(undefined).upstream,
      connect: port === undefined ? [] : [{ direct: false, hostname: "127.0.0.1", port }],
      connectTimeout: 5_000,
      tls,
      ca: authority(),
    }),
    limits: () => ({ serverStanza: 100_000, depth: 50, queuedBytes: 1 << 20 }),
    clock: systemClock,
    emit: () => {},
    random: () => 0,
  }).open({
    opening: { to: "example.test", version: "1.0" },
    session: "s1",
    client: { address: "127.0.0.1", port: 1, transport: "bosh" },
    ...wishes,
  }, {
    opened: ({ id }) => {
      resolve(`opened ${id}`);
      upstream.abort();
    },
    deliver: () => {},
    ended: (end) => resolve(end.type === "connection-failed" ? `failed: ${end.reason}` : end.type),
  });
  return promise;
}

/** A server that offers no TLS. */
async function plainServer(): Promise<ScriptedServer> {
  const server = await ScriptedServer.listen();
  server.accept().then(async (connection) => {
    await connection.expect("version='1.0'>");
    connection.write(streamHeader("plain") + streamFeatures(MECHANISMS));
  }).catch(() => {});
  return server;
}

function socketTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });
}

socketTest(
  "B-045 secure: an upstream that offers no TLS is refused where TLS is optional",
  async () => {
    await using server = await plainServer();
    const outcome = await open({ secure: true }, { port: server.port, tls: "optional" });
    assert.match(outcome, /^failed: .*TLS/);
  },
);

socketTest(
  "B-045 secure: an upstream that the operator trusts without TLS is good enough",
  async () => {
    await using server = await plainServer();
    const outcome = await open({ secure: true }, { port: server.port, tls: "never" });
    assert.equal(outcome, "opened plain");
  },
);

socketTest(
  "B-045 without secure an upstream in the clear will do where TLS is optional",
  async () => {
    for (const wishes of [{}, { secure: false }]) {
      await using server = await plainServer();
      assert.equal(await open(wishes, { port: server.port, tls: "optional" }), "opened plain");
    }
  },
);

socketTest(
  "B-037 a route is dialled instead of what is mapped, and is verified as the domain",
  async () => {
    await using mapped = await ScriptedServer.listen();
    await using server = await ScriptedServer.listen();
    const route = { hostname: "127.0.0.1", port: server.port, isNamed: true };
    const opened = open({ route }, { port: mapped.port, tls: "required" });
    const connection = await server.accept();
    assert.match(await connection.expect("version='1.0'>"), / to='example\.test'/);
    connection.write(streamHeader("clear") + streamFeatures(STARTTLS));
    assert.equal((await connection.startTls()).serverName, "example.test");
    await connection.expect("version='1.0'>");
    connection.write(streamHeader("routed") + streamFeatures(MECHANISMS));
    assert.equal(await opened, "opened routed");
    assert.equal(mapped.accepted, 0);
  },
);

socketTest("B-037 a certificate for the route's own name only is not the domain's", async () => {
  await using server = await ScriptedServer.listen({ certificate: "other.test" });
  const route = { hostname: "127.0.0.1", port: server.port, isNamed: true };
  const opened = open({ route }, { port: undefined, tls: "required" });
  const connection = await server.accept();
  await connection.expect("version='1.0'>");
  connection.write(streamHeader("clear") + streamFeatures(STARTTLS));
  await connection.startTls().catch(() => {});
  assert.match(await opened, /^failed: .*certificate/);
});
