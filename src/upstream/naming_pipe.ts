import { joined } from "../protocol/stream/bytes.ts";
import type { Pipe, TlsOptions } from "./dial.ts";
import { SelfSignedError } from "./dial_words.ts";
import type { NodePipe } from "./dial_node.ts";
import { NetworkError } from "./failure.ts";

/** Milliseconds that finding out a fingerprint may take. */
const PATIENCE = 3_000;
/** Bytes that are kept to be said again; what comes up to TLS is fewer, or there will be no TLS. */
const MAX_SAID = 4_096;

/**
 * A pipe that, when TLS fails because the server's certificate is self-signed, says in its error
 * which certificate that is: an operator can then write it down. `node:tls` tells nothing of a
 * certificate that it refuses, so the server is asked once more, on a connection of its own that is
 * told in the clear what this one was told, and closed at once when the certificate is known.
 */
export class NamingPipe implements Pipe {
  readonly #pipe: Pipe;
  readonly #dial: (signal: AbortSignal) => Promise<NodePipe>;
  /** What was written in the clear; `undefined` when it is of no use any more. */
  #said: Uint8Array | undefined = new Uint8Array();
  #heard = false;
  #closed = false;
  #hangUp: (() => void) | undefined;

  /** `dial` makes another connection to the same place. */
  constructor(pipe: Pipe, dial: (signal: AbortSignal) => Promise<NodePipe>) {
    this.#pipe = pipe;
    this.#dial = dial;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    this.#heard = true;
    return this.#pipe.read(buffer);
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#said !== undefined) {
      const fits = this.#said.length + bytes.length <= MAX_SAID;
      this.#said = fits ? joined([this.#said, bytes]) : undefined;
    }
    return this.#pipe.write(bytes);
  }

  async startTls(options: TlsOptions): Promise<void> {
    const said = this.#said;
    this.#said = undefined;
    try {
      await this.#pipe.startTls(options);
    } catch (error) {
      if (!(error instanceof SelfSignedError)) throw error;
      this.#pipe.close();
      const fingerprint = this.#closed || said === undefined
        ? undefined
        : await this.#ask(said, options.hostname);
      throw new SelfSignedError(options.hostname, fingerprint, error);
    }
  }

  close(): void {
    this.#closed = true;
    this.#hangUp?.();
    this.#pipe.close();
  }

  /** The certificate's fingerprint; `undefined` when the server does not show it again. */
  async #ask(said: Uint8Array, hostname: string): Promise<string | undefined> {
    const dialling = new AbortController();
    let pipe: NodePipe | undefined;
    this.#hangUp = () => {
      dialling.abort();
      pipe?.close();
    };
    const patience = setTimeout(this.#hangUp, PATIENCE);
    try {
      pipe = await this.#dial(dialling.signal);
      if (said.length > 0) await pipe.write(said);
      if (this.#heard) await agreement(pipe);
      await pipe.startTls({ hostname, ...ANY });
      return pipe.fingerprint;
    } catch (error) {
      if (error instanceof NetworkError) return undefined;
      throw error;
    } finally {
      clearTimeout(patience);
      this.#hangUp();
    }
  }
}

/** Whatever the server shows. */
const ANY = { verify: false, fingerprints: [], ca: undefined, identity: undefined };

/** Reads until the server agrees to TLS; what it says besides is of no interest. */
async function agreement(pipe: Pipe): Promise<void> {
  const buffer = new Uint8Array(4_096);
  let came = "";
  while (!came.includes("<proceed")) {
    const length = await pipe.read(buffer);
    if (length === null || came.length > 65_536) throw new NetworkError("no TLS");
    came += new TextDecoder().decode(buffer.subarray(0, length));
  }
}
