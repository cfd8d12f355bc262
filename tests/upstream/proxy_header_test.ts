import assert from "node:assert/strict";
import { proxyHeader } from "../../src/upstream/proxy_header.ts";

const V4 = { address: "203.0.113.7", port: 40_000 };
const V6 = { address: "2001:db8::7", port: 40_000 };
const SERVER4 = { address: "192.0.2.1", port: 5222 };
const SERVER6 = { address: "2001:db8::1", port: 5222 };

/** Examples of our own for what the protocol's §2.1 says. */
Deno.test("version 1 of the PROXY header is one line of text", () => {
  const line = (...ends: [typeof V4, typeof V4]) =>
    new TextDecoder().decode(proxyHeader(1, ...ends));
  assert.equal(line(V4, SERVER4), "PROXY TCP4 203.0.113.7 192.0.2.1 40000 5222\r\n");
  assert.equal(
    line(V6, SERVER6),
    "PROXY TCP6 2001:db8:0:0:0:0:0:7 2001:db8:0:0:0:0:0:1 40000 5222\r\n",
  );
  // The families must be the same: a destination of the other one is not known.
  assert.equal(line(V4, SERVER6), "PROXY TCP4 203.0.113.7 0.0.0.0 40000 5222\r\n");
  assert.equal(line(V6, SERVER4), "PROXY TCP6 2001:db8:0:0:0:0:0:7 0:0:0:0:0:0:0:0 40000 5222\r\n");
  assert.equal(
    line(V4, { address: "xmpp.example", port: 5222 }),
    "PROXY TCP4 203.0.113.7 0.0.0.0 40000 5222\r\n",
  );
  assert.equal(line({ address: "", port: 0 }, SERVER4), "PROXY UNKNOWN\r\n");
  assert.equal(line({ address: "x 1 2\r\n", port: 0 }, SERVER4), "PROXY UNKNOWN\r\n");
  // §2.1: "so a 108-byte buffer is always enough".
  const longest = { address: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", port: 65_535 };
  assert.ok(line(longest, longest).length <= 107);
});

/** §2.2. */
Deno.test("version 2 of the PROXY header is binary", () => {
  const signature = "0d0a0d0a000d0a515549540a";
  const hex = (...ends: [typeof V4, typeof V4]) => proxyHeader(2, ...ends).toHex();
  assert.equal(hex(V4, SERVER4), `${signature}2111000ccb007107c00002019c401466`);
  assert.equal(
    hex(V6, SERVER6),
    `${signature}21210024${"20010db8"}${"0".repeat(22)}07${"20010db8"}${"0".repeat(22)}019c401466`,
  );
  assert.equal(hex(V4, SERVER6), `${signature}2111000ccb00710700000000${"9c401466"}`);
  assert.equal(hex({ address: "", port: 0 }, SERVER4), `${signature}20000000`);
});
