import assert from "node:assert/strict";
import { addressKind, isPublic } from "../../src/upstream/policy.ts";

Deno.test("S-006 an IPv4 address is public only outside of every special block", () => {
  const kinds = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "1.1.1.1": "public",
    "9.255.255.255": "public",
    "10.0.0.0": "private",
    "10.255.255.255": "private",
    "11.0.0.0": "public",
    "100.63.255.255": "public",
    "100.64.0.0": "shared",
    "100.127.255.255": "shared",
    "100.128.0.0": "public",
    "127.0.0.1": "loopback",
    "127.255.255.255": "loopback",
    "128.0.0.0": "public",
    "168.63.129.15": "public",
    "168.63.129.16": "reserved",
    "169.253.255.255": "public",
    "169.254.169.254": "link-local",
    "172.15.255.255": "public",
    "172.16.0.0": "private",
    "172.31.255.255": "private",
    "172.32.0.0": "public",
    "192.0.0.8": "reserved",
    "192.0.2.1": "documentation",
    "192.88.99.1": "reserved",
    "192.168.255.255": "private",
    "192.169.0.0": "public",
    "198.17.255.255": "public",
    "198.18.0.0": "reserved",
    "198.19.255.255": "reserved",
    "198.51.100.7": "documentation",
    "203.0.113.7": "documentation",
    "223.255.255.255": "public",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.254": "reserved",
    "255.255.255.255": "broadcast",
  };
  for (const [address, kind] of Object.entries(kinds)) {
    assert.equal(addressKind(address), kind, address);
  }
});

Deno.test("S-006 an IPv6 address is public only in assigned global unicast space", () => {
  const kinds = {
    "::": "unspecified",
    "::1": "loopback",
    "0:0:0:0:0:0:0:1": "loopback",
    "2a00:1450:4001::1": "public",
    "2606:4700:4700::1111": "public",
    "3ffe::1": "public",
    "3fff::1": "documentation",
    "2001:db8::1": "documentation",
    "2001:0:1::1": "reserved",
    "2001:200::1": "public",
    "4000::1": "reserved",
    "5f00::1": "reserved",
    "100::1": "reserved",
    "fc00::1": "private",
    "fdff:ffff::1": "private",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "2a00:1450:4001::1%eth0": "link-local",
    "febf::1": "link-local",
    "fec0::1": "private",
    "ff02::1": "multicast",
    "64:ff9b:1::1": "private",
  };
  for (const [address, kind] of Object.entries(kinds)) {
    assert.equal(addressKind(address), kind, address);
  }
});

Deno.test("S-006 an IPv6 address that carries an IPv4 address is of that one's kind", () => {
  const carriers = (ipv4: string, hex: string) => [
    `::ffff:${ipv4}`,
    `::FFFF:${hex}`,
    `0:0:0:0:0:ffff:${ipv4}`,
    `::ffff:0:${ipv4}`,
    `::${ipv4}`,
    `64:ff9b::${ipv4}`,
    `64:ff9b::${hex}`,
    `2002:${hex}::1`,
  ];
  for (const address of carriers("127.0.0.1", "7f00:1")) {
    assert.equal(addressKind(address), "loopback", address);
  }
  for (const address of carriers("10.1.2.3", "a01:203")) {
    assert.equal(addressKind(address), "private", address);
  }
  for (const address of carriers("169.254.169.254", "a9fe:a9fe")) {
    assert.equal(addressKind(address), "link-local", address);
  }
  // Whole networks reach IPv4 by NAT64 and by nothing else; the other ways are of no use to anybody.
  for (const address of carriers("8.8.8.8", "808:808")) {
    const isNat64 = address.startsWith("64:ff9b:");
    assert.equal(addressKind(address), isNat64 ? "public" : "reserved", address);
  }
});

Deno.test("S-006 what is not exactly an address is never public", () => {
  for (
    const text of [
      "",
      "localhost",
      "127.1",
      "2130706433",
      "0x7f.0.0.1",
      "010.0.0.1",
      "1.2.3.4.5",
      "1.2.3.256",
      "1.2.3.",
      " 1.2.3.4",
      "[::1]",
      ":",
      ":::",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7::8:9",
      "12345::",
      "::g",
      "1.2.3.4::",
      "::1.2.3",
    ]
  ) {
    assert.equal(addressKind(text), "invalid", text);
    assert.equal(isPublic(text), false, text);
  }
});
