/** One place where an XMPP server may be: TCP, STARTTLS, TLS, stream, features, mechanisms. */
import { X509Certificate } from "node:crypto";
import type { Config, UpstreamConfig } from "../../config/config.ts";
import { C2sStream, type StreamEnd, type StreamHeader } from "../../protocol/stream/c2s.ts";
import { readStreamError } from "../../protocol/stream/received_error.ts";
import { NS } from "../../protocol/xml/names.ts";
import type { Payload } from "../../protocol/xml/payload.ts";
import type { Candidate } from "../../upstream/candidates.ts";
import { Connection } from "../../upstream/connection.ts";
import { hostAndPort, type Pipe, type TlsOptions } from "../../upstream/dial.ts";
import { dialNode } from "../../upstream/dial_node.ts";
import { NetworkError, within, words } from "../../upstream/failure.ts";
import { proxyHeader } from "../../upstream/proxy_header.ts";
import { asciiDomain } from "../../upstream/resolve.ts";
import { day } from "../untimely.ts";
import { UNVERIFIED } from "../unverified.ts";
import { diagnose } from "./cures.ts";
import { readOffers } from "./offers.ts";
import type { Report } from "./report.ts";
import type { World } from "./world.ts";

/** Days before its end from which on a certificate is warned of. */
const SOON = 14;
const DAY = 86_400_000;

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
  const { header, features, end } = await converse(stream, pipe, {
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
      const whose = shown === undefined ? "" : ` (the server shows one for ${describe(shown)})`;
      report({ step: "tls", target, result: "bad", detail: detail + whose, cure, ms });
      return { works: false };
    }
    await reportCertificate(domain, place, tls, settings, { target, ms }, world, report);
  } else if (header !== undefined) {
    const way = settings.tls === "never" ? `tls = "never"` : `tls = "optional"`;
    const detail = `the stream is not encrypted, as ${way} allows`;
    report({ step: "tls", target, result: "warning", detail, cure: CLEAR });
  }
  const ms = clock.now() - (pipe.tlsEnded ?? spoken);
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
): Promise<{ header?: StreamHeader; features?: Payload; end?: StreamEnd }> {
  return new Promise((resolve, reject) => {
    const came: { header?: StreamHeader; features?: Payload; end?: StreamEnd } = {};
    const connection = new Connection({ pipe, stream, tls, timeout, clock: world.clock }, {
      opened: (header) => void (came.header = header),
      deliver: (payloads) => {
        const features = payloads.find(({ name, namespace }) =>
          name === "features" && namespace === NS.STREAMS
        );
        if (features === undefined || came.features !== undefined) return;
        came.features = { ...features, bytes: features.bytes.slice() };
        connection.close();
      },
      ended: (end) => {
        came.end = end;
        resolve(came);
      },
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

/** TLS is up, so the certificate is right; what it is, and for how long. */
async function reportCertificate(
  domain: string,
  place: Candidate,
  tls: TlsOptions,
  { verify }: UpstreamConfig,
  { target, ms }: { readonly target: string; readonly ms: number },
  world: World,
  report: Report,
): Promise<void> {
  const step = "tls";
  const certificate = await certificateOf(domain, place, tls, world);
  if (certificate === undefined) {
    return report({ step, target, result: "ok", detail: "the certificate is right", ms });
  }
  const { validToDate } = certificate;
  const days = Math.floor((validToDate.getTime() - world.today()) / DAY);
  const how = tls.fingerprints.length > 0
    ? "known by its fingerprint"
    : verify
    ? "its chain leads to an authority that is trusted"
    : "not looked at";
  const detail = `certificate for ${describe(certificate)}, ${how}`;
  if (!verify && tls.fingerprints.length === 0) {
    const cure = UNVERIFIED.slice(UNVERIFIED.indexOf("; ") + 2);
    return report({ step, target, result: "warning", detail, cure, ms });
  }
  if (days >= SOON) return report({ step, target, result: "ok", detail, ms });
  const left = days < 0 ? "it has expired" : `it expires in ${days} days`;
  const cure = "renew it on the XMPP server, and have it read anew";
  report({ step, target, result: "warning", detail: `${detail}; ${left}`, cure, ms });
}

function describe(certificate: X509Certificate): string {
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
async function certificateOf(
  domain: string,
  place: Candidate,
  tls: TlsOptions,
  { clock }: World,
): Promise<X509Certificate | undefined> {
  const opening = { to: domain, version: "1.0" };
  const any = { ...tls, verify: false, fingerprints: [], ca: undefined };
  try {
    return await within({ clock, timeout: 5_000 }, "no certificate", async (signal) => {
      const pipe = await dialNode(place, signal);
      signal.addEventListener("abort", () => pipe.close());
      try {
        if (place.direct) await pipe.startTls(any);
        else await askForTls(opening, pipe, any);
        return new X509Certificate(pipe.certificate);
      } finally {
        pipe.close();
      }
    });
  } catch (error) {
    if (error instanceof NetworkError) return undefined;
    throw error;
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

function reportFeatures(
  target: string,
  features: Payload,
  { stripChannelBinding }: UpstreamConfig,
  report: Report,
): void {
  const offers = readOffers(features);
  const list = offers.features.join(", ") || "none";
  report({ step: "features", target, result: "ok", detail: list });
  const { mechanisms } = offers;
  const step = "sasl";
  if (mechanisms.length === 0) {
    return report({
      step,
      target,
      result: "bad",
      detail: "no SASL mechanism is offered, so nobody can log in",
      cure: "have the XMPP server offer SCRAM-SHA-256 or SCRAM-SHA-1 on such streams",
    });
  }
  const detail = mechanisms.join(", ");
  const bound = mechanisms.filter((name) => name.endsWith("-PLUS"));
  if (bound.length > 0 && !stripChannelBinding) {
    return report({
      step,
      target,
      result: "warning",
      detail:
        `${detail}: with ${
          bound[0]
        } a login is tied to the TLS connection, which here is Causeway's and not the ` +
        "client's, so clients that take it (stanza does) cannot log in",
      cure: `write strip_channel_binding = true for the domain, or disable it on the server`,
    });
  }
  if (!mechanisms.some((name) => name.startsWith("SCRAM-"))) {
    return report({
      step,
      target,
      result: "warning",
      detail:
        `${detail}: no SCRAM, so passwords are shown to the server, and to Causeway in between`,
      cure: "have the XMPP server offer SCRAM-SHA-256 or SCRAM-SHA-1",
    });
  }
  const hidden = bound.length > 0 ? "; -PLUS is hidden from clients (strip_channel_binding)" : "";
  report({ step, target, result: "ok", detail: detail + hidden });
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
