import type { Config, LogLevel } from "./config/config.ts";

/** `draining`: who is there stays, and nobody new is served; `stopping`: that, and the end comes. */
export type ServiceState = "serving" | "draining" | "stopping";

/**
 * What an operator can have done while the program runs: by signals, by the admin API and by its page.
 */
export interface Controls {
  readonly state: ServiceState;
  /** Opens no new session from here on; readiness says no. */
  drain(): void;
  /** Takes {@link drain} back; without effect when the program stops. */
  undrain(): void;
  /** The least that is logged; until the next reload or restart. */
  logLevel: LogLevel;
  /** What is in force: secrets are in it. */
  readonly config: Config;
  /** Reads the configuration anew and applies what can be applied; all of it or, with a mistake in it, nothing. */
  reload(): Promise<ReloadReport>;
}

/** What came of a reload, in keys as the file has them (`limits.sessions`, `domains`). */
export interface ReloadReport {
  /** Keys whose new values hold from now on. */
  readonly applied: readonly string[];
  /** Keys that have changed and want a restart. */
  readonly restart: readonly string[];
  /** Sentences with key, file, line and cure; then nothing has changed. */
  readonly mistakes: readonly string[];
}
