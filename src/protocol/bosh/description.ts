import type { Admission } from "./admission.ts";
import type { Downlink } from "./downlink.ts";
import type { Inactivity } from "./inactivity.ts";
import type { Granted } from "./negotiation.ts";
import type { Streams } from "./streams.ts";
import type { RequestWindow } from "./window.ts";

/** What an operator may see of a BOSH session: nothing by which it could be taken over. Times are milliseconds. */
export interface BoshDescription {
  readonly state: "connecting" | "open" | "authenticated";
  /** When its client sent its newest request; -Infinity: none but the first. */
  readonly heard: number;
  /** Streams that are open. */
  readonly streams: number;
  /** Requests that wait for their answer. */
  readonly held: number;
  /** Bytes that wait for a request. */
  readonly waiting: number;
  /** Bytes of requests whose predecessors are missing. */
  readonly behindGap: number;
  /** When it ends unless its client asks; `undefined`: a request is held. */
  readonly expires: number | undefined;
  readonly isPaused: boolean;
  /** Some XMPP server does not take what the client sends. */
  readonly isBackedUp: boolean;
  /** Some XMPP server keeps what its client does not acknowledge (XEP-0198). */
  readonly hasStreamManagement: boolean;
  readonly granted: Granted;
}

/** Made of a session's parts when somebody asks, so that no session has anything to carry for it. */
export function describe(
  { admission, downlink, inactivity, granted, streams, window }: {
    readonly admission: Admission;
    readonly downlink: Downlink;
    readonly inactivity: Inactivity;
    readonly granted: Granted;
    readonly streams: Streams;
    readonly window: RequestWindow;
  },
): BoshDescription {
  const { open } = streams;
  return {
    state: admission.isAuthenticated
      ? "authenticated"
      : open.some(({ header }) => header !== undefined)
      ? "open"
      : "connecting",
    heard: admission.newest,
    streams: open.length,
    held: window.heldCount,
    waiting: downlink.bytes,
    behindGap: window.waitingBytes,
    expires: window.anyLive ? undefined : inactivity.until,
    isPaused: inactivity.isPaused,
    isBackedUp: streams.areBackedUp,
    hasStreamManagement: open.some((stream) => stream.hasStreamManagement),
    granted,
  };
}
