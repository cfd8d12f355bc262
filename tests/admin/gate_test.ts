import assert from "node:assert/strict";
import { AdminStage, BASIC, PASSWORD, TOKEN } from "../support/admin_stage.ts";
import { onBothFronts } from "../support/fronts.ts";
import { until } from "../support/patience.ts";
import { Logins } from "../../src/admin/logins.ts";
import type { ManagerEvent } from "../../src/events.ts";
import { TestClock } from "../support/test_clock.ts";

type Headers = Readonly<Record<string, string>>;

/** The status of a request with these headers and nothing else. */
async function status(url: string, headers: Headers = {}, method = "GET"): Promise<number> {
  const response = await fetch(url, { method, headers });
  await response.body?.cancel();
  return response.status;
}

function basic(name: string, password: string): Headers {
  return { authorization: `Basic ${new TextEncoder().encode(`${name}:${password}`).toBase64()}` };
}

onBothFronts(
  "S-004 below admin.path nobody gets anything without the password or the token",
  async () => {
    await using admin = await AdminStage.set();
    const { url } = admin.stage.running;
    for (
      const path of [
        "",
        "/",
        "/x",
        "/api",
        "/api/v1/status",
        "/api/v1/openapi.json",
        "/api/v1/drain",
        "/graphql",
      ]
    ) {
      for (const method of ["GET", "HEAD", "OPTIONS"]) {
        const response = await fetch(`${url}/admin${path}`, { method });
        assert.ok(
          [401, 403, 415].includes(response.status),
          `${method} ${path} ${response.status}`,
        );
        assert.equal(response.headers.get("access-control-allow-origin"), null);
        assert.equal(response.headers.get("cache-control"), "no-store");
        await response.body?.cancel();
      }
    }
    const { headers } = await fetch(`${admin.api}/status`).then(async (response) => {
      await response.body?.cancel();
      return response;
    });
    // A browser asks for a password by the challenge that comes first.
    assert.equal(
      headers.get("www-authenticate"),
      'Basic realm="Causeway", charset="UTF-8", Bearer realm="Causeway"',
    );
    for (
      const right of [{ authorization: BASIC }, { authorization: `bearer ${TOKEN}` }]
    ) assert.equal(await status(`${admin.api}/status`, right), 200);
    // Each from an address of its own, so that none has to wait for the others.
    const wrong: readonly Headers[] = [
      basic("admin", "wrong"),
      basic("admin", ""),
      basic("", PASSWORD),
      basic("root", PASSWORD),
      basic("admin", `${PASSWORD} `),
      basic("admin", TOKEN),
      { authorization: `Bearer ${PASSWORD}` },
      { authorization: `Bearer ${TOKEN}x` },
      { authorization: "Basic !!!" },
      { authorization: "Basic" },
      { authorization: `Digest ${TOKEN}` },
      { authorization: TOKEN },
    ];
    const statuses = await Promise.all(
      wrong.map((headers, at) =>
        status(`${admin.api}/status`, { ...headers, "x-forwarded-for": `192.0.2.${at + 1}` })
      ),
    );
    assert.deepEqual(statuses, wrong.map(() => 401));
    const failures = admin.stage.running.events.filter(({ type }) => type === "login-failed");
    assert.equal(failures.length, 1);
  },
);

onBothFronts("S-004 who tries many passwords has to wait, and others need not", async () => {
  await using admin = await AdminStage.set();
  const from = (address: string, headers: Headers) => ({ ...headers, "x-forwarded-for": address });
  const tries = Array.from(
    { length: 10 },
    () => status(`${admin.api}/status`, from("2001:db8::1", basic("admin", "x"))),
  );
  // Who has no password to show is not counted.
  await until(
    async () => await status(`${admin.api}/status`, from("2001:db8::1", {})) === 429 || undefined,
    "all have failed",
  );
  const response = await admin.ask("/status", { headers: { "x-forwarded-for": "2001:db8::2" } });
  assert.equal(response.status, 429);
  assert.ok(Number(response.headers.get("retry-after")) >= 1);
  await response.body!.cancel();
  admin.stage.running.jump(2_000);
  assert.deepEqual(await Promise.all(tries), tries.map(() => 401));
  assert.equal(
    await status(`${admin.api}/status`, from("2001:db8:0:1::1", { authorization: BASIC })),
    200,
  );
  admin.stage.running.jump(20_000);
  assert.equal(
    await status(`${admin.api}/status`, from("2001:db8::2", { authorization: BASIC })),
    200,
  );
});

Deno.test("S-007 what is remembered of failed logins is bounded, and so is how often it is told", () => {
  const clock = new TestClock();
  const events: ManagerEvent[] = [];
  const logins = new Logins(clock, (event) => events.push(event));
  let refused = 0;
  for (let at = 0; at < 5_000; at++) logins.failed(`192.0.${at >> 8}.${at & 255}`, () => refused++);
  // Fifty wait for their refusal, all others have it at once.
  assert.equal(refused, 4_950);
  assert.equal(clock.timers, 50);
  assert.deepEqual(events, [{ type: "login-failed", address: "192.0.0.0", count: 1 }]);
  clock.advance(10_000);
  assert.equal(refused, 5_000);
  logins.failed("192.0.2.1", () => {});
  assert.deepEqual(events[1], { type: "login-failed", address: "192.0.2.1", count: 5_000 });
  for (let i = 0; i < 20; i++) logins.failed("192.0.2.99", () => {});
  assert.ok(logins.wait("192.0.2.99") > 100);
  for (let at = 0; at < 1_000; at++) logins.failed(`198.51.${at >> 8}.${at & 255}`, () => {});
  // The oldest had to go.
  assert.equal(logins.wait("192.0.2.99"), 0);
  logins.succeeded("198.51.0.1");
});

onBothFronts(
  "S-004 a page of another site can have a browser change nothing, nor read anything",
  async () => {
    await using admin = await AdminStage.set({
      http: 'allowed_origins = ["https://chat.example"]',
    });
    const { host, origin } = new URL(admin.stage.running.url);
    const drain = async (headers: Headers) => {
      const at = await status(`${admin.api}/drain`, { authorization: BASIC, ...headers }, "POST");
      assert.equal(
        admin.controls.state,
        at === 200 ? "draining" : "serving",
        JSON.stringify(headers),
      );
      admin.controls.undrain();
      return at;
    };
    const json = { "content-type": "application/json" };
    assert.equal(await drain(json), 200);
    assert.equal(await drain({ "content-type": "application/json; charset=utf-8" }), 200);
    assert.equal(await drain({ ...json, "sec-fetch-site": "same-origin", origin }), 200);
    assert.equal(await drain({ ...json, "sec-fetch-site": "none" }), 200);
    // Behind a proxy that hides what the browser asked for.
    assert.equal(
      await drain({
        ...json,
        "sec-fetch-site": "same-origin",
        "origin": "https://causeway.example",
      }),
      200,
    );
    // Behind a proxy that says what the browser asked for.
    assert.equal(
      await drain({
        ...json,
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "causeway.example",
        "origin": "https://causeway.example",
      }),
      200,
    );
    for (
      const type of [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonx",
      ]
    ) assert.equal(await drain({ "content-type": type }), 415, type);
    for (
      const foreign of [
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
        { origin: "https://evil.example" },
        { origin: "https://chat.example" },
        { origin: "null" },
        { origin: `http://evil.${host}` },
        { origin: "http://127.0.0.1:1" },
      ]
    ) assert.equal(await drain({ ...json, ...foreign }), 403, JSON.stringify(foreign));
    const read = (headers: Headers) =>
      status(`${admin.api}/status`, { authorization: BASIC, ...headers });
    assert.equal(await read({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }), 403);
    assert.equal(await read({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }), 200);
    const preflight = await fetch(`${admin.api}/drain`, {
      method: "OPTIONS",
      headers: {
        "origin": "https://chat.example",
        "access-control-request-method": "POST",
        "authorization": BASIC,
      },
    });
    await preflight.body?.cancel();
    const leave = [...preflight.headers.keys()].filter((name) => name.startsWith("access-control"));
    assert.deepEqual([preflight.status, leave], [403, []]);
  },
);
