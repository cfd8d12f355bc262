import { type Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import type { EventSink } from "../events.ts";
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
  readonly emit: EventSink;
}

/** 128 random bits in characters that are safe in attributes and addresses (XEP-0124 §19.3). */
export function randomName(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}
