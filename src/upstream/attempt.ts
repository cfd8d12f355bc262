/** One attempt to bring a stream up at one place, and what comes of it in words. */
import type { UpstreamPhase } from "../events.ts";
import type { C2sStream, StreamEnd } from "../protocol/stream/c2s.ts";
import { readStreamError } from "../protocol/stream/received_error.ts";
import type { Failure } from "./candidates.ts";

/** What a server said of where the stream is instead. */
export interface Elsewhere {
  readonly failure: Failure;
  readonly otherHost: string;
  /** It was said under TLS, so by the server whose certificate is right. */
  readonly isEncrypted: boolean;
  /** The server that said so has TLS from the first byte. */
  readonly direct: boolean;
}

/** A connection that may become the stream. */
export interface Attempt {
  readonly target: string;
  readonly direct: boolean;
  readonly stream: C2sStream;
  /** When its connection was there, and how long TLS took of the time since (milliseconds). */
  readonly connected: number;
  tlsTime: number;
  /** Says why it does not; `undefined`: it does, or nobody wants it any more. */
  readonly settle: (failure: Failure | undefined) => void;
}

/** The steps, for sentences. */
export const STEP: Readonly<Record<UpstreamPhase, string>> = {
  lookup: "name lookup of",
  tcp: "the connection to",
  tls: "TLS with",
  stream: "the stream with",
};

/** What an attempt failed of, by how its stream ended. */
export function failed(end: StreamEnd, phase: "tls" | "stream", target: string): Failure {
  switch (end.type) {
    case "connection-failed":
      return { phase, target, reason: end.reason };
    case "stream-error": {
      const { reason, otherHost } = readStreamError(end.error);
      return { phase, target, reason, end, otherHost };
    }
    case "closed":
      return { phase, target, reason: "the server closed the stream" };
  }
}
