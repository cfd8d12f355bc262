/**
 * TLS for the front over plain sockets, by `node:tls`. What is said of the platform here was
 * measured with Deno 2.9.6, and `tests/server/tls_layer_test.ts` shows it.
 */
import type net from "node:net";
import tls from "node:tls";
import type { TlsConfig } from "../config/config.ts";
import { namesOf } from "../config/tls_kind.ts";
import { isVersion3 } from "../config/x509.ts";

/** RFC 9325 §3.1.1: TLS 1.2 at least. The platform knows no older version, and no renegotiation. */
const MIN_VERSION = "TLSv1.2";

const GONE = "the connection ended in the handshake";

/**
 * Puts TLS around connections that somebody else accepts. TLS 1.2 and 1.3, by ALPN `http/1.1` alone:
 * a client that offers other protocols only, such as `h2`, is refused with the alert
 * no_application_protocol (RFC 7301 §3.2); one that offers none is served. Sessions are resumed.
 * An idle connection holds 28 KiB, 42 where there are several certificates; a handshake takes 1 ms
 * with an EC key and 3.5 ms with an RSA key, which the platform reads anew each time.
 */
export class TlsLayer {
  #server: tls.Server;
  #clientCa: string | undefined;
  /** SHA-256 of the certificates that were verified by `#clientCa` here. */
  #verified = new Set<string>();
  readonly #waiting = new WeakMap<net.Socket, Waiting>();

  constructor(config: TlsConfig) {
    this.#clientCa = config.clientCa;
    this.#server = this.#serverOf(config);
  }

  /** Takes certificates anew; connections that are there, and handshakes under way, keep theirs. */
  replace(config: TlsConfig): void {
    if (config.clientCa !== this.#clientCa) this.#verified = new Set();
    this.#clientCa = config.clientCa;
    this.#server = this.#serverOf(config);
  }

  /**
   * TLS around an accepted connection. Exactly one of the two is called, once, never before this
   * returns unless `tcp` is closed already. `failed` when the handshake fails or the connection ends
   * before it is over, and `tcp` is destroyed then. The deadline is the caller's: who destroys `tcp`
   * hears `failed`.
   *
   * What `tcp` has read already and put back (`unshift`) belongs to the handshake. From here on all
   * is read and written through the TLS socket, which is half-open as far as `tcp` was; only pausing
   * is done below: a TLS socket that is paused goes on reading into memory, so pause `tcp`, and
   * resume it by `tcp.pause().resume()`, for both share a flag that says whether there is reading.
   * What was read before it comes nevertheless. Both sockets end together, and a record that cannot
   * be read ends them; who takes the TLS socket need not listen for its errors.
   */
  secure(
    tcp: net.Socket,
    secured: (socket: tls.TLSSocket) => void,
    failed: (reason: string) => void,
  ): void {
    if (tcp.destroyed) return failed(GONE);
    const { allowHalfOpen } = tcp;
    this.#waiting.set(tcp, { secured, failed, allowHalfOpen });
    // Half a handshake is of no use: without this, the platform would wait for the rest for ever.
    tcp.allowHalfOpen = false;
    this.#server.emit("connection", tcp);
  }

  #serverOf({ certificates, clientCa }: TlsConfig): tls.Server {
    const [first] = certificates;
    const verified = clientCa === undefined ? undefined : this.#verified;
    const server = tls.createServer({
      ...first,
      minVersion: MIN_VERSION,
      ALPNProtocols: ["http/1.1"],
      // To choose costs 14 KiB for each connection, so a single certificate is not chosen.
      ...(certificates.length > 1 ? { SNICallback: chooser(certificates, clientCa) } : {}),
      // Alas, `ca` also follows the server's own chain in the handshake.
      ...(clientCa === undefined ? {} : { requestCert: true, ca: clientCa }),
    });
    // The platform forgets the timer of a handshake that failed, and keeps the socket for its two
    // minutes. Deadlines are the caller's anyway.
    Object.assign(server, { _handshakeTimeout: 0 });
    server.on("secureConnection", (socket: tls.TLSSocket) => this.#established(socket, verified));
    server.on("tlsClientError", (error, socket) => {
      const { authorizationError } = socket;
      const stranger = authorizationError && `the client's certificate: ${authorizationError}`;
      const hangUp = (error as NodeJS.ErrnoException).code === "ECONNRESET" ? GONE : undefined;
      this.#fail(socket, stranger || (hangUp ?? error.message));
    });
    return server;
  }

  #established(socket: tls.TLSSocket, verified: Set<string> | undefined): void {
    const reason = verified && unverified(socket, verified);
    if (reason !== undefined) return this.#fail(socket, reason);
    const waiting = this.#take(socket);
    if (waiting === undefined) return void socket.destroy();
    socket.allowHalfOpen = waiting.allowHalfOpen;
    // The platform leaves open what it cannot read any more, such as a record that was tampered with.
    socket.on("error", destroy);
    waiting.secured(socket);
  }

  #fail(socket: net.Socket, reason: string): void {
    const waiting = this.#take(socket);
    socket.destroy();
    waiting?.failed(reason);
  }

  /** Whoever waits for the handshake of a TLS socket, or of its connection. */
  #take(socket: net.Socket): Waiting | undefined {
    const tcp = (socket as { readonly _parent?: net.Socket })._parent ?? socket;
    const waiting = this.#waiting.get(tcp);
    this.#waiting.delete(tcp);
    return waiting;
  }
}

interface Waiting {
  readonly secured: (socket: tls.TLSSocket) => void;
  readonly failed: (reason: string) => void;
  /** What `tcp` said of it. */
  readonly allowHalfOpen: boolean;
}

function destroy(this: tls.TLSSocket): void {
  this.destroy();
}

/**
 * Why a client is none of those that the authorities vouch for; `verified` has the SHA-256 of those
 * that were verified by them. In a full handshake the platform's verdict is right. A resumed session
 * has none of its own and passes for authorized, and sessions of any TLS server in this process can
 * be resumed: so it has to be of a client that was verified before.
 */
function unverified(socket: tls.TLSSocket, verified: Set<string>): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!socket.authorized || certificate === undefined) return "the client shows no certificate";
  // Of others the platform checks no signature, and takes one that is itself in `ca` for verified.
  if (!isVersion3(certificate.raw)) return "the client's certificate is not of X.509 version 3";
  if (!socket.isSessionReused()) {
    verified.add(certificate.fingerprint256);
    return undefined;
  }
  if (!verified.has(certificate.fingerprint256)) {
    return "the client resumes a session in which it was not verified";
  }
  return certificate.validToDate.getTime() < Date.now()
    ? "the client's certificate has expired"
    : undefined;
}

type SniCallback = NonNullable<tls.TlsOptions["SNICallback"]>;

/** Chooses by name: the certificate that has it, the one that has its wildcard, the first. */
function chooser(
  certificates: TlsConfig["certificates"],
  clientCa: string | undefined,
): SniCallback {
  const byName = new Map<string, tls.SecureContext>();
  const [first] = certificates.map((certificate) => {
    const context = tls.createSecureContext({
      ...certificate,
      minVersion: MIN_VERSION,
      ...(clientCa === undefined ? {} : { ca: clientCa }),
    });
    for (const name of namesOf(certificate.cert)) {
      if (!byName.has(name)) byName.set(name, context);
    }
    return context;
  });
  return (asked, choose) => {
    // RFC 9525 §6.3: a wildcard is the whole first label, and stands for one label.
    const name = asked.toLowerCase();
    choose(null, byName.get(name) ?? byName.get(name.replace(/^[^.]+/, "*")) ?? first);
  };
}
