/** How long a session outlives its last request (XEP-0124 §10): while none is held, time counts. */
export class Inactivity {
  /** Milliseconds. */
  readonly #period: number;
  #since: number;
  /** The client's own period while it pauses (milliseconds). */
  #pause: number | undefined;

  constructor(now: number, period: number) {
    this.#since = now;
    this.#period = period;
  }

  /** No request is held from here on. */
  begin(now: number): void {
    this.#since = now;
  }

  /** §10: the client is left alone for so many seconds, or until its next request. */
  pause(seconds: number): void {
    this.#pause = seconds * 1000;
  }

  endPause(): void {
    this.#pause = undefined;
  }

  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /** When it is over with the session (milliseconds). */
  get until(): number {
    return this.#since + (this.#pause ?? this.#period);
  }

  /** A sentence for people: why it is over. */
  get reason(): string {
    return `no request from the client for ${Math.round((this.until - this.#since) / 1000)} s`;
  }
}
