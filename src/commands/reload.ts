import { isDeepStrictEqual } from "node:util";
import type { Config, ListenConfig, TlsConfig } from "../config/config.ts";
import { openProxies } from "../config/settle.ts";
import { ConfigError, describeMistake } from "../config/mistakes.ts";
import type { ReloadReport } from "../controls.ts";
import type { Log } from "../log.ts";
import { changedKeys } from "./changed_keys.ts";
import { warn } from "./service.ts";
import { describeNames } from "./untimely.ts";

/** A service whose configuration can be read anew. */
export interface Reloadable {
  /** What is in force. */
  readonly config: Config;
  /** Takes all of another configuration but for its listeners. */
  reconfigure(config: Config): void;
  /** Gives a listener, by its place in `config.listen`, certificates for connections to come. */
  replaceCertificates(listener: number, tls: TlsConfig): void;
}

export interface Reloading {
  readonly service: Reloadable;
  readonly log: Log;
}

/**
 * Reads the configuration again and applies what can be applied; what cannot is said to want a restart.
 * With a mistake anywhere nothing changes, and each mistake is logged.
 */
export function reload(load: () => Config, { service, log }: Reloading): ReloadReport {
  const fresh = read(load);
  if (!("listen" in fresh)) return refused(fresh, log);
  const before = service.config;
  const listen = withCertificates(before.listen, fresh);
  const next = { ...fresh, listen };
  const mistakes = openProxies(next).map((index) =>
    `${
      describeListener(listen[index]!)
    } stays as it is until a restart, and with domains as they are now ` +
    "strangers could reach any XMPP server through it; nothing was changed: restart the program instead"
  );
  if (mistakes.length > 0) return refused(mistakes, log);
  const applied = changedKeys(before, next);
  const restart = changedKeys(next, fresh);
  service.reconfigure(next);
  log.level = fresh.log.level;
  log.format = fresh.log.format;
  if (restart.length > 0) {
    log.warn("this has changed and wants a restart", { keys: restart.join(" ") });
  }
  log.info("configuration read anew", { applied: applied.join(" ") || "nothing has changed" });
  applyCertificates(service, log);
  warn(fresh, log);
  return { applied, restart, mistakes: [] };
}

/**
 * Reads certificates again, with the authorities of clients, and nothing else of the configuration. Returns
 * whether it has no mistake; they are logged if they are `told`.
 */
export function reloadCertificates(
  load: () => Config,
  { service, log, told }: Reloading & { readonly told: boolean },
): boolean {
  const fresh = read(load);
  if (!("listen" in fresh)) {
    if (told) refused(fresh, log);
    return false;
  }
  const { config } = service;
  const listen = withCertificates(config.listen, fresh);
  // Who wrote them has perhaps sent a signal as well.
  if (isDeepStrictEqual(listen, config.listen)) return true;
  service.reconfigure({ ...config, listen });
  applyCertificates(service, log);
  warn(service.config, log);
  return true;
}

/** The configuration, or its mistakes. */
function read(load: () => Config): Config | string[] {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.mistakes.map(describeMistake);
  }
}

function refused(mistakes: readonly string[], log: Log): ReloadReport {
  for (const mistake of mistakes) log.error("the configuration stays as it is", { mistake });
  return { applied: [], restart: [], mistakes };
}

/** The listeners that there are, with the certificates that a new configuration has for their places. */
function withCertificates(
  listeners: readonly ListenConfig[],
  { listen }: Config,
): readonly ListenConfig[] {
  return listeners.map((listener, index) => {
    const now = [listen[index], ...listen].find((other) =>
      isDeepStrictEqual(other?.at, listener.at)
    );
    // A listener that is to be without TLS, or with it, has to be opened anew; so has one of Deno's server
    // that is to have what that does not know.
    return listener.tls === undefined || now?.tls === undefined ||
        (listener.server === "deno" && now.server === "sockets")
      ? listener
      : { ...listener, tls: now.tls };
  });
}

function describeListener({ at }: Pick<ListenConfig, "at">): string {
  return JSON.stringify(at);
}

function applyCertificates(service: Reloadable, log: Log): void {
  for (const [index, { at, tls }] of service.config.listen.entries()) {
    if (tls === undefined) continue;
    service.replaceCertificates(index, tls);
    log.info("certificates read anew", {
      listener: describeListener({ at }),
      names: tls.certificates.map(({ cert }) => describeNames(cert)).join(", "),
    });
  }
}
