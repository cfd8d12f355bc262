import { isLoopback, joinHostPort } from "../config/address.ts";
import type { Config } from "../config/config.ts";

/** What it means to serve the operator's side in the clear, for the operator who wrote it. */
export const EXPOSED_ADMIN =
  '"admin" is served without TLS beyond this machine: whoever is in between can read the password; ' +
  "write tls for this listener, or let it listen on loopback behind a proxy";

/**
 * Listeners by which a password would travel in the clear. Who trusts a proxy on another machine is taken to
 * have it in front of them.
 */
export function exposedAdmin({ listen, http }: Pick<Config, "listen" | "http">): string[] {
  const hasProxy = http.trustedProxies.some((range) => !isLoopback(range.split("/")[0]!));
  if (hasProxy) return [];
  return listen.flatMap(({ at, serve, tls }) => {
    if (!serve.includes("admin") || tls !== undefined || "unix" in at) return [];
    if ("fd" in at) return [`fd ${at.fd}`];
    return isLoopback(at.address) ? [] : [joinHostPort(at.address, at.port)];
  });
}
