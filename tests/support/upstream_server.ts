import net from "node:net";
import tls from "node:tls";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { certificate, type CertificateName, fingerprint } from "./certificates/certificates.ts";

/**
 * An XMPP server that does what a test tells it and remembers every byte. Its
 * sockets are those of `node:net`, because a `Deno.Conn` cannot start TLS as a server.
 */
export class ScriptedServer {
  readonly port: number;
  /** How many connections there have been. */
  accepted = 0;
  readonly #server: net.Server;
  readonly #connections: ScriptedConnection[] = [];
  readonly #unclaimed: ScriptedConnection[] = [];
  readonly #acceptors: ((connection: ScriptedConnection) => void)[] = [];

  private constructor(server: net.Server, certificates: Certificates, direct: boolean) {
    this.#server = server;
    this.port = (server.address() as net.AddressInfo).port;
    server.on("connection", (socket) => {
      this.accepted++;
      const connection = new ScriptedConnection(socket, certificates);
      if (direct) connection.secure();
      this.#connections.push(connection);
      const acceptor = this.#acceptors.shift();
      if (acceptor) acceptor(connection);
      else this.#unclaimed.push(connection);
    });
  }

  /**
   * Listens on a free port of the loopback; `direct`: TLS from the first byte; `client`: the
   * certificate without which nobody gets in.
   */
  static async listen(
    { certificate = "example.test", client, direct = false, hostname = "127.0.0.1", port = 0 }: {
      certificate?: CertificateName;
      client?: CertificateName | undefined;
      direct?: boolean;
      hostname?: string;
      port?: number;
    } = {},
  ): Promise<ScriptedServer> {
    const server = net.createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, hostname, resolve);
    });
    return new ScriptedServer(server, { certificate, client }, direct);
  }

  /** The next connection. */
  accept(): Promise<ScriptedConnection> {
    const connection = this.#unclaimed.shift();
    if (connection) return Promise.resolve(connection);
    return new Promise((resolve) => this.#acceptors.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all(this.#connections.map((connection) => connection.destroy()));
    await closed;
  }
}

interface Certificates {
  readonly certificate: CertificateName;
  readonly client: CertificateName | undefined;
}

/** What the client said in TLS's first message, and what was agreed. */
export interface Handshake {
  readonly serverName: string | undefined;
  readonly alpn: string | undefined;
}

export class ScriptedConnection {
  /** Everything that has come, in the clear and out of TLS. */
  received = "";
  /** The peer has closed its side, or the connection is gone. */
  ended = false;
  readonly #certificates: Certificates;
  readonly #raw: net.Socket;
  #socket: net.Socket;
  #read = 0;
  readonly #closed: Promise<void>;
  #wake: (() => void) | undefined;
  #taker: ((text: string) => void) | undefined;
  #poured = 0;

  constructor(socket: net.Socket, certificates: Certificates) {
    this.#raw = socket;
    this.#socket = socket;
    this.#certificates = certificates;
    this.#closed = new Promise((resolve) => socket.once("close", () => resolve()));
    this.#listen(socket);
  }

  /** Waits until `text` comes and returns what has come since the last call, `text` included. */
  async expect(text: string): Promise<string> {
    await this.#until(() => this.received.includes(text, this.#read), `"${text}"`);
    return this.#take(this.received.indexOf(text, this.#read) + text.length);
  }

  /** Waits until the peer closes its side and returns what has come since the last call. */
  async expectEnd(): Promise<string> {
    await this.#until(() => this.ended, "the end of the connection");
    return this.#take(this.received.length);
  }

  write(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  /** Writes the text in pieces, each in a packet of its own as far as the system lets us. */
  async writePieces(text: string, length: number): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; at += length) {
      await new Promise<void>((resolve) =>
        this.#socket.write(bytes.subarray(at, at + length), () => setTimeout(resolve))
      );
    }
  }

  /** Waits for `<starttls/>`, agrees, and is in TLS when it returns; rejects if the handshake fails. */
  async startTls(): Promise<Handshake> {
    await this.expect("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    this.write("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    return await this.secure();
  }

  /** Starts TLS as the server. */
  secure(): Promise<Handshake> {
    this.#raw.removeAllListeners("data").removeAllListeners("end");
    const { certificate: own, client } = this.#certificates;
    const socket = new tls.TLSSocket(this.#raw, {
      isServer: true,
      ...certificate(own),
      ...(client && { requestCert: true, ca: certificate(client).cert }),
      ALPNProtocols: ["xmpp-client"],
    });
    this.#socket = socket;
    this.#listen(socket);
    const handshake = new Promise<Handshake>((resolve, reject) => {
      socket.once("secure", () => {
        // Outside of a tls.Server nobody else looks at who it is.
        const peer = client && createHash("sha256").update(socket.getPeerCertificate().raw);
        if (client && peer?.digest("hex") !== fingerprint(client)) {
          return reject(new Error(`the client is not ${client}`));
        }
        const { servername, alpnProtocol } = socket as tls.TLSSocket & { servername?: string };
        resolve({ serverName: servername, alpn: alpnProtocol || undefined });
      });
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed during the TLS handshake")));
    });
    handshake.catch(() => {});
    return handshake;
  }

  /** Bytes written that the system has not taken, because the peer does not read. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  /** Reads nothing any more: its peer has to wait. */
  pause(): void {
    this.#raw.pause();
  }

  resume(): void {
    // Deno's TLS socket may have set the flag that says whether there is reading.
    this.#raw.pause().resume();
  }

  /** Writes all of this as fast as it is taken; settles when it has been, or the connection is gone. */
  async pour(texts: Iterable<string>): Promise<void> {
    for (const text of texts) {
      if (this.ended) return;
      const bytes = new TextEncoder().encode(text);
      this.#poured += bytes.length;
      if (!this.#socket.write(bytes)) await drained(this.#socket);
    }
  }

  /** Bytes that were poured and that the system has taken. */
  get taken(): number {
    return this.#poured - this.#socket.writableLength;
  }

  /** From here on what comes is given to somebody, and not kept. */
  giveTo(take: (text: string) => void): void {
    this.#taker = take;
    take(this.received.slice(this.#read));
    this.received = "";
    this.#read = 0;
  }

  /** Closes our side. */
  end(): void {
    this.#socket.end();
  }

  /** Drops the connection with a TCP reset. */
  reset(): void {
    this.#raw.resetAndDestroy();
  }

  /** Drops the connection and waits until its socket is gone. */
  destroy(): Promise<void> {
    this.#socket.destroy();
    this.#raw.destroy();
    return this.#closed;
  }

  #listen(socket: net.Socket): void {
    const decoder = new TextDecoder();
    socket.on("data", (chunk: Buffer) => {
      const text = decoder.decode(chunk, { stream: true });
      if (this.#taker) this.#taker(text);
      else this.received += text;
      this.#wake?.();
    });
    const over = () => {
      this.ended = true;
      this.#wake?.();
    };
    socket.on("end", over);
    socket.on("close", over);
    socket.on("error", () => {});
  }

  #take(end: number): string {
    const text = this.received.slice(this.#read, end);
    this.#read = end;
    return text;
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    while (!done()) {
      if (this.ended) throw new Error(`no ${what} before the end; came: ${this.#rest}`);
      await new Promise<void>((resolve, reject) => {
        const patience = setTimeout(
          () => reject(new Error(`no ${what} within 10 s; came: ${this.#rest}`)),
          10_000,
        );
        this.#wake = () => {
          clearTimeout(patience);
          resolve();
        };
      });
    }
  }

  get #rest(): string {
    return JSON.stringify(this.received.slice(this.#read));
  }
}

/** Settles when what was written has been taken, or the connection is gone. */
export async function drained(socket: net.Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    const go = () => {
      socket.off("drain", go).off("close", go);
      resolve();
    };
    socket.on("drain", go).on("close", go);
  });
}

/** A server's stream header. */
export function streamHeader(id: string, attributes = "from='example.test' version='1.0'"): string {
  return `<?xml version='1.0'?><stream:stream xmlns='jabber:client' ` +
    `xmlns:stream='http://etherx.jabber.org/streams' id='${id}' ${attributes}>`;
}

/** `<stream:features/>` around what is given. */
export function streamFeatures(content = ""): string {
  return `<stream:features>${content}</stream:features>`;
}

export const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
export const MECHANISMS =
  "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>";
export const BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
