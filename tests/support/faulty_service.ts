/** A service that makes mistakes which nobody catches; started as a process by a test. */
import { runService } from "../../src/commands/serve.ts";
import { standardErrorLog } from "../../src/commands/standard_error.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Controls } from "../../src/controls.ts";

const log = standardErrorLog({ level: "info", format: "text" });
const output = {
  // deno-lint-ignore no-console
  stdout: (line: string) => console.log(line),
  // deno-lint-ignore no-console
  stderr: (line: string) => console.error(line),
};

await runService(() => {
  setTimeout(function timer() {
    throw new TypeError("thrown in a timer");
  }, 10);
  setTimeout(function promise() {
    void Promise.reject(new TypeError("thrown in a promise"));
  }, 20);
  const { promise, resolve } = Promise.withResolvers<string>();
  setTimeout(() => resolve("http://127.0.0.1:1"), 50);
  return promise.then((url) => ({
    urls: [url],
    describe: () => "at fault",
    controls: { drain() {}, config: loadConfig({}) } as unknown as Controls,
    farewell: { sessions: 0, left: 0, returned: 0, lost: 0 },
    stop: () => Promise.resolve(),
  }));
}, { log, output });
