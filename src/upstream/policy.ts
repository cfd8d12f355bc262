/**
 * Which addresses a name that a stranger chose may lead to. A domain's owner
 * writes its DNS records, so without this check anybody could have us connect to
 * what only we can reach: our own host, its network, the metadata service of a
 * cloud (XEP-0124 §7.1 leaves it to the connection manager whom it serves).
 *
 * An IPv6 address that carries an IPv4 address leads to where that one leads. Of those only NAT64's
 * can be public: networks without IPv4 reach all of it so, and nobody has good reason to publish another.
 */

import { addressBytes, startsWith } from "../config/address_bytes.ts";

export type AddressKind =
  | "public"
  | "loopback"
  | "private"
  | "link-local"
  | "multicast"
  | "unspecified"
  | "broadcast"
  | "shared"
  | "documentation"
  | "reserved"
  /** Not an IP address at all. */
  | "invalid";

/** What kind of address this is; `address` is IPv4 or IPv6 as text, without brackets. */
export function addressKind(address: string): AddressKind {
  const bytes = addressBytes(address);
  if (bytes === undefined) return "invalid";
  const kind = kindOf(bytes, bytes.length === 4 ? 4 : 6);
  // A zone names an interface of this machine, and means something on its link alone (RFC 4007 §6).
  return kind === "public" && address.includes("%") ? "link-local" : kind;
}

/** The strict policy: only addresses that anybody on the Internet can reach as well as we. */
export function isPublic(address: string): boolean {
  return addressKind(address) === "public";
}

/** `nat64` and `ipv4` blocks carry an IPv4 address; the latter is not public whatever that one is. */
type BlockKind = AddressKind | "nat64" | "ipv4";
type Block = readonly [prefix: string, length: number, kind: BlockKind, at?: number];

/** Most specific first. IANA IPv4 Special-Purpose Address Registry (RFC 6890). */
const IPV4: readonly Block[] = [
  ["0.0.0.0", 8, "unspecified"],
  ["10.0.0.0", 8, "private"],
  ["100.64.0.0", 10, "shared"],
  ["127.0.0.0", 8, "loopback"],
  // Azure's host as its own machines see it: a public address that only they can reach.
  ["168.63.129.16", 32, "reserved"],
  ["169.254.0.0", 16, "link-local"],
  ["172.16.0.0", 12, "private"],
  ["192.0.0.0", 24, "reserved"],
  ["192.0.2.0", 24, "documentation"],
  ["192.88.99.0", 24, "reserved"],
  ["192.168.0.0", 16, "private"],
  ["198.18.0.0", 15, "reserved"],
  ["198.51.100.0", 24, "documentation"],
  ["203.0.113.0", 24, "documentation"],
  ["224.0.0.0", 4, "multicast"],
  ["255.255.255.255", 32, "broadcast"],
  ["240.0.0.0", 4, "reserved"],
  ["0.0.0.0", 0, "public"],
];

/**
 * Most specific first. IANA IPv6 Special-Purpose Address Registry; an IPv4 address stands
 * from byte `at`. Outside of 2000::/3 nothing is assigned.
 */
const IPV6: readonly Block[] = [
  ["::", 128, "unspecified"],
  ["::1", 128, "loopback"],
  ["::ffff:0:0", 96, "ipv4", 12], // mapped (RFC 4291 §2.5.5.2)
  ["::ffff:0:0:0", 96, "ipv4", 12], // translated (RFC 2765)
  ["::", 96, "ipv4", 12], // compatible (RFC 4291 §2.5.5.1)
  ["64:ff9b::", 96, "nat64", 12], // RFC 6052
  ["64:ff9b:1::", 48, "private"], // NAT64 for local use (RFC 8215)
  ["2002::", 16, "ipv4", 2], // 6to4 (RFC 3056)
  ["2001:db8::", 32, "documentation"],
  ["2001::", 23, "reserved"], // Teredo, benchmarking, ORCHID …
  ["3fff::", 20, "documentation"],
  ["fc00::", 7, "private"],
  ["fe80::", 10, "link-local"],
  ["fec0::", 10, "private"], // site-local, of old
  ["ff00::", 8, "multicast"],
  ["2000::", 3, "public"],
  ["::", 0, "reserved"],
];

type ParsedBlock = {
  readonly prefix: Uint8Array;
  readonly length: number;
  readonly kind: BlockKind;
  readonly at: number;
};

const BLOCKS: Readonly<Record<4 | 6, readonly ParsedBlock[]>> = {
  4: IPV4.map(parseBlock),
  6: IPV6.map(parseBlock),
};

function parseBlock([prefix, length, kind, at = 0]: Block): ParsedBlock {
  return { prefix: addressBytes(prefix) ?? new Uint8Array(), length, kind, at };
}

function kindOf(address: Uint8Array, family: 4 | 6): AddressKind {
  for (const { prefix, length, kind, at } of BLOCKS[family]) {
    if (!startsWith(address, prefix, length)) continue;
    if (kind !== "nat64" && kind !== "ipv4") return kind;
    const carried = kindOf(address.subarray(at, at + 4), 4);
    return kind === "ipv4" && carried === "public" ? "reserved" : carried;
  }
  return "reserved";
}
