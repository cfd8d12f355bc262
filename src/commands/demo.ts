import type { Config, ListenConfig } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { demoAssets } from "../demo/assets.ts";
import { startDemoServer } from "../demo/server.ts";
import type { Log } from "../log.ts";
import type { Route } from "../server/http.ts";
import type { Output } from "./check.ts";
import { runService } from "./serve.ts";
import { ListenError, type Service, startService } from "./service.ts";
import { standardErrorLog } from "./standard_error.ts";

const DOMAIN = "localhost";

/** What the page may load and reach: itself, and nothing else. */
const PAGE_HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy": "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/**
 * `causeway demo`: an embedded XMPP server, Causeway in front of it, and a page to try them with.
 *
 * @returns the exit status
 */
export async function demoCommand(output: Output): Promise<number> {
  const log = standardErrorLog({ level: "info", format: "text" });
  const start = async () => {
    const service = await startDemo({ log, port: 5280 });
    const [url] = service.urls;
    output.stderr(
      `Open ${url}/ in a browser. Accounts: alice and bob, passwords alike. Ctrl+C ends.`,
    );
    return service;
  };
  return await runService(start, { log, output });
}

/** Starts the demo on loopback; where `port` is taken, on a free one. `front` is what listens; default: Deno's. */
export async function startDemo(
  { log, port, front = "deno" }: {
    readonly log: Log;
    readonly port: number;
    readonly front?: ListenConfig["server"];
  },
): Promise<Service> {
  const server = startDemoServer({ hostname: "127.0.0.1", port: 0 });
  const pages = await demoRoutes();
  const listenOn = (port: number) => {
    const config = demoConfig({ port, front, upstreamPort: server.port });
    return startService(config, { log, pages, load: () => config });
  };
  let service: Service;
  try {
    service = await listenOn(port);
  } catch (error) {
    const taken = error instanceof ListenError && error.cause instanceof Deno.errors.AddrInUse;
    if (!taken) {
      await server.close();
      throw error;
    }
    log.warn(`port ${port} is taken: the demo listens on a free one`);
    service = await listenOn(0);
  }
  return {
    ...service,
    async stop() {
      await service.stop();
      await server.close();
    },
  };
}

function demoConfig(
  { port, front, upstreamPort }: {
    readonly port: number;
    readonly front: ListenConfig["server"];
    readonly upstreamPort: number;
  },
): Config {
  const defaults = loadConfig({});
  const [loopback] = defaults.listen;
  const listen: ListenConfig = {
    ...loopback!,
    at: { address: "127.0.0.1", port },
    server: front,
    serve: ["bosh", "websocket"],
  };
  const connect = [{ direct: false, hostname: "127.0.0.1", port: upstreamPort }];
  return {
    ...defaults,
    listen: [listen],
    domains: new Map([[DOMAIN, { ...defaults.upstream, connect, tls: "never" }]]),
  };
}

async function demoRoutes(): Promise<Route[]> {
  const assets = await demoAssets();
  return [...assets].map(([path, { type, body }]) => ({
    path,
    handle: () => ({ status: 200, headers: { ...PAGE_HEADERS, "content-type": type }, body }),
  }));
}
