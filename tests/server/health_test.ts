import assert from "node:assert/strict";
import { onBothFronts } from "../support/fronts.ts";
import { runManager } from "../support/manager.ts";

onBothFronts(
  "readiness and liveness are answered in words, and only where they are served",
  async () => {
    await using running = await runManager();
    const ask = async (path: string, method = "GET") => {
      const response = await fetch(running.url + path, { method });
      return [response.status, await response.text()];
    };
    assert.deepEqual(await ask("/health/ready"), [200, "ready\n"]);
    assert.deepEqual(await ask("/health/ready", "HEAD"), [200, ""]);
    assert.deepEqual(await ask("/health/ready", "POST"), [405, "Use one of: GET, HEAD, OPTIONS\n"]);
    running.manager.drain();
    assert.equal(running.manager.state, "draining");
    assert.deepEqual(await ask("/health/ready/"), [503, "draining\n"]);
    assert.deepEqual(await ask("/health/live"), [200, "live\n"]);
    running.manager.undrain();
    assert.deepEqual(await ask("/health/ready"), [200, "ready\n"]);
    await running.manager.shutdown();
    running.manager.undrain();
    assert.deepEqual(await ask("/health/ready"), [503, "stopping\n"]);

    await using other = await runManager({ toml: '[[listen]]\nserve = ["bosh"]' });
    const response = await fetch(`${other.url}/health/live`);
    assert.equal(response.status, 404);
    await response.body?.cancel();
  },
);

onBothFronts("a WebSocket handshake is refused while nobody new is served", async () => {
  await using running = await runManager();
  running.manager.drain();
  const response = await fetch(`${running.url}/xmpp-websocket`, {
    headers: {
      "upgrade": "websocket",
      "connection": "upgrade",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
      "sec-websocket-protocol": "xmpp",
    },
  });
  assert.equal(response.status, 503);
  assert.match(await response.text(), /opens no new sessions/);
});
