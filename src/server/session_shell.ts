import { type Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import type { EventSink } from "../events.ts";
import type { Meter } from "../meter.ts";
import type { Connector } from "../upstream/connector.ts";
import type { TrustedProxies } from "./client_address.ts";
import type { BodyRoom } from "./body_room.ts";
import type { LimitReports } from "./limit_reports.ts";
import type { Registry } from "./registry.ts";

/** What every session's shell works with. */
export interface SessionShell {
  readonly config: Config;
  readonly clock: Clock;
  readonly connector: Connector;
  readonly registry: Registry;
  readonly limits: LimitReports;
  readonly bodies: BodyRoom;
  readonly proxies: TrustedProxies;
  readonly meter: Meter;
  readonly emit: EventSink;
}

/** 128 random bits in characters that are safe in attributes and addresses (XEP-0124 §19.3). */
export function randomName(): string {
  if (used === stock.length) {
    crypto.getRandomValues(stock);
    used = 0;
  }
  return stock.subarray(used, used += NAME_BYTES).toBase64(NAME_ALPHABET);
}

const NAME_BYTES = 16;
const NAME_ALPHABET = { alphabet: "base64url", omitPadding: true } as const;

/** Random bytes for the next names: to be asked for a few costs the platform more than the few do. */
const stock = new Uint8Array(64 * NAME_BYTES);
let used = stock.length;
