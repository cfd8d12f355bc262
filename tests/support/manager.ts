import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { ManagerEvent } from "../../src/events.ts";
import { ConnectionManager } from "../../src/manager.ts";
import { listenDeno } from "../../src/server/front_deno.ts";
import type { Connector } from "../../src/upstream/connector.ts";

/** A configuration from TOML, for a test; the files that it names are read. */
export function configOf(toml: string): Config {
  const file = "test.toml";
  const readFile = (path: string) => path === file ? toml : Deno.readTextFileSync(path);
  return loadConfig({ file, readFile });
}

/** A connection manager on a free port of loopback. */
export interface RunningManager extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly manager: ConnectionManager;
  readonly events: readonly ManagerEvent[];
}

export async function runManager(
  options: { readonly toml?: string; readonly connector?: Connector } = {},
): Promise<RunningManager> {
  const config = configOf(options.toml ?? "");
  const events: ManagerEvent[] = [];
  const manager = new ConnectionManager({
    config,
    onEvent: (event) => events.push(event),
    ...(options.connector ? { connector: options.connector } : {}),
  });
  const listener = await listenDeno(
    { at: { address: "127.0.0.1", port: 0 }, serve: ["bosh", "websocket"] },
    manager.handler(["bosh", "websocket"]),
    (error) => manager.fault(error),
  );
  return {
    url: listener.url,
    manager,
    events,
    async [Symbol.asyncDispose]() {
      await manager.shutdown();
      await listener.close();
    },
  };
}
