import { Alarm, type Clock } from "../clock.ts";
import type {
  C2sAction,
  C2sStream,
  Restart,
  StreamEnd,
  StreamHeader,
} from "../protocol/stream/c2s.ts";
import type { Payload } from "../protocol/xml/payload.ts";
import type { Pipe, TlsOptions } from "./dial.ts";
import { NetworkError, within } from "./failure.ts";
import { Outbox } from "./outbox.ts";
import { ReadBuffer } from "./read_buffer.ts";

/** What a connection tells its owner; nothing but `unsent` after `ended`. */
export interface ConnectionEvents {
  opened(header: StreamHeader): void;
  deliver(payloads: readonly Payload[]): void;
  /** `phase` is where it was when it ended. */
  ended(end: StreamEnd, phase: "tls" | "stream"): void;
  /** TLS is up; the handshake took so many milliseconds. */
  secured?(ms: number): void;
  /** More waits to be written than before. */
  queued(): void;
  /** Some of it has left. */
  sent(): void;
  /** The connection is gone, and so many bytes of the client's with it; may come after `ended`. */
  unsent(bytes: number): void;
  /** Something threw that must not; `ended` follows if it has not been. */
  fault(error: unknown): void;
}

export interface ConnectionOptions {
  readonly pipe: Pipe;
  readonly stream: C2sStream;
  readonly tls: TlsOptions;
  /** Milliseconds for a TLS handshake. */
  readonly timeout: number;
  readonly clock: Clock;
}

/** Milliseconds that the last bytes may take to leave. */
const FLUSH_TIMEOUT = 2_000;

/**
 * The shell of one {@link C2sStream}: one pipe, one reader, one writer, one alarm.
 * Whatever is called from within its events is safe: it takes effect in its turn.
 */
export class Connection {
  readonly #pipe: Pipe;
  readonly #stream: C2sStream;
  readonly #tls: TlsOptions;
  readonly #timeout: number;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #alarm: Alarm;
  #phase: "tls" | "stream" = "stream";
  #tlsWanted = false;
  #acting = false;
  /** Nothing is read any more. */
  #over = false;
  #ended = false;
  #flowing = true;
  #resume: (() => void) | undefined;
  readonly #buffer = new ReadBuffer();
  readonly #outbox = new Outbox();
  /** For those who wait until nothing is left to be written. */
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#pipe = options.pipe;
    this.#stream = options.stream;
    this.#tls = options.tls;
    this.#timeout = options.timeout;
    this.#clock = options.clock;
    this.#events = events;
    this.#alarm = new Alarm(this.#clock, this);
  }

  /**
   * Begins: from here on it does what is to be done until the connection is over. Never throws. The
   * server is sent the preamble before anything else; `direct`: TLS before anything of XMPP.
   */
  start({ preamble, direct }: {
    readonly preamble?: Uint8Array | undefined;
    readonly direct?: boolean;
  } = {}): void {
    if (preamble) this.#write(preamble, false);
    if (direct) void this.#secure(() => this.#stream.connected(this.#clock.now()));
    else this.#begin(() => this.#stream.connected(this.#clock.now()));
  }

  send(content: Uint8Array): void {
    this.#stream.send(content);
    this.#act();
  }

  restart(restart: Restart): void {
    this.#stream.restart(restart);
    this.#act();
  }

  /** A read that is under way is still delivered. */
  flow(open: boolean): void {
    this.#flowing = open;
    if (open) this.#resume?.();
  }

  close(): void {
    this.#stream.close(this.#clock.now());
    this.#act();
  }

  /** For its alarm. */
  wake(): void {
    this.#stream.handleTimeout(this.#clock.now());
    this.#act();
  }

  /** Drops everything where it stands; nothing is told any more, not even `ended`. */
  abort(): void {
    this.#ended = true;
    this.#stop();
    this.#leave();
  }

  /** Bytes not yet handed to the network, and what it costs to keep them. */
  get queuedBytes(): number {
    return this.#outbox.size;
  }

  /** Tells the stream that it may begin, and reads. */
  #begin(tell: () => void): void {
    try {
      tell();
      this.#act();
      this.#read();
    } catch (error) {
      this.#fault(error);
    }
  }

  /**
   * One read after the other, each by a call of the one before: an idle connection so holds one
   * promise, and no function that waits.
   */
  #read(): void {
    if (this.#over) return;
    if (!this.#flowing) {
      this.#resume = () => this.#read();
      return;
    }
    this.#resume = undefined;
    this.#pipe.read(this.#buffer.bytes).then(this.#received, this.#unreadable);
  }

  readonly #received = (length: number | null): void => {
    if (this.#over) return;
    try {
      if (length === null) return this.#lost();
      const { bytes } = this.#buffer;
      const full = length === bytes.length;
      this.#stream.receive(this.#clock.now(), full ? bytes : bytes.subarray(0, length));
      this.#act();
      if (this.#over) return;
      this.#buffer.adapt(length);
      if (this.#tlsWanted) void this.#secure(() => this.#stream.secured(this.#clock.now()));
      else this.#read();
    } catch (error) {
      this.#fault(error);
    }
  };

  readonly #unreadable = (error: unknown): void => {
    try {
      this.#lost(error);
    } catch (error) {
      this.#fault(error);
    }
  };

  async #secure(tell: () => void): Promise<void> {
    try {
      if (await this.#handshake()) this.#begin(tell);
    } catch (error) {
      this.#fault(error);
    }
  }

  /** Whether TLS is up. */
  async #handshake(): Promise<boolean> {
    this.#tlsWanted = false;
    this.#phase = "tls";
    await this.#flushed();
    const begun = this.#clock.now();
    const bounds = { clock: this.#clock, timeout: this.#timeout };
    try {
      await within(bounds, "no TLS handshake", (signal) => {
        signal.addEventListener("abort", () => this.#pipe.close());
        return this.#pipe.startTls(this.#tls);
      });
    } catch (error) {
      this.#lost(error);
      return false;
    }
    if (this.#over) return false;
    this.#events.secured?.(this.#clock.now() - begun);
    this.#phase = "stream";
    return true;
  }

  #lost(error?: unknown): void {
    if (this.#over) return;
    if (error !== undefined && !(error instanceof NetworkError)) throw error;
    this.#stream.disconnected(error?.message);
    this.#act();
  }

  /** Does what the stream asks until it asks no more. */
  #act(): void {
    // An event may have called back: the loop below it takes up what that asks for.
    if (this.#acting) return;
    this.#acting = true;
    try {
      for (let action; !this.#ended && (action = this.#stream.poll());) this.#perform(action);
      if (!this.#over) this.#alarm.set(this.#stream.deadline);
    } catch (error) {
      this.#fault(error);
    } finally {
      this.#acting = false;
    }
  }

  #perform(action: C2sAction): void {
    switch (action.type) {
      case "write":
        return this.#write(action.bytes, action.isClients);
      case "start-tls":
        this.#tlsWanted = true;
        return;
      case "opened":
        return this.#events.opened(action.header);
      case "deliver":
        return this.#events.deliver(action.payloads);
      case "disconnect":
        this.#stop();
        void this.#hangUp();
        return;
      case "ended":
        this.#ended = true;
        return this.#events.ended(action.end, this.#phase);
      default:
        action satisfies never;
    }
  }

  #write(bytes: Uint8Array, isClients: boolean): void {
    this.#outbox.push(bytes, isClients);
    if (!this.#outbox.isWriting) this.#writeNext();
    this.#events.queued();
  }

  /** One write is under way at a time; what queues meanwhile goes into the next. */
  #writeNext(): void {
    const batch = this.#outbox.next();
    if (batch === undefined) return this.#idle?.resolve();
    this.#pipe.write(batch).then(() => this.#written(), (error) => this.#unwritable(error));
  }

  #written(): void {
    this.#outbox.written();
    this.#writeNext();
    if (this.#ended) return;
    try {
      this.#events.sent();
    } catch (error) {
      this.#fault(error);
    }
  }

  #unwritable(error: unknown): void {
    // The reader finds the loss as well, after what the server sent before it went:
    // perhaps the stream error that says why.
    this.#outbox.close();
    this.#idle?.resolve();
    if (!(error instanceof NetworkError)) this.#fault(error);
  }

  /** Settles when nothing is left to be written. */
  async #flushed(): Promise<void> {
    if (!this.#outbox.isWriting) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
    this.#idle = undefined;
  }

  #stop(): void {
    this.#over = true;
    this.#buffer.release();
    this.#alarm.stop();
    this.#resume?.();
  }

  /** Closes the pipe behind the last bytes. */
  async #hangUp(): Promise<void> {
    const patience = this.#clock.after(FLUSH_TIMEOUT, { wake: () => this.#pipe.close() });
    await this.#flushed();
    patience.cancel();
    this.#leave();
  }

  #leave(): void {
    this.#pipe.close();
    this.#outbox.close();
    const bytes = this.#outbox.takeUnsent();
    if (bytes > 0) this.#events.unsent(bytes);
  }

  #fault(error: unknown): void {
    this.#stop();
    this.#leave();
    this.#events.fault(error);
    if (this.#ended) return;
    this.#ended = true;
    try {
      this.#events.ended(INTERNAL_ERROR, this.#phase);
    } catch (another) {
      this.#events.fault(another);
    }
  }
}

const INTERNAL_ERROR: StreamEnd = {
  type: "connection-failed",
  reason: "an internal error ended the connection",
};
