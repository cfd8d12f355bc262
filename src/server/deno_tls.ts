/**
 * TLS on `Deno.serve`, with HTTP/2 for those who ask for it by ALPN: one certificate, and no client
 * certificates. `tests/server/deno_tls_test.ts` shows what is said of the platform here.
 */
import type { Appointment, Clock, Sleeper } from "../clock.ts";
import type { CertificateConfig, TlsConfig } from "../config/config.ts";
import { nodeCrypto } from "../config/node_crypto.ts";
import { Lasting } from "./deno_stream.ts";
import { BACKLOG, type FetchHandler } from "./front_deno.ts";
import { type Listener, listenerUrl } from "./listener.ts";

/** Servers with certificates of before that may be there for the sake of their WebSockets. */
const MOST_FORMER = 4;

/**
 * For how long answers of a former server end their connections before it is closed (milliseconds): a request
 * that is under way when it closes has no answer, and its client has to repeat it.
 */
const FAREWELL = 1_000;

const DAY = 86_400_000;

/**
 * A server of Deno's cannot take another certificate, so there is another server, which listens at the
 * same place (SO_REUSEPORT). The former one is shut down: requests that it holds are answered, and
 * HTTP/2 is told to connect anew. But shutting down closes WebSockets as well (1001), and there is no
 * way to accept nothing more and keep them. So one that has any stays until they are gone, and the
 * system gives it half of the new connections meanwhile: they see the former certificate. It stays no
 * longer than until a day before that ends, nor when there are more than {@link MOST_FORMER} of them.
 * Connections that are on their way to it, or in their handshake, when it closes are cut.
 */
export class DenoTlsListener implements Listener {
  readonly url: string;
  readonly #at: { readonly address: string; port: number };
  readonly #handler: (lasting: Lasting) => FetchHandler;
  readonly #clock: Clock;
  #current: DenoTlsServer;
  /** Those that have not ended. */
  readonly #former = new Set<DenoTlsServer>();

  /** Throws what the platform throws when it cannot listen. */
  constructor(
    at: { readonly address: string; readonly port: number },
    tls: TlsConfig,
    handler: (lasting: Lasting) => FetchHandler,
    clock: Clock,
  ) {
    this.#at = { ...at };
    this.#handler = handler;
    this.#clock = clock;
    // Among those who share a place nobody notices another program, which would get half of each session.
    if (at.port !== 0) Deno.listen({ hostname: at.address, port: at.port }).close();
    this.#current = this.#open(tls);
    this.#at.port = this.#current.port;
    this.url = listenerUrl({ at, tls }, this.#at.port);
  }

  /** Throws what the platform throws when it cannot listen again; then nothing has changed. */
  replaceCertificates(tls: TlsConfig): void {
    const { certificate } = this.#current;
    const [{ cert, key }] = tls.certificates as [CertificateConfig];
    if (cert === certificate.cert && key === certificate.key) return;
    const former = this.#current;
    this.#current = this.#open(tls);
    this.#former.add(former);
    void former.finished.then(() => this.#former.delete(former));
    former.retire(this.#clock);
    const open = [...this.#former].filter(({ isClosed }) => !isClosed);
    if (open.length > MOST_FORMER) void open[0]!.shutdown();
  }

  async close(): Promise<void> {
    await Promise.all([this.#current, ...this.#former].map((server) => server.close()));
  }

  #open({ certificates: [certificate] }: TlsConfig): DenoTlsServer {
    return new DenoTlsServer(this.#at, certificate!, this.#handler);
  }
}

/** The server of one certificate. */
class DenoTlsServer implements Sleeper {
  readonly certificate: CertificateConfig;
  isClosed = false;
  readonly #lasting = new Lasting();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #appointment: Appointment | undefined;
  #clock: Clock | undefined;

  constructor(
    { address, port }: { readonly address: string; readonly port: number },
    certificate: CertificateConfig,
    handler: (lasting: Lasting) => FetchHandler,
  ) {
    this.certificate = certificate;
    this.#server = Deno.serve({
      onListen() {},
      hostname: address,
      port,
      reusePort: true,
      tcpBacklog: BACKLOG,
      cert: certificate.cert,
      key: certificate.key,
      handler: handler(this.#lasting),
    });
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get finished(): Promise<void> {
    return this.#server.finished;
  }

  /** There is another server: closes as soon as no WebSocket would be closed, or has to be. */
  retire(clock: Clock): void {
    this.#clock = clock;
    this.#lasting.isRetiring = true;
    this.#appointment = clock.after(FAREWELL, this);
  }

  /** For the clock. */
  wake(): void {
    if (this.isClosed) return;
    this.#lasting.whenQuiet(() => this.wake());
    this.#appointment?.cancel();
    const { validToDate } = new (nodeCrypto().X509Certificate)(this.certificate.cert);
    const left = validToDate.getTime() - Date.now() - DAY;
    if (this.#lasting.sockets === 0 || left <= 0) void this.shutdown();
    else this.#appointment = this.#clock!.after(Math.min(left, DAY), this);
  }

  /** Ends what would last for ever, and settles when all is answered. */
  close(): Promise<void> {
    this.#lasting.close();
    return this.shutdown();
  }

  /** Settles when all is answered, and all bodies that are being made have ended. */
  shutdown(): Promise<void> {
    this.isClosed = true;
    this.#appointment?.cancel();
    return this.#server.shutdown();
  }
}
