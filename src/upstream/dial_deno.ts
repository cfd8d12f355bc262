import type { Pipe, Place, TlsOptions } from "./dial.ts";
import { connectFailure, loss, tlsFailure } from "./dial_words.ts";
import { NetworkError } from "./failure.ts";

/** A pipe by way of `Deno.connect` and `Deno.startTls`; it verifies, and knows neither fingerprints nor identities. */
export async function dialDeno(place: Place, signal: AbortSignal): Promise<Pipe> {
  const { hostname, port } = place;
  let conn: Deno.TcpConn;
  try {
    conn = await Deno.connect({ hostname, port, signal });
  } catch (error) {
    throw connectFailure(error, place);
  }
  // It may have come up in the moment in which it was given up.
  if (signal.aborted) {
    conn.close();
    throw new NetworkError("given up", { cause: signal.reason });
  }
  conn.setNoDelay(true);
  conn.setKeepAlive(true);
  return new DenoPipe(conn);
}

class DenoPipe implements Pipe {
  #conn: Deno.TcpConn | Deno.TlsConn;
  #closed = false;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#conn.read(buffer).catch(rethrow);
  }

  write(bytes: Uint8Array): Promise<void> {
    // Nearly always all of it is taken at once.
    return this.#conn.write(bytes).then(
      (written) => written < bytes.length ? this.#writeRest(bytes, written) : undefined,
      rethrow,
    );
  }

  async #writeRest(bytes: Uint8Array, begun: number): Promise<void> {
    try {
      for (let written = begun; written < bytes.length;) {
        written += await this.#conn.write(bytes.subarray(written));
      }
    } catch (error) {
      throw loss(error);
    }
  }

  async startTls(options: TlsOptions): Promise<void> {
    const { hostname, ca } = options;
    try {
      const secure = await Deno.startTls(this.#conn as Deno.TcpConn, {
        hostname,
        // XEP-0368 §2: clients of direct TLS name the protocol; with STARTTLS it does no harm.
        alpnProtocols: ["xmpp-client"],
        caCerts: ca === undefined ? [] : [ca],
      });
      this.#conn = secure;
      if (this.#closed) secure.close();
      await secure.handshake();
    } catch (error) {
      throw tlsFailure(error, options);
    }
  }

  close(): void {
    this.#closed = true;
    try {
      this.#conn.close();
    } catch (error) {
      // Closed already, or taken by a TLS handshake that is starting or has failed.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

function rethrow(error: unknown): never {
  throw loss(error);
}
