import assert from "node:assert/strict";
import { systemClock } from "../../src/clock.ts";
import { findDomain } from "../../src/config/domains.ts";
import type { ManagerEvent } from "../../src/events.ts";
import { tcpConnector } from "../../src/upstream/tcp_connector.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import { configOf, runManager } from "../support/manager.ts";
import { haveProgram } from "../support/programs.ts";
import { ACCOUNTS, Prosody } from "../support/prosody.ts";
import { NameServer } from "../support/upstream_dns.ts";
import { clientKinds } from "../support/xmpp_clients.ts";
import { openRaw, scram, transports } from "../support/xmpp_clients_raw.ts";

const HOST = "host-record=host.example.test,127.0.0.1";
const NOBODY = "host-record=nobody.example.test,127.0.0.2";

interop(
  "D-008 D-009 a server is found by its SRV record and used with STARTTLS",
  async (server) => {
    await using dns = await NameServer.start(
      `srv-host=_xmpp-client._tcp.example.test,host.example.test,${server.port},0,5`,
      HOST,
    );
    const { connected, failed } = await logIns(dns);
    const target = `host.example.test:${server.port}`;
    assert.deepEqual(connected, clientKinds.map(() => ({ target, tls: "starttls" })));
    assert.deepEqual(failed, []);
    assert.ok(dns.queries.includes("SRV _xmpp-client._tcp.example.test"), dns.queries.join("\n"));
    assert.ok(dns.queries.includes("SRV _xmpps-client._tcp.example.test"), dns.queries.join("\n"));
  },
);

interop(
  "D-009 D-010 U-008 the first server is down, the second one has direct TLS",
  async (server) => {
    await using dns = await NameServer.start(
      `srv-host=_xmpp-client._tcp.example.test,nobody.example.test,${server.port},1,5`,
      `srv-host=_xmpps-client._tcp.example.test,host.example.test,${server.directPort},2,5`,
      `srv-host=_xmpp-client._tcp.example.test,host.example.test,${server.port},3,5`,
      HOST,
      NOBODY,
    );
    const { connected, failed } = await logIns(dns);
    const target = `host.example.test:${server.directPort}`;
    assert.deepEqual(connected, clientKinds.map(() => ({ target, tls: "direct" })));
    assert.deepEqual(failed, clientKinds.map(() => `nobody.example.test:${server.port}`));
  },
);

interop(
  "S-006 an SRV record that leads to the loopback is refused, with what to write instead",
  async (server) => {
    await using dns = await NameServer.start(
      `srv-host=_xmpp-client._tcp.example.test,host.example.test,${server.port},0,5`,
      HOST,
    );
    await using manager = await runManager({ toml: configuration(dns) });
    for (const transport of transports) {
      const session = await openRaw(transport, manager.url);
      session.drop();
      assert.match(session.opening, /remote-connection-failed/);
      assert.match(
        session.opening,
        /the address of host\.example\.test is not public \(loopback\)/,
      );
      const cure = `[domains."example.test"] connect = "xmpp://host.example.test:${server.port}"`;
      assert.ok(session.opening.replaceAll("&quot;", '"').includes(cure), session.opening);
    }
    assert.doesNotMatch(await server.log(), /Client connected/);

    // What it says is the cure.
    const cured = configuration(dns, `connect = "xmpp://host.example.test:${server.port}"`);
    await using follower = await runManager({ toml: cured });
    const session = await openRaw("bosh", follower.url);
    assert.match(await scram(session, "juliet", ACCOUNTS.juliet!), /<success /);
    session.drop();
  },
);

/** Each library logs in where the name server leads it, and out again. */
async function logIns(dns: NameServer): Promise<{
  readonly connected: readonly { readonly target: string; readonly tls: string }[];
  readonly failed: readonly string[];
}> {
  const config = configOf(configuration(dns));
  const events: ManagerEvent[] = [];
  const connector = tcpConnector({
    settings: (domain) => findDomain(config, domain),
    limits: () => config.limits,
    clock: systemClock,
    emit: (event) => events.push(event),
    random: Math.random,
    // The names of the test lead to where no name of the world may lead.
    mayDial: (address) => address.startsWith("127."),
  });
  await using manager = await runManager({ toml: configuration(dns), connector });
  for (const kind of clientKinds) {
    const credentials = { user: "juliet", password: ACCOUNTS.juliet!, resource: "balcony" };
    const client = await kind.logIn(manager.url, credentials);
    client.send(client.jid, { id: "1", body: "O Romeo" });
    assert.equal((await client.receive()).body, "O Romeo");
    await client.logOut();
  }
  return {
    connected: events.flatMap((event) =>
      event.type === "upstream-connected" ? [{ target: event.target, tls: event.tls }] : []
    ),
    failed: events.flatMap((event) => event.type === "upstream-failed" ? [event.target] : []),
  };
}

function configuration(dns: NameServer, ofDomain = ""): string {
  return `
    [upstream]
    nameserver = "${dns.address}:${dns.port}"
    ca = "${authorityFile}"
    [domains."example.test"]
    ${ofDomain}
  `;
}

/** A test with a server of its own; reported as ignored where there is none, or no name server. */
function interop(name: string, run: (server: Prosody) => Promise<void>): void {
  Deno.test({
    name,
    ...haveProgram("prosody", "dnsmasq"),
    // The libraries leave timers behind; see xmpp_clients.ts.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using server = await Prosody.start();
      await run(server);
    },
  });
}
