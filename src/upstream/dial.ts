/**
 * The one place where upstream sockets are made. What is above knows a
 * {@link Pipe}; whether `Deno.connect` or something else is below is not its business.
 */

import { NetworkError } from "./failure.ts";

/** A connection as bytes. One `read` and one `write` at a time. */
export interface Pipe {
  /** Fills `buffer` from its start and returns how much, or `null` when the peer closed. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Hands all the bytes to the network. */
  write(bytes: Uint8Array): Promise<void>;
  /** Turns the connection into TLS; neither `read` nor `write` may be under way. */
  startTls(options: TlsOptions): Promise<void>;
  /** Closes it (with TLS's close_notify); what is under way rejects. Again is harmless. */
  close(): void;
}

export interface TlsOptions {
  /** The name that goes into SNI and that the certificate has to be for: the XMPP domain. */
  readonly hostname: string;
  /**
   * Certificates (PEM) that are trusted besides the roots that the process trusts anyway:
   * Mozilla's that Deno brings along, or what `DENO_TLS_CA_STORE` and `DENO_CERT` say.
   */
  readonly ca: string | undefined;
}

/** Connects; rejects with {@link NetworkError}, and when the signal fires. */
export type Dial = (
  target: { readonly hostname: string; readonly port: number },
  signal: AbortSignal,
) => Promise<Pipe>;

/** {@link Dial} by way of `Deno.connect` and `Deno.startTls`. */
export const dial: Dial = async ({ hostname, port }, signal) => {
  const target = hostAndPort(hostname, port);
  let conn: Deno.TcpConn;
  try {
    conn = await Deno.connect({ hostname, port, signal });
  } catch (error) {
    throw new NetworkError(connectFailure(error, hostname, target), { cause: error });
  }
  // It may have come up in the moment in which it was given up.
  if (signal.aborted) {
    conn.close();
    throw new NetworkError("given up", { cause: signal.reason });
  }
  conn.setNoDelay(true);
  conn.setKeepAlive(true);
  return new DenoPipe(conn);
};

/** `host:port`, an IPv6 address in brackets. */
export function hostAndPort(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

class DenoPipe implements Pipe {
  #conn: Deno.TcpConn | Deno.TlsConn;
  #closed = false;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    try {
      return await this.#conn.read(buffer);
    } catch (error) {
      throw new NetworkError(loss(error), { cause: error });
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      let written = await this.#conn.write(bytes);
      while (written < bytes.length) written += await this.#conn.write(bytes.subarray(written));
    } catch (error) {
      throw new NetworkError(loss(error), { cause: error });
    }
  }

  async startTls({ hostname, ca }: TlsOptions): Promise<void> {
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
      throw new NetworkError(tlsFailure(error, hostname), { cause: error });
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

function connectFailure(error: unknown, hostname: string, target: string): string {
  if (error instanceof Deno.errors.ConnectionRefused) return `connection refused by ${target}`;
  const { code, message } = described(error);
  switch (code) {
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `there is no route to ${target}`;
    case "ETIMEDOUT":
      return `no answer from ${target}`;
  }
  if (message.includes("failed to lookup address")) return `the name ${hostname} does not resolve`;
  return message.startsWith("invalid host") ? `${hostname} is not a host name` : message;
}

function loss(error: unknown): string {
  const { code, message } = described(error);
  if (code === "ECONNRESET" || code === "EPIPE" || error instanceof Deno.errors.UnexpectedEof) {
    return "the server dropped the connection";
  }
  return code === "ETIMEDOUT" ? "the server is no longer reachable" : message;
}

/** rustls says in text only what is wrong with a certificate. */
function tlsFailure(error: unknown, hostname: string): string {
  const { message } = described(error);
  const certificate = `the certificate of ${hostname}`;
  if (message.includes("certificate not valid for name")) {
    const names = [...message.matchAll(/DnsName\("([^"]+)"\)/g)].map((match) => match[1]);
    return `${certificate} is not valid for that name` +
      (names.length > 0 ? `, only for ${names.join(", ")}` : "");
  }
  if (message.includes("UnknownIssuer")) {
    return `${certificate} is signed by nobody we trust; if its authority is your own, name that in "ca"`;
  }
  if (message.includes("NotValidYet")) return `${certificate} is not valid yet`;
  if (message.includes("Expired")) return `${certificate} has expired`;
  if (message.includes("CaUsedAsEndEntity")) {
    return `${certificate} is an authority's own, which no server may use; issue one with CA:FALSE`;
  }
  const refused = /invalid peer certificate: (.*)/.exec(message);
  if (refused !== null) return `${certificate} was refused (${refused[1]})`;
  if (message.includes("corrupt message")) return "the server does not speak TLS there";
  if (error instanceof Deno.errors.UnexpectedEof || error instanceof Deno.errors.ConnectionReset) {
    return "the server dropped the connection during the TLS handshake";
  }
  if (message.startsWith("Invalid hostname")) return `no certificate can be for ${hostname}`;
  return message;
}

function described(error: unknown): { code: string | undefined; message: string } {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return { code: typeof code === "string" ? code : undefined, message: String(message ?? error) };
}
