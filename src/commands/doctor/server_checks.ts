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

/** One place while it is looked at. */
interface Visit {
  readonly domain: string;
  readonly place: Candidate;
  /** As the lines name it. */
  readonly target: string;
  readonly settings: UpstreamConfig;
  readonly tls: TlsOptions;
  /** What the server is sent before all else. */
  readonly preamble: Uint8Array | undefined;
  readonly world: World;
  readonly report: Report;
  readonly context: { readonly domain: string; readonly configured: boolean };
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
  const { hostname: address, port, direct } = place;
  const isNamed = place.target !== hostAndPort(address, port);
  const target = isNamed ? `${place.target} (${address})` : place.target;
  const { verify, fingerprints, ca, identity, proxyProtocol } = settings;
  const tls = { hostname: asciiDomain(domain) ?? domain, verify, fingerprints, ca, identity };
  const preamble = proxyProtocol === 0
    ? undefined
    : proxyHeader(proxyProtocol, { address: "", port: 0 }, { address, port });
  const context = { domain, configured: settings.connect.length > 0 };
  const visit = { domain, place, target, settings, tls, preamble, world, report, context };

  const pipe = await connect(visit);
  if (pipe === undefined) return { works: false };
  const stream = new C2sStream({
    opening: { to: domain, version: "1.0" },
    tls: settings.tls,
    direct,
    limits: { payloadBytes: limits.serverStanza, depth: limits.depth, attributes: 128 },
    timeout: settings.connectTimeout,
    keepalive: 0,
  });
  const begun = world.clock.now();
  const talk = await converse(stream, pipe, visit);
  const { header, features, end, at } = talk;
  if (!await checkTls(visit, pipe, begun, talk)) return { works: false };
  const ms = at - (pipe.tlsEnded ?? begun);
  if (header !== undefined) {
    reportStream(domain, target, header, ms, report);
    if (features !== undefined) reportFeatures(target, features, settings, report);
    return { works: true };
  }
  const { reason, otherHost } = reasonOf(end);
  if (otherHost !== undefined) {
    const detail = `the server sends clients to ${otherHost}; Causeway follows once`;
    report({ step: "stream", target, result: "ok", detail, ms });
    return { works: false, elsewhere: { otherHost, isEncrypted: stream.encrypted } };
  }
  const step = /STARTTLS/.test(reason) ? "starttls" : "stream";
  report({ step, target, result: "bad", ...diagnose("stream", reason, context), ms });
  return { works: false };
}

/** TCP; `undefined` when there is no connection. */
async function connect(visit: Visit): Promise<TimedPipe | undefined> {
  const { place, target, settings, tls, world, report, context } = visit;
  const { clock } = world;
  const step = "tcp";
  const mayBeTls = place.direct || settings.tls !== "never";
  const begun = clock.now();
  try {
    const pipe = await within(
      { clock, timeout: settings.connectTimeout },
      `no answer from ${place.target}`,
      (signal) => world.dial(place, mayBeTls ? tls : undefined, signal),
    );
    report({ step, target, result: "ok", detail: "connected", ms: clock.now() - begun });
    return new TimedPipe(pipe, () => clock.now());
  } catch (error) {
    const found = diagnose("tcp", words(error), context);
    // Another address may do, and where none does that is said at the end.
    const result = found.detail.startsWith("there is no route") ? "warning" : "bad";
    report({ step, target, result, ...found, ms: clock.now() - begun });
    return undefined;
  }
}

/** What became of TLS in a conversation that began then; whether the stream may be looked at. */
async function checkTls(
  visit: Visit,
  { tlsBegun, tlsEnded }: TimedPipe,
  begun: number,
  { header, end, at }: Conversation,
): Promise<boolean> {
  const { place, target, settings, report, context } = visit;
  const step = "tls";
  if (tlsBegun === undefined) {
    if (header === undefined) return true;
    const detail = `the stream is not encrypted, as tls = "${settings.tls}" allows`;
    report({ step, target, result: "warning", detail, cure: CLEAR });
    return true;
  }
  if (!place.direct) {
    const detail = "the server agrees to TLS";
    report({ step: "starttls", target, result: "ok", detail, ms: tlsBegun - begun });
  }
  const ms = (tlsEnded ?? at) - tlsBegun;
  const certificate = await certificateOf(visit);
  if (tlsEnded !== undefined) {
    reportCertificate(certificate, visit, ms);
    return true;
  }
  const { detail, cure } = diagnose("tls", reasonOf(end).reason, context);
  const shown = certificate && ` (the server shows one for ${describeCertificate(certificate)})`;
  report({ step, target, result: "bad", detail: detail + (shown ?? ""), cure, ms });
  return false;
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
  { place: { direct }, settings: { connectTimeout: timeout }, tls, preamble, world }: Visit,
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
