import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readHandshake } from "../../../src/protocol/rfc6455/handshake.ts";

const GOOD = {
  upgrade: "websocket",
  connection: "Upgrade",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

Deno.test("W-003 the example of RFC 6455 §1.3 is answered with its Sec-WebSocket-Accept", () => {
  assert.deepEqual(handshake({}), {
    type: "accepted",
    headers: {
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    },
  });
});

Deno.test("W-003 what browsers and proxies make of the headers is understood", () => {
  const cases: Record<string, string>[] = [
    { upgrade: "WebSocket" },
    { upgrade: "h2c, websocket" },
    { connection: "keep-alive, Upgrade" },
    { connection: "upgrade,close" },
    { "sec-websocket-extensions": "permessage-deflate; client_max_window_bits" },
  ];
  for (const headers of cases) {
    const answer = handshake(headers);
    assert.equal(answer.type, "accepted", JSON.stringify(headers));
    assert.ok(answer.type === "accepted" && !("sec-websocket-extensions" in answer.headers));
  }
  assert.equal(handshake({}, { httpMinor: 2 }).type, "accepted");
});

Deno.test("W-003 a request that does not ask for a WebSocket is none", () => {
  for (const upgrade of ["", "h2c", "websocket2", "web socket"]) {
    assert.equal(handshake({ upgrade }).type, "none", upgrade);
  }
});

Deno.test("W-003 a handshake that is wrong is refused: 426 for the version, 400 for all else", () => {
  for (const version of ["", "8", "0", "12", "14", "013", "13, 8"]) {
    const answer = handshake({ "sec-websocket-version": version });
    assert.ok(answer.type === "refused");
    assert.equal(answer.status, 426, version);
    assert.equal(answer.headers["sec-websocket-version"], "13");
    assert.equal(answer.headers["upgrade"], "websocket");
  }
  const cases: [Record<string, string>, { method?: string; httpMinor?: number }][] = [
    [{}, { method: "POST" }],
    [{}, { method: "HEAD" }],
    [{}, { httpMinor: 0 }],
    [{ connection: "" }, {}],
    [{ connection: "keep-alive" }, {}],
    [{ connection: "upgraded" }, {}],
    ...[
      "",
      "x",
      "dGhlIHNhbXBsZSBub25jZQ",
      "dGhlIHNhbXBsZSBub25jZQ=",
      "dGhlIHNhbXBsZSBub25jZQ===",
      "dGhlIHNhbXBsZSBub25jZTE=",
      "dGhlIHNhbXBsZSBub25j",
      "dGhlIHNhbXBsZSBub25j!Q==",
      "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    ].map((key): [Record<string, string>, object] => [{ "sec-websocket-key": key }, {}]),
  ];
  for (const [headers, line] of cases) {
    const answer = handshake(headers, line);
    assert.ok(answer.type === "refused", JSON.stringify([headers, line]));
    assert.equal(answer.status, 400);
    assert.notEqual(answer.reason, "");
  }
});

/** `""` leaves a header out. */
function handshake(
  headers: Record<string, string>,
  { method = "GET", httpMinor = 1 } = {},
): ReturnType<typeof readHandshake> {
  const all: Record<string, string> = { ...GOOD, ...headers };
  return readHandshake(
    { method, httpMinor, header: (name) => all[name] || undefined },
    (text) => createHash("sha1").update(text).digest("hex"),
  );
}
