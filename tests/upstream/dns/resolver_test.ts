import assert from "node:assert/strict";
import { Resolver } from "../../../src/upstream/dns/resolver.ts";
import type { System } from "../../../src/upstream/dns/system.ts";
import { ScriptedNameServer, type WrittenRecord } from "../../support/scripted_dns.ts";
import { TestClock } from "../../support/test_clock.ts";

const SOA: WrittenRecord = { name: "test", type: "SOA", ttl: 60, data: "30" };

/** A machine that knows nothing by itself. */
const BARE: System = {
  nameservers: () => Promise.reject(new Error("the system's name servers were asked for")),
  hosts: () => Promise.resolve(undefined),
  lookup: () => Promise.reject(new Error("the system's lookup was used")),
};

Deno.test("D-013 what there is and what there is not is remembered, by its own time to live", async () => {
  await using server = await ScriptedNameServer.listen(({ name, type }) =>
    name === "a.test"
      ? { answers: [{ name, type: "A", ttl: 20, data: "192.0.2.1" }] }
      : { rcode: type === "A" ? 3 : 0, authorities: [SOA] }
  );
  const clock = new TestClock();
  const resolver = new Resolver(clock, BARE);
  const options = { nameserver: server, signal: new AbortController().signal };
  const look = async () => [
    await resolver.records("a.test", "A", options),
    await resolver.records("none.test", "A", options),
    await resolver.records("_x._tcp.a.test", "SRV", options),
  ];
  const found = [["192.0.2.1"], [], []];
  assert.deepEqual([await look(), await look()], [found, found]);
  assert.equal(server.log.length, 3);
  clock.advance(20_000);
  await look();
  assert.deepEqual(server.log.slice(3), ["udp A a.test"]);
  clock.advance(10_000);
  await look();
  assert.deepEqual(server.log.slice(4), ["udp A none.test", "udp SRV _x._tcp.a.test"]);
});

Deno.test("D-013 a name is one however it is spelled; a name server's word is its own", async () => {
  const say = (data: string) =>
    ScriptedNameServer.listen(({ name }) => ({ answers: [{ name, type: "A", data }] }));
  await using one = await say("192.0.2.1");
  await using other = await say("192.0.2.2");
  const resolver = new Resolver(new TestClock(), BARE);
  const { signal } = new AbortController();
  for (const name of ["a.test", "A.TEST"]) {
    const records = await resolver.records(name, "A", { nameserver: one, signal });
    assert.deepEqual(records, ["192.0.2.1"]);
  }
  assert.deepEqual(one.log, ["udp A a.test"]);
  const records = await resolver.records("a.test", "A", { nameserver: other, signal });
  assert.deepEqual(records, ["192.0.2.2"]);
});

Deno.test("D-008 without a name server of the operator's, the system's are asked", async () => {
  await using silent = await ScriptedNameServer.listen();
  await using server = await ScriptedNameServer.listen(({ name }) => ({
    answers: [{ name, type: "A", data: "192.0.2.1" }],
  }));
  const clock = new TestClock();
  const resolver = new Resolver(clock, {
    ...BARE,
    nameservers: () => Promise.resolve([silent, server]),
  });
  const { signal } = new AbortController();
  const records = resolver.records("a.test", "A", { nameserver: undefined, signal });
  await silent.questions.take();
  clock.advance(1_000);
  assert.deepEqual(await records, ["192.0.2.1"]);
});

Deno.test("D-013 the system's own lookups are shared and not kept", async () => {
  let lookups = 0;
  const resolver = new Resolver(new TestClock(), {
    ...BARE,
    lookup: () => Promise.resolve([`192.0.2.${++lookups}`]),
  });
  const { signal } = new AbortController();
  const twice = [resolver.system("a", signal), resolver.system("a", signal)];
  assert.deepEqual(await Promise.all(twice), [["192.0.2.1"], ["192.0.2.1"]]);
  assert.deepEqual(await resolver.system("a", signal), ["192.0.2.2"]);
});
