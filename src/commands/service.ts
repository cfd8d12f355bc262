import type { Config } from "../config/config.ts";
import type { Controls } from "../controls.ts";
import type { ManagerEvent } from "../events.ts";
import { eventLogger, type Log } from "../log.ts";
import { ConnectionManager } from "../manager.ts";
import type { Listener } from "../server/listener.ts";
import type { Route } from "../server/http.ts";
import { EXPOSED_ADMIN, exposedAdmin } from "./exposed_admin.ts";
import type { Reloadable } from "./reload.ts";
import { untimelyCertificates } from "./untimely.ts";
import { UNVERIFIED, unverifiedDomains } from "./unverified.ts";

/** Milliseconds that requests which are not complete have, when everything else is over. */
export const LAST_REQUESTS = 1_000;

/** What `log.trace` means, for the operator who wrote it, perhaps a while ago. */
const TRACED = "log.trace: what these clients say and are told is written to this log";
const UNTRACED = 'log.trace has no effect: stanzas are logged at level "debug"';

/** A connection manager at work on its listeners. */
export interface Service extends Reloadable {
  readonly controls: Controls;
  /** Addresses that accept, as `http://host:port` or `http+unix:path`. */
  readonly urls: readonly string[];
  /** Its state in a few words. */
  readonly describe: () => string;
  /** Ends every session and stops listening; settles when all is answered, or its time is over. */
  stop(): Promise<void>;
  /** What the end has come to so far. */
  readonly farewell: Farewell;
}

/** What came of the sessions that there were when the end began. */
export interface Farewell {
  readonly sessions: number;
  /** Those that were not over in time. */
  left: number;
  /** Stanzas that no client took any more; their senders are told. */
  returned: number;
  /** Bytes that one side has sent and the other did not get. */
  lost: number;
}

/** Some listener cannot listen. The message names it and says what to do; exit status 1. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

export interface ServiceOptions {
  readonly log: Log;
  /** Makes the configuration anew. */
  readonly load: () => Config;
  readonly pages?: readonly Route[];
}

/** Starts what the configuration says. Throws {@link ListenError}. */
export async function startService(
  config: Config,
  options: ServiceOptions,
): Promise<Service> {
  const { log, load, pages = [] } = options;
  warn(config, log);
  const logged = eventLogger(log);
  const farewell = { sessions: 0, left: 0, returned: 0, lost: 0 };
  const controls: Controls = {
    get state() {
      return manager.state;
    },
    drain: () => manager.drain(),
    undrain: () => manager.undrain(),
    get logLevel() {
      return log.level;
    },
    set logLevel(level) {
      log.level = level;
    },
    get config() {
      return manager.config;
    },
    async reload() {
      const { reload } = await import("./reload.ts");
      return reload(load, { service, log });
    },
  };
  const manager = new ConnectionManager({
    config,
    controls,
    onEvent(event) {
      if (manager.state === "stopping") count(event, farewell);
      logged(event);
    },
    pages,
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
  let watch: { close(): void } | undefined;
  const service: Service = {
    controls,
    urls: listeners.map((listener) => listener.url),
    farewell,
    describe: () => `${manager.state}, ${manager.sessions} sessions`,
    get config() {
      return manager.config;
    },
    reconfigure: (fresh) => manager.reconfigure(fresh),
    replaceCertificates: (index, tls) => listeners[index]?.replaceCertificates(tls),
    async stop() {
      watch?.close();
      farewell.sessions = manager.sessions;
      // Held requests are answered first: a front that closes waits for them.
      await within(manager.shutdown(), manager.config.drain.timeout);
      farewell.left = manager.sessions;
      // A client that holds back half of its request would keep the listener for as long.
      await within(Promise.all(listeners.map((listener) => listener.close())), LAST_REQUESTS);
    },
  };
  if (config.listen.some(({ tls }) => tls !== undefined)) {
    const { watchCertificates } = await import("./watch_certificates.ts");
    watch = watchCertificates(load, { service, log });
  }
  return service;
}

/** What whoever reads the log of a start, or of a reload, has to know of a configuration. */
export function warn(config: Config, log: Log): void {
  for (const domain of unverifiedDomains(config)) log.warn(UNVERIFIED, { domain });
  for (const warning of untimelyCertificates(config, Date.now())) log.warn(warning);
  for (const listener of exposedAdmin(config)) log.warn(EXPOSED_ADMIN, { listener });
  const { trace, level } = config.log;
  if (trace.length > 0) {
    log.warn(level === "debug" ? TRACED : UNTRACED, { clients: trace.join(" ") });
  }
}

function count(event: ManagerEvent, farewell: Farewell): void {
  if (event.type === "undelivered") farewell.returned += event.payloads.length;
  if (event.type === "unsent") farewell.lost += event.bytes;
}

/** Settles with the promise, or after so many milliseconds. */
async function within(promise: Promise<unknown>, time: number): Promise<void> {
  const { promise: patience, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, time);
  await Promise.race([promise, patience]);
  clearTimeout(timer);
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
