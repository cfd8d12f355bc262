import { isDeepStrictEqual } from "node:util";
import type { Config, ListenConfig, TlsConfig } from "../config/config.ts";
import { ConfigError, describeMistake } from "../config/mistakes.ts";
import type { Log } from "../log.ts";
import { describeNames, untimelyCertificates } from "./untimely.ts";

/** A service whose certificates can be read anew. */
export interface Reloading {
  /** What it was started with. */
  readonly config: Config;
  /** Gives a listener, by its place in `config.listen`, certificates for connections to come. */
  readonly replace: (listener: number, tls: TlsConfig) => void;
  readonly log: Log;
}

/**
 * Reads the configuration again, and gives every listener with TLS the certificates of its files,
 * and the authorities of its clients. With a mistake anywhere nothing changes, and each mistake is
 * logged; what else has changed is said to want a restart.
 */
export function reloadCertificates(load: () => Config, { config, replace, log }: Reloading): void {
  let fresh: Config;
  try {
    fresh = load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const mistake of error.mistakes) {
      log.error("certificates stay as they are", { mistake: describeMistake(mistake) });
    }
    return;
  }
  if (!isDeepStrictEqual(withoutCertificates(fresh), withoutCertificates(config))) {
    log.warn("SIGHUP reads certificates only; other changes of the configuration need a restart");
  }
  for (const [index, { at, tls }] of config.listen.entries()) {
    const now = [fresh.listen[index], ...fresh.listen].find((other) =>
      isDeepStrictEqual(other?.at, at)
    )?.tls;
    if (tls === undefined || now === undefined) continue;
    replace(index, now);
    log.info("certificates read anew", {
      listener: JSON.stringify(at),
      names: now.certificates.map(({ cert }) => describeNames(cert)).join(", "),
    });
  }
  for (const warning of untimelyCertificates(fresh, Date.now())) log.warn(warning);
}

/** The configuration but for what a reload replaces. */
function withoutCertificates(config: Config): Config {
  const listen = config.listen.map((listener): ListenConfig => ({
    ...listener,
    tls: listener.tls && { certificates: [], clientCa: undefined },
  }));
  return { ...config, listen };
}
