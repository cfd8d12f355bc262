import type { Clock } from "../clock.ts";

/** What the network or a name server did to us, in words that fit after a colon. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
}

/** What the network did to us; anything else is our fault and goes on as it is. */
export function words(error: unknown): string {
  if (error instanceof NetworkError) return error.message;
  throw error;
}

/** What bounds a piece of work. */
export interface Bounds {
  readonly clock: Clock;
  /** Milliseconds that it may take. */
  readonly timeout: number;
  /** What `timeout` is left of, when others have had their part: the words name it. */
  readonly limit?: number;
  /** Gives it up early. */
  readonly cancelled?: AbortSignal;
}

/**
 * Does a piece of work under a deadline. When the time is over the work's signal
 * fires and the promise rejects with {@link NetworkError}, "`missing` within 10 s".
 */
export async function within<T>(
  { clock, timeout, limit = timeout, cancelled }: Bounds,
  missing: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const giveUp = () => controller.abort();
  const patience = clock.after(timeout, { wake: giveUp });
  cancelled?.addEventListener("abort", giveUp);
  if (cancelled?.aborted) giveUp();
  try {
    return await work(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new NetworkError(
      cancelled?.aborted ? "given up" : `${missing} within ${limit / 1000} s`,
    );
  } finally {
    patience.cancel();
    cancelled?.removeEventListener("abort", giveUp);
  }
}
