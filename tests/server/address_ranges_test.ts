import assert from "node:assert/strict";
import { AddressRanges } from "../../src/server/address_ranges.ts";

Deno.test("addresses are in ranges of their family, and what is no address is in none", () => {
  const ranges = new AddressRanges(["192.0.2.0/24", "2001:db8::/32"]);
  for (const address of ["192.0.2.0", "192.0.2.255", "2001:db8::1", "2001:db8::1%eth0"]) {
    assert.ok(ranges.has(address), address);
  }
  for (
    const address of ["192.0.3.1", "2001:db9::1", "::1", "", "%", "x", "192.0.2", "192.0.2.1:5"]
  ) {
    assert.ok(!ranges.has(address), address);
  }
  assert.ok(!new AddressRanges(["0.0.0.0/0", "::/0"]).has(""));
});
