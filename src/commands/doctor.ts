import type { DomainConfig } from "../config/config.ts";
import { domainKey, findDomain } from "../config/domains.ts";
import { configFile, type ConfigSources, loadConfig } from "../config/load.ts";
import { describeTarget, type Output } from "./check.ts";
import { checkOutside } from "./doctor/outside_checks.ts";
import { type Check, jsonOf, textOf } from "./doctor/report.ts";
import { checkUpstream } from "./doctor/upstream_checks.ts";
import { realWorld, type World } from "./doctor/world.ts";

/** What is to be looked at, and how it is told. */
export interface DoctorRequest {
  readonly domain: string;
  /** Where clients find Causeway: an origin, or a whole address of BOSH or WebSocket. */
  readonly url: string | undefined;
  /** One JSON object a line. */
  readonly json: boolean;
  /** No request is held for as long as it may be. */
  readonly quick: boolean;
}

/**
 * `causeway doctor DOMAIN`: every step from name lookup to stream features and, with an address, from the outside in.
 * Throws `ConfigError`.
 *
 * @returns the exit status: 0 when nothing is bad, 1 when something is, 2 when it cannot be looked at
 */
export async function doctorCommand(
  { domain: name, url, json, quick }: DoctorRequest,
  sources: ConfigSources,
  { stdout, stderr }: Output,
  world: World = realWorld(),
): Promise<number> {
  const domain = domainKey(name);
  if (domain === undefined) {
    stderr(`causeway: ${JSON.stringify(name)} is not the name of a domain`);
    return 2;
  }
  const address = url === undefined ? undefined : readAddress(url);
  if (address === null) {
    stderr(
      `causeway: --url takes an address such as https://chat.example.org or wss://chat.example.org/xmpp-websocket, ` +
        `not ${JSON.stringify(url)}`,
    );
    return 2;
  }
  const config = loadConfig(sources);
  const counts = { ok: 0, warning: 0, bad: 0, skipped: 0 };
  const report = (check: Check) => {
    counts[check.result]++;
    stdout(json ? jsonOf(check) : textOf(check));
  };

  const known = findDomain(config, domain);
  report(configuration(domain, known, configFile(sources)));
  await checkUpstream(domain, known ?? config.upstream, config.limits, world, report);
  if (address !== undefined) await checkOutside(domain, address, config, quick, world, report);
  if (!json) {
    const { bad, warning, skipped } = counts;
    stdout(
      `${bad === 0 ? "Nothing is wrong" : `${bad} bad`}` +
        ` (warnings: ${warning}, skipped: ${skipped}).`,
    );
  }
  return counts.bad === 0 ? 0 : 1;
}

/** `null`: it is no address of the web. */
function readAddress(text: string): URL | null {
  const url = URL.parse(text);
  return url !== null && /^(?:https?|wss?):$/.test(url.protocol) && url.username === ""
    ? url
    : null;
}

function configuration(
  domain: string,
  known: DomainConfig | undefined,
  file: string | undefined,
): Check {
  const step = "configuration";
  const target = file ?? "built-in defaults";
  if (known !== undefined) {
    return { step, target, result: "ok", detail: `${domain}: ${describeTarget(known)}` };
  }
  return {
    step,
    target,
    result: "bad",
    detail: `${domain} is not served by this configuration`,
    cure: `add [domains."${domain}"], or correct the name`,
  };
}
