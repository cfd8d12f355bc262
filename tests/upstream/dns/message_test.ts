import assert from "node:assert/strict";
import fc from "fast-check";
import { answerOf } from "../../../src/upstream/dns/answer.ts";
import {
  encodeQuery,
  MAX_RECORDS,
  type Question,
  readReply,
  type Reply,
} from "../../../src/upstream/dns/message.ts";
import { countedReads } from "../../support/counted_reads.ts";
import { writeReply, type WrittenReply } from "../../support/scripted_dns.ts";

const A: Question = { name: "a.test", type: "A" };

function read(written: WrittenReply, question = A): Reply {
  const reply = readReply(writeReply(written, { id: 7, ...question }), 7, question);
  assert.ok(typeof reply === "object", String(reply));
  return reply;
}

/** A reply from hexadecimal digits; blanks are for people. */
function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll(/\s/g, "").match(/../g)!, (byte) => parseInt(byte, 16));
}

Deno.test("D-008 a query has the question, and asks for recursion", () => {
  const query = encodeQuery(0xabcd, { name: "_x._tcp.a.test", type: "SRV" });
  assert.deepEqual(
    query,
    hex(
      "abcd 0100 0001 0000 0000 0000 02 5f78 04 5f746370 01 61 04 74657374 00 0021 0001",
    ),
  );
});

Deno.test("D-008 what cannot be a name in DNS is no query", () => {
  const long = `${"a".repeat(63)}.`.repeat(4);
  for (const name of ["", ".", "a..b", "a b", "ä", `${"a".repeat(64)}.test`, `${long}test`]) {
    assert.equal(encodeQuery(1, { name, type: "A" }), undefined, name);
  }
  assert.ok(encodeQuery(1, { name: long.slice(0, 253 - 4) + ".abc", type: "A" }));
});

Deno.test("D-008 records are read as they are written", () => {
  const reply = read({
    answers: [
      { name: "a.test", type: "CNAME", ttl: 9, data: "B.test" },
      { name: "b.test", type: "A", ttl: 0, data: "192.0.2.1" },
      { name: "b.test", type: "TXT", data: "of no interest" },
      { name: "b.test", type: "A", ttl: 2 ** 31, data: "192.0.2.2" },
    ],
  });
  assert.deepEqual(reply, {
    rcode: 0,
    truncated: false,
    absence: undefined,
    answers: [
      { name: "a.test", ttl: 9, value: { alias: "b.test" } },
      { name: "b.test", ttl: 0, value: { data: "192.0.2.1" } },
      // RFC 2181 §8: such a time to live is none.
      { name: "b.test", ttl: 0, value: { data: "192.0.2.2" } },
    ],
  });
  const srv: Question = { name: "_x._tcp.a.test", type: "SRV" };
  const services = read({
    answers: [
      { name: srv.name, type: "SRV", data: "1 2 5222 Xmpp.a.test" },
      { name: srv.name, type: "SRV", data: "0 0 0 ." },
    ],
  }, srv);
  assert.deepEqual(services.answers.map(({ value }) => value), [
    { data: { priority: 1, weight: 2, port: 5222, target: "xmpp.a.test" } },
    { data: { priority: 0, weight: 0, port: 0, target: "" } },
  ]);
  const aaaa: Question = { name: "a.test", type: "AAAA" };
  const addresses = read({
    answers: ["2001:db8::1", "::ffff:c000:201", "fe80::"].map((data) => ({
      name: "a.test",
      type: "AAAA",
      data,
    })),
  }, aaaa);
  assert.deepEqual(addresses.answers.map(({ value }) => value), [
    { data: "2001:db8::1" },
    { data: "::ffff:c000:201" },
    { data: "fe80::" },
  ]);
});

Deno.test("D-013 how long there is nothing is the lesser of the SOA's two times (RFC 2308)", () => {
  const soa = (ttl: number, minimum: number) =>
    read({ authorities: [{ name: "test", type: "SOA", ttl, data: String(minimum) }] }).absence;
  assert.equal(soa(60, 20), 20);
  assert.equal(soa(20, 60), 20);
  assert.equal(read({}).absence, undefined);
});

Deno.test("D-008 names may be compressed, but not in circles", () => {
  const head = "0007 8180 0001 0001 0000 0000 01 61 04 74657374 00 0001 0001";
  const compressed = readReply(hex(`${head} c00c 0001 0001 0000003c 0004 c0000201`), 7, A);
  assert.deepEqual((compressed as Reply).answers, [
    { name: "a.test", ttl: 60, value: { data: "192.0.2.1" } },
  ]);
  // To itself, forwards, and to a place before it that points to it.
  for (const name of ["c018", "c01a", "01 62 c018"]) {
    assert.equal(
      readReply(hex(`${head} ${name} 0001 0001 0000003c 0004 c0000201`), 7, A),
      "malformed",
    );
  }
});

Deno.test("D-008 bytes that no host name has are never taken for a host's name", () => {
  const head = "0007 8180 0001 0001 0000 0000 01 61 04 74657374 00 0005 0001".replace(
    "0005",
    "0001",
  );
  // An alias of one label that holds a dot, a zero and a quotation mark.
  const reply = readReply(hex(`${head} c00c 0005 0001 0000003c 0006 04 612e0022 00`), 7, A);
  assert.deepEqual((reply as Reply).answers[0]?.value, { alias: "a\\046\\000\\034" });
  assert.equal(encodeQuery(1, { name: "a\\046\\000\\034", type: "A" }), undefined);
});

Deno.test("D-013 what answers something else is foreign, whatever it says", () => {
  const answers = [{ name: "a.test", type: "A", data: "192.0.2.66" }] as const;
  const query = { id: 7, ...A };
  const foreign: WrittenReply[] = [
    { answers, id: 8 },
    { answers, question: { name: "b.test", type: "A" } },
    { answers, question: { name: "a.test", type: "AAAA" } },
  ];
  for (const reply of foreign) assert.equal(readReply(writeReply(reply, query), 7, A), "foreign");
  assert.equal(readReply(encodeQuery(7, A)!, 7, A), "foreign", "our own query");
  assert.equal(readReply(hex("0007 8185 0000 0000 0000 0000"), 7, A), "foreign", "no question");
});

Deno.test("D-013 an answer holds a bounded number of records", () => {
  const answers = Array.from({ length: 200 }, (_, i) => (
    { name: "a.test", type: "A", data: `192.0.2.${i}` } as const
  ));
  assert.equal(read({ answers }).answers.length, MAX_RECORDS);
});

/** A reply that begins with a record of `filler`, and goes on with as many others as there is room for. */
function crowded(filler: Uint8Array, record: string): Uint8Array {
  const start = hex("0007 8180 0001 ffff 0000 0000 01 61 04 74657374 00 0001 0001");
  const first = hex("00 0010 0001 0000003c 4000");
  const bytes = new Uint8Array(65_535);
  bytes.set(start);
  bytes.set(first, start.length);
  bytes.set(filler, start.length + first.length);
  const one = hex(record);
  for (let at = start.length + first.length + 0x4000; at + one.length <= bytes.length;) {
    bytes.set(one, at);
    at += one.length;
  }
  return bytes;
}

Deno.test("D-013 however names are compressed, the work is that of one look at each octet", () => {
  // Each pointer of the chain leads to the one before it; the first to the question.
  const chain = new Uint8Array(0x4000 - 64);
  const at = (index: number) => 35 + 2 * index;
  for (let index = 0; 2 * index < chain.length; index++) {
    const target = 0xc000 | (index === 0 ? 12 : at(index - 1));
    chain.set([target >> 8, target & 0xff], 2 * index);
  }
  const pointer = (index: number) => (0xc000 | at(index)).toString(16);
  const last = pointer(chain.length / 2 - 1);
  const longest = Uint8Array.fromHex(`${"3f".padEnd(128, "61").repeat(3)}3d${"61".repeat(61)}00`);
  const messages: Record<string, Uint8Array> = {
    "owners at the end of a chain": crowded(chain, `${last} 0001 0001 0000003c 0004 c0000201`),
    "as many pointers as are followed": crowded(
      chain,
      `${pointer(125)} 0001 0001 0000003c 0004 c0000201`,
    ),
    "and of records that nobody wants": crowded(chain, `${pointer(125)} 0010 0001 0000003c 0000`),
    "such owners of records that nobody wants": crowded(chain, `${last} 0010 0001 0000003c 0000`),
    "aliases there": crowded(chain, `c00c 0005 0001 0000003c 0002 ${last}`),
    "the longest of names": crowded(longest, "c023 0005 0001 0000003c 0002 c023"),
    "such names of records that nobody wants": crowded(longest, "c023 0010 0001 0000003c 0000"),
  };
  for (const [what, bytes] of Object.entries(messages)) {
    const reads = countedReads(() => readReply(bytes, 7, A));
    // A name takes 255 octets and 127 pointers, and there are two in each record that is kept.
    assert.ok(reads <= bytes.length + 2 * (MAX_RECORDS + 1) * (255 + 2 * 127), `${what}: ${reads}`);
  }
});

Deno.test("D-013 whatever comes is read, foreign or malformed, and never an exception", () => {
  const whole = writeReply({
    answers: [
      { name: "a.test", type: "CNAME", data: "b.test" },
      { name: "b.test", type: "A", data: "192.0.2.1" },
    ],
    authorities: [{ name: "test", type: "SOA", data: "60" }],
  }, { id: 7, ...A });
  for (let length = 0; length < whole.length; length++) {
    const reply = readReply(whole.subarray(0, length), 7, A);
    // Until the question has been seen, nothing says that it is for us.
    assert.equal(reply, length < 24 ? "foreign" : "malformed", `${length} bytes`);
  }
  const changed = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  fc.assert(fc.property(fc.array(changed, { maxLength: 8 }), (changes) => {
    const bytes = whole.slice();
    for (const [at, byte] of changes) bytes[at] = byte;
    const reply = readReply(bytes, 7, A);
    return typeof reply === "string" || reply.answers.length <= MAX_RECORDS;
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (tail) => {
    readReply(new Uint8Array([...whole.subarray(0, 24), ...tail]), 7, A);
  }));
});

Deno.test("D-010 an alias is followed, and holds no longer than its shortest part", () => {
  const answers = [
    { name: "b.test", type: "A", ttl: 20, data: "192.0.2.1" },
    { name: "a.test", type: "CNAME", ttl: 10, data: "b.test" },
    { name: "c.test", type: "A", ttl: 1, data: "192.0.2.66" },
  ] as const;
  assert.deepEqual(answerOf(read({ answers }), A), { records: ["192.0.2.1"], ttl: 10 });
  const alias = [{ name: "a.test", type: "CNAME", ttl: 10, data: "b.test" }] as const;
  assert.deepEqual(answerOf(read({ answers: alias }), A), { alias: "b.test", ttl: 10, hops: 1 });
  const authorities = [{ name: "test", type: "SOA", ttl: 5, data: "60" }] as const;
  const nothing = answerOf(read({ answers: alias, authorities }), A);
  assert.deepEqual(nothing, { records: [], ttl: 5 });
  const circle = [...alias, { name: "b.test", type: "CNAME", data: "a.test" }] as const;
  assert.equal(answerOf(read({ answers: circle }), A), undefined);
});

Deno.test("D-013 there being no such name is an answer, for as long as the zone says", () => {
  const authorities = [{ name: "test", type: "SOA", ttl: 60, data: "30" }] as const;
  assert.deepEqual(answerOf(read({ rcode: 3, authorities }), A), { records: [], ttl: 30 });
  assert.deepEqual(answerOf(read({ rcode: 3 }), A), { records: [], ttl: 0 });
});
