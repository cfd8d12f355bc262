import type { UnauthenticatedLimits } from "../unauthenticated.ts";
import type { CreationRequest, Version } from "./body.ts";

/** What a connection manager is willing to grant; times in milliseconds. */
export interface BoshLimits extends UnauthenticatedLimits {
  readonly maxWait: number;
  readonly maxHold: number;
  /** Granted when the client asks for nothing; Infinity: sessions never end for silence. */
  readonly inactivity: number;
  /** The most that a client may ask for. */
  readonly maxInactivity: number;
  readonly polling: number;
  /** The longest pause; 0: no pausing. */
  readonly maxPause: number;
  /** Streams in one session; 1: no further ones. */
  readonly maxStreams: number;
  /** Whether responses and requests may be acknowledged (§9). */
  readonly acks: boolean;
  /** Whether a client that acknowledges too little is told what it lacks (§9.2). */
  readonly report: boolean;
  /** Whether replacing held requests too quickly ends a session (§11). */
  readonly strict: boolean;
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
  /** `undefined`: sessions cannot be paused. */
  readonly maxPause: number | undefined;
  readonly acks: boolean;
  readonly ver: string;
  /** Every request is answered at once (§12). */
  readonly isPolling: boolean;
}

/** The version of XEP-0124 that this implements. */
const OURS: Version = { major: 1, minor: 11 };

/**
 * XEP-0124 §7.2: wait and hold are at most what the client asked for, `ver` is the lower of
 * both sides', and `requests` must be larger than the hold; two at least, so that a client can
 * always send while its long poll is held.
 */
export function grant(creation: CreationRequest, limits: BoshLimits): Granted {
  const wait = Math.min((creation.wait ?? Infinity) * 1000, limits.maxWait);
  const hold = Math.min(creation.hold ?? 1, limits.maxHold);
  const isPolling = wait === 0 || hold === 0;
  const inactivity = creation.inactivity === undefined
    ? limits.inactivity
    : Math.min(creation.inactivity * 1000, limits.maxInactivity);
  return {
    wait,
    hold,
    requests: Math.max(2, hold + 1),
    // §12: the inactivity period of a polling session should be longer than that of others,
    // by more than the polling interval.
    inactivity: isPolling ? inactivity + 2 * limits.polling : inactivity,
    polling: limits.polling,
    maxPause: limits.maxPause === 0 ? undefined : limits.maxPause,
    acks: limits.acks && creation.acks,
    ver: lower(creation.ver ?? OURS),
    isPolling,
  };
}

/**
 * When a request is to be answered that arrives now and that nothing answers before (milliseconds);
 * `opens` is the stream that it opens, whose features it waits for.
 */
export function answerDeadline(
  { wait, isPolling }: Granted,
  now: number,
  opens: string | undefined,
): number {
  const patience = Math.max(0, wait - WAIT_MARGIN);
  // A client that polls is answered at once (§12), but for the features it needs to go on at all.
  if (opens !== undefined) return now + Math.min(patience, FEATURES_PATIENCE);
  return isPolling ? now : now + patience;
}

/** The longest that an answer waits for stream features (milliseconds). */
const FEATURES_PATIENCE = 10_000;
/**
 * Clients give up on a request some 10 % after its wait, so an answer that is due must never be
 * late: it leaves this much (milliseconds) before the wait is over.
 */
const WAIT_MARGIN = 200;

function lower(theirs: Version): string {
  const older = theirs.major < OURS.major ||
    (theirs.major === OURS.major && theirs.minor < OURS.minor);
  const version = older ? theirs : OURS;
  return `${version.major}.${version.minor}`;
}
