import assert from "node:assert/strict";
import fc from "fast-check";
import { addressGroup, ConnectionCount } from "../../src/server/connection_count.ts";

Deno.test("connections are counted in all and from each address, and what is refused is not", () => {
  const count = new ConnectionCount(
    { maxConnections: 3, maxConnectionsPerAddress: 2 },
    () => false,
  );
  assert.equal(count.admit("192.0.2.1"), undefined);
  assert.equal(count.admit("192.0.2.1"), undefined);
  assert.equal(count.admit("192.0.2.1"), "max_connections_per_address");
  assert.equal(count.admit("192.0.2.2"), undefined);
  assert.equal(count.admit("192.0.2.3"), "max_connections");
  assert.equal(count.all, 3);
  count.release("192.0.2.1");
  assert.equal(count.admit("192.0.2.3"), undefined);
  count.release("192.0.2.3");
  assert.equal(count.admit("192.0.2.1"), undefined);
  assert.equal(count.admit("192.0.2.1"), "max_connections");
});

Deno.test("an address that is exempt has no limit of its own, and counts in all", () => {
  const exempt = (address: string) => address === "127.0.0.1";
  const count = new ConnectionCount({ maxConnections: 5, maxConnectionsPerAddress: 1 }, exempt);
  for (let i = 0; i < 4; i++) assert.equal(count.admit("127.0.0.1"), undefined);
  assert.equal(count.admit("192.0.2.1"), undefined);
  assert.equal(count.admit("127.0.0.1"), "max_connections");
  count.release("127.0.0.1");
  assert.equal(count.admit("192.0.2.1"), "max_connections_per_address");
});

Deno.test("an IPv6 address counts as the /64 around it, however it is written", () => {
  const groups: readonly (readonly [string, string])[] = [
    ["2001:db8::1", "2001:db8:0:0"],
    ["2001:db8::ffff:1:2:3", "2001:db8:0:0"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::", "2001:db8:1:2"],
    ["2001:db8:1::2:3:4:5", "2001:db8:1:0"],
    ["1::2:3:4:5:6:7", "1:0:2:3"],
    ["::1", "0:0:0:0"],
    ["::", "0:0:0:0"],
    ["::2:3:4:5:6:7", "0:0:2:3"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["64:ff9b::192.0.2.1", "64:ff9b:0:0"],
    ["1:2:3::4:192.0.2.1", "1:2:3:0"],
    ["192.0.2.1", "192.0.2.1"],
    ["", ""],
  ];
  for (const [address, group] of groups) assert.equal(addressGroup(address), group, address);
});

// What holds: an address and its short form are one group; another /64 is another one.
Deno.test("the group of an IPv6 address is its first 64 bits, in whichever form it is written", () => {
  const part = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  fc.assert(fc.property(fc.array(part, { minLength: 8, maxLength: 8 }), (parts) => {
    const long = parts.map((part) => part.toString(16)).join(":");
    const short = new URL(`http://[${long}]/`).hostname.slice(1, -1);
    const group = parts.slice(0, 4).map((part) => part.toString(16)).join(":");
    assert.equal(addressGroup(long), group);
    assert.equal(addressGroup(short), group);
  }));
});

// What holds: after any sequence of connections and ends, as many are let in as the limits leave.
Deno.test("whatever comes and goes, the count is of those that are there", () => {
  const limits = { maxConnections: 6, maxConnectionsPerAddress: 3 };
  const step = fc.tuple(fc.boolean(), fc.constantFrom("a", "b", "c", "proxy"));
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const count = new ConnectionCount(limits, (address) => address === "proxy");
    const there: string[] = [];
    for (const [comes, address] of steps) {
      const own = there.filter((other) => other === address).length;
      if (!comes) {
        if (own === 0) continue;
        there.splice(there.indexOf(address), 1);
        count.release(address);
        continue;
      }
      const expected = there.length >= 6
        ? "max_connections"
        : address !== "proxy" && own >= 3
        ? "max_connections_per_address"
        : undefined;
      assert.equal(count.admit(address), expected);
      if (expected === undefined) there.push(address);
      assert.equal(count.all, there.length);
    }
  }));
});
