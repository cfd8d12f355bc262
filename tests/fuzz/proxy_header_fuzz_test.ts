/*
 * Invariant: whatever the addresses, the PROXY header that we write is one that a receiver who goes
 * by the specification understands, and tells it these addresses or that they are not known.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Endpoint, proxyHeader } from "../../src/upstream/proxy_header.ts";
import { fuzz } from "../support/fuzz_corpus.ts";
import { concat, encode } from "../support/fuzz_inputs.ts";

const port = fc.oneof(fc.nat(65_535), fc.constantFrom(0, 1, 9, 10, 5222, 65_535));
const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom("::", "::1", "::ffff:192.0.2.1", "1::", "fe80::1%eth0", "0.0.0.0", "FE80::ABCD"),
  fc.constantFrom("", "unix", "1.2.3", "1.2.3.256", "01.2.3.4", "1::2::3", "::1 x\r\n", "[::1]"),
  fc.string({ maxLength: 12 }),
);
const endpoint = fc.record({ address, port });

fuzz("the PROXY header tells the addresses, whatever they are", {
  target: "proxy_header",
  inputs: fc.record({
    version: fc.constantFrom(1 as const, 2 as const),
    source: endpoint,
    destination: endpoint,
    // What the client's stream begins with, some of it like a header.
    next: fc.oneof(
      fc.constantFrom("<?xml version='1.0'?>", "PROXY UNKNOWN\r\n", "\r\n\r\n", "\0"),
      fc.string({ maxLength: 20 }),
    ),
  }),
  check({ version, source, destination, next }) {
    const bytes = concat(proxyHeader(version, source, destination), encode(next));
    const { ends, rest } = version === 1 ? readVersion1(bytes) : readVersion2(bytes);
    assert.equal(new TextDecoder("utf-8", { ignoreBOM: true }).decode(rest), next);
    const from = numbersOf(source.address);
    assert.equal(ends === undefined, from === undefined);
    if (ends === undefined || from === undefined) return;
    assert.deepEqual(ends[0], { address: from, port: source.port });
    const to = numbersOf(destination.address);
    const known = to?.length === from.length ? to : from.map(() => 0);
    assert.deepEqual(ends[1], { address: known, port: destination.port });
  },
});

// ——— A receiver, after https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt

interface Received {
  /** `undefined`: the receiver is to go by the connection itself. */
  readonly ends: readonly [End, End] | undefined;
  /** What the connection goes on with. */
  readonly rest: Uint8Array;
}

type End = Omit<Endpoint, "address"> & { readonly address: readonly number[] };

/** §2.1: a line of at most 107 characters, with one blank between its parts. */
function readVersion1(bytes: Uint8Array): Received {
  const text = Array.from(bytes.subarray(0, 107), (byte) => String.fromCharCode(byte)).join("");
  const end = text.indexOf("\r\n");
  assert.ok(end >= 0, "CRLF within 107 octets");
  const rest = bytes.subarray(end + 2);
  const [proxy, family, ...parts] = text.slice(0, end).split(" ");
  assert.equal(proxy, "PROXY");
  if (family === "UNKNOWN") return { ends: undefined, rest };
  assert.equal(parts.length, 4);
  const [source = "", destination = "", ...ports] = parts;
  for (const port of ports) {
    assert.match(port, /^(?:0|[1-9][0-9]{0,4})$/, "a number without leading zeroes");
    assert.ok(Number(port) <= 65_535);
  }
  for (const address of [source, destination]) {
    if (family === "TCP4") {
      assert.match(address, /^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}$/);
    } else {
      assert.equal(family, "TCP6");
      assert.match(address, /^[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}$/, "hexadecimal, unshortened");
    }
  }
  const at = (address: string, port: string | undefined): End => ({
    address: numbersOf(address)!,
    port: Number(port),
  });
  return { ends: [at(source, ports[0]), at(destination, ports[1])], rest };
}

/** §2.2. */
function readVersion2(bytes: Uint8Array): Received {
  assert.deepEqual([...bytes.subarray(0, 12)], [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [command, family, length] = [bytes[12]!, bytes[13]!, view.getUint16(14)];
  assert.ok(bytes.length >= 16 + length);
  const rest = bytes.subarray(16 + length);
  assert.equal(command >> 4, 2, "the version");
  if ((command & 15) === 0) return { ends: undefined, rest };
  assert.equal(command & 15, 1, "PROXY");
  assert.equal(family & 15, 1, "STREAM");
  const size = family >> 4 === 1 ? 4 : 16;
  assert.ok(family >> 4 === 1 || family >> 4 === 2, "AF_INET or AF_INET6");
  assert.equal(length, 2 * size + 4, "nothing but addresses and ports");
  const at = (index: number): End => ({
    address: [...bytes.subarray(16 + index * size, 16 + (index + 1) * size)],
    port: view.getUint16(16 + 2 * size + 2 * index),
  });
  return { ends: [at(0), at(1)], rest };
}

/** The octets of an address, as URLs understand it; `undefined`: it is none. */
function numbersOf(text: string): number[] | undefined {
  if (/^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}$/.test(text)) {
    const numbers = text.split(".").map(Number);
    return numbers.every((number) => number < 256) ? numbers : undefined;
  }
  // A zone is no part of the address.
  const bare = text.includes(":") ? text.replace(/%.*$/s, "") : "";
  if (!/^[0-9a-f:.]+$/i.test(bare)) return undefined;
  const host = URL.parse(`http://[${bare}]/`)?.hostname.slice(1, -1);
  if (host === undefined) return undefined;
  const [head = "", tail] = host.split("::");
  const groups = (part: string) => part === "" ? [] : part.split(":").map((g) => parseInt(g, 16));
  const first = groups(head);
  const last = groups(tail ?? "");
  const zeros = Array<number>(8 - first.length - last.length).fill(0);
  return [...first, ...zeros, ...last].flatMap((group) => [group >> 8, group & 255]);
}
