import assert from "node:assert/strict";
import { BlockList, isIP } from "node:net";
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

Deno.test("ranges hold what the platform's own do, however an address is spelled", () => {
  const ranges = [
    "10.0.0.0/8",
    "192.0.2.77/31",
    "198.51.100.1/32",
    "2001:db8:0:ff00::/57",
    "::1/128",
    "::ffff:203.0.113.0/120",
    "fe80::/10",
  ];
  const theirs = new BlockList();
  for (const range of ranges) {
    const [address = "", length] = range.split("/");
    theirs.addSubnet(address, Number(length), isIP(address) === 6 ? "ipv6" : "ipv4");
  }
  const ours = new AddressRanges(ranges);
  let held = 0;
  for (
    const address of [
      ...["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"],
      ...["192.0.2.75", "192.0.2.76", "192.0.2.77", "192.0.2.78"],
      ...["198.51.100.0", "198.51.100.1", "198.51.100.2"],
      ...[
        "2001:db8:0:feff::1",
        "2001:db8:0:ff00::",
        "2001:DB8:0:FF7F:ffff::9",
        "2001:db8:0:ff80::",
      ],
      ...["::", "::1", "0:0:0:0:0:0:0:1", "::2", "::0.0.0.1", "1::1"],
      ...["203.0.113.255", "::ffff:203.0.113.1", "::ffff:cb00:7101", "203.0.114.0"],
      ...["::ffff:10.1.2.3", "::10.1.2.3", "fe80::1", "febf::1", "fec0::1"],
    ]
  ) {
    const expected = theirs.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
    assert.equal(ours.has(address), expected, address);
    if (expected) held++;
  }
  assert.equal(held, 16);
});
