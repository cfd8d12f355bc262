/** One place where an XMPP server may be: TCP, STARTTLS, TLS, stream, features, mechanisms. */
import type { Config, UpstreamConfig } from "../../config/config.ts";
import { C2sStream, type StreamEnd, type StreamHeader } from "../../protocol/stream/c2s.ts";
import { readStreamError } from "../../protocol/stream/received_error.ts";
import { NS } from "../../protocol/xml/names.ts";
import type { Payload } from "../../protocol/xml/payload.ts";
import type { Candidate } from "../../upstream/candidates.ts";
import { Connection } from "../../upstream/connection.ts";
import { hostAndPort, type Pipe, type TlsOptions } from "../../upstream/dial.ts";
import { within, words } from "../../upstream/failure.ts";
import { proxyHeader } from "../../upstream/proxy_header.ts";
import { asciiDomain } from "../../upstream/resolve.ts";
import { certificateOf, describeCertificate, reportCertificate } from "./certificate.ts";
import { diagnose } from "./cures.ts";
import { reportFeatures } from "./offers.ts";
import type { Report } from "./report.ts";
import type { World } from "./world.ts";

export interface Reached {
  /** A stream came up. */
  readonly works: boolean;
  /** Where the server sends us instead (RFC 6120 §4.9.3.19), and whether it said so under TLS. */
  readonly elsewhere?: { readonly otherHost: string; readonly isEncrypted: boolean };
}

/** Looks at one place. Sends no more than a stream's header and `<starttls/>`. */
export async function checkServer(
  domain: string,
  place: Candidate,
  settings: UpstreamConfig,
  limits: Config["limits"],
  world: World,
  report: Report,
): Promise<Reached> {
  const { clock } = world;
  const { direct } = place;
  const target = place.target === hostAndPort(place.hostname, place.port)
    ? place.target
    : `${place.target} (${place.hostname})`;
  const context = { domain, configured: settings.connect.length > 0 };
  const { verify, fingerprints, ca, identity, connectTimeout: timeout } = settings;
  const tls = {
    hostname: asciiDomain(domain) ?? domain,
    ...{ verify, fingerprints, ca, identity },
  };

  const begun = clock.now();
  let pipe: TimedPipe;
  try {
    const connected = await within(
      { clock, timeout },
      `no answer from ${place.target}`,
      (signal) => world.dial(place, direct || settings.tls !== "never" ? tls : undefined, signal),
    );
    pipe = new TimedPipe(connected, () => clock.now());
  } catch (error) {
    const found = diagnose("tcp", words(error), context);
    const result = found.detail.startsWith("there is no route") ? "warning" : "bad";
    report({ step: "tcp", target, result, ...found, ms: clock.now() - begun });
    return { works: false };
  }
  report({ step: "tcp", target, result: "ok", detail: "connected", ms: clock.now() - begun });

  const stream = new C2sStream({
    opening: { to: domain, version: "1.0" },
    tls: settings.tls,
    direct,
    limits: { payloadBytes: limits.serverStanza, depth: limits.depth, attributes: 128 },
    timeout,
    keepalive: 0,
  });
  const spoken = clock.now();
  const { header, features, end, at } = await converse(stream, pipe, {
    tls,
    timeout,
    direct,
    world,
    preamble: settings.proxyProtocol === 0
      ? undefined
      : proxyHeader(settings.proxyProtocol, { address: "", port: 0 }, {
        address: place.hostname,
        port: place.port,
      }),
  });

  const tlsBegun = pipe.tlsBegun;
  if (tlsBegun !== undefined) {
    if (!direct) {
      const detail = "the server agrees to TLS";
      report({ step: "starttls", target, result: "ok", detail, ms: tlsBegun - spoken });
    }
    const ms = (pipe.tlsEnded ?? clock.now()) - tlsBegun;
    if (pipe.tlsEnded === undefined) {
      const reason = end?.type === "connection-failed" ? end.reason : "it came to no end";
      const { detail, cure } = diagnose("tls", reason, context);
      const shown = await certificateOf(domain, place, tls, world);
      const whose = shown === undefined
        ? ""
        : ` (the server shows one for ${describeCertificate(shown)})`;
      report({ step: "tls", target, result: "bad", detail: detail + whose, cure, ms });
      return { works: false };
    }
    await reportCertificate(domain, place, tls, settings, { target, ms }, world, report);
  } else if (header !== undefined) {
    const way = settings.tls === "never" ? `tls = "never"` : `tls = "optional"`;
    const detail = `the stream is not encrypted, as ${way} allows`;
    report({ step: "tls", target, result: "warning", detail, cure: CLEAR });
  }
  const ms = at - (pipe.tlsEnded ?? spoken);
  if (header === undefined) {
    const { reason, otherHost } = reasonOf(end);
    if (otherHost !== undefined) {
      const detail = `the server sends clients to ${otherHost}; Causeway follows once`;
      report({ step: "stream", target, result: "ok", detail, ms });
      return { works: false, elsewhere: { otherHost, isEncrypted: stream.encrypted } };
    }
    const isStartTls = /STARTTLS/.test(reason);
    const step = isStartTls ? "starttls" : "stream";
    report({ step, target, result: "bad", ...diagnose("stream", reason, context), ms });
    return { works: false };
  }
  reportStream(domain, target, header, ms, report);
  if (features !== undefined) reportFeatures(target, features, settings, report);
  return { works: true };
}

const CLEAR =
  "whoever is between here and the server can read everything: right for a server on the same machine, and for nobody else";

/** What came of a stream. */
interface Conversation {
  readonly header?: StreamHeader;
  readonly features?: Payload;
  readonly end?: StreamEnd;
  /** When there was nothing more to be waited for but the end. */
  readonly at: number;
}

/** Until the stream is up with its features, or is not to be had; then it is closed. */
function converse(
  stream: C2sStream,
  pipe: Pipe,
  { tls, timeout, direct, preamble, world }: {
    readonly tls: TlsOptions;
    readonly timeout: number;
    readonly direct: boolean;
    readonly preamble: Uint8Array | undefined;
    readonly world: World;
  },
): Promise<Conversation> {
  const { clock } = world;
  return new Promise((resolve, reject) => {
    let header: StreamHeader | undefined;
    let features: Payload | undefined;
    let at: number | undefined;
    const connection = new Connection({ pipe, stream, tls, timeout, clock }, {
      opened: (opened) => void (header = opened),
      deliver: (payloads) => {
        const found = payloads.find(({ name, namespace }) =>
          name === "features" && namespace === NS.STREAMS
        );
        if (found === undefined || features !== undefined) return;
        features = { ...found, bytes: found.bytes.slice() };
        at = clock.now();
        connection.close();
      },
      ended: (end) =>
        resolve({
          ...(header && { header }),
          ...(features && { features }),
          end,
          at: at ?? clock.now(),
        }),
      queued: () => {},
      sent: () => {},
      unsent: () => {},
      fault: reject,
    });
    connection.start({ preamble, direct });
  });
}

function reasonOf(end: StreamEnd | undefined): { reason: string; otherHost?: string | undefined } {
  switch (end?.type) {
    case "connection-failed":
      return { reason: end.reason };
    case "stream-error":
      return readStreamError(end.error);
    default:
      return { reason: "the server closed the stream" };
  }
}

function reportStream(
  domain: string,
  target: string,
  { from, version }: StreamHeader,
  ms: number,
  report: Report,
): void {
  const detail = `from ${from ?? "nobody"}, version ${version}`;
  const isOther = from !== undefined && asciiDomain(from) !== asciiDomain(domain);
  report({
    step: "stream",
    target,
    result: isOther ? "warning" : "ok",
    detail: isOther ? `the server calls itself ${from}, and was asked for ${domain}` : detail,
    ...(isOther ? { cure: `have it serve ${domain}, or use the domain ${from}` } : {}),
    ms,
  });
}

/** A pipe that knows when TLS began and was up. */
class TimedPipe implements Pipe {
  tlsBegun: number | undefined;
  tlsEnded: number | undefined;
  readonly #pipe: Pipe;
  readonly #now: () => number;

  constructor(pipe: Pipe, now: () => number) {
    this.#pipe = pipe;
    this.#now = now;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#pipe.read(buffer);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#pipe.write(bytes);
  }

  async startTls(options: TlsOptions): Promise<void> {
    this.tlsBegun = this.#now();
    await this.#pipe.startTls(options);
    this.tlsEnded = this.#now();
  }

  close(): void {
    this.#pipe.close();
  }
}
