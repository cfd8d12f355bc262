/** Which keys of the file two configurations differ in, and which of them a running program can take. */
import { isDeepStrictEqual } from "node:util";
import type { Config, DomainConfig, ListenConfig } from "../config/config.ts";

/**
 * Whether a key (`limits.sessions`, `listen[0].port`) counts from the next start only: listeners are opened
 * once. Their certificates, and all else, are replaced.
 */
export function wantsRestart(key: string): boolean {
  return /^listen(?:\[\d+\])?(?:$|\.(?!(?:tls|client_ca)$))/.test(key);
}

/**
 * The keys that differ, as the file has them: `limits.sessions`, `listen[0].tls`, `domains."example.org"`; `listen` when
 * there are more listeners or fewer. A default that changed for a domain is told for both.
 */
export function changedKeys(before: Config, after: Config): string[] {
  return [
    ...changed("", top(before), top(after)),
    ...changedListeners(before.listen, after.listen),
    ...TABLES.flatMap((table) => changed(`${table}.`, before[table], after[table])),
    ...changedUpstream(before.upstream, after.upstream),
    ...changedDomains(before.domains, after.domains),
  ];
}

const TABLES = ["http", "bosh", "websocket", "limits", "drain", "admin", "log"] as const;

/** Where the file has another name for what the program has, or several. */
const NAMES: Readonly<Record<string, string>> = {
  "bosh.strict": "bosh.overactivity",
  "admin.password": "admin.password_file",
  "admin.token": "admin.token_file",
  "upstream.identity": "upstream.client_cert",
  "upstream.bosh_url": "discovery.bosh_url",
  "upstream.websocket_url": "discovery.websocket_url",
};

function top({ domainDefault, openProxy }: Config) {
  return { domainDefault, openProxy };
}

function changed(prefix: string, before: object, after: object): string[] {
  const [one, other]: Readonly<Record<string, unknown>>[] = [{ ...before }, { ...after }];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => !isDeepStrictEqual(one![name], other![name]))
    .map((name) => {
      const key = prefix + name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      return NAMES[key] ?? key;
    });
}

function changedListeners(
  before: readonly ListenConfig[],
  after: readonly ListenConfig[],
): string[] {
  if (before.length !== after.length) return ["listen"];
  return before.flatMap((one, index) => {
    const other = after[index]!;
    const where = `listen[${index}].`;
    return [
      ...changed(where, one.at, other.at),
      ...changed(where, listener(one), listener(other)),
      ...changedTls(where, one, other),
    ];
  });
}

function listener({ serve, server, maxConnections, maxConnectionsPerAddress }: ListenConfig) {
  return { serve, server, maxConnections, maxConnectionsPerAddress };
}

/** To switch TLS on or off is another listener. */
function changedTls(
  where: string,
  { tls: one }: ListenConfig,
  { tls: other }: ListenConfig,
): string[] {
  if ((one === undefined) !== (other === undefined)) return [where.slice(0, -1)];
  return [
    ...(isDeepStrictEqual(one?.certificates, other?.certificates) ? [] : [`${where}tls`]),
    ...(one?.clientCa === other?.clientCa ? [] : [`${where}client_ca`]),
  ];
}

function changedUpstream(before: DomainConfig, after: DomainConfig): string[] {
  return changed("upstream.", before, after);
}

function changedDomains(before: Config["domains"], after: Config["domains"]): string[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((pattern) => !isDeepStrictEqual(before.get(pattern), after.get(pattern)))
    .map((pattern) => `domains.${JSON.stringify(pattern)}`);
}
