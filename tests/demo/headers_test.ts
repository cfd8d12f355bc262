import assert from "node:assert/strict";
import { startDemo } from "../../src/commands/demo.ts";
import { Log } from "../../src/log.ts";
import { currentFront, onBothFronts } from "../support/fronts.ts";

onBothFronts(
  "S-009 the demo page may load and reach itself alone, and nobody may frame it",
  async () => {
    const log = new Log({ level: "error", format: "text", write() {}, now: Date.now });
    const demo = await startDemo({ log, port: 0, front: currentFront() });
    try {
      for (const path of ["/", "/demo/page.js", "/demo/icon.svg", "/demo/nothing", "/http-bind"]) {
        const { headers, body } = await fetch(`${demo.urls[0]}${path}`);
        await body?.cancel();
        const policy = headers.get("content-security-policy") ?? "";
        const isPage = path === "/" || (path.startsWith("/demo/") && path !== "/demo/nothing");
        assert.equal(headers.get("x-content-type-options"), "nosniff", path);
        assert.match(
          policy,
          isPage ? /^default-src 'self'; / : /^default-src 'none'; sandbox$/,
          path,
        );
        if (!isPage) continue;
        assert.doesNotMatch(policy, /unsafe|\*|data:|https?:/);
        assert.match(policy, /; frame-ancestors 'none'$/);
        assert.equal(headers.get("referrer-policy"), "no-referrer");
        assert.equal(headers.get("access-control-allow-origin"), null);
      }
    } finally {
      await demo.stop();
    }
  },
);
