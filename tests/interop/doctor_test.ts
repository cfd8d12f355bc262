/** `causeway doctor` against a set-up of real programs that is right, and against ten that are not. */
import assert from "node:assert/strict";
import type { ProxyName } from "../../src/commands/arguments.ts";
import { authorityFile, type CertificateName } from "../support/certificates/certificates.ts";
import { diagnosed, testWorld } from "../support/doctor.ts";
import { freePort } from "../support/free_port.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { nginx } from "../support/nginx.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { Prosody } from "../support/prosody.ts";
import { behind, PROXIES } from "../support/proxied.ts";
import { printed, ReverseProxy, substituted } from "../support/reverse_proxy.ts";
import { NameServer } from "../support/upstream_dns.ts";

const HOST = "host-record=host.example.test,127.0.0.1";

/** A name server that leads to these ports of `host.example.test`. */
function leading(port: number, host = "host.example.test"): Promise<NameServer> {
  return NameServer.start(`srv-host=_xmpp-client._tcp.example.test,${host},${port},0,5`, HOST);
}

/** A configuration that finds its servers by this name server, and waits so many seconds for each step. */
function asking(dns: NameServer, timeout = 10): string {
  return `
    [upstream]
    nameserver = "${dns.address}:${dns.port}"
    ca = "${authorityFile}"
    connect_timeout = ${timeout}
    [domains."example.test"]
  `;
}

interface Stage {
  readonly server: Prosody;
  readonly dns: NameServer;
  readonly manager: RunningManager;
  readonly proxy: ReverseProxy;
  /** What the doctor is told. */
  readonly toml: string;
  readonly url: string;
}

/** A whole set-up, with nginx as `causeway proxy` prints it, after `change`. */
async function outside(
  { wait, change = (text) => text }: { wait: number; change?: (printed: string) => string },
  test: (stage: Stage) => Promise<void>,
): Promise<void> {
  await using server = await Prosody.start();
  await using dns = await leading(server.port);
  const bosh = `[bosh]\nmax_wait = ${wait}\n`;
  await using manager = await runManager({
    toml: `
      ${bosh}
      [domains."example.test"]
      connect = "xmpp://127.0.0.1:${server.port}"
      ca = "${authorityFile}"
    `,
  });
  const text = printed(
    "nginx",
    `${bosh}\n[domains."example.test"]`,
    new URL(manager.url).host,
  );
  await using proxy = await ReverseProxy.start(nginx, change(text));
  const url = `https://example.test:${proxy.ports.tls}`;
  await test({ server, dns, manager, proxy, toml: bosh + asking(dns), url });
  await until(() => manager.manager.sessions === 0 || undefined, "the doctor's sessions are over");
}

const UPSTREAM = haveProgram("prosody", "dnsmasq");
const OUTSIDE = haveProgram("prosody", "dnsmasq", "nginx");

Deno.test({
  name: "the doctor finds nothing wrong with a set-up that is right",
  ...OUTSIDE,
  fn: () =>
    outside({ wait: 2 }, async ({ toml, url, proxy, server }) => {
      const found = await diagnosed(toml, { url, world: testWorld(proxy.ports.tls) });
      assert.deepEqual(found.bad, []);
      assert.equal(found.status, 0);
      const steps = found.checks.map(({ step, result }) => `${result} ${step}`);
      // These two wait at the same time.
      const waits = steps.splice(steps.indexOf("ok websocket stream") + 1, 2);
      assert.deepEqual(waits.toSorted(), ["ok hold", "ok websocket silence"]);
      assert.deepEqual(steps, [
        "ok configuration",
        "ok srv",
        "ok srv",
        "ok lookup",
        "ok tcp",
        "ok starttls",
        "ok tls",
        "ok stream",
        "ok features",
        "ok sasl",
        "ok host-meta",
        "ok host-meta",
        "ok web",
        "ok preflight",
        "ok cors",
        "ok bosh",
        "ok websocket",
        "ok websocket stream",
        "ok buffering",
        "ok ping",
        "ok close",
      ]);
      const target = `host.example.test:${server.port}`;
      assert.match(
        found.of("tls").detail,
        /certificate for example\.test, xmpp\.example\.test, until \d{4}-\d\d-\d\d, /,
      );
      assert.equal(found.of("lookup").detail, "127.0.0.1");
      assert.equal(found.of("tcp").target, `${target} (127.0.0.1)`);
      assert.equal(found.of("sasl").detail, "SCRAM-SHA-1");
      const { ms = 0 } = found.of("hold");
      assert.ok(ms >= 1_700 && ms < 6_000, String(ms));
      // Nobody logged in.
      assert.doesNotMatch(await server.log(), /<auth |Authenticated/);
    }),
});

Deno.test({
  name: "the doctor names an SRV record that leads to a host that is not there",
  ...UPSTREAM,
  async fn() {
    await using dns = await leading(5222, "nohost.example.test");
    const { status, of } = await diagnosed(asking(dns));
    assert.equal(status, 1);
    const { target, result, detail, cure } = of("lookup");
    assert.equal(result, "bad");
    assert.equal(target, "nohost.example.test:5222");
    assert.match(detail, /DNS has no address for nohost\.example\.test/);
    assert.match(cure!, /correct the SRV records of example\.test/);
  },
});

for (
  const [what, certificate, fault, cure] of [
    ["has expired", "expired", /the certificate of example\.test has expired/, /renew/],
    [
      "is for another name",
      "other.test",
      /is not valid for that name, only for other\.test/,
      /a certificate for example\.test: the XMPP domain counts/,
    ],
    ["is of nobody", "unknown", /is signed by nobody we trust/, /name that in "ca"/],
    ["is self-signed", "self-signed", /is self-signed/, /fingerprints = \["[0-9a-f]{64}"\]/],
  ] as readonly (readonly [string, CertificateName, RegExp, RegExp])[]
) {
  Deno.test({
    name: `the doctor names a certificate that ${what}, and shows it`,
    ...UPSTREAM,
    async fn() {
      await using server = await Prosody.start({ certificate });
      await using dns = await leading(server.port);
      const found = await diagnosed(asking(dns));
      assert.equal(found.status, 1);
      assert.equal(found.of("starttls").result, "ok");
      const line = found.of("tls");
      assert.equal(line.result, "bad");
      assert.match(line.detail, fault);
      assert.match(line.detail, /\(the server shows one for .*, until \d{4}-\d\d-\d\d, issued by /);
      assert.match(line.cure!, cure);
      assert.doesNotMatch(await server.log(), /<auth |Authenticated/);
    },
  });
}

Deno.test({
  name: "the doctor names a port that is closed, and looks at the other place all the same",
  ...UPSTREAM,
  async fn() {
    await using server = await Prosody.start();
    const port = freePort();
    await using dns = await NameServer.start(
      `srv-host=_xmpp-client._tcp.example.test,host.example.test,${port},0,5`,
      `srv-host=_xmpps-client._tcp.example.test,host.example.test,${server.directPort},1,5`,
      HOST,
    );
    const { status, checks } = await diagnosed(asking(dns));
    assert.equal(status, 1);
    const [closed, open] = checks.filter(({ step }) => step === "tcp");
    assert.equal(closed?.result, "bad");
    assert.equal(closed.target, `host.example.test:${port} (127.0.0.1)`);
    assert.match(closed.detail, /connection refused by/);
    assert.match(closed.cure!, /nothing listens there: start the XMPP server/);
    assert.equal(open?.result, "ok");
    assert.equal(checks.find(({ step }) => step === "sasl")?.result, "ok");
  },
});

Deno.test({
  name: "the doctor names a port where nobody says anything",
  ...haveProgram("dnsmasq"),
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepted = listener.accept();
    await using dns = await leading(listener.addr.port);
    const { status, of } = await diagnosed(asking(dns, 1));
    (await accepted).close();
    assert.equal(status, 1);
    assert.equal(of("tcp").result, "ok");
    const { result, detail, cure, ms = 0 } = of("stream");
    assert.equal(result, "bad");
    assert.match(detail, /no stream header from the server within 1 s/);
    assert.match(cure!, /takes connections and is silent: it is no XMPP server/);
    assert.ok(ms >= 900, String(ms));
  },
});

Deno.test({
  name: "the doctor names a server without STARTTLS",
  ...UPSTREAM,
  async fn() {
    await using server = await Prosody.start({ certificate: undefined });
    await using dns = await leading(server.port);
    const { status, of } = await diagnosed(asking(dns));
    assert.equal(status, 1);
    const { result, detail, cure } = of("starttls");
    assert.equal(result, "bad");
    assert.match(detail, /the server offers no STARTTLS/);
    assert.match(cure!, /enable TLS .*tls = "optional"/);
  },
});

Deno.test({
  name: "the doctor names a proxy that does not wait for as long as a request is held",
  ...OUTSIDE,
  fn: () => {
    const change = (text: string) =>
      text.replaceAll(/proxy_read_timeout \d+s/g, "proxy_read_timeout 2s");
    return outside({ wait: 5, change }, async ({ toml, url, proxy }) => {
      const { status, of } = await diagnosed(toml, { url, world: testWorld(proxy.ports.tls) });
      assert.equal(status, 1);
      const { result, detail, cure, ms = 0 } = of("hold");
      assert.equal(result, "bad");
      assert.match(detail, /answered 504 after [1-4]\.\d s of 5, by nginx/);
      assert.match(cure!, /more than 5 s .*proxy_read_timeout.*causeway proxy NAME/);
      assert.ok(ms >= 1_900 && ms < 5_000, String(ms));
      assert.match(
        of("websocket silence").detail,
        /the connection was cut after [1-4]\.\d s of silence/,
      );
    });
  },
});

Deno.test({
  name: "the doctor names a CORS header that two have set",
  ...OUTSIDE,
  fn: () => {
    const change = (text: string) =>
      substituted(text, [[
        "proxy_http_version 1.1;",
        "proxy_http_version 1.1;\n        add_header Access-Control-Allow-Origin * always;",
      ]]);
    return outside({ wait: 2, change }, async ({ toml, url, proxy }) => {
      const world = testWorld(proxy.ports.tls);
      const { status, of } = await diagnosed(toml, { url, quick: true, world });
      assert.equal(status, 1);
      for (const step of ["preflight", "cors"]) {
        const { result, detail, cure } = of(step);
        assert.equal(result, "bad");
        assert.match(detail, /Access-Control-Allow-Origin is doubled \(\*, \*\)/);
        assert.match(cure!, /take it out of the proxy/);
      }
      assert.equal(of("bosh").result, "ok");
      assert.match(of("hold").detail, /--quick/);
    });
  },
});

Deno.test({
  name: "the doctor names a proxy that passes no upgrade on",
  ...OUTSIDE,
  fn: () => {
    const change = (text: string) =>
      substituted(text, [
        ["proxy_set_header Upgrade $causeway_upgrade;", ""],
        ["proxy_set_header Connection $causeway_connection;", ""],
      ]);
    return outside({ wait: 2, change }, async ({ toml, url, proxy }) => {
      const world = testWorld(proxy.ports.tls);
      const { status, of } = await diagnosed(toml, { url, quick: true, world });
      assert.equal(status, 1);
      const { result, detail, cure } = of("websocket");
      assert.equal(result, "bad");
      assert.match(detail, /no upgrade: status \d+/);
      assert.match(cure!, /pass the upgrade on \(nginx: .*proxy_set_header Upgrade/);
      assert.equal(of("bosh").result, "ok");
    });
  },
});

Deno.test({
  name: "the doctor names a domain that is served neither by Causeway nor by the XMPP server",
  ...OUTSIDE,
  fn: () =>
    outside({ wait: 2 }, async ({ server, proxy, url }) => {
      const toml = `
        [domains."elsewhere.test"]
        connect = "xmpp://127.0.0.1:${server.port}"
        ca = "${authorityFile}"
      `;
      const world = testWorld(proxy.ports.tls);
      const { status, of } = await diagnosed(toml, { domain: "elsewhere.test", url, world });
      assert.equal(status, 1);
      assert.equal(of("stream").result, "bad");
      assert.match(of("stream").detail, /host-unknown/);
      assert.match(of("stream").cure!, /does not serve elsewhere\.test: add it there/);
      for (const step of ["bosh", "websocket stream"]) {
        const { result, detail, cure } = of(step);
        assert.equal(result, "bad");
        assert.match(detail, /elsewhere\.test is not served there/);
        assert.match(cure!, /\[domains\."elsewhere\.test"\]/);
      }
    }),
});

for (const name of Object.keys(PROXIES) as ProxyName[]) {
  Deno.test({
    name: `the doctor finds nothing wrong with ${name} as causeway proxy has it`,
    ...haveProgram(PROXIES[name].program),
    fn: () =>
      behind(name, { toml: "bosh.max_wait = 1" }, async ({ url, proxy, running, connector }) => {
        const { onOpen } = connector;
        connector.onOpen = (upstream) => {
          upstream.onCall = (call) => {
            if (call === "close") upstream.end({ type: "closed" });
          };
          onOpen(upstream);
        };
        // Of the XMPP server there is nothing to be seen here.
        const nobody = `[domains."example.test"]\nconnect = "xmpp://127.0.0.1:1"`;
        const world = testWorld(proxy.ports.tls);
        const { bad, checks } = await diagnosed(`bosh.max_wait = 1\n${nobody}`, { url, world });
        assert.deepEqual(bad.map(({ step }) => step), ["tcp", "server"]);
        const rest = checks.slice(checks.findIndex(({ step }) => step === "server") + 1);
        assert.deepEqual(rest.filter(({ result }) => result !== "ok"), []);
        assert.equal(rest.length, 13);
        await until(() => running.manager.sessions === 0 || undefined, "its sessions are over");
      }),
  });
}
