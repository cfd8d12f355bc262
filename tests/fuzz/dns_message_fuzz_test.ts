/*
 * Invariant: whatever octets a name server sends, they are an answer or are refused, never an
 * exception, at the cost of one look at each octet and of a few names; and what a server compresses
 * in whatever way is read as it was meant.
 */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import fc from "fast-check";
import { answerOf } from "../../src/upstream/dns/answer.ts";
import {
  MAX_RECORDS,
  type Question,
  readReply,
  type RecordType,
} from "../../src/upstream/dns/message.ts";
import { countedReads } from "../support/counted_reads.ts";
import { fuzz } from "../support/fuzz_corpus.ts";
import { concat, encode, mutants, soups } from "../support/fuzz_inputs.ts";

const ID = 7;
const TYPES = { A: 1, CNAME: 5, SOA: 6, TXT: 16, AAAA: 28, SRV: 33 } as const;
const NAMES = ["", "a.test", "b.test", "a.b.test", "_x._tcp.a.test", "test", "A.TEST", "c", "a.c"];

interface Written {
  readonly name: string;
  readonly type: keyof typeof TYPES;
  readonly ttl: number;
  readonly target: string;
  readonly number: number;
  /** Of its two names, whether each may end with a pointer. */
  readonly compress: readonly [boolean, boolean];
}

interface WrittenMessage {
  readonly question: RecordType;
  readonly answers: readonly Written[];
  readonly authorities: readonly Written[];
}

const record: fc.Arbitrary<Written> = fc.record({
  name: fc.constantFrom(...NAMES),
  type: fc.constantFrom("A", "A", "CNAME", "SOA", "TXT", "AAAA", "SRV"),
  ttl: fc.constantFrom(0, 60, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1),
  target: fc.constantFrom(...NAMES),
  number: fc.nat(65_535),
  compress: fc.tuple(fc.boolean(), fc.boolean()),
});

const messages: fc.Arbitrary<WrittenMessage> = fc.record({
  question: fc.constantFrom("A", "AAAA", "SRV"),
  answers: fc.array(record, { maxLength: 6 }),
  authorities: fc.array(record, { maxLength: 2 }),
});

const BITS = [
  ...["00", "c0", "c00c", "c010", "c01c", "ffff", "3f", "40", "80", "0001", "0005", "0006", "0021"],
  ...["c00c00010001000000ff0004c0000201", "c00c0005000100000000000401627f00", "c01ec01cc020"],
].map((hex) => Uint8Array.fromHex(hex));

const OURS = bytesOf({ question: "A", answers: [], authorities: [] });

fuzz("D-013 any octets are an answer or refused, and the work is bounded", {
  target: "dns_octets",
  inputs: fc.record({
    type: fc.constantFrom("A", "AAAA", "SRV"),
    bytes: fc.oneof(
      { weight: 3, arbitrary: mutants(messages.map(bytesOf), BITS) },
      soups(BITS).map((soup) => concat(OURS, soup)),
      soups(BITS).map((soup) => concat(OURS.subarray(0, 6), Uint8Array.of(0, 9, 0, 9), soup)),
    ),
  }),
  runs: 3000,
  check({ type, bytes }) {
    const question: Question = { name: "a.test", type };
    const reads = countedReads(() => {
      const reply = readReply(bytes, ID, question);
      if (reply === "foreign" || reply === "malformed") return;
      assert.ok(reply.answers.length <= MAX_RECORDS);
      assert.ok(isTime(reply.absence ?? 0));
      for (const { name, ttl, value } of reply.answers) {
        assert.ok(isTime(ttl));
        assertName(name);
        if ("alias" in value) assertName(value.alias);
        else if (typeof value.data === "string") {
          assert.equal(isIP(value.data), type === "A" ? 4 : 6, value.data);
        } else assertName(value.data.target);
      }
      const answer = answerOf(reply, question);
      // Without an address there is no end to how long there is none, unless it is said.
      if (answer !== undefined) assert.ok(isTime(answer.ttl), `${answer.ttl} seconds`);
    });
    assert.ok(reads <= bytes.length + 2 * (MAX_RECORDS + 1) * (255 + 2 * 127), `${reads} reads`);
  },
});

fuzz("D-008 a reply is read as it was meant, however it is compressed", {
  target: "dns_messages",
  inputs: messages,
  check(message) {
    const { question: type, answers, authorities } = message;
    const reply = readReply(bytesOf(message), ID, { name: "a.test", type });
    assert.ok(typeof reply === "object", String(reply));
    const wanted = answers.filter((record) => record.type === "CNAME" || record.type === type);
    assert.deepEqual(
      reply.answers,
      wanted.map((record) => ({
        name: record.name.toLowerCase(),
        ttl: seconds(record.ttl),
        value: record.type === "CNAME"
          ? { alias: record.target.toLowerCase() }
          : { data: dataOf(record) },
      })),
    );
    const soa = authorities.findLast(({ type }) => type === "SOA");
    assert.equal(reply.absence, soa && Math.min(seconds(soa.ttl), soa.number));
  },
});

function isTime(ttl: number): boolean {
  return Number.isInteger(ttl) && ttl >= 0 && ttl < 2 ** 31;
}

/** A name that can be compared with others, and logged. */
function assertName(name: string): void {
  assert.match(name, /^(?:(?:[a-z0-9_-]|\\[0-9]{3})+(?:\.|$))*$/);
  assert.ok(name.replaceAll(/\\[0-9]{3}/g, "x").length <= 253);
}

function seconds(ttl: number): number {
  return ttl < 2 ** 31 ? ttl : 0;
}

function dataOf({ type, number, target }: Written): unknown {
  if (type === "A") return `192.0.${number >> 8}.${number & 255}`;
  if (type === "AAAA") return number === 0 ? "2001:db8::" : `2001:db8::${number.toString(16)}`;
  return { priority: number, weight: 1, port: 5222, target: target.toLowerCase() };
}

/** The octets of a reply to a question for `a.test`. */
function bytesOf({ question, answers, authorities }: WrittenMessage): Uint8Array {
  const octets: number[] = [];
  const places = new Map<string, number>();
  const u16 = (value: number) => octets.push(value >> 8, value & 255);
  const u32 = (value: number) => (u16(Math.floor(value / 65_536)), u16(value % 65_536));
  const putName = (name: string, compress: boolean) => {
    const labels = name === "" ? [] : name.split(".");
    for (let index = 0; index < labels.length; index++) {
      const rest = labels.slice(index).join(".").toLowerCase();
      const known = places.get(rest);
      if (compress && known !== undefined) {
        u16(0xc000 | known);
        return;
      }
      // The last place that has it, so that chains of pointers come about.
      places.set(rest, octets.length);
      octets.push(labels[index]!.length, ...encode(labels[index]!));
    }
    octets.push(0);
  };
  for (const number of [ID, 0x8180, 1, answers.length, authorities.length, 0]) u16(number);
  putName("a.test", false);
  u16(TYPES[question]);
  u16(1);
  for (const { name, type, ttl, target, number, compress } of [...answers, ...authorities]) {
    putName(name, compress[0]);
    u16(TYPES[type]);
    u16(1);
    u32(ttl);
    const length = octets.length;
    u16(0);
    if (type === "A") octets.push(192, 0, number >> 8, number & 255);
    if (type === "AAAA") { for (const part of [0x2001, 0xdb8, 0, 0, 0, 0, 0, number]) u16(part); }
    if (type === "TXT") octets.push(number & 7, ...encode("0123456".slice(0, number & 7)));
    if (type === "SRV") { for (const part of [number, 1, 5222]) u16(part); }
    if (type === "CNAME" || type === "SRV" || type === "SOA") putName(target, compress[1]);
    if (type === "SOA") putName(name, compress[0]);
    if (type === "SOA") { for (const part of [1, 2, 3, 4, number]) u32(part); }
    const size = octets.length - length - 2;
    octets[length] = size >> 8;
    octets[length + 1] = size & 255;
  }
  return Uint8Array.from(octets);
}
