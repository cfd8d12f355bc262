/**
 * How many connections there are, in all and from each address, so that nobody can have all of
 * them. Whoever has one IPv6 address nearly always has the /64 around it (RFC 6177), so that counts as one.
 */
import { isIPv6 } from "../config/address.ts";

/** The limits, by the names of their keys. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

export type ConnectionLimit = "max_connections" | "max_connections_per_address";

export class ConnectionCount {
  readonly #limits: ConnectionLimits;
  readonly #isExempt: (address: string) => boolean;
  readonly #byGroup = new Map<string, number>();
  #all = 0;

  /** The second limit does not hold for an address that `isExempt`. */
  constructor(limits: ConnectionLimits, isExempt: (address: string) => boolean) {
    this.#limits = limits;
    this.#isExempt = isExempt;
  }

  /** Counts a connection from this address; or says what forbids it, and counts nothing. */
  admit(address: string): ConnectionLimit | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    if (this.#all >= maxConnections) return "max_connections";
    const group = addressGroup(address);
    const count = this.#byGroup.get(group) ?? 0;
    if (count >= maxConnectionsPerAddress && !this.#isExempt(address)) {
      return "max_connections_per_address";
    }
    // Who is exempt is counted too: that may change while the connection is there.
    this.#byGroup.set(group, count + 1);
    this.#all++;
    return undefined;
  }

  /** A connection that was admitted is gone. */
  release(address: string): void {
    this.#all--;
    const group = addressGroup(address);
    const count = this.#byGroup.get(group) ?? 0;
    if (count > 1) this.#byGroup.set(group, count - 1);
    else this.#byGroup.delete(group);
  }

  /** Connections that are counted. */
  get all(): number {
    return this.#all;
  }
}

/** What counts as one address: an IPv4 address, or the first 64 bits of an IPv6 address. */
export function addressGroup(address: string): string {
  if (!isIPv6(address)) return address;
  const [left = "", right] = address.replace(/%.*$/, "").split("::");
  const head = left === "" ? [] : left.split(":");
  if (right === undefined || head.length >= 4) return head.slice(0, 4).join(":");
  const tail = right === "" ? [] : right.split(":");
  // An IPv4 address at the end has the place of two.
  const length = head.length + tail.length + (right.includes(".") ? 1 : 0);
  return [...head, ...Array<string>(8 - length).fill("0"), ...tail].slice(0, 4).join(":");
}
