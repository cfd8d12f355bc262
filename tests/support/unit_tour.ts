import assert from "node:assert/strict";
import { authorityFile } from "./certificates/certificates.ts";
import { freePort } from "./free_port.ts";
import { RawWebSocket } from "./raw_websocket.ts";
import { subject } from "./tls_clients.ts";
import { NameServer } from "./upstream_dns.ts";
import {
  MECHANISMS,
  type ScriptedConnection,
  ScriptedServer,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "./upstream_server.ts";

const HTTPBIND = "xmlns='http://jabber.org/protocol/httpbind'";
const FRAMING = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'";

/** Where the program under test finds its files, and where this test does. */
export interface Paths {
  /** The directory of tls.crt and tls.key, as the program sees it. */
  readonly credentials: string;
  /** The program's RuntimeDirectory, as it is seen from here. */
  readonly runtime: string;
}

/** What a service does under its unit's sandbox: everything that needs the system once. */
export class UnitTour implements AsyncDisposable {
  readonly #http = freePort();
  readonly #https = freePort();
  readonly #server: ScriptedServer;
  readonly #names: NameServer;
  readonly #paths: Paths;

  private constructor(server: ScriptedServer, names: NameServer, paths: Paths) {
    this.#server = server;
    this.#names = names;
    this.#paths = paths;
  }

  static async start(paths: Paths): Promise<UnitTour> {
    return new UnitTour(await ScriptedServer.listen(), await NameServer.start(), paths);
  }

  /** For the program: both fronts, TLS, a unix socket, names of the system's and of a DNS server's. */
  get configuration(): string {
    const { credentials } = this.#paths;
    return `
      [[listen]]
      port = ${this.#http}
      [[listen]]
      port = ${this.#https}
      tls = { cert = "${credentials}/tls.crt", key = "${credentials}/tls.key" }
      [[listen]]
      unix = "/run/causeway/http.sock"
      [domains."example.test"]
      connect = "xmpp://localhost:${this.#server.port}"
      ca = "${this.#paths.credentials}/ca.pem"
      [domains."looked-up.test"]
      nameserver = "${this.#names.address}:${this.#names.port}"
    `;
  }

  /** A BOSH session, whose server is found by the system's lookup and reached by TLS. */
  async bosh(): Promise<void> {
    const created = this.#post("rid='1' to='example.test' wait='5' hold='1' ver='1.6'");
    const upstream = await this.#greet();
    const answer = await created;
    assert.match(answer, /<mechanism>PLAIN<\/mechanism>/);
    const sid = / sid='([^']+)'/.exec(answer)![1];
    const ended = this.#post(`rid='2' sid='${sid}' type='terminate'`, "<presence/>");
    await upstream.expect("<presence/>");
    await upstream.expect("</stream:stream>");
    upstream.write("</stream:stream>");
    assert.match(await ended, /type='terminate'/);
  }

  /** A WebSocket session, by TLS on either side. */
  async webSocket(): Promise<void> {
    using socket = await RawWebSocket.connect(`https://127.0.0.1:${this.#https}/xmpp-websocket`);
    socket.text(`<open ${FRAMING} to='example.test' version='1.0'/>`);
    const upstream = await this.#greet();
    assert.match(await socket.message(), /^<open /);
    assert.match(await socket.message(), /PLAIN/);
    socket.text(`<close ${FRAMING}/>`);
    await upstream.expect("</stream:stream>");
    upstream.write("</stream:stream>");
    assert.match(await socket.message(), /^<close /);
  }

  /** The unix socket in the runtime directory. */
  async unixSocket(): Promise<void> {
    const path = `${this.#paths.runtime}/http.sock`;
    using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
    const page = await fetch("http://localhost/http-bind", { client });
    assert.match(await page.text(), /BOSH/);
  }

  /** A lookup of SRV records by UDP. */
  async lookup(): Promise<void> {
    const answer = await this.#post("rid='1' to='looked-up.test' wait='5' hold='1' ver='1.6'");
    assert.match(answer, /condition='remote-connection-failed'/);
    const { queries } = this.#names;
    assert.ok(queries.includes("SRV _xmpps-client._tcp.looked-up.test"), queries.join("\n"));
  }

  /** The common name of the certificate that clients are shown. */
  certificate(): Promise<unknown> {
    return subject(this.#https);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await this.#names[Symbol.asyncDispose]();
  }

  async #post(attributes: string, content = ""): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.#http}/http-bind`, {
      method: "POST",
      body: `<body ${HTTPBIND} ${attributes}>${content}</body>`,
    });
    return await response.text();
  }

  async #greet(): Promise<ScriptedConnection> {
    const connection = await this.#server.accept();
    await connection.expect("version='1.0'>");
    connection.write(streamHeader("clear") + streamFeatures(STARTTLS));
    await connection.startTls();
    await connection.expect("version='1.0'>");
    connection.write(streamHeader("up") + streamFeatures(MECHANISMS));
    return connection;
  }
}

/** Puts certificate, key and authority where the program looks for them. */
export async function putCertificates(directory: string, name = "example.test"): Promise<void> {
  const folder = authorityFile.replace(/[^/]+$/, "");
  await Deno.copyFile(`${folder}${name}.pem`, `${directory}/tls.crt`);
  await Deno.copyFile(`${folder}${name}.key`, `${directory}/tls.key`);
  await Deno.copyFile(authorityFile, `${directory}/ca.pem`);
}
