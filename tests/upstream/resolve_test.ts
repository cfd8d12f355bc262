import assert from "node:assert/strict";
import { systemClock } from "../../src/clock.ts";
import { Resolver } from "../../src/upstream/dns/resolver.ts";
import {
  addresses,
  asciiDomain,
  order,
  type ResolveOptions,
  services,
} from "../../src/upstream/resolve.ts";
import { haveProgram } from "../support/programs.ts";
import { NameServer } from "../support/upstream_dns.ts";

const SRV = "srv-host=_xmpp-client._tcp.example.test";
const SRV_DIRECT = "srv-host=_xmpps-client._tcp.example.test";

function asking(nameserver: ResolveOptions["nameserver"]): ResolveOptions {
  const { signal } = new AbortController();
  return { resolver: new Resolver(systemClock), nameserver, clock: systemClock, signal };
}

/** What a name server with these records makes of a domain, as `host:port` and `direct`. */
async function found(
  records: readonly string[],
  { domain = "example.test", directTls = true }: { domain?: string; directTls?: boolean } = {},
): Promise<{ services: string[]; queries: string[] }> {
  await using nameserver = await NameServer.start(...records);
  const list = await services(domain, {
    ...asking(nameserver),
    directTls,
    random: () => 0,
  });
  return {
    services: list.map(({ hostname, port, direct }) =>
      `${hostname}:${port}${direct ? " direct" : ""}`
    ),
    queries: nameserver.queries,
  };
}

function dnsTest(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name,
    ...haveProgram("dnsmasq"),
    sanitizeOps: true,
    sanitizeResources: true,
    fn,
  });
}

dnsTest("D-008 both SRV names of the domain are asked for, and nothing else", async () => {
  const { queries } = await found([`${SRV},xmpp.example.test,5222`]);
  assert.deepEqual(queries, [
    "SRV _xmpp-client._tcp.example.test",
    "SRV _xmpps-client._tcp.example.test",
  ]);
});

dnsTest("D-009 xmpp and xmpps records are one list by priority", async () => {
  const { services } = await found([
    `${SRV},a.example.test,5222,10,1`,
    `${SRV_DIRECT},b.example.test,443,5,1`,
    `${SRV},c.example.test,5223,1,1`,
    `${SRV_DIRECT},d.example.test,5223,20,1`,
  ]);
  assert.deepEqual(services, [
    "c.example.test:5223",
    "b.example.test:443 direct",
    "a.example.test:5222",
    "d.example.test:5223 direct",
  ]);
});

dnsTest("D-009 xmpps records are left out when TLS is never to be used", async () => {
  const { services } = await found([
    `${SRV},a.example.test,5222,10`,
    `${SRV_DIRECT},b.example.test,443,5`,
  ], { directTls: false });
  assert.deepEqual(services, ["a.example.test:5222"]);
});

// A `srv-host` without a target is dnsmasq's way to write the target ".".
dnsTest('D-011 "." for xmpps leaves the xmpp records', async () => {
  const { services } = await found([`${SRV},a.example.test,5222`, SRV_DIRECT]);
  assert.deepEqual(services, ["a.example.test:5222"]);
});

dnsTest('D-011 "." for xmpp leaves the xmpps records', async () => {
  const { services } = await found([SRV, `${SRV_DIRECT},b.example.test,443`]);
  assert.deepEqual(services, ["b.example.test:443 direct"]);
});

dnsTest('D-011 "." for both is no service, whatever address the domain has', async () => {
  const { services, queries } = await found([
    SRV,
    SRV_DIRECT,
    "host-record=example.test,192.0.2.1",
  ]);
  assert.deepEqual(services, []);
  assert.equal(queries.length, 2);
});

dnsTest('D-011 "." for one and nothing for the other is no service', async () => {
  const address = "host-record=example.test,192.0.2.1";
  assert.deepEqual((await found([SRV, address])).services, []);
  assert.deepEqual((await found([SRV_DIRECT, address])).services, []);
});

dnsTest("D-012 without SRV records the domain itself is tried on port 5222", async () => {
  const { services } = await found(["host-record=example.test,192.0.2.1"]);
  assert.deepEqual(services, ["example.test:5222"]);
});

dnsTest("D-013 an internationalised domain is asked for by its A-labels", async () => {
  const domain = asciiDomain("Bücher.Test") ?? "";
  const { services } = await found([
    "srv-host=_xmpp-client._tcp.xn--bcher-kva.test,a.example.test,5222",
  ], { domain });
  assert.deepEqual(services, ["a.example.test:5222"]);
});

dnsTest("D-010 all addresses of a host are found, IPv6 first", async () => {
  await using nameserver = await NameServer.start(
    "host-record=xmpp.example.test,192.0.2.1,2001:db8::1",
    "host-record=xmpp.example.test,192.0.2.2",
  );
  const options = asking(nameserver);
  const all = await addresses("xmpp.example.test", options);
  assert.equal(all[0], "2001:db8::1");
  assert.deepEqual(all.slice(1).sort(), ["192.0.2.1", "192.0.2.2"]);
  assert.deepEqual(await addresses("nobody.example.test", options), []);
});

dnsTest("however much a domain's owner writes, a bounded part of it is tried", async () => {
  const many = Array.from({ length: 20 }, (_, i) => i + 1);
  const { services } = await found(many.map((i) => `${SRV},a.example.test,${i},${i}`));
  assert.deepEqual(services, many.slice(0, 8).map((i) => `a.example.test:${i}`));
  await using nameserver = await NameServer.start(
    ...many.map((i) => `host-record=a.example.test,192.0.2.${i}`),
  );
  const options = asking(nameserver);
  assert.equal((await addresses("a.example.test", options)).length, 8);
});

Deno.test("an address and localhost are not asked for", async () => {
  const options = asking(undefined);
  assert.deepEqual(await addresses("192.0.2.1", options), ["192.0.2.1"]);
  assert.deepEqual(await addresses("2001:db8::1", options), ["2001:db8::1"]);
  assert.deepEqual(await addresses("localhost", options), ["::1", "127.0.0.1"]);
  const list = await services("app.localhost", { ...options, directTls: true, random: () => 0 });
  assert.deepEqual(list, [{ hostname: "app.localhost", port: 5222, direct: false }]);
});

Deno.test("D-013 a domain is brought into the form of DNS, or is none", () => {
  const forms: Record<string, string | undefined> = {
    "Example.Test": "example.test",
    "example.test.": "example.test",
    "bücher.test": "xn--bcher-kva.test",
    "[2001:DB8::1]": "2001:db8::1",
    "192.0.2.1": "192.0.2.1",
    "_service.test": "_service.test",
    "": undefined,
    "a b": undefined,
    "a/b": undefined,
    "a..b": undefined,
    'a"b': undefined,
    ".test": undefined,
    "-a.test": undefined,
    [`${"a".repeat(64)}.test`]: undefined,
    [`${"a.".repeat(127)}test`]: undefined,
  };
  for (const [domain, form] of Object.entries(forms)) {
    assert.equal(asciiDomain(domain), form, JSON.stringify(domain));
  }
});

/** A generator of numbers that is the same in every run. */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return seed / 2 ** 32;
  };
}

function record(target: string, priority: number, weight: number) {
  return { record: { target, priority, weight, port: 5222 } };
}

Deno.test("D-009 within a priority the weight decides how often a record comes first", () => {
  const random = seeded(1);
  const entries = [record("heavy", 1, 3), record("light", 1, 1), record("late", 2, 100)];
  let heavyFirst = 0;
  for (let i = 0; i < 400; i++) {
    const targets = order(entries, random).map(({ record }) => record.target);
    assert.equal(targets[2], "late");
    if (targets[0] === "heavy") heavyFirst++;
  }
  assert.ok(heavyFirst > 240 && heavyFirst < 360, `${heavyFirst} of 400, expected about 300`);
});

Deno.test("D-009 records of weight 0 take turns among themselves and seldom come before others", () => {
  const random = seeded(2);
  const firsts = { a: 0, b: 0 };
  for (let i = 0; i < 400; i++) {
    const first = order([record("a", 1, 0), record("b", 1, 0)], random)[0]?.record.target;
    firsts[first as "a" | "b"]++;
  }
  assert.ok(firsts.a > 120 && firsts.b > 120, JSON.stringify(firsts));
  let zeroFirst = 0;
  for (let i = 0; i < 400; i++) {
    const first = order([record("zero", 1, 0), record("ten", 1, 10)], random)[0]?.record.target;
    if (first === "zero") zeroFirst++;
  }
  assert.ok(zeroFirst < 20, `${zeroFirst} of 400`);
});
