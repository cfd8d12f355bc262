/**
 * Names that strangers write the records of. "Public" in these tests is 127.77.0.0/16 where
 * something has to be reached: nothing here leaves the machine. What must not be reached listens.
 */
import assert from "node:assert/strict";
import { isPublic } from "../../src/upstream/policy.ts";
import {
  assertFailed,
  assertUp,
  Finder,
  type FinderSetup,
  welcomingServer,
} from "../support/finder.ts";
import { onBothFronts } from "../support/fronts.ts";
import { type Script, ScriptedNameServer, type WrittenRecord } from "../support/scripted_dns.ts";
import { ScriptedServer, streamHeader } from "../support/upstream_server.ts";
import { CREATION, nextHeader, Stage } from "./stage.ts";

const PUBLIC = "127.77.0.1";

/** What a connection manager with a policy takes for public, and nothing that is so in earnest. */
const STAND_IN: FinderSetup = {
  upstream: 'tls = "never"',
  mayDial: (address) => address.startsWith("127.77.") && !isPublic(address),
};

/** The policy as it is; should it take something here for public, that is not dialled all the same. */
const inEarnest = (address: string) => isPublic(address) && address.startsWith("127.");
const EARNEST: FinderSetup = { upstream: 'tls = "never"', mayDial: inEarnest };

/** Listeners on loopback, IPv4 and IPv6, at one port, that nobody may reach. */
class Forbidden implements AsyncDisposable {
  readonly port: number;
  readonly #servers: readonly ScriptedServer[];

  private constructor(servers: readonly ScriptedServer[]) {
    this.#servers = servers;
    this.port = servers[0]!.port;
  }

  static async listen(port = 0): Promise<Forbidden> {
    const ipv4 = await ScriptedServer.listen({ port });
    return new Forbidden([
      ipv4,
      await ScriptedServer.listen({ hostname: "::1", port: ipv4.port }),
    ]);
  }

  /** How often somebody came. */
  get reached(): number {
    return this.#servers.reduce((sum, { accepted }) => sum + accepted, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server[Symbol.asyncDispose]();
  }
}

/** A name server that answers from these records, whose times to live are 0. */
function zone(records: (name: string) => readonly Omit<WrittenRecord, "ttl">[]): Script {
  return ({ name, type }) => {
    const all = records(name).map((record) => ({ ...record, ttl: 0 }));
    const answers = all.filter((record) => record.type === type || record.type === "CNAME");
    return { answers, authorities: [{ name: "test", type: "SOA", data: "0" }] };
  };
}

const NOT_PUBLIC = [
  "0.0.0.0",
  "0.0.0.1",
  "10.0.0.1",
  "100.64.0.1",
  "127.0.0.1",
  "127.255.255.254",
  "168.63.129.16",
  "169.254.169.254",
  "172.16.0.1",
  "192.0.0.192",
  "192.0.2.1",
  "192.168.0.1",
  "198.18.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::7f00:1",
  "::ffff:7f00:1",
  "::ffff:a00:1",
  "::ffff:0:7f00:1",
  "::ffff:808:808",
  "64:ff9b::7f00:1",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1::808:808",
  "100::1",
  "2001::1",
  "2001:db8::1",
  "2002:7f00:1::1",
  "2002:808:808::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fec0::1",
  "ff02::1",
];

onBothFronts(
  "S-006 whatever address a stranger's record has, what is not public is not dialled",
  async () => {
    await using forbidden = await Forbidden.listen();
    const records = (name: string): Omit<WrittenRecord, "ttl">[] => {
      const [, at = "", rest = ""] = /^(?:_xmpp-client\._tcp\.|host-)?(\d+)(\..*)$/.exec(name) ??
        [];
      const address = NOT_PUBLIC[Number(at)] ?? "";
      if (name.startsWith("_xmpp-client.")) {
        return [{ name, type: "SRV", data: `1 1 ${forbidden.port} host-${at}${rest}` }];
      }
      if (name.startsWith("_")) return [];
      return [{ name, type: address.includes(":") ? "AAAA" : "A", data: address }];
    };
    await using dns = await ScriptedNameServer.listen(zone(records));
    await using finder = await Finder.start(dns, EARNEST);
    for (const at of NOT_PUBLIC.keys()) {
      assertFailed(await finder.create(`${at}.test`), /is not public \((?!invalid|public)/);
    }
    assert.equal(finder.failed.length, NOT_PUBLIC.length);
    assert.ok(finder.failed.every((failure) => failure.startsWith("lookup host-")));
    assert.equal(forbidden.reached, 0);
  },
);

/** Targets of SRV records and of `see-other-host`; whatever is asked of DNS for them is 127.0.0.1. */
const TARGETS = [
  "127.0.0.1",
  "127.1",
  "0",
  "2130706433",
  "017700000001",
  "0x7f000001",
  "0x7f.1",
  "0X7F.0.0.1",
  "0177.0.0.1",
  "127.0.0.01",
  "localhost",
  "LOCALHOST",
  "a.localhost",
  "ip6-localhost",
  "inside.test",
  "alias.test",
  "alias-to-localhost.test",
];

/** Every name leads to loopback, some of them by an alias whose address has to be asked for. */
function toLoopback(port: number): Script {
  return ({ name, type }) => {
    if (name.startsWith("_xmpp-client.")) {
      const target = TARGETS[Number(name.split(".").at(-2))] ?? "localhost";
      return { answers: [{ name, type: "SRV", ttl: 0, data: `1 1 ${port} ${target}` }] };
    }
    const data = type === "A" ? "127.0.0.1" : "::1";
    if (name === "alias-to-localhost.test") {
      return { answers: [{ name, type: "CNAME", ttl: 0, data: "localhost" }] };
    }
    if (name === "alias.test") {
      return {
        answers: [
          { name, type: "CNAME", ttl: 0, data: "localhost" },
          { name: "localhost", type: type as "A" | "AAAA", ttl: 0, data },
        ],
      };
    }
    return { answers: type === "SRV" ? [] : [{ name, type: type as "A" | "AAAA", ttl: 0, data }] };
  };
}

onBothFronts(
  "S-006 however the target of a record is spelled, it does not lead to loopback",
  async () => {
    await using forbidden = await Forbidden.listen();
    await using dns = await ScriptedNameServer.listen(toLoopback(forbidden.port));
    await using finder = await Finder.start(dns, EARNEST);
    for (const at of TARGETS.keys()) {
      assertFailed(await finder.create(`${at}.test`), /is not public|no XMPP service/);
    }
    assert.ok(finder.failed.every((failure) => failure.startsWith("lookup ")));
    const odd = dns.log.filter((line) => /(?:^| |\.)(?:[0-9]+|0x[0-9a-f]*)$/i.test(line));
    assert.deepEqual(odd, []);
    assert.equal(forbidden.reached, 0);
  },
);

onBothFronts(
  "S-006 T-44 however a client spells it in to, no session leads to what is not public",
  async () => {
    await using forbidden = await Forbidden.listen();
    await using dns = await ScriptedNameServer.listen(toLoopback(forbidden.port));
    await using finder = await Finder.start(dns, EARNEST);
    const spellings = [
      ...TARGETS,
      "169.254.169.254",
      "10.0.0.1",
      "0.0.0.0",
      "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
      "127\u{3002}0\u{3002}0\u{3002}1",
      "localhost.",
      "\u{ff4c}ocalhost",
      "[::1]",
      "::1",
      "[::ffff:127.0.0.1]",
      "[64:ff9b::127.0.0.1]",
      "fe80::1%lo",
      `127.0.0.1:${forbidden.port}`,
      "user@127.0.0.1",
      "127.0.0.1/x",
      "127.0.0.1&#0;.test",
    ];
    for (const to of spellings) {
      const { condition, text } = await finder.create(to);
      const refusals = ["improper-addressing", "remote-connection-failed", "bad-request"];
      assert.ok(refusals.includes(condition ?? ""), `${to}: ${text}`);
    }
    assert.ok(finder.failed.every((failure) => failure.startsWith("lookup ")));
    assert.equal(forbidden.reached, 0);
  },
);

onBothFronts(
  "S-006 a name that changes its address is judged by the one that is dialled",
  async () => {
    await using open = await welcomingServer({ hostname: PUBLIC });
    await using forbidden = await Forbidden.listen(open.port);
    let asked = 0;
    const addresses = (name: string): Omit<WrittenRecord, "ttl">[] => {
      if (name.startsWith("_xmpp-client.")) {
        return [{ name, type: "SRV", data: `1 1 ${open.port} host.test` }];
      }
      return [{ name, type: "A", data: asked === 0 ? PUBLIC : "127.0.0.1" }];
    };
    await using dns = await ScriptedNameServer.listen((question) => {
      const reply = zone(addresses)(question);
      if (question.type === "A") asked++;
      return reply;
    });
    await using finder = await Finder.start(dns, STAND_IN);
    // Its address has become another before anybody connects.
    assertUp(await finder.create());
    assert.equal(asked, 1);
    assertFailed(await finder.create(), /is not public \(loopback\)/);
    assert.equal(asked, 2);
    assert.deepEqual([open.accepted, forbidden.reached], [1, 0]);
  },
);

onBothFronts(
  "S-006 a name that is tried again, for it was in two records, is judged again",
  async () => {
    const gone = await ScriptedServer.listen({ hostname: PUBLIC });
    const { port } = gone;
    await gone[Symbol.asyncDispose]();
    await using forbidden = await Forbidden.listen();
    let asked = 0;
    await using dns = await ScriptedNameServer.listen(({ name, type }) => {
      if (name.startsWith("_xmpp-client.")) {
        const data = [`1 1 ${port} host.test`, `2 1 ${forbidden.port} host.test`];
        return { answers: data.map((data) => ({ name, type: "SRV", ttl: 0, data })) };
      }
      if (type !== "A") return { answers: [] };
      return { answers: [{ name, type, ttl: 0, data: asked++ === 0 ? PUBLIC : "127.0.0.1" }] };
    });
    await using finder = await Finder.start(dns, STAND_IN);
    assertFailed(await finder.create(), /is not public \(loopback\)/);
    assert.deepEqual(finder.failed, [
      `tcp host.test:${port}`,
      `lookup host.test:${forbidden.port}`,
    ]);
    assert.equal(forbidden.reached, 0);
  },
);

onBothFronts(
  "S-006 of public and other addresses of one host, only the public ones are dialled",
  async () => {
    await using open = await welcomingServer({ hostname: PUBLIC });
    await using forbidden = await Forbidden.listen(open.port);
    const records = (name: string): Omit<WrittenRecord, "ttl">[] => {
      if (name.startsWith("_xmpp-client.")) {
        return [{ name, type: "SRV", data: `1 1 ${open.port} host.test` }];
      }
      const ipv4 = ["127.0.0.1", "10.0.0.1", PUBLIC, "0.0.0.0"];
      const ipv6 = ["::1", "::ffff:7f00:1", "::ffff:7f4d:1"];
      return name.startsWith("_") ? [] : [
        ...ipv6.map((data) => ({ name, type: "AAAA" as const, data })),
        ...ipv4.map((data) => ({ name, type: "A" as const, data })),
      ];
    };
    await using dns = await ScriptedNameServer.listen(zone(records));
    await using finder = await Finder.start(dns, STAND_IN);
    assertUp(await finder.create());
    assert.equal(finder.failed.length, 6);
    assert.ok(finder.failed.every((failure) => failure.startsWith("lookup ")));
    assert.deepEqual([open.accepted, forbidden.reached], [1, 0]);
  },
);

/** The stream error with which a server sends its clients elsewhere. */
function elsewhere(host: string): string {
  return "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>" +
    `${host}</see-other-host></stream:error></stream:stream>`;
}

onBothFronts(
  "S-006 U-022 a stranger's server sends us nowhere where its records would not",
  async () => {
    await using open = await ScriptedServer.listen({ hostname: PUBLIC });
    await using forbidden = await Forbidden.listen();
    await using dns = await ScriptedNameServer.listen((question) => {
      const { name } = question;
      if (name === "_xmpp-client._tcp.stranger.test") {
        return { answers: [{ name, type: "SRV", ttl: 0, data: `1 1 ${open.port} ${PUBLIC}` }] };
      }
      return toLoopback(forbidden.port)(question);
    });
    await using finder = await Finder.start(dns, STAND_IN);
    const hosts = [
      ...TARGETS,
      "[::1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:127.77.0.1]",
      "[64:ff9b::127.0.0.1]",
      "[fe80::1%lo]",
      "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    ];
    for (const host of hosts.flatMap((host) => [`${host}:${forbidden.port}`, host])) {
      const before = finder.failed.length;
      const creating = finder.create("stranger.test");
      const upstream = await open.accept();
      await nextHeader(upstream);
      upstream.write(streamHeader("1") + elsewhere(host));
      const { condition, text } = await creating;
      assert.match(condition ?? "", /^remote-/, `${host}: ${text}`);
      const [first, ...others] = finder.failed.slice(before);
      assert.match(first ?? "", /^stream /, host);
      assert.ok(others.length > 0, host);
      assert.ok(others.every((failure) => failure.startsWith("lookup ")), `${host}: ${others}`);
    }
    assert.equal(forbidden.reached, 0);
  },
);

onBothFronts(
  "S-006 U-022 a server whose certificate nobody looks at sends nobody into a private network",
  async () => {
    await using forbidden = await Forbidden.listen();
    await using stage = await Stage.set({ domain: "verify = false", certificate: "self-signed" });
    const creating = stage.client().create(CREATION);
    const upstream = await stage.server.accept();
    await nextHeader(upstream);
    upstream.write(
      streamHeader("1") +
        "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
    );
    await upstream.startTls();
    await nextHeader(upstream);
    upstream.write(streamHeader("2") + elsewhere(`127.0.0.1:${forbidden.port}`));
    assertFailed(await creating, /the address of 127\.0\.0\.1 is not public \(loopback\)/);
    assert.equal(forbidden.reached, 0);
  },
);

onBothFronts(
  "S-006 B-037 a route that only a pattern allows is judged, one that is written out is the operator's word",
  async () => {
    await using open = await welcomingServer();
    await using forbidden = await Forbidden.listen();
    await using dns = await ScriptedNameServer.listen(toLoopback(forbidden.port));
    await using finder = await Finder.start(dns, {
      upstream: `tls = "never"\nallow_route = ["*.test:*", "inside.test:${open.port}"]`,
      mayDial: inEarnest,
    });
    const route = (host: string, port: number) =>
      finder.create("example.test", `route='xmpp:${host}:${port}'`);
    assertFailed(await route("inside.test", forbidden.port), /is not public \(loopback\)/);
    assertFailed(await route("other.test", forbidden.port), /is not public \(loopback\)/);
    assert.equal(finder.failed.every((failure) => failure.startsWith("lookup ")), true);
    assertUp(await route("inside.test", open.port));
    for (const host of ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "localhost"]) {
      const { condition } = await route(host, forbidden.port);
      assert.match(condition ?? "", /^(?:host-unknown|bad-request)$/, host);
    }
    assert.equal(forbidden.reached, 0);
  },
);
