import { type Clock, systemClock } from "../../clock.ts";
import { type Dial, dial } from "../../upstream/dial.ts";
import { Resolver } from "../../upstream/dns/resolver.ts";
import { isPublic } from "../../upstream/policy.ts";

/** What the doctor works with; tests put their own in its place. */
export interface World {
  readonly clock: Clock;
  /** The time of day, milliseconds since 1970: certificates expire by it. */
  readonly today: () => number;
  readonly resolver: Resolver;
  readonly dial: Dial;
  /** Whether an address that DNS gave may be dialled. */
  readonly mayDial: (address: string) => boolean;
  /** Where a host of the web is reached. */
  readonly web: (hostname: string, port: number) => Deno.ConnectOptions;
  /** Authorities (PEM) that are trusted on the web besides those that the process trusts. */
  readonly webCa: string | undefined;
}

/** The world as it is. */
export function realWorld(clock: Clock = systemClock): World {
  return {
    clock,
    today: Date.now,
    resolver: new Resolver(clock),
    dial,
    mayDial: isPublic,
    web: (hostname, port) => ({ hostname, port }),
    webCa: undefined,
  };
}
