import assert from "node:assert/strict";
import { isIP } from "node:net";
import {
  canonicalAddress,
  isIPv4,
  isIPv6,
  isLoopback,
  joinHostPort,
  splitHostPort,
  withoutMapping,
} from "../../src/config/address.ts";

Deno.test("splitHostPort() takes hosts and ports apart", () => {
  assert.deepEqual(splitHostPort("a.example"), { host: "a.example", port: undefined });
  assert.deepEqual(splitHostPort("a.example:1"), { host: "a.example", port: 1 });
  assert.deepEqual(splitHostPort("::1"), { host: "::1", port: undefined });
  assert.deepEqual(splitHostPort("[::1]"), { host: "::1", port: undefined });
  assert.deepEqual(splitHostPort("[::1]:99999"), { host: "::1", port: 99999 });
  for (
    const wrong of ["", ":1", "a:", "a:b", "a:1:2", "[::1", "[::1]x", "[a]:1", "a:123456", "a:-1"]
  ) {
    assert.equal(splitHostPort(wrong), undefined, wrong);
  }
});

Deno.test("joinHostPort() gives IPv6 its brackets", () => {
  assert.equal(joinHostPort("::1", 80), "[::1]:80");
  assert.equal(joinHostPort("127.0.0.1", 80), "127.0.0.1:80");
});

Deno.test("canonicalAddress() gives every address one spelling", () => {
  assert.equal(canonicalAddress("2001:DB8:0:0::1"), "2001:db8::1");
  assert.equal(canonicalAddress("127.0.0.1"), "127.0.0.1");
  for (const wrong of ["127.1", "127.0.0.01", "localhost", "fe80::1%lo", "[::1]", "::1/128", ""]) {
    assert.equal(canonicalAddress(wrong), undefined, wrong);
  }
});

Deno.test("withoutMapping() undresses IPv4 addresses, and nothing else", () => {
  assert.equal(withoutMapping("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(withoutMapping("::ffff:c000:207"), "192.0.2.7");
  assert.equal(withoutMapping("::ffff:0:1"), "0.0.0.1");
  for (const other of ["192.0.2.7", "::1", "::ffff:1", "::ffff:1:2:3", "2001:db8::ffff:1:2", ""]) {
    assert.equal(withoutMapping(other), other);
  }
});

Deno.test("isLoopback() holds for 127.0.0.0/8, ::1 and localhost only", () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "localhost"]) {
    assert.equal(isLoopback(address), true);
  }
  for (
    const address of ["0.0.0.0", "::", "12.7.0.1", "128.0.0.1", "127.example.org", "::ffff:7f00:1"]
  ) {
    assert.equal(isLoopback(address), false, address);
  }
});

Deno.test("isIPv4() and isIPv6() know what the platform's isIP() does", () => {
  const pieces = [
    "",
    "0",
    "1",
    "01",
    "255",
    "256",
    "fFfF",
    "12345",
    "g",
    ":",
    "::",
    ".",
    "%lo",
    " ",
  ];
  const texts = pieces.flatMap((a) => pieces.flatMap((b) => pieces.map((c) => a + b + c)));
  for (
    const text of [
      ...texts,
      ...texts.flatMap((
        text,
      ) => [`1.2.3${text}`, `${text}.2.3.4`, `1:2:3:4:5${text}`, `::${text}`]),
      ...["1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8"],
      ...[
        "1:2:3:4:5:6:1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3.4:5",
        "1.2.3.4::",
        "::ffff:1.2.3.04",
      ],
    ]
  ) {
    // A zone is whatever follows the sign, and nobody asks whether it can be one.
    if (text.includes("%") && !/^[^%]*%[0-9A-Za-z.:-]+$/.test(text)) continue;
    const expected = isIP(text);
    assert.equal(isIPv4(text), expected === 4, text);
    assert.equal(isIPv6(text), expected === 6, text);
  }
});
