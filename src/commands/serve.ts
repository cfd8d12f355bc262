import type { Config } from "../config/config.ts";
import { eventLogger, Log, writeStandardError } from "../log.ts";
import { ConnectionManager } from "../manager.ts";
import type { Listener } from "../server/listener.ts";
import type { Route } from "../server/http.ts";
import { version } from "../version.ts";
import type { Output } from "./check.ts";
import type { Reloading } from "./reload.ts";
import { untimelyCertificates } from "./untimely.ts";
import { UNVERIFIED, unverifiedDomains } from "./unverified.ts";

/** Milliseconds that requests which are not complete have, when everything else is over. */
const LAST_REQUESTS = 1_000;

/** What `log.trace` means, for the operator who wrote it, perhaps a while ago. */
const TRACED = "log.trace: what these clients say and are told is written to this log";
const UNTRACED = 'log.trace has no effect: stanzas are logged at level "debug"';

/** A connection manager at work on its listeners. */
export interface Service {
  /** Addresses that accept, as `http://host:port` or `http+unix:path`. */
  readonly urls: readonly string[];
  /** Gives a listener, by its place in the configuration, other certificates. */
  readonly replaceCertificates: Reloading["replace"];
  /** Ends every session and stops listening; settles when all is answered. */
  stop(): Promise<void>;
}

/** Some listener cannot listen. The message names it and says what to do; exit status 1. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** Starts what the configuration says. Throws {@link ListenError}. */
export async function startService(
  config: Config,
  options: { readonly log: Log; readonly pages?: readonly Route[] },
): Promise<Service> {
  for (const domain of unverifiedDomains(config)) options.log.warn(UNVERIFIED, { domain });
  for (const warning of untimelyCertificates(config, Date.now())) options.log.warn(warning);
  const { trace, level } = config.log;
  if (trace.length > 0) {
    options.log.warn(level === "debug" ? TRACED : UNTRACED, { clients: trace.join(" ") });
  }
  const manager = new ConnectionManager({
    config,
    onEvent: eventLogger(options.log),
    pages: options.pages ?? [],
  });
  const listeners: Listener[] = [];
  for (const listen of config.listen) {
    try {
      listeners.push(await manager.listen(listen));
    } catch (error) {
      await Promise.all(listeners.map((listener) => listener.close()));
      throw new ListenError(whyNot(listen.at, error), { cause: error });
    }
  }
  return {
    urls: listeners.map((listener) => listener.url),
    replaceCertificates: (index, tls) => listeners[index]?.replaceCertificates(tls),
    async stop() {
      // Held requests are answered first: a front that closes waits for them.
      await manager.shutdown();
      const closed = Promise.all(listeners.map((listener) => listener.close()));
      // A client that holds back half of its request would keep the listener for as long.
      const { promise: patience, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, LAST_REQUESTS);
      await Promise.race([closed, patience]);
      clearTimeout(timer);
    },
  };
}

/**
 * `causeway serve`: serves until SIGTERM or SIGINT, and then until every session has been told.
 * SIGHUP reads certificates anew. `load` makes the configuration; what it throws first is thrown.
 *
 * @returns the exit status
 */
export async function serveCommand(load: () => Config, output: Output): Promise<number> {
  const config = load();
  const log = new Log({ ...config.log, write: writeStandardError, now: Date.now });
  let service: Service | undefined;
  // Who has no ears for it yet would be ended by it.
  Deno.addSignalListener("SIGHUP", async () => {
    if (service === undefined) return;
    try {
      const { reloadCertificates } = await import("./reload.ts");
      reloadCertificates(load, { config, replace: service.replaceCertificates, log });
    } catch (error) {
      eventLogger(log)({ type: "fault", session: undefined, error });
    }
  });
  const start = async () => service = await startService(config, { log });
  return await runService(start, { log, output });
}

/** Milliseconds that peers have to answer when everything is closed. */
const LAST_FAREWELLS = 2_500;

/** Starts a service, says where it listens, and stops it when the process is told to end. */
export async function runService(
  start: () => Promise<Service>,
  { log, output }: { readonly log: Log; readonly output: Output },
): Promise<number> {
  // What nobody catches, in a timer or a promise, is a mistake of ours: it is told, and the process
  // goes on.
  const fault = (event: Event, error: unknown) => {
    event.preventDefault();
    eventLogger(log)({ type: "fault", session: undefined, error });
  };
  globalThis.addEventListener("unhandledrejection", (event) => fault(event, event.reason));
  globalThis.addEventListener("error", (event) => fault(event, event.error));
  const told = endOfService();
  let service;
  try {
    service = await start();
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    output.stderr(`causeway: ${error.message}`);
    return 1;
  }
  for (const url of service.urls) output.stdout(`causeway ${version} listening on ${url}`);
  const signal = await told;
  log.info("shutting down", { signal });
  await service.stop();
  log.info("shut down");
  // Upstream streams have two seconds to be closed by their servers. Who has not answered our
  // closing by then, a server or a WebSocket's client, does not keep the process.
  Deno.unrefTimer(setTimeout(() => Deno.exit(0), LAST_FAREWELLS));
  // Deno 2.9 crashes now and then when it takes itself apart, and the stop would be called a failure.
  globalThis.addEventListener("unload", () => Deno.exit(0));
  return 0;
}

/** Settles with the first signal that ends a service; the second one ends the process at once. */
function endOfService(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    const signals: Deno.Signal[] = ["SIGTERM", "SIGINT"];
    let told = false;
    for (const signal of signals) {
      Deno.addSignalListener(signal, () => {
        if (told) Deno.exit(1);
        told = true;
        resolve(signal);
      });
    }
  });
}

function whyNot(at: Config["listen"][number]["at"], error: unknown): string {
  const where = "unix" in at
    ? `unix:${at.unix}`
    : "fd" in at
    ? `file descriptor ${at.fd}`
    : `${at.address} port ${at.port}`;
  const cannot = `cannot listen on ${where}: `;
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  if ("fd" in at && code !== undefined) {
    return `${cannot}it is no listening socket of this process; a systemd socket unit hands over the first as 3`;
  }
  if (error instanceof Deno.errors.AddrInUse || code === "EADDRINUSE") {
    return `${cannot}another program does; end it, or choose another place with --listen`;
  }
  if (error instanceof Deno.errors.AddrNotAvailable || code === "EADDRNOTAVAIL") {
    return `${cannot}this machine does not have that address; choose another with --listen`;
  }
  if (error instanceof Deno.errors.PermissionDenied || code === "EACCES") {
    return `${cannot}this user may not; ports below 1024 want CAP_NET_BIND_SERVICE`;
  }
  return `${cannot}${error instanceof Error ? error.message : String(error)}`;
}
