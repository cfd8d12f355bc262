import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { DnsClient } from "../../../src/upstream/dns/client.ts";
import type { ServerAddress } from "../../../src/upstream/dns/exchange.ts";
import { ScriptedNameServer, writeReply } from "../../support/scripted_dns.ts";
import { TestClock } from "../../support/test_clock.ts";

const A = { name: "a.test", type: "A" } as const;
const address = (data: string) => ({ answers: [{ name: "a.test", type: "A", data }] as const });

/** A client with a clock that stands still, and so many servers. */
async function stage(count = 1) {
  const servers: ScriptedNameServer[] = [];
  for (let i = 0; i < count; i++) servers.push(await ScriptedNameServer.listen());
  const clock = new TestClock();
  const client = new DnsClient(clock);
  const { signal } = new AbortController();
  const ask = (question: { name: string; type: "A" | "SRV" } = A) =>
    client.ask(question, servers, signal);
  return {
    servers,
    server: servers[0]!,
    clock,
    client,
    ask,
    async [Symbol.asyncDispose]() {
      assert.equal(clock.timers, 0, "timers are left");
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  };
}

Deno.test("D-013 a datagram that is lost is sent again, and the first answer counts", async () => {
  await using at = await stage();
  const answer = at.ask();
  const first = await at.server.questions.take();
  at.clock.advance(1_000);
  const second = await at.server.questions.take();
  // The same id from the same port: there is one pair to guess and not two.
  assert.deepEqual([second.id, second.port], [first.id, first.port]);
  first.answer(address("192.0.2.1"));
  assert.deepEqual(await answer, { records: ["192.0.2.1"], ttl: 60 });
  assert.deepEqual(at.server.log, ["udp A a.test", "udp A a.test"]);
});

Deno.test("D-013 a silent server is asked six times in eight seconds, and then there is no answer", async () => {
  await using at = await stage();
  const answer = assert.rejects(at.ask(), { message: "no answer from the name server" });
  await at.server.questions.take();
  for (const wait of [1_000, 1_000, 1_500, 1_500, 1_500]) {
    at.clock.advance(wait);
    await at.server.questions.take();
  }
  at.clock.advance(1_500);
  await answer;
});

Deno.test("D-013 name servers are asked in turn", async () => {
  await using at = await stage(3);
  const answer = at.ask();
  await at.servers[0]!.questions.take();
  at.clock.advance(1_000);
  // One that has no answer is done with, and the next one's turn comes at once.
  (await at.servers[1]!.questions.take()).answer({ rcode: 2 });
  await at.servers[2]!.questions.take();
  at.clock.advance(1_500);
  await at.servers[0]!.questions.take();
  at.clock.advance(1_500);
  const asked = await at.servers[2]!.questions.take();
  asked.answer(address("192.0.2.3"));
  assert.deepEqual((await answer).records, ["192.0.2.3"]);
  assert.equal(at.servers[1]!.log.length, 1);
});

for (
  const [rcode, name] of [[1, "code 1"], [2, "SERVFAIL"], [4, "NOTIMP"], [5, "REFUSED"]] as const
) {
  Deno.test(`D-012 ${name} is a failure, not an answer that there is nothing`, async () => {
    await using at = await stage(2);
    const answer = assert.rejects(at.ask(), {
      message: `the name server has no answer (${name})`,
    });
    for (const server of at.servers) (await server.questions.take()).answer({ rcode });
    await answer;
  });
}

Deno.test("D-013 a name server whose answer cannot be read has failed", async () => {
  await using at = await stage();
  const answer = assert.rejects(at.ask(), /cannot be read/);
  const asked = await at.server.questions.take();
  asked.raw(writeReply(address("192.0.2.1"), asked).subarray(0, -1));
  await answer;
});

Deno.test("D-013 only the server that was asked is heard, with the right id and question", async () => {
  await using at = await stage();
  const answer = at.ask();
  const asked = await at.server.questions.take();
  const spoof = createSocket("udp4");
  const sent = Promise.withResolvers<void>();
  const forged = writeReply(address("192.0.2.66"), asked);
  spoof.send(forged, asked.port, "127.0.0.1", () => sent.resolve());
  await sent.promise;
  asked.answer({ ...address("192.0.2.66"), id: asked.id ^ 1 });
  asked.answer({ ...address("192.0.2.66"), question: { name: "b.test", type: "A" } });
  asked.raw(new Uint8Array([1, 2, 3]));
  asked.answer(address("192.0.2.1"));
  assert.deepEqual((await answer).records, ["192.0.2.1"]);
  await new Promise<void>((resolve) => spoof.close(resolve));
});

Deno.test("D-013 ids and ports are not to be guessed", async () => {
  await using at = await stage();
  const [ids, ports] = [new Set<number>(), new Set<number>()];
  for (let i = 0; i < 40; i++) {
    const answer = at.ask();
    const asked = await at.server.questions.take();
    ids.add(asked.id);
    ports.add(asked.port);
    asked.answer(address("192.0.2.1"));
    await answer;
  }
  assert.ok(ids.size > 35 && ports.size > 35, `${ids.size} ids, ${ports.size} ports`);
  const inOrder = (all: Set<number>) => {
    const numbers = [...all];
    return numbers.filter((n, i) => i > 0 && n > numbers[i - 1]!).length;
  };
  for (const all of [ids, ports]) assert.ok(inOrder(all) < 36, [...all].join());
});

Deno.test("D-013 an answer that does not fit into a datagram is fetched by TCP", async () => {
  await using at = await stage();
  const answer = at.ask();
  (await at.server.questions.take()).answer({ truncated: true, ...address("192.0.2.66") });
  const asked = await at.server.questions.take();
  assert.equal(asked.transport, "tcp");
  const answers = Array.from({ length: 100 }, (_, i) => (
    { name: "a.test", type: "A", data: `192.0.2.${i}` } as const
  ));
  asked.answer({ answers });
  assert.deepEqual((await answer).records, answers.slice(0, 32).map(({ data }) => data));
});

Deno.test("D-013 what comes by TCP is bounded, and has to answer the question", async () => {
  for (
    const [reply, words] of [
      [new Uint8Array(16_385), /too long/],
      [new Uint8Array(100), /cannot be read/],
      [writeReply({ truncated: true }, { id: 0, ...A }), /cannot be read/],
    ] as const
  ) {
    await using at = await stage();
    const answer = assert.rejects(at.ask(), words);
    (await at.server.questions.take()).answer({ truncated: true });
    (await at.server.questions.take()).raw(reply);
    await answer;
  }
});

Deno.test("D-013 a server that stalls by TCP is left for the next one", async () => {
  await using at = await stage(2);
  const answer = at.ask();
  (await at.servers[0]!.questions.take()).answer({ truncated: true });
  await at.servers[0]!.questions.take();
  at.clock.advance(1_000);
  (await at.servers[1]!.questions.take()).answer(address("192.0.2.2"));
  assert.deepEqual((await answer).records, ["192.0.2.2"]);
});

Deno.test("D-010 an alias that the server did not follow is asked for", async () => {
  await using at = await stage();
  const answer = at.ask();
  const alias = { name: "a.test", type: "CNAME", ttl: 30, data: "b.test" } as const;
  (await at.server.questions.take()).answer({ answers: [alias] });
  const asked = await at.server.questions.take();
  assert.equal(asked.name, "b.test");
  asked.answer({ answers: [{ name: "b.test", type: "A", data: "192.0.2.1" }] });
  assert.deepEqual(await answer, { records: ["192.0.2.1"], ttl: 30 });
});

Deno.test("D-013 aliases without end are given up after eight", async () => {
  await using server = await ScriptedNameServer.listen(({ name }) => ({
    answers: [{ name, type: "CNAME", data: `a${name}` }],
  }));
  const { signal } = new AbortController();
  const client = new DnsClient(new TestClock());
  await assert.rejects(client.ask(A, [server], signal), /alias to alias without end/);
  assert.equal(server.log.length, 9);
});

Deno.test("D-013 a lookup that is given up leaves nothing behind, in each phase", async () => {
  await using at = await stage();
  for (const phase of ["udp", "tcp"]) {
    const controller = new AbortController();
    const answer = assert.rejects(
      at.client.ask(A, [at.server], controller.signal),
      /enough/,
    );
    const asked = await at.server.questions.take();
    if (phase === "tcp") {
      asked.answer({ truncated: true });
      await at.server.questions.take();
    }
    controller.abort(new Error("enough"));
    await answer;
  }
  const given = AbortSignal.abort(new Error("before"));
  await assert.rejects(at.client.ask(A, [at.server], given), /before/);
});

Deno.test("D-013 two hundred questions are under way at most; the others wait, and may give up", async () => {
  await using at = await stage();
  const answers = Array.from({ length: 200 }, () => at.ask());
  const asked = [];
  for (let i = 0; i < 200; i++) asked.push(await at.server.questions.take());
  const { signal } = new AbortController();
  const impatient = new AbortController();
  const givenUp = assert.rejects(at.client.ask(A, [at.server], impatient.signal), /enough/);
  const late = at.ask({ name: "late.test", type: "A" });
  impatient.abort(new Error("enough"));
  await givenUp;
  // Another client's question arrives, and nothing came before it.
  const other = new DnsClient(at.clock).ask({ name: "other.test", type: "A" }, at.servers, signal);
  const barrier = await at.server.questions.take();
  assert.equal(barrier.name, "other.test");
  barrier.answer({});
  await other;
  asked[0]!.answer(address("192.0.2.1"));
  const next = await at.server.questions.take();
  assert.equal(next.name, "late.test");
  next.answer({});
  assert.deepEqual((await late).records, []);
  for (const one of asked.slice(1)) one.answer(address("192.0.2.1"));
  await Promise.all(answers);
});

Deno.test("D-008 a name server may have an IPv6 address, in any spelling", async () => {
  await using server = await ScriptedNameServer.listen(() => address("192.0.2.1"), "::1");
  const spelled: ServerAddress = { address: "0:0:0:0:0:0:0:1", port: server.port };
  const { signal } = new AbortController();
  const { records } = await new DnsClient(new TestClock()).ask(A, [spelled], signal);
  assert.deepEqual(records, ["192.0.2.1"]);
});
