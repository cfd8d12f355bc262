import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

/** Milliseconds after which a test gives up on what it waits for. */
const PATIENCE = 10_000;

/** An XMPP client of strings: what it sends and what it waits for are written out in the test. */
export class RawClient implements Disposable {
  readonly #conn: Deno.Conn;
  readonly #decoder = new TextDecoder();
  #received = "";
  #closed = false;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  static async connect(port: number): Promise<RawClient> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay();
    return new RawClient(conn);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Connects, logs in with PLAIN and binds the resource. */
  static async login(port: number, name: string, resource: string): Promise<RawClient> {
    const client = await RawClient.connect(port);
    await client.open();
    await client.send(auth("PLAIN", `\0${name}\0${name}`));
    await client.expect("<success");
    await client.open();
    await client.bind(resource);
    return client;
  }

  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
  }

  /** Sends a stream header and waits for the features. */
  async open(): Promise<string> {
    await this.send(HEADER);
    return await this.expect("</stream:features>");
  }

  async bind(resource: string): Promise<void> {
    await this.send(
      "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
        `<resource>${resource}</resource></bind></iq>`,
    );
    await this.expect(`/${resource}</jid></bind></iq>`);
  }

  /** Waits until this has come, and returns everything up to its end. */
  async expect(wanted: string | RegExp): Promise<string> {
    const pattern = typeof wanted === "string" ? new RegExp(RegExp.escape(wanted)) : wanted;
    for (;;) {
      const found = pattern.exec(this.#received);
      if (found !== null) {
        const end = found.index + found[0].length;
        const text = this.#received.slice(0, end);
        this.#received = this.#received.slice(end);
        return text;
      }
      const more = await this.#read();
      if (more === null) assert.fail(`${pattern} did not come before the end: ${this.#received}`);
      this.#received += more;
    }
  }

  /** Sends an iq request and returns its answer. */
  async ask(type: "get" | "set", content: string, to?: string): Promise<string> {
    const id = crypto.randomUUID();
    await this.send(`<iq type='${type}' id='${id}'${to ? ` to='${to}'` : ""}>${content}</iq>`);
    return await this.expect(new RegExp(`<iq [^>]*id='${id}'[^>]*(?:/>|[^/]>.*?</iq>)`, "s"));
  }

  /** Everything from here until the server closes the connection. */
  async rest(): Promise<string> {
    for (let more; (more = await this.#read()) !== null;) this.#received += more;
    return this.#received;
  }

  async #read(): Promise<string | null> {
    const buffer = new Uint8Array(16_384);
    const impatience = setTimeout(() => this.close(), PATIENCE);
    try {
      const count = await this.#conn.read(buffer);
      return count === null
        ? null
        : this.#decoder.decode(buffer.subarray(0, count), { stream: true });
    } finally {
      clearTimeout(impatience);
    }
  }
}

const HEADER = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0'" +
  " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/** `<auth/>` with an initial response. */
export function auth(mechanism: string, message: string): string {
  return `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>${
    base64(message)
  }</auth>`;
}

/** `<response/>` to a challenge. */
export function response(message: string): string {
  return `<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${base64(message)}</response>`;
}

/** The text inside `<challenge/>` or `<success/>`, decoded. */
export function saslData(element: string): string {
  return Buffer.from(/>([A-Za-z0-9+/=]*)<\//.exec(element)?.[1] ?? "", "base64").toString();
}

/** What a client has to say, and what the server must answer, to a SCRAM-SHA-1 challenge (RFC 5802 §3). */
export function scramAnswer(
  password: string,
  clientFirstBare: string,
  serverFirst: string,
): { readonly clientFinal: string; readonly serverFinal: string } {
  const [, nonce = "", salt = "", iterations = ""] = /^r=(.*),s=(.*),i=(\d+)$/.exec(serverFirst) ??
    [];
  const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(iterations), 20, "sha1");
  const clientKey = hmac(salted, "Client Key");
  const withoutProof = `c=biws,r=${nonce}`;
  const authMessage = `${clientFirstBare},${serverFirst},${withoutProof}`;
  const signature = hmac(createHash("sha1").update(clientKey).digest(), authMessage);
  const proof = clientKey.map((byte, i) => byte ^ (signature[i] ?? 0));
  return {
    clientFinal: `${withoutProof},p=${Buffer.from(proof).toString("base64")}`,
    serverFinal: `v=${hmac(hmac(salted, "Server Key"), authMessage).toString("base64")}`,
  };
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha1", key).update(text).digest();
}

function base64(text: string): string {
  return text === "" ? "=" : Buffer.from(text).toString("base64");
}
