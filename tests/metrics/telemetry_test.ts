/** Deno's own OpenTelemetry, as docs/watching.md says that it works here. */
import assert from "node:assert/strict";
import { until } from "../support/patience.ts";
import { ServeProcess } from "../support/serve_process.ts";

/** What came, as far as it is looked at. */
interface Telemetry {
  readonly path: string;
  readonly text: string;
}

Deno.test("traces, metrics and what is printed go to a receiver of OTLP, and by default nothing goes anywhere", async () => {
  const all: Telemetry[] = [];
  await using receiver = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      all.push({ path: new URL(request.url).pathname, text: await request.text() });
      return new Response("{}", { headers: { "content-type": "application/json" } });
    },
  );
  const { port } = receiver.addr;
  const environment = {
    OTEL_SERVICE_NAME: "causeway-of-a-test",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_METRIC_EXPORT_INTERVAL: "300",
    OTEL_BSP_SCHEDULE_DELAY: "100",
    OTEL_BLRP_SCHEDULE_DELAY: "100",
  };
  const args = ["serve", "--listen", "127.0.0.1:0"];
  await using silent = new ServeProcess(args, environment);
  await using telling = new ServeProcess(args, { ...environment, OTEL_DENO: "true" });
  for (const process of [silent, telling]) {
    const response = await fetch(`${await process.url}/http-bind`, { method: "POST", body: "x" });
    await response.body?.cancel();
  }
  const come = (path: string, ...words: string[]) =>
    until(
      () =>
        all.some((telemetry) =>
          telemetry.path === path && words.every((word) => telemetry.text.includes(word))
        ) || undefined,
      `${words.join(", ")} came to ${path}`,
    );
  await come("/v1/traces", '"POST"', "url.path", "/http-bind", "causeway-of-a-test");
  await come("/v1/metrics", "http.server.request.duration", "v8js.memory.heap.size");
  await come("/v1/logs", "listening on http://127.0.0.1:");
  // One of the two has said something.
  const urls = [await silent.url, await telling.url];
  const mentioned = urls.map((url) => all.some(({ text }) => text.includes(url)));
  assert.deepEqual(mentioned, [false, true]);
});
