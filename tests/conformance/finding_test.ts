import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../src/clock.ts";
import { isLoopback } from "../../src/config/address.ts";
import { isPublic } from "../../src/upstream/policy.ts";
import { assertFailed, assertUp, Finder, welcomingServer } from "../support/finder.ts";
import { onBothFronts } from "../support/fronts.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { ScriptedNameServer, type WrittenRecord } from "../support/scripted_dns.ts";
import { TestClock } from "../support/test_clock.ts";
import { NameServer } from "../support/upstream_dns.ts";
import { ScriptedServer } from "../support/upstream_server.ts";

const SRV = "srv-host=_xmpp-client._tcp.example.test";
const SRV_DIRECT = "srv-host=_xmpps-client._tcp.example.test";
const HOST = "host-record=host.example.test,127.0.0.1";

/** A port of loopback where nobody listens. */
async function deadPort(): Promise<number> {
  const dead = await ScriptedServer.listen();
  await dead[Symbol.asyncDispose]();
  return dead.port;
}

function dnsTest(name: string, fn: () => Promise<void>): void {
  onBothFronts({ name, ...haveProgram("dnsmasq"), fn });
}

const IN_CLEAR = { upstream: 'tls = "never"' };

dnsTest("D-008 both SRV names are asked for, then the addresses of what they name", async () => {
  await using xmpp = await welcomingServer();
  await using dns = await NameServer.start(`${SRV},host.example.test,${xmpp.port}`, HOST);
  await using finder = await Finder.start(dns, IN_CLEAR);
  assertUp(await finder.create());
  assert.deepEqual(dns.queries, [
    "A host.example.test",
    "AAAA host.example.test",
    "SRV _xmpp-client._tcp.example.test",
    "SRV _xmpps-client._tcp.example.test",
  ]);
});

dnsTest(
  "D-008 D-010 hosts and ports of the configuration are tried in order, and DNS is not asked for others",
  async () => {
    await using xmpp = await welcomingServer();
    await using dns = await NameServer.start(
      `${SRV},host.example.test,${await deadPort()}`,
      HOST,
      "host-record=inside.test,127.0.0.9,127.0.0.1",
    );
    const dead = await deadPort();
    const connect = `connect = ["xmpp://127.0.0.1:${dead}", "xmpp://inside.test:${xmpp.port}"]`;
    await using finder = await Finder.start(dns, {
      upstream: `tls = "never"\n[domains."example.test"]\n${connect}`,
    });
    assertUp(await finder.create());
    assert.equal(finder.failed[0], `tcp 127.0.0.1:${dead}`);
    assert.deepEqual(finder.reached, [`inside.test:${xmpp.port} none`]);
    assert.deepEqual(dns.queries, ["A inside.test", "AAAA inside.test"]);
  },
);

dnsTest(
  "D-009 xmpps before xmpp by priority, each in its own manner, and the next one when it fails",
  async () => {
    await using direct = await welcomingServer({ kind: "direct", certificate: "other.test" });
    await using starttls = await welcomingServer({ kind: "starttls" });
    await using dns = await NameServer.start(
      `${SRV_DIRECT},host.example.test,${direct.port},5`,
      `${SRV},host.example.test,${starttls.port},10`,
      HOST,
    );
    await using finder = await Finder.start(dns);
    assertUp(await finder.create());
    assert.deepEqual(finder.failed, [`tls host.example.test:${direct.port}`]);
    assert.deepEqual(finder.reached, [`host.example.test:${starttls.port} starttls`]);

    await using good = await welcomingServer({ kind: "direct" });
    await using other = await NameServer.start(
      `${SRV},host.example.test,${starttls.port},10`,
      `${SRV_DIRECT},host.example.test,${good.port},5`,
      HOST,
    );
    await using second = await Finder.start(other);
    assertUp(await second.create());
    assert.deepEqual(second.reached, [`host.example.test:${good.port} direct`]);
  },
);

dnsTest(
  "D-009 within a priority a weight of 3 to 1 comes first in 3 of 4 of 400 sessions",
  async () => {
    const port = await deadPort();
    await using dns = await NameServer.start(
      "local-ttl=300",
      `${SRV},heavy.example.test,${port},1,3`,
      `${SRV_DIRECT},light.example.test,${port},1,1`,
      "host-record=heavy.example.test,127.0.0.1",
      "host-record=light.example.test,127.0.0.1",
    );
    let seed = 1;
    const random = () => (seed = (seed * 1_664_525 + 1_013_904_223) % 2 ** 32) / 2 ** 32;
    await using finder = await Finder.start(dns, { random });
    for (let i = 0; i < 40; i++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => finder.create()));
      for (const answer of answers) assertFailed(answer, /connection refused/);
    }
    // The one that is tried first is the one that something is tried after.
    const first = finder.events.filter((event) =>
      event.type === "upstream-failed" && event.retrying
    );
    const heavy = first.filter((event) => "target" in event && event.target.startsWith("heavy"));
    assert.equal(first.length, 400);
    assert.ok(heavy.length > 240 && heavy.length < 360, `${heavy.length} of 400`);
  },
);

dnsTest(
  "D-010 all addresses of a target, of both families, are tried before the next target",
  async () => {
    await using xmpp = await welcomingServer({ hostname: "127.0.0.3" });
    const { port } = xmpp;
    await using dns = await NameServer.start(
      `${SRV},two.example.test,${port},1`,
      `${SRV},three.example.test,${port},2`,
      "host-record=two.example.test,127.0.0.2,::1",
      "host-record=three.example.test,127.0.0.3,::1",
    );
    await using finder = await Finder.start(dns, IN_CLEAR);
    assertUp(await finder.create());
    const [two, three] = [`tcp two.example.test:${port}`, `tcp three.example.test:${port}`];
    assert.deepEqual(finder.failed, [two, two, three]);
    assert.deepEqual(finder.reached, [`three.example.test:${port} none`]);
  },
);

dnsTest(
  "D-010 an address family that is silent costs the first session a quarter of its time, and the next one nothing",
  async () => {
    await using silent = await welcomingServer({ hostname: "::1" });
    const { port } = silent;
    await using xmpp = await welcomingServer({ port });
    await using dns = await NameServer.start(
      `${SRV},host.example.test,${port}`,
      "host-record=host.example.test,127.0.0.1,::1",
    );
    // Nothing on loopback is silent: the time is over before the connection is up.
    let passed = 0;
    const clock: Clock = {
      now: () => systemClock.now() + passed,
      after(ms, sleeper) {
        if (ms !== 2_500) return systemClock.after(ms, sleeper);
        passed += ms;
        queueMicrotask(() => sleeper.wake());
        return { cancel() {} };
      },
    };
    await using finder = await Finder.start(dns, { ...IN_CLEAR, clock });
    for (let i = 1; i < 3; i++) {
      assertUp(await finder.create());
      assert.deepEqual(finder.failed, [`tcp host.example.test:${port}`]);
      assert.equal(xmpp.accepted, i);
    }
  },
);

dnsTest("D-010 a target that has IPv6 alone is reached by it", async () => {
  await using xmpp = await welcomingServer({ hostname: "::1" });
  await using dns = await NameServer.start(
    `${SRV},six.example.test,${xmpp.port}`,
    "host-record=six.example.test,::1",
  );
  await using finder = await Finder.start(dns, IN_CLEAR);
  assertUp(await finder.create());
  assert.deepEqual(finder.failed, []);
});

// A `srv-host` without a target is dnsmasq's way to write the target ".".
dnsTest(
  'D-011 "." says that a service is not offered, and then the domain\'s address is not used',
  async () => {
    const address = "host-record=example.test,127.0.0.1";
    {
      await using xmpp = await welcomingServer({ kind: "starttls" });
      const record = `${SRV},host.example.test,${xmpp.port}`;
      await using dns = await NameServer.start(SRV_DIRECT, record, HOST, address);
      await using finder = await Finder.start(dns);
      assertUp(await finder.create());
      assert.deepEqual(finder.reached, [`host.example.test:${xmpp.port} starttls`]);
    }
    {
      await using xmpp = await welcomingServer({ kind: "direct" });
      const record = `${SRV_DIRECT},host.example.test,${xmpp.port}`;
      await using dns = await NameServer.start(SRV, record, HOST, address);
      await using finder = await Finder.start(dns);
      assertUp(await finder.create());
      assert.deepEqual(finder.reached, [`host.example.test:${xmpp.port} direct`]);
    }
    for (const records of [[SRV, SRV_DIRECT], [SRV], [SRV_DIRECT]]) {
      await using dns = await NameServer.start(...records, address);
      await using finder = await Finder.start(dns);
      assertFailed(await finder.create(), /its DNS records say that it has no XMPP service/);
      assert.ok(dns.queries.every((query) => query.startsWith("SRV ")), dns.queries.join());
    }
  },
);

dnsTest(
  "D-012 SRV records that are of no use are the end, whatever address the domain has",
  async () => {
    await using dns = await NameServer.start(
      `${SRV},nobody.example.test,5222`,
      "host-record=example.test,127.0.0.1",
    );
    await using finder = await Finder.start(dns);
    assertFailed(await finder.create(), /DNS has no address for nobody\.example\.test/);
    assert.ok(!dns.queries.includes("A example.test"), dns.queries.join());
  },
);

/** An address of loopback that nobody else uses, so that its port 5222 is free. */
function ownAddress(): string {
  const [a, b, c] = crypto.getRandomValues(new Uint8Array(3));
  return `127.${a}.${b}.${1 + c! % 254}`;
}

dnsTest("D-012 without any SRV record the domain's own address is used on port 5222", async () => {
  const hostname = ownAddress();
  await using xmpp = await welcomingServer({ hostname, port: 5222 });
  await using dns = await NameServer.start(`host-record=example.test,${hostname}`);
  await using finder = await Finder.start(dns, IN_CLEAR);
  assertUp(await finder.create());
  assert.deepEqual(finder.reached, ["example.test:5222 none"]);
  assert.equal(xmpp.accepted, 1);
});

onBothFronts("D-012 a name server that fails at SRV is as one that does not respond", async () => {
  const hostname = ownAddress();
  await using _xmpp = await welcomingServer({ hostname, port: 5222 });
  await using dns = await ScriptedNameServer.listen(({ name, type }) =>
    type === "SRV"
      ? { rcode: 2 }
      : { answers: type === "A" ? [{ name, type, data: hostname } as const] : [] }
  );
  await using finder = await Finder.start(dns, IN_CLEAR);
  assertUp(await finder.create());
});

dnsTest("D-013 a domain with letters beyond ASCII is asked for by its A-labels", async () => {
  await using xmpp = await welcomingServer();
  await using dns = await NameServer.start(
    `srv-host=_xmpp-client._tcp.xn--bcher-kva.test,host.example.test,${xmpp.port}`,
    HOST,
  );
  await using finder = await Finder.start(dns, IN_CLEAR);
  assertUp(await finder.create("bücher.test"));
  assert.ok(dns.queries.includes("SRV _xmpp-client._tcp.xn--bcher-kva.test"), dns.queries.join());
});

onBothFronts(
  "D-013 T-17 a name server that is silent is remote-connection-failed at the deadline",
  async () => {
    await using dns = await ScriptedNameServer.listen();
    const clock = new TestClock();
    await using finder = await Finder.start(dns, { clock });
    const creating = finder.create();
    const asked = async (...types: string[]) => {
      while (types.length > 0) {
        const { type } = await dns.questions.take();
        types = types.filter((other) => other !== type);
      }
    };
    await asked("SRV");
    clock.advance(8_000);
    await asked("A", "AAAA");
    clock.advance(1_999);
    assert.deepEqual(finder.failed, []);
    clock.advance(1);
    assertFailed(await creating, /no answer from the name server within 10 s/);
  },
);

dnsTest("D-013 what DNS says is remembered for its time to live", async () => {
  await using xmpp = await welcomingServer();
  await using dns = await NameServer.start(
    "local-ttl=20",
    `${SRV},host.example.test,${xmpp.port}`,
    `${SRV_DIRECT}`,
    "host-record=host.example.test,127.0.0.1,::1",
  );
  const clock = new TestClock();
  await using finder = await Finder.start(dns, { ...IN_CLEAR, clock });
  for (let i = 0; i < 3; i++) assertUp(await finder.create());
  assert.equal(dns.queries.length, 4, dns.queries.join());
  clock.advance(19_999);
  assertUp(await finder.create());
  assert.equal(dns.queries.length, 4, dns.queries.join());
  clock.advance(1);
  assertUp(await finder.create());
  assert.equal(dns.queries.length, 8, dns.queries.join());
});

dnsTest("D-013 a time to live of years is five minutes", async () => {
  await using xmpp = await welcomingServer();
  await using dns = await NameServer.start(
    "local-ttl=100000000",
    `${SRV},host.example.test,${xmpp.port}`,
    `${SRV_DIRECT}`,
    "host-record=host.example.test,127.0.0.1,::1",
  );
  const clock = new TestClock();
  await using finder = await Finder.start(dns, { ...IN_CLEAR, clock });
  assertUp(await finder.create());
  clock.advance(299_999);
  assertUp(await finder.create());
  assert.equal(dns.queries.length, 4, dns.queries.join());
  clock.advance(1);
  assertUp(await finder.create());
  assert.equal(dns.queries.length, 8, dns.queries.join());
});

onBothFronts(
  "D-013 that there is nothing is remembered as long as the zone says, and a failure for five seconds",
  async () => {
    const soa: WrittenRecord = { name: "test", type: "SOA", data: "30" };
    let rcode = 3;
    await using dns = await ScriptedNameServer.listen(() =>
      rcode === 3 ? { rcode, authorities: [soa] } : { rcode }
    );
    const clock = new TestClock();
    await using finder = await Finder.start(dns, { clock });
    const asks = async (count: number, reason: RegExp) => {
      const before = dns.log.length;
      assertFailed(await finder.create(), reason);
      assert.equal(dns.log.length - before, count, dns.log.slice(before).join());
    };
    await asks(4, /DNS has no address/);
    clock.advance(29_999);
    await asks(0, /DNS has no address/);
    clock.advance(1);
    rcode = 5;
    await asks(4, /the name server has no answer \(REFUSED\)/);
    clock.advance(4_999);
    await asks(0, /REFUSED/);
    clock.advance(1);
    await asks(4, /REFUSED/);
  },
);

onBothFronts(
  "D-013 sessions that want the same domain at the same time share its lookups",
  async () => {
    await using dns = await ScriptedNameServer.listen();
    await using finder = await Finder.start(dns, { clock: new TestClock() });
    const creating = Array.from({ length: 20 }, () => finder.create());
    const srv = [await dns.questions.take(), await dns.questions.take()];
    // All of them are under way when the answer comes.
    await until(() => finder.sessions === 20 ? true : undefined, "there are 20 sessions");
    for (const asked of srv) {
      asked.answer({ answers: [{ name: asked.name, type: "SRV", data: "0 0 0 ." }] });
    }
    for (const creation of creating) assertFailed(await creation, /no XMPP service/);
    assert.deepEqual(dns.log.sort(), [
      "udp SRV _xmpp-client._tcp.example.test",
      "udp SRV _xmpps-client._tcp.example.test",
    ]);
  },
);

onBothFronts(
  "D-013 what is lost is asked again, what does not fit comes by TCP, what is forged is not heard",
  async () => {
    await using xmpp = await welcomingServer();
    const data = `1 1 ${xmpp.port} host.example.test`;
    const lost = new Set<string>();
    await using dns = await ScriptedNameServer.listen((asked) => {
      const { name, type, transport } = asked;
      const key = `${type} ${name}`;
      if (!lost.has(key)) {
        lost.add(key);
        return undefined;
      }
      if (transport === "udp") {
        const forged = { name, type: "SRV", data: "1 1 1 forged.test" } as const;
        asked.answer({ answers: [forged], id: asked.id ^ 0x5555 });
        return { truncated: true };
      }
      if (type === "SRV") return { answers: [{ name, type, data }] };
      return { answers: type === "A" ? [{ name, type, data: "127.0.0.1" } as const] : [] };
    });
    const clock = new TestClock();
    await using finder = await Finder.start(dns, { ...IN_CLEAR, clock });
    const creating = finder.create();
    for (let i = 0; i < 2; i++) {
      for (let j = 0; j < 2; j++) await dns.questions.take();
      clock.advance(1_000);
    }
    assertUp(await creating);
    assert.deepEqual(finder.failed, []);
    assert.equal(dns.log.filter((line) => line.startsWith("tcp ")).length, 4, dns.log.join());
  },
);

dnsTest("D-013 records that no datagram holds are found all the same", async () => {
  await using xmpp = await welcomingServer();
  const records = Array.from(
    { length: 20 },
    (_, i) => `${SRV},a-host-with-a-name-of-some-length-${i}.example.test,${xmpp.port},${20 - i}`,
  );
  const best = "a-host-with-a-name-of-some-length-19.example.test";
  await using dns = await NameServer.start(...records, `host-record=${best},127.0.0.1`);
  await using finder = await Finder.start(dns, IN_CLEAR);
  assertUp(await finder.create());
  assert.deepEqual(finder.reached, [`${best}:${xmpp.port} none`]);
});

dnsTest(
  "S-006 no name leads a stranger to an address that is not public: by itself, by SRV, by an alias, from memory",
  async () => {
    await using xmpp = await welcomingServer();
    await using dns = await NameServer.start(
      "local-ttl=60",
      `${SRV},host.example.test,${xmpp.port},1`,
      `${SRV_DIRECT},alias.example.test,${xmpp.port},2`,
      "host-record=host.example.test,127.0.0.1,fd00::1",
      "cname=alias.example.test,host.example.test",
      "host-record=bare.test,10.0.0.1",
    );
    await using finder = await Finder.start(dns, {
      mayDial: (address) => isPublic(address) && isLoopback(address),
      clock: new TestClock(),
    });
    for (const domain of ["localhost", "127.0.0.1", "169.254.169.254", "bare.test"]) {
      assertFailed(await finder.create(domain), /is not public/);
    }
    for (let i = 0; i < 2; i++) {
      const before = finder.failed.length;
      assertFailed(await finder.create(), /is not public/);
      assert.deepEqual(finder.failed.slice(before), [
        `lookup host.example.test:${xmpp.port}`,
        `lookup host.example.test:${xmpp.port}`,
        `lookup alias.example.test:${xmpp.port}`,
        `lookup alias.example.test:${xmpp.port}`,
      ]);
    }
    assert.equal(xmpp.accepted, 0);
  },
);
