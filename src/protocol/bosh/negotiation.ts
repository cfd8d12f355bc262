import type { CreationRequest, Version } from "./body.ts";

/** What a connection manager is willing to grant; times in milliseconds. */
export interface BoshLimits {
  readonly maxWait: number;
  readonly maxHold: number;
  readonly inactivity: number;
  readonly polling: number;
  /** Bytes of answers that one session may have waiting or kept for repetition. */
  readonly queuedBytes: number;
}

/** What a session was granted (XEP-0124 §7.2); times in milliseconds. */
export interface Granted {
  readonly wait: number;
  readonly hold: number;
  /** The window: how many rids past the last processed one are accepted. */
  readonly requests: number;
  readonly inactivity: number;
  readonly polling: number;
  readonly ver: string;
}

/** The version of XEP-0124 that this implements. */
const OURS: Version = { major: 1, minor: 11 };

/**
 * XEP-0124 §7.2: wait and hold are at most what the client asked for, `ver` is the lower of
 * both sides', and `requests` must be larger than the hold; two at least, so that a client can
 * always send while its long poll is held.
 */
export function grant(creation: CreationRequest, limits: BoshLimits): Granted {
  const wait = Math.min(
    creation.wait === undefined ? Infinity : creation.wait * 1000,
    limits.maxWait,
  );
  const hold = Math.min(creation.hold ?? 1, limits.maxHold);
  // §12: the inactivity period of a polling session should be longer than that of others,
  // by more than the polling interval.
  const polls = wait === 0 || hold === 0;
  return {
    wait,
    hold,
    requests: Math.max(2, hold + 1),
    inactivity: polls ? limits.inactivity + 2 * limits.polling : limits.inactivity,
    polling: limits.polling,
    ver: lower(creation.ver ?? OURS),
  };
}

function lower(theirs: Version): string {
  const older = theirs.major < OURS.major ||
    (theirs.major === OURS.major && theirs.minor < OURS.minor);
  const version = older ? theirs : OURS;
  return `${version.major}.${version.minor}`;
}
