/** From the name of a domain to the features of its servers' streams: all places, and not only the first that works. */
import type { Config, DomainConfig } from "../../config/config.ts";
import { Meter } from "../../meter.ts";
import {
  type Candidate,
  candidates,
  type Failure,
  redirection,
  type Search,
} from "../../upstream/candidates.ts";
import { hostAndPort } from "../../upstream/dial.ts";
import { NO_ANSWER } from "../../upstream/dns/client.ts";
import type { SrvRecord } from "../../upstream/dns/message.ts";
import { Families } from "../../upstream/families.ts";
import { within, words } from "../../upstream/failure.ts";
import { addressKind } from "../../upstream/policy.ts";
import { asciiDomain } from "../../upstream/resolve.ts";
import { diagnose } from "./cures.ts";
import type { Check, Report } from "./report.ts";
import { checkServer } from "./server_checks.ts";
import type { World } from "./world.ts";

/** So many places are looked at, as for one session. */
const MAX_PLACES = 16;

/** Looks at every place where the domain's server may be. */
export async function checkUpstream(
  domain: string,
  settings: DomainConfig,
  limits: Config["limits"],
  world: World,
  report: Report,
): Promise<void> {
  await checkRecords(domain, settings, world, report);
  const search: Search = {
    ...world,
    families: new Families(world.clock),
    meter: new Meter(world.clock),
    cancelled: new AbortController().signal,
    random: () => 0,
  };
  const context = { domain, configured: settings.connect.length > 0 };
  let followed = false;
  let works = 0;
  let looked = 0;
  const visit = async (places: AsyncIterable<Candidate | Failure>) => {
    for (const place of await lookUp(places, context, world, report)) {
      if (looked++ >= MAX_PLACES) {
        const detail = `only ${MAX_PLACES} places are tried, here and for a session`;
        return report({ step: "tcp", target: place.target, result: "skipped", detail });
      }
      const reached = await checkServer(domain, place, settings, limits, world, report);
      if (reached.works) works++;
      const { elsewhere } = reached;
      if (elsewhere === undefined) continue;
      if (followed) {
        report({
          step: "stream",
          target: place.target,
          result: "bad",
          detail: `the server sends clients on to ${elsewhere.otherHost} again`,
          cure: "name the server that takes clients in the SRV records, or as connect",
        });
        continue;
      }
      followed = true;
      const isKnown = (elsewhere.isEncrypted && settings.verify) || settings.tls === "never";
      const mayDial = context.configured && isKnown ? () => true : search.mayDial;
      const there = { otherHost: elsewhere.otherHost, direct: place.direct };
      await visit(redirection(domain, there, settings, { ...search, mayDial }));
    }
  };
  await visit(candidates(domain, settings, search));
  if (works > 0) return;
  report({
    step: "server",
    target: domain,
    result: "bad",
    detail: "no place leads to a stream, so no client can log in",
    cure: "the lines above say what is wrong with each",
  });
}

/** The SRV records as they are, whatever comes of them. */
async function checkRecords(
  domain: string,
  { connect, nameserver, connectTimeout, tls }: DomainConfig,
  { clock, resolver }: World,
  report: Report,
): Promise<void> {
  const name = asciiDomain(domain) ?? domain;
  const step = "srv";
  if (connect.length > 0) {
    const detail = `"connect" says where the server is, so nothing is looked up`;
    return report({ step, target: name, result: "skipped", detail });
  }
  if (addressKind(name) !== "invalid" || /(?:^|\.)localhost$/.test(name)) {
    const detail = "such a name has no records; its own port 5222 is tried";
    return report({ step, target: name, result: "skipped", detail });
  }
  let isAnswered = true;
  const found: SrvRecord[] = [];
  const lookups = ["_xmpp-client", "_xmpps-client"].map(async (service): Promise<Check> => {
    const target = `${service}._tcp.${name}`;
    const begun = clock.now();
    const ms = () => clock.now() - begun;
    try {
      const records = await within(
        { clock, timeout: connectTimeout },
        NO_ANSWER,
        (signal) => resolver.records(target, "SRV", { nameserver, signal }),
      );
      found.push(...records);
      const unused = service === "_xmpps-client" && tls === "never" && records.length > 0
        ? `; not used, because of tls = "never"`
        : "";
      const detail = records.length === 0 ? "none" : records.map(described).join(", ") + unused;
      return { step, target, result: "ok", detail, ms: ms() };
    } catch (error) {
      isAnswered = false;
      const diagnosis = diagnose("lookup", words(error), { domain, configured: false });
      return { step, target, result: "bad", ...diagnosis, ms: ms() };
    }
  });
  for (const lookup of lookups) report(await lookup);
  if (!isAnswered || found.length > 0) return;
  report({
    step,
    target: name,
    result: "warning",
    detail: `no SRV records: ${name} itself is tried, at port 5222 (RFC 6120 §3.2.2)`,
    cure:
      `if the server is elsewhere, publish _xmpp-client._tcp.${name}. SRV 0 5 5222 xmpp.${name}. ` +
      `or write [domains."${domain}"] connect = "xmpp://host:5222"`,
  });
}

function described({ target, port, priority, weight }: SrvRecord): string {
  return target === ""
    ? '"." (the service is not offered)'
    : `${hostAndPort(target, port)} (priority ${priority}, weight ${weight})`;
}

/** All the places, with one line for each name. */
async function lookUp(
  places: AsyncIterable<Candidate | Failure>,
  context: { readonly domain: string; readonly configured: boolean },
  { clock }: World,
  report: Report,
): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  let begun = clock.now();
  const tell = (target: string) => {
    const addresses = found.filter((place) => place.target === target);
    if (addresses.length === 0) return;
    const detail = [...new Set(addresses.map(({ hostname }) => hostname))].join(", ");
    report({ step: "lookup", target, result: "ok", detail, ms: took });
  };
  let took = 0;
  let current: string | undefined;
  let told: string | undefined;
  for await (const place of places) {
    const { target } = place;
    if (target !== current) {
      if (current !== undefined) tell(current);
      current = target;
      took = clock.now() - begun;
    }
    if ("reason" in place) {
      // Two addresses of one host, most often.
      if (place.reason === told) continue;
      told = place.reason;
      const diagnosis = diagnose("lookup", place.reason, context);
      report({ step: "lookup", target, result: "bad", ...diagnosis, ms: clock.now() - begun });
    } else found.push(place);
    begun = clock.now();
  }
  if (current !== undefined) tell(current);
  return found;
}
