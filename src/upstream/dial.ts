/**
 * The one place where upstream sockets are made. What is above knows a {@link Pipe}; whether
 * `Deno.connect` or `node:net` is below is decided here, and is not its business.
 */

import { dialDeno } from "./dial_deno.ts";
import { NamingPipe } from "./naming_pipe.ts";

export { hostAndPort } from "./dial_words.ts";

/** A connection as bytes. One `read` and one `write` at a time. */
export interface Pipe {
  /**
   * Fills `buffer` from its start and returns how much, or `null` when the peer closed. While
   * nobody reads, the peer is made to wait: what has come is held, and it is little.
   */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Hands all the bytes to the network. */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Turns the connection into TLS, as it was said when it was dialled; neither `read` nor `write` may
   * be under way. Nothing that came in the clear is read after it.
   */
  startTls(options: TlsOptions): Promise<void>;
  /** Closes it (with TLS's close_notify); what is under way rejects. Again is harmless. */
  close(): void;
}

/** How the server is known, and we to it. TLS is 1.2 at the least, without renegotiation and early data. */
export interface TlsOptions {
  /** The name that goes into SNI (not an IP address) and that the certificate has to be for: the XMPP domain. */
  readonly hostname: string;
  /** Whether the certificate has to be right; without, it may be anybody's. */
  readonly verify: boolean;
  /**
   * SHA-256 (lower-case hexadecimal) of the server's own certificate. When there are any, a certificate
   * with one of them is right whatever else is wrong with it, and every other is not.
   */
  readonly fingerprints: readonly string[];
  /**
   * Certificates (PEM) that are trusted besides the roots that the process trusts anyway:
   * Mozilla's that Deno brings along, or what `DENO_TLS_CA_STORE` and `DENO_CERT` say.
   */
  readonly ca: string | undefined;
  /**
   * What we show a server that asks for a certificate (PEM). It is not shown where `ca` is what
   * makes the server's certificate right; configurations that want both are refused.
   */
  readonly identity: { readonly cert: string; readonly key: string } | undefined;
}

/** Where to connect to. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
}

/** Connects; rejects with `NetworkError`, and when the signal fires. `tls`: what `startTls` may be asked for. */
export type Dial = (
  place: Place,
  tls: TlsOptions | undefined,
  signal: AbortSignal,
) => Promise<Pipe>;

/**
 * {@link Dial} by way of `node:net` and `node:tls`, which know fingerprints, client certificates and how
 * not to verify, at a third of the memory (40 KB a TLS connection rather than 118).
 *
 * They are not used where an authority in `ca` is what makes a certificate right. With `ca`, `node:tls`
 * of Deno 2.9 accepts a certificate that its verifier cannot read (version 1, or one byte too many) by
 * its issuer's name alone: it looks at no signature, not even at that of the handshake, so anybody can
 * make one. `Deno.startTls` makes no such exception.
 */
export const dial: Dial = async (place, tls, signal) => {
  if (tls === undefined) return await dialDeno(place, signal);
  // Loaded once it is needed: `node:tls` brings as much with it as all that this program has itself.
  const { dialNode } = await import("./dial_node.ts");
  const byAuthority = tls.verify && tls.fingerprints.length === 0 && tls.ca !== undefined;
  const pipe = await (byAuthority ? dialDeno : dialNode)(place, signal);
  return new NamingPipe(pipe, (signal) => dialNode(place, signal));
};
