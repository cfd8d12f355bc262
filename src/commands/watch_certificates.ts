import type { Config } from "../config/config.ts";
import { eventLogger } from "../log.ts";
import { reloadCertificates, type Reloading } from "./reload.ts";
import { watchFiles } from "./watch_files.ts";

/** Reads certificates anew whenever their files have changed, those that are in force at that time. */
export function watchCertificates(
  load: () => Config,
  { service, log }: Reloading,
): { close(): void } {
  return watchFiles(
    () => service.config.listen.flatMap(({ tls }) => tls?.files ?? []),
    (isFinal) => {
      try {
        return reloadCertificates(load, { service, log, told: isFinal });
      } catch (error) {
        eventLogger(log)({ type: "fault", session: undefined, error });
        return true;
      }
    },
  );
}
