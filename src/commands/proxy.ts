import { configFile, type ConfigSources, loadConfig } from "../config/load.ts";
import type { ProxyName } from "./arguments.ts";
import type { Output } from "./check.ts";
import { apache } from "./proxies/apache.ts";
import { caddy } from "./proxies/caddy.ts";
import { haproxy } from "./proxies/haproxy.ts";
import { nginx } from "./proxies/nginx.ts";
import { planProxy, type ProxyPlan } from "./proxies/plan.ts";
import type { ReverseProxy } from "./proxies/text.ts";

const PROXIES: Readonly<Record<ProxyName, ReverseProxy>> = { nginx, caddy, haproxy, apache };

/**
 * `causeway proxy NAME`: prints the configuration of a reverse proxy that fits a configuration of
 * ours, and on standard error what the operator should know. Throws `ConfigError`.
 *
 * @returns the exit status: 0, or 2 when there is no listener for a proxy
 */
export function proxyCommand(
  name: ProxyName,
  sources: ConfigSources,
  { stdout, stderr }: Output,
): number {
  const plan = planProxy(loadConfig(sources));
  const proxy = PROXIES[name];
  const refused = typeof plan === "string" ? plan : unwritable(plan.backend, proxy);
  if (typeof plan === "string" || refused !== undefined) {
    stderr(`causeway: ${refused}`);
    return 2;
  }
  for (const remark of plan.remarks) stderr(`WARNING ${remark}`);
  stdout(proxy.write(plan, configFile(sources) ?? "the built-in defaults").trimEnd());
  return 0;
}

function unwritable(
  backend: ProxyPlan["backend"],
  { title, forbidden }: ReverseProxy,
): string | undefined {
  const path = "unix" in backend ? backend.unix : "";
  const character = forbidden.exec(path)?.[0];
  return character &&
    `${title} cannot be told of ${JSON.stringify(path)}, because of the ${
      JSON.stringify(character)
    } in it; choose another path for the socket`;
}
