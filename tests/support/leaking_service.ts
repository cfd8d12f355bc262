/** A service with a page that throws what it was asked with; started as a process by a test. */
import { runService } from "../../src/commands/serve.ts";
import { startService } from "../../src/commands/service.ts";
import { loadConfig } from "../../src/config/load.ts";
import { standardErrorLog } from "../../src/commands/standard_error.ts";
import type { Handler } from "../../src/server/exchange.ts";

const defaults = loadConfig({});
const listen = [{ ...defaults.listen[0]!, at: { address: "127.0.0.1", port: 0 } }];
const config = { ...defaults, listen };
const log = standardErrorLog({ level: "debug", format: "text" });

const handle: Handler = ({ query }) => {
  switch (query.split("&")[0]) {
    case "handler":
      throw new Error(`cannot answer ${query}`, { cause: query });
    case "json":
      JSON.parse(query);
      break;
    case "timer":
      setTimeout(() => {
        throw new TypeError(query);
      });
      break;
    case "promise":
      void Promise.reject(query);
  }
  return { status: 200, headers: {} };
};

await runService(
  () => startService(config, { log, load: () => config, pages: [{ path: "/throw", handle }] }),
  {
    log,
    output: {
      // deno-lint-ignore no-console
      stdout: (line) => console.log(line),
      // deno-lint-ignore no-console
      stderr: (line) => console.error(line),
    },
  },
);
