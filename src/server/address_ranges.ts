import { addressBytes, startsWith } from "../config/address_bytes.ts";

interface Range {
  readonly first: Uint8Array;
  /** Bits that its addresses have in common. */
  readonly length: number;
}

/** Ranges of IP addresses, as the configuration has them: `address/length`. */
export class AddressRanges {
  readonly #ranges: readonly Range[];
  /** What was asked last, and the answer: a session is the reason for several questions in a row. */
  #asked = "";
  #answer = false;

  constructor(ranges: readonly string[]) {
    this.#ranges = ranges.map((range) => {
      const [address = "", length] = range.split("/");
      const first = addressBytes(address) ?? new Uint8Array();
      const bits = Number(length);
      return bits >= CLOTHES && isMapped(first)
        ? { first: undressed(first), length: bits - CLOTHES }
        : { first, length: bits };
    });
  }

  /** Whether this address is in one of them, in whatever zone; what is no address is in none. */
  has(address: string): boolean {
    if (address === this.#asked) return this.#answer;
    this.#asked = address;
    return this.#answer = this.#includes(address);
  }

  #includes(address: string): boolean {
    const bytes = addressBytes(address);
    if (bytes === undefined) return false;
    const one = isMapped(bytes) ? undressed(bytes) : bytes;
    return this.#ranges.some(({ first, length }) =>
      first.length === one.length && startsWith(one, first, length)
    );
  }
}

/** What stands before an IPv4 address in an IPv6 address that carries it (RFC 4291 §2.5.5.2). */
const MAPPED = addressBytes("::ffff:0:0")!;
/** Bits of it. */
const CLOTHES = 96;

function isMapped(address: Uint8Array): boolean {
  return address.length === MAPPED.length && startsWith(address, MAPPED, CLOTHES);
}

function undressed(address: Uint8Array): Uint8Array {
  return address.subarray(CLOTHES / 8);
}
