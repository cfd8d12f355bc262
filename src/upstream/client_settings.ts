/** How a domain is reached for one client: as it is configured, and as the client wants it. */
import type { UpstreamConfig } from "../config/config.ts";
import type { HiddenSasl } from "../protocol/stream/features.ts";
import type { UpstreamRequest } from "./connector.ts";
import type { Service } from "./resolve.ts";

export function settingsFor(
  { route, secure }: UpstreamRequest,
  settings: UpstreamConfig,
): UpstreamConfig {
  const connect = route?.isNamed ? [placeOf(route)] : settings.connect;
  // "never" is the operator's word that the way is safe to the places that he named; it says
  // nothing of a client's own route, and "optional" says nothing at all.
  const tls = secure && (route || settings.tls === "optional") ? "required" : settings.tls;
  // As nearly always: the client wants nothing of its own.
  if (connect === settings.connect && tls === settings.tls) return settings;
  return { ...settings, connect, tls };
}

/** With a certificate of ours, SASL EXTERNAL would let a client in as us. */
export function hiddenSasl(
  { stripChannelBinding, allowAnonymous, identity }: UpstreamConfig,
): HiddenSasl | undefined {
  const mechanisms = [...(allowAnonymous ? [] : ["ANONYMOUS"]), ...(identity ? ["EXTERNAL"] : [])];
  if (!stripChannelBinding && mechanisms.length === 0) return undefined;
  return { channelBinding: stripChannelBinding, mechanisms };
}

/** Where a client's route leads. */
export function placeOf({ hostname, port }: NonNullable<UpstreamRequest["route"]>): Service {
  return { hostname, port, direct: false };
}
