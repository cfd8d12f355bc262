import type { Config } from "../config/config.ts";

/** What `verify = false` means, for the operator who wrote it. */
export const UNVERIFIED =
  "verify = false: any certificate is taken for the XMPP server's, so whoever is in between can " +
  "read everything and act as any user; write fingerprints or ca instead";

/** The patterns of the domains whose server anybody can be; `*` stands for every domain. */
export function unverifiedDomains({ upstream, domains }: Config): string[] {
  const served = domains.size === 0 ? [["*", upstream] as const] : [...domains];
  return served.filter(([, { verify, tls, connect }]) =>
    !verify && (tls !== "never" || connect.some(({ direct }) => direct))
  ).map(([name]) => name);
}
