import assert from "node:assert/strict";
import { systemClock } from "../../src/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { Meter } from "../../src/meter.ts";
import { CommonHeaders, router } from "../../src/server/http.ts";
import { FakeExchange } from "../support/fake_exchange.ts";

Deno.test("a route has its path with and without a slash, and all below it only if it says so", () => {
  const route = (path: string, below?: boolean) => ({
    path,
    ...(below === undefined ? {} : { below }),
    handle: () => ({ status: 200, headers: {}, body: path }),
  });
  const routes = [route("/admin", true), route("/b"), route("/admin/own")];
  const handle = router(routes, new CommonHeaders(loadConfig().http), new Meter(systemClock));
  const found = (path: string) => {
    const answer = handle(new FakeExchange({ path }))!;
    return answer.status === 404 ? undefined : answer.body;
  };
  for (
    const [path, expected] of [
      ["/admin", "/admin"],
      ["/admin/", "/admin"],
      ["/admin/x", "/admin"],
      ["/admin/x/y", "/admin"],
      ["/admin/own", "/admin/own"],
      ["/admin/own/x", "/admin"],
      ["/administration", undefined],
      ["/b/", "/b"],
      ["/b/x", undefined],
      ["/", undefined],
    ] as const
  ) assert.equal(found(path), expected, path);
  const everything = router(
    [route("/", true), route("/b")],
    new CommonHeaders(loadConfig().http),
    new Meter(systemClock),
  );
  assert.equal(everything(new FakeExchange({ path: "/x" }))?.body, "/");
  assert.equal(everything(new FakeExchange({ path: "/b" }))?.body, "/b");
});
