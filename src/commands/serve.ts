import type { Config } from "../config/config.ts";
import { eventLogger, type Log } from "../log.ts";
import { version } from "../version.ts";
import type { Output } from "./check.ts";
import { LAST_REQUESTS, ListenError, type Service, startService } from "./service.ts";
import type { ServiceManager } from "./service_manager.ts";
import { standardErrorLog } from "./standard_error.ts";

/**
 * `causeway serve`: serves until SIGTERM or SIGINT, and then until every session has been told.
 * SIGHUP reads the configuration anew. `load` makes the configuration; what it throws first is thrown.
 *
 * @returns the exit status
 */
export async function serveCommand(load: () => Config, output: Output): Promise<number> {
  const config = load();
  const log = standardErrorLog(config.log);
  const systemd = await serviceManager(log);
  let service: Service | undefined;
  // Who has no ears for it yet would be ended by it.
  Deno.addSignalListener("SIGHUP", async () => {
    if (service === undefined) return;
    systemd?.reloading();
    try {
      await service.controls.reload();
    } catch (error) {
      eventLogger(log)({ type: "fault", session: undefined, error });
    } finally {
      systemd?.reloaded();
    }
  });
  const start = async () => service = await startService(config, { log, load });
  return await runService(start, { log, output, systemd });
}

/** The service manager that has started this process and wants to hear from it, if one has. */
async function serviceManager(log: Log): Promise<ServiceManager | undefined> {
  const environment = Deno.env.toObject();
  if (environment.NOTIFY_SOCKET === undefined) return undefined;
  const { ServiceManager } = await import("./service_manager.ts");
  return ServiceManager.connect(environment, log);
}

/** Milliseconds that peers have to answer when everything is closed. */
const LAST_FAREWELLS = 2_500;

/** What a command needs of a service to run it. */
export type Runnable = Pick<Service, "urls" | "controls" | "describe" | "stop" | "farewell">;

/** Starts a service, says where it listens, and stops it when the process is told to end. */
export async function runService(
  start: () => Promise<Runnable>,
  { log, output, systemd }: {
    readonly log: Log;
    readonly output: Output;
    readonly systemd?: ServiceManager | undefined;
  },
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
  systemd?.ready(service.describe);
  const signal = await told;
  const { controls } = service;
  controls.drain();
  const { delay, timeout } = controls.config.drain;
  systemd?.stopping(delay + timeout + LAST_REQUESTS + LAST_FAREWELLS);
  log.info("shutting down", { signal, delay: delay === 0 ? undefined : delay / 1000 });
  if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
  await service.stop();
  systemd?.close();
  return lastFarewells(service, log);
}

/** Leaves the process what time peers have, and ends it; the result is the exit status, by now. */
function lastFarewells({ farewell }: Runnable, log: Log): number {
  let isTold = false;
  const end = (): never => {
    const { sessions, left, returned, lost } = farewell;
    const isWhole = left === 0 && lost === 0;
    if (!isTold) {
      isTold = true;
      const told = { sessions, left: left || undefined, returned: returned || undefined };
      if (isWhole) log.info("shut down", told);
      else log.error("shut down, and something was lost", { ...told, bytes: lost || undefined });
    }
    log.flush();
    Deno.exit(isWhole ? 0 : 1);
  };
  // Upstream streams have two seconds to be closed by their servers. Who has not answered our
  // closing by then, a server or a WebSocket's client, does not keep the process.
  Deno.unrefTimer(setTimeout(end, LAST_FAREWELLS));
  // Deno 2.9 crashes now and then when it takes itself apart, and the stop would be called a failure.
  globalThis.addEventListener("unload", end);
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
