import { BlockList, isIP } from "node:net";

/** Ranges of IP addresses, as the configuration has them: `address/length`. */
export class AddressRanges {
  readonly #ranges = new BlockList();

  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address = "", length] = range.split("/");
      this.#ranges.addSubnet(address, Number(length), family(address));
    }
  }

  /** Whether this address is in one of them; what is no address is in none. */
  has(address: string): boolean {
    // A zone says on which of our interfaces a neighbour is.
    const bare = address.replace(/%.*$/, "");
    return isIP(bare) !== 0 && this.#ranges.check(bare, family(bare));
  }
}

function family(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
