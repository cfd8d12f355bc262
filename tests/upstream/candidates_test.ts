import assert from "node:assert/strict";
import { Meter } from "../../src/meter.ts";
import {
  type Candidate,
  candidates,
  type Failure,
  redirection,
} from "../../src/upstream/candidates.ts";
import { Resolver } from "../../src/upstream/dns/resolver.ts";
import type { System } from "../../src/upstream/dns/system.ts";
import { Families } from "../../src/upstream/families.ts";
import { isPublic } from "../../src/upstream/policy.ts";
import {
  type Script,
  ScriptedNameServer,
  type WrittenRecord,
  type WrittenReply,
} from "../support/scripted_dns.ts";
import { TestClock } from "../support/test_clock.ts";

type Settings = Parameters<typeof candidates>[1];

interface Setup {
  readonly settings?: Partial<Settings>;
  readonly system?: Partial<System>;
  readonly mayDial?: (address: string) => boolean;
  readonly script?: Script;
}

/** What one connector knows, and a name server that it asks. */
async function stage({ settings, system, mayDial = () => true, script }: Setup = {}) {
  const server = await ScriptedNameServer.listen(script);
  const clock = new TestClock();
  const unused = () => Promise.reject(new Error("the system was asked"));
  const resolver = new Resolver(clock, {
    nameservers: unused,
    hosts: unused,
    lookup: unused,
    ...system,
  });
  const families = new Families(clock);
  const all: Settings = {
    connect: [],
    connectTimeout: 10_000,
    nameserver: server,
    tls: "required",
    ...settings,
  };
  const how = {
    clock,
    resolver,
    families,
    meter: new Meter(clock),
    cancelled: new AbortController().signal,
    random: () => 0,
    mayDial,
  };
  const search = (domain = "example.test") => candidates(domain, all, how);
  return {
    server,
    resolver,
    clock,
    search,
    /** All places, as `address:port`, or why there is none. */
    async places(domain?: string): Promise<string[]> {
      const places: string[] = [];
      for await (const place of search(domain)) places.push(words(place));
      return places;
    },
    /** The same for where a server of `example.test` sends us. */
    async elsewhere(otherHost: string): Promise<string[]> {
      const places: string[] = [];
      const others = redirection("example.test", { otherHost, direct: false }, all, how);
      for await (const place of others) places.push(words(place));
      return places;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function words(place: Candidate | Failure): string {
  return "reason" in place ? place.reason : `${place.hostname} ${place.port}`;
}

/** A name server's records; of what it has not, it says that it has not. */
function zone(
  records: readonly WrittenRecord[],
): (asked: { name: string; type: string }) => WrittenReply {
  return ({ name, type }) => ({
    answers: records.filter((record) => record.name === name && record.type === type),
    authorities: [{ name: "test", type: "SOA", data: "60" }],
  });
}

const SRV = (data: string): WrittenRecord => (
  { name: "_xmpp-client._tcp.example.test", type: "SRV", data }
);

Deno.test("D-008 D-010 what the operator wrote is tried in order, each with all its addresses, and DNS is not asked", async () => {
  const connect = [
    { hostname: "b.internal", port: 1, direct: false },
    { hostname: "192.0.2.9", port: 2, direct: true },
    { hostname: "a.internal", port: 3, direct: false },
  ];
  const known: Record<string, string[]> = {
    "a.internal": ["10.0.0.1"],
    "b.internal": ["10.0.0.2", "10.0.0.3", "fd00::2"],
  };
  await using at = await stage({
    settings: { connect, nameserver: undefined },
    system: { lookup: (name) => Promise.resolve(known[name]!) },
    mayDial: isPublic,
  });
  assert.deepEqual(await at.places(), [
    "fd00::2 1",
    "10.0.0.2 1",
    "10.0.0.3 1",
    "192.0.2.9 2",
    "10.0.0.1 3",
  ]);
});

Deno.test("D-008 D-010 with a name server of the operator's, names that the operator wrote are its own", async () => {
  await using at = await stage({
    settings: { connect: [{ hostname: "A.internal", port: 1, direct: false }] },
    script: zone([{ name: "a.internal", type: "A", data: "10.0.0.1" }]),
  });
  assert.deepEqual(await at.places(), ["10.0.0.1 1"]);
});

Deno.test("D-010 the families of a host come by turns, and one of many is not lost", async () => {
  const many = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  await using at = await stage({
    script: zone([
      SRV("1 1 5222 a.test"),
      ...many.map((i): WrittenRecord => ({ name: "a.test", type: "AAAA", data: `2001:db8::${i}` })),
      { name: "a.test", type: "A", data: "192.0.2.1" },
    ]),
  });
  assert.deepEqual(await at.places(), [
    "2001:db8::1 5222",
    "192.0.2.1 5222",
    ...many.slice(1, 7).map((i) => `2001:db8::${i} 5222`),
  ]);
});

Deno.test("D-010 a family that is silent costs a quarter of the time, and once", async () => {
  await using at = await stage({
    script: zone([
      SRV("1 1 5222 a.test"),
      { name: "a.test", type: "AAAA", ttl: 600, data: "2001:db8::1" },
      { name: "a.test", type: "AAAA", ttl: 600, data: "2001:db8::2" },
      { name: "a.test", type: "A", ttl: 600, data: "192.0.2.1" },
    ]),
  });
  const tried: string[] = [];
  for await (const place of at.search()) {
    assert.ok(!("reason" in place));
    tried.push(`${place.hostname} ${place.patience}`);
    place.silent();
  }
  assert.deepEqual(tried, ["2001:db8::1 2500", "192.0.2.1 10000", "2001:db8::2 10000"]);
  assert.deepEqual(await at.places(), ["192.0.2.1 5222", "2001:db8::1 5222", "2001:db8::2 5222"]);
});

Deno.test("D-010 a family that answers, and then has no stream, is not silent", async () => {
  await using at = await stage({
    script: zone([
      SRV("1 1 5222 a.test"),
      { name: "a.test", type: "AAAA", data: "2001:db8::1" },
      { name: "a.test", type: "A", data: "192.0.2.1" },
    ]),
  });
  const expected = ["2001:db8::1 5222", "192.0.2.1 5222"];
  assert.deepEqual([await at.places(), await at.places()], [expected, expected]);
});

Deno.test("D-010 what the hosts file says of a host is believed, unless the operator named a name server", async () => {
  const system: Partial<System> = {
    hosts: (name) => Promise.resolve(name === "a.test" ? ["192.0.2.1"] : undefined),
  };
  const script = zone([SRV("1 1 5222 a.test"), { name: "a.test", type: "A", data: "192.0.2.2" }]);
  await using server = await ScriptedNameServer.listen(script);
  await using at = await stage({
    settings: { nameserver: undefined },
    system: { ...system, nameservers: () => Promise.resolve([server]) },
  });
  assert.deepEqual(await at.places(), ["192.0.2.1 5222"]);
  assert.ok(!server.log.includes("udp A a.test"));
  await using other = await stage({ system, script });
  assert.deepEqual(await other.places(), ["192.0.2.2 5222"]);
});

Deno.test("D-012 SRV lookups that fail lead to the domain's own address, as no response does", async () => {
  await using at = await stage({
    script: ({ name, type }) =>
      type === "SRV" ? { rcode: 2 } : zone([{ name, type: "A", data: "192.0.2.1" }])(
        { name, type },
      ),
  });
  assert.deepEqual(await at.places(), ["192.0.2.1 5222"]);
});

Deno.test("D-012 records whose port or target nobody can have are of no use, and there is no fall-back", async () => {
  await using at = await stage({
    script: zone([
      SRV("1 1 0 a.test"),
      SRV("2 1 5222 -a.test"),
      SRV("3 1 5222 a*b.test"),
      { name: "example.test", type: "A", data: "192.0.2.1" },
      { name: "a.test", type: "A", data: "192.0.2.1" },
    ]),
  });
  assert.deepEqual(await at.places(), [
    "its DNS records say that it has no XMPP service for clients",
  ]);
});

Deno.test("a mistake of ours in a lookup is not taken for an answer", async () => {
  await using at = await stage({ settings: { nameserver: undefined } });
  await assert.rejects(at.places(), { name: "Error", message: "the system was asked" });
});

Deno.test("D-013 all lookups of a search together have one deadline", async () => {
  await using at = await stage({
    script: ({ name, type }) =>
      name.startsWith("_") && type === "SRV"
        ? zone([SRV("1 1 5222 a.test"), SRV("2 1 5222 b.test")])(
          { name, type },
        )
        : undefined,
  });
  const search = at.search();
  const first = search.next();
  await at.server.questions.take();
  await at.server.questions.take();
  at.clock.advance(8_000);
  assert.equal(words((await first).value!), "no answer from the name server");
  // The questions about the first host came several times.
  const second = search.next();
  while ((await at.server.questions.take()).name !== "b.test");
  at.clock.advance(2_000);
  assert.equal(words((await second).value!), "no answer from the name server within 10 s");
});

Deno.test("D-010 when one family has come, the other one is waited for two seconds", async () => {
  await using at = await stage({
    script: ({ name, type }) =>
      type === "AAAA" ? undefined : zone([
        SRV("1 1 5222 a.test"),
        { name: "a.test", type: "A", data: "192.0.2.1" },
      ])({ name, type }),
  });
  // What is remembered comes at once, so the second begins before the question arrives.
  const { signal } = new AbortController();
  await at.resolver.records("a.test", "A", { nameserver: at.server, signal });
  const place = at.search().next();
  await at.server.questions.take();
  at.clock.advance(2_000);
  assert.equal(words((await place).value!), "192.0.2.1 5222");
});

Deno.test("D-009 D-011 that there is no service one way does not hurry the other, nor stand for it", async () => {
  const none: WrittenRecord = {
    name: "_xmpps-client._tcp.example.test",
    type: "SRV",
    data: "0 0 0 .",
  };
  await using failing = await stage({
    script: ({ name, type }) =>
      name.startsWith("_xmpp-") ? { rcode: 2 } : zone([none])({ name, type }),
  });
  assert.match((await failing.places()).join(), /^the name server has no answer \(SERVFAIL\)$/);
  await using late = await stage({
    script: ({ name, type }) =>
      name.startsWith("_xmpp-") ? undefined : zone([none])({ name, type }),
  });
  const place = late.search().next();
  const asked = await late.server.questions.take();
  // Long enough for the other answer, and for the question to be asked again.
  late.clock.advance(1_000);
  await late.server.questions.take();
  late.clock.advance(1_000);
  asked.answer(zone([SRV("1 1 5222 a.test")])(asked));
  assert.equal(words((await place).value!), "DNS has no address for a.test");
});

Deno.test("S-006 an address that no stranger may choose is refused, also by an alias, also from memory", async () => {
  await using at = await stage({
    mayDial: isPublic,
    script: ({ name, type }) => {
      const records = zone([SRV("1 1 5222 a.test")])({ name, type });
      if (name !== "a.test" || type !== "A") return records;
      return {
        answers: [
          { name: "a.test", type: "CNAME", data: "b.test" },
          { name: "b.test", type: "A", data: "10.0.0.1" },
          { name: "b.test", type: "A", data: "192.0.2.1" },
          { name: "b.test", type: "A", data: "93.184.215.14" },
        ],
      };
    },
  });
  for (let i = 0; i < 2; i++) {
    const [first, second, third, ...others] = await at.places();
    assert.match(first!, /^the address of a.test is not public \(private\)/);
    assert.match(second!, /^the address of a.test is not public \(documentation\)/);
    assert.deepEqual([third, ...others], ["93.184.215.14 5222"]);
  }
  assert.equal(at.server.log.length, 4);
});

Deno.test("U-022 a place that a server sends us to is one with a port, or what DNS has for its name", async () => {
  await using there = await stage({
    script: zone([
      { name: "other.test", type: "A", data: "192.0.2.1" },
      { name: "_xmpp-client._tcp.other.test", type: "SRV", data: "0 0 5300 host.other.test" },
      { name: "host.other.test", type: "A", data: "192.0.2.2" },
    ]),
  });
  assert.deepEqual(await there.elsewhere("other.test:5333"), ["192.0.2.1 5333"]);
  assert.deepEqual(await there.elsewhere("other.test"), ["192.0.2.2 5300"]);
  assert.deepEqual(await there.elsewhere("192.0.2.3"), ["192.0.2.3 5222"]);
  assert.deepEqual(await there.elsewhere("[2001:db8::1]:5223"), ["2001:db8::1 5223"]);
  for (const nowhere of ["", "a b", "x:0", "x:65536", "x:y", "[x]:1"]) {
    assert.match((await there.elsewhere(nowhere)).join(), /does not say where$/, nowhere);
  }
});

Deno.test("U-022 S-006 a server that a stranger chose cannot send us where strangers may not", async () => {
  await using there = await stage({
    mayDial: isPublic,
    script: zone([{ name: "inside.test", type: "A", data: "10.0.0.1" }]),
  });
  for (
    const host of [
      "inside.test:5222",
      "127.0.0.1:22",
      "localhost:5222",
      "[::1]:1",
      "169.254.169.254",
    ]
  ) {
    const places = await there.elsewhere(host);
    assert.ok(places.length > 0);
    for (const place of places) assert.match(place, / is not public \(/, host);
  }
});
