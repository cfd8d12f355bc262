import net from "node:net";
import tls from "node:tls";
import type { Pipe, Place, TlsOptions } from "./dial.ts";
import { connectFailure, loss, tlsFailure, unnameable } from "./dial_words.ts";
import { NetworkError } from "./failure.ts";
import { fingerprintOf, unpinned } from "./pinning.ts";
import { asciiDomain } from "./resolve.ts";

/** Milliseconds of silence after which the system asks whether the peer is still there. */
const KEEPALIVE = 60_000;

/** A pipe by way of `node:net` and `node:tls`. Rejects with {@link NetworkError}, and when the signal fires. */
export function dialNode(place: Place, signal: AbortSignal): Promise<NodePipe> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({
      host: place.hostname,
      port: place.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE,
      // A server that has closed its side is still owed our closing tag.
      allowHalfOpen: true,
    });
    // Nothing is read until somebody reads.
    socket.pause();
    const giveUp = () => {
      socket.destroy();
      reject(new NetworkError("given up", { cause: signal.reason }));
    };
    const fail = (error: Error) => {
      signal.removeEventListener("abort", giveUp);
      reject(connectFailure(error, place));
    };
    socket.once("connect", () => {
      signal.removeEventListener("abort", giveUp);
      // The pipe listens for errors before we stop: an error that nobody hears ends the process.
      const pipe = new NodePipe(socket);
      socket.off("error", fail);
      resolve(pipe);
    });
    socket.on("error", fail);
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
  });
}

/** What stands for the error where a connection is over without one. */
const RESET = { code: "ECONNRESET" };

interface Reader {
  readonly buffer: Uint8Array;
  readonly resolve: (length: number | null) => void;
  readonly reject: (error: NetworkError) => void;
}

export class NodePipe implements Pipe {
  /** The TCP connection; TLS is put around it. */
  readonly #tcp: net.Socket;
  #socket: net.Socket;
  /** What came while nobody was reading. */
  #held: Uint8Array[] = [];
  #reader: Reader | undefined;
  /** Ends the write or the handshake that is under way. */
  #interrupt: ((cause: unknown) => void) | undefined;
  #paused = true;
  /** The peer has closed its side. */
  #ended = false;
  /** Why there is nothing more to be had. */
  #failure: NetworkError | undefined;

  /** `tcp` is connected, paused, and has given nothing yet. */
  constructor(tcp: net.Socket) {
    this.#tcp = tcp;
    this.#socket = tcp;
    this.#listen(tcp);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const held = this.#held[0];
    if (held !== undefined) {
      const length = fill(buffer, held);
      if (length < held.length) this.#held[0] = held.subarray(length);
      else this.#held.shift();
      return Promise.resolve(length);
    }
    if (this.#ended) return Promise.resolve(null);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#reader = { buffer, resolve, reject };
      this.#resume();
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#unlessBroken(loss, (resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }

  async startTls(options: TlsOptions): Promise<void> {
    const { hostname, verify, fingerprints, identity } = options;
    if (asciiDomain(hostname) !== hostname) throw unnameable(hostname);
    // The server speaks second in TLS: what has come already is not TLS, and may be anybody's
    // (RFC 6120 §5.4.3.3; command injection). What comes from here on is TLS or the end.
    if (this.#held.length > 0 || this.#tcp.readableLength > 0) {
      throw new NetworkError("the server sent more in the clear after it agreed to TLS");
    }
    if (this.#ended) throw tlsFailure(RESET, options);
    const pinned = fingerprints.length > 0;
    await this.#unlessBroken((cause) => tlsFailure(cause, options), (resolve) => {
      this.#tcp.off("data", this.#data).off("end", this.#end).off("close", this.#close);
      const socket = tls.connect({
        socket: this.#tcp,
        // RFC 6066 §3: an IP address is no server name.
        ...(net.isIP(hostname) === 0 ? { servername: hostname } : { host: hostname }),
        // XEP-0368 §2: clients of direct TLS name the protocol; with STARTTLS it does no harm.
        ALPNProtocols: ["xmpp-client"],
        // RFC 9325 §3.1.1. Deno's TLS has neither renegotiation nor, here, early data.
        minVersion: "TLSv1.2",
        // Looks at dNSName and iPAddress, and at the common name where there are none. Deno shows
        // neither SRV-ID nor xmppAddr (RFC 6120 §13.7.1.2): who has nothing else is not known by them.
        rejectUnauthorized: verify && !pinned,
        ...identity,
      });
      socket.once("secureConnect", resolve);
      this.#socket = socket;
      this.#paused = false;
      this.#listen(socket);
    });
    const reason = pinned ? unpinned(this.certificate, options) : undefined;
    if (reason !== undefined) throw new NetworkError(reason);
  }

  /** SHA-256 of the server's own certificate, once there is TLS: lower-case hexadecimal. */
  get fingerprint(): string {
    return fingerprintOf(this.certificate);
  }

  /** The server's own certificate (DER), once there is TLS. */
  get certificate(): Uint8Array {
    return (this.#socket as tls.TLSSocket).getPeerCertificate().raw;
  }

  close(): void {
    const calm = this.#failure === undefined && this.#interrupt === undefined;
    this.#broke(new NetworkError("closed"));
    this.#held = [];
    // What was written has left; but for a write or a handshake a peer could let us wait for ever.
    if (calm) this.#socket.destroySoon();
    else this.#destroy();
  }

  #listen(socket: net.Socket): void {
    socket.on("data", this.#data).on("end", this.#end);
    socket.on("error", this.#broke).on("close", this.#close);
  }

  readonly #data = (chunk: Uint8Array): void => {
    if (this.#failure !== undefined) return;
    const reader = this.#reader;
    const length = reader === undefined ? 0 : fill(reader.buffer, chunk);
    if (length < chunk.length) {
      this.#held.push(chunk.subarray(length));
      this.#pause();
    }
    this.#reader = undefined;
    reader?.resolve(length);
  };

  readonly #end = (): void => {
    this.#ended = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
  };

  readonly #close = (): void => this.#broke(RESET);

  readonly #broke = (cause: unknown): void => {
    if (this.#failure !== undefined) return;
    this.#failure = cause instanceof NetworkError ? cause : loss(cause);
    this.#interrupt?.(cause);
    this.#reader?.reject(this.#failure);
    this.#reader = undefined;
  };

  /** Does something that ends with an error when the connection does; `words` says what the error means. */
  async #unlessBroken(
    words: (cause: unknown) => NetworkError,
    work: (resolve: () => void, reject: (cause: unknown) => void) => void,
  ): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#interrupt = reject;
        work(resolve, reject);
      });
    } catch (cause) {
      throw cause instanceof NetworkError ? cause : words(cause);
    } finally {
      this.#interrupt = undefined;
    }
  }

  /**
   * Makes the peer wait. A TLS socket of Deno that is paused goes on reading from the network into
   * memory, so it is the connection below that is paused, and again with all that comes nevertheless.
   */
  #pause(): void {
    this.#paused = true;
    this.#tcp.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    // Both sockets share a flag that says whether there is reading, and the TLS socket may have
    // set it meanwhile: a connection that does not count as paused would not be resumed.
    this.#tcp.pause().resume();
  }

  #destroy(): void {
    this.#socket.destroy();
    this.#tcp.destroy();
  }
}

/** Copies what fits and returns how much that is. */
function fill(buffer: Uint8Array, bytes: Uint8Array): number {
  const length = Math.min(buffer.length, bytes.length);
  buffer.set(bytes.subarray(0, length));
  return length;
}
