import tls from "node:tls";
import { authority, type CertificateName, fileOf } from "./certificates/certificates.ts";
import { patiently } from "./patience.ts";
import { programPath } from "./programs.ts";

/** What `openssl s_client` says of a connection. */
export interface Seen {
  /** The common name of the certificate that the server shows; `undefined` when there is none. */
  readonly subject: string | undefined;
  /** `http/1.1`; `undefined`: none was agreed on. */
  readonly alpn: string | undefined;
  /** `TLSv1.3`; `undefined`: there was no handshake. */
  readonly version: string | undefined;
  readonly resumed: boolean;
  /** The number of the alert that the server sent; `undefined`: none. */
  readonly alert: number | undefined;
  /** All that it printed, what the server sent among it. */
  readonly output: string;
}

/** Connects with `openssl s_client` to a port of loopback, and reads until the server ends. */
export async function openssl(port: number, ...args: readonly string[]): Promise<Seen> {
  const command = new Deno.Command(programPath("openssl"), {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, "-ign_eof", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { stdout, stderr } = await patiently(command.output(), "openssl has ended");
  const output = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
  const found = (pattern: RegExp) => pattern.exec(output)?.[1];
  const alert = found(/SSL alert number (\d+)/);
  return {
    subject: found(/^subject=.*CN = (.*)$/m),
    alpn: found(/^ALPN protocol: (.*)$/m),
    version: found(/^(?:New|Reused), (TLSv[\d.]+), /m),
    resumed: /^Reused, /m.test(output),
    alert: alert === undefined ? undefined : Number(alert),
    output,
  };
}

/** Arguments that show a certificate of ours. */
export function showing(name: CertificateName): string[] {
  return ["-cert", fileOf(`${name}.pem`), "-key", fileOf(`${name}.key`)];
}

/** Connects with Deno's TLS, which takes no end without close_notify. */
export async function connectTls(port: number, hostname = "example.test"): Promise<Deno.TlsConn> {
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
  const tls = await Deno.startTls(tcp, { hostname, caCerts: [authority()] });
  await tls.handshake();
  return tls;
}

/** The common name of the certificate that is shown there now; rejects when there is no connection. */
export async function subject(port: number): Promise<unknown> {
  const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  const shaken = new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve).once("error", reject);
  });
  await patiently(shaken, "there is TLS");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}
