/** The certificate that an XMPP server shows. */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect } from "node:tls";
import type { UpstreamConfig } from "../../config/config.ts";
import { C2sStream } from "../../protocol/stream/c2s.ts";
import type { Candidate } from "../../upstream/candidates.ts";
import type { Pipe, TlsOptions } from "../../upstream/dial.ts";
import { dialNode } from "../../upstream/dial_node.ts";
import { NetworkError, within } from "../../upstream/failure.ts";
import { day } from "../untimely.ts";
import { UNVERIFIED } from "../unverified.ts";
import type { Report } from "./report.ts";
import type { World } from "./world.ts";

/** Days before its end from which on a certificate is warned of. */
const SOON = 14;
const DAY = 86_400_000;

/** Whose certificate is asked for, and how. */
export interface CertificateRequest {
  readonly domain: string;
  readonly place: Candidate;
  readonly tls: TlsOptions;
  /** What the server is sent before all else. */
  readonly preamble: Uint8Array | undefined;
  readonly world: World;
}

/** TLS is up, so the certificate is right; what it is, and for how long. */
export function reportCertificate(
  certificate: X509Certificate | undefined,
  { target, tls, settings: { verify }, world, report }: CertificateRequest & {
    readonly target: string;
    readonly settings: Pick<UpstreamConfig, "verify">;
    readonly report: Report;
  },
  ms: number,
): void {
  const step = "tls";
  const how = tls.fingerprints.length > 0
    ? "known by its fingerprint"
    : verify
    ? "its chain leads to an authority that is trusted"
    : "not looked at";
  const whose = certificate === undefined
    ? "a certificate"
    : `certificate for ${describeCertificate(certificate)}`;
  const detail = `${whose}, ${how}`;
  if (!verify && tls.fingerprints.length === 0) {
    const cure = UNVERIFIED.slice(UNVERIFIED.indexOf("; ") + 2);
    return report({ step, target, result: "warning", detail, cure, ms });
  }
  const left = certificate === undefined ? undefined : endsSoon(certificate, world);
  if (left === undefined) return report({ step, target, result: "ok", detail, ms });
  const cure = "renew it on the XMPP server, and have it read anew";
  report({ step, target, result: "warning", detail: `${detail}; ${left}`, cure, ms });
}

/** What to say of a certificate that has to be renewed; `undefined`: nothing. */
export function endsSoon(
  { validToDate }: X509Certificate,
  { today }: Pick<World, "today">,
): string | undefined {
  const days = Math.floor((validToDate.getTime() - today()) / DAY);
  if (days >= SOON) return undefined;
  return days < 0 ? "it has expired" : `it expires in ${days} days`;
}

/** The certificate that a web server shows for its name; `undefined` where it cannot be read. */
export async function webCertificate(
  { hostname: bracketed, port }: URL,
  { clock, web }: World,
): Promise<X509Certificate | undefined> {
  const hostname = bracketed.replace(/^\[(.*)\]$/, "$1");
  const place = web(hostname, Number(port) || 443);
  const socket = connect({
    host: place.hostname ?? hostname,
    port: place.port,
    ...(isIP(hostname) ? {} : { servername: hostname }),
    ALPNProtocols: ["http/1.1"],
    // It is shown, and nothing is entrusted to this connection.
    rejectUnauthorized: false,
  });
  try {
    return await within(
      { clock, timeout: 5_000 },
      "no certificate",
      () =>
        new Promise<X509Certificate | undefined>((resolve, reject) => {
          socket.on("secureConnect", () => resolve(socket.getPeerX509Certificate()));
          socket.on("error", reject);
        }),
    );
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

/** Its names, its last day and who issued it. */
export function describeCertificate(certificate: X509Certificate): string {
  const { subjectAltName, subject, issuer, validToDate } = certificate;
  const names = [...(subjectAltName ?? "").matchAll(/(?:DNS|IP Address):([^\s,]+)/g)]
    .map(([, name]) => name).slice(0, 5);
  const whose = names.length > 0 ? names.join(", ") : subject?.replaceAll("\n", ", ") || "nobody";
  const by = /(?:^|\n)CN=(.*)/.exec(issuer ?? "")?.[1] ?? issuer?.replaceAll("\n", ", ");
  return `${whose}, until ${day(validToDate)}, issued by ${by || "nobody"}`;
}

/**
 * The certificate that the server shows, on a connection of its own: what accepts it does not show it,
 * and what shows it does not verify.
 */
export async function certificateOf(
  { domain, place, tls, preamble, world: { clock } }: CertificateRequest,
): Promise<X509Certificate | undefined> {
  const opening = { to: domain, version: "1.0" };
  const any = { ...tls, verify: false, fingerprints: [], ca: undefined };
  let der: Uint8Array;
  try {
    der = await within({ clock, timeout: 5_000 }, "no certificate", async (signal) => {
      const pipe = await dialNode(place, signal);
      signal.addEventListener("abort", () => pipe.close());
      try {
        if (preamble !== undefined) await pipe.write(preamble);
        if (place.direct) await pipe.startTls(any);
        else await askForTls(opening, pipe, any);
        return pipe.certificate;
      } finally {
        pipe.close();
      }
    });
  } catch (error) {
    if (error instanceof NetworkError) return undefined;
    throw error;
  }
  try {
    return new X509Certificate(der);
  } catch {
    // Not everything that is accepted by its fingerprint can be read.
    return undefined;
  }
}

async function askForTls(
  opening: { readonly to: string; readonly version: string },
  pipe: Pipe,
  tls: TlsOptions,
): Promise<void> {
  const limits = { payloadBytes: 1_048_576, depth: 128, attributes: 128 };
  const stream = new C2sStream({
    opening,
    tls: "required",
    direct: false,
    limits,
    timeout: 5_000,
    keepalive: 0,
  });
  const buffer = new Uint8Array(16_384);
  stream.connected(0);
  for (;;) {
    for (let action; (action = stream.poll());) {
      if (action.type === "write") await pipe.write(action.bytes);
      if (action.type === "start-tls") return await pipe.startTls(tls);
      if (action.type === "ended") throw new NetworkError("no TLS");
    }
    const length = await pipe.read(buffer);
    if (length === null) throw new NetworkError("no TLS");
    stream.receive(0, buffer.subarray(0, length));
  }
}
