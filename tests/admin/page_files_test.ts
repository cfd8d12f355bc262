/** How the admin page is served; what it does is in page_test.ts. */
import assert from "node:assert/strict";
import { authorization, OperatorStage } from "../support/operator_stage.ts";
import { onBothFronts } from "../support/fronts.ts";

async function ask(
  url: string,
  target: string,
  headers: Readonly<Record<string, string>> = { authorization },
  method = "GET",
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
  const answer = await fetch(`${url}${target}`, { method, headers, redirect: "manual" });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** What a file of the page loads, as addresses below the page. */
function loadedBy(text: string): string[] {
  const found = text.matchAll(/(?:src|href)="([^"#]+)"|^import [^]*?from "\.\/([^"]+)";$/gm);
  return [...found].map(([, address, module]) => address ?? module!);
}

onBothFronts(
  "S-009 the admin page and all that it loads may reach itself alone, and is not framed",
  async () => {
    await using stage = await OperatorStage.set();
    const waiting = [""];
    const seen = new Set<string>();
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const { status, headers, text } = await ask(stage.url, `/admin/${name}`);
      assert.equal(status, 200, name);
      const policy = headers.get("content-security-policy") ?? "";
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /, name);
      assert.match(
        policy,
        /; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'$/,
      );
      assert.doesNotMatch(policy, /unsafe|\*|data:|https?:/);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("referrer-policy"), "no-referrer");
      assert.equal(headers.get("access-control-allow-origin"), null);
      // Nothing of it runs or is styled in the page itself.
      assert.doesNotMatch(
        text,
        /<script>|<style|[\s"]style=|[\s"]on\w+=|innerHTML|insertAdjacent/,
        name,
      );
      waiting.push(...loadedBy(text));
    }
    assert.ok(seen.has("page.css") && seen.has("charts.js"), [...seen].join(" "));
    assert.equal(seen.size, 20);
  },
);

onBothFronts(
  "the admin page is served to operators, by an address that ends with a slash",
  async () => {
    await using stage = await OperatorStage.set();
    for (const target of ["/admin", "/admin/", "/admin/page.js"]) {
      const { status, headers } = await ask(stage.url, target, {});
      assert.equal(status, 401, target);
      assert.match(headers.get("www-authenticate") ?? "", /^Basic /);
      assert.equal(headers.get("set-cookie"), null);
    }
    const bare = await ask(stage.url, "/admin");
    assert.equal(bare.status, 307);
    // A proxy may have it at another path.
    assert.equal(bare.headers.get("location"), "admin/");
    assert.equal((await ask(stage.url, "/admin/nothing.js")).status, 404);
    const json = { authorization, "content-type": "application/json" };
    assert.equal((await ask(stage.url, "/admin/", json, "POST")).status, 405);
  },
);

onBothFronts(
  "the admin page leaves a cookie that is no secret, and its files are asked for anew only when they change",
  async () => {
    await using stage = await OperatorStage.set();
    const page = await ask(stage.url, "/admin/");
    assert.equal(
      page.headers.get("set-cookie"),
      "causeway-operator=1; Path=/; Max-Age=7776000; HttpOnly; SameSite=Strict",
    );
    for (const target of ["/admin/", "/admin/page.css", "/admin/page.js"]) {
      const { headers } = await ask(stage.url, target);
      assert.equal(headers.get("cache-control"), "private, no-cache");
      const etag = headers.get("etag") ?? "";
      assert.match(etag, /^"[^"]{16}"$/);
      const same = await ask(stage.url, target, { authorization, "if-none-match": etag });
      assert.equal(same.status, 304);
      assert.equal(same.text, "");
      assert.equal(
        (await ask(stage.url, target, { authorization, "if-none-match": '"x"' })).status,
        200,
      );
    }
    assert.equal((await ask(stage.url, "/admin/page.css")).headers.get("set-cookie"), null);
  },
);
