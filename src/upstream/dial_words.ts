/**
 * What `Deno` and `node:` say of a connection that fails, in words that fit after a colon and
 * name the cure where there is one. `node:` has codes; for Deno's TLS the text is all there is.
 */

import type { Place, TlsOptions } from "./dial.ts";
import { NetworkError } from "./failure.ts";

/** `host:port`, an IPv6 address in brackets. */
export function hostAndPort(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** No connection came about. */
export function connectFailure(cause: unknown, { hostname, port }: Place): NetworkError {
  const target = hostAndPort(hostname, port);
  const { code, message } = described(cause);
  const words = (): string => {
    if (cause instanceof Deno.errors.ConnectionRefused) return `connection refused by ${target}`;
    switch (code) {
      case "ECONNREFUSED":
        return `connection refused by ${target}`;
      case "ECONNRESET":
        return `${target} dropped the connection`;
      case "EHOSTUNREACH":
      case "ENETUNREACH":
        return `there is no route to ${target}`;
      case "ETIMEDOUT":
        return `no answer from ${target}`;
      case "ENOTFOUND":
        return `the name ${hostname} does not resolve`;
    }
    if (message.includes("failed to lookup address")) {
      return `the name ${hostname} does not resolve`;
    }
    return message.startsWith("invalid host") ? `${hostname} is not a host name` : message;
  };
  return new NetworkError(words(), { cause });
}

/** A connection is no more. */
export function loss(cause: unknown): NetworkError {
  const { code, message } = described(cause);
  if (code === "ECONNRESET" || code === "EPIPE" || cause instanceof Deno.errors.UnexpectedEof) {
    return new NetworkError("the server dropped the connection", { cause });
  }
  if (code === "ETIMEDOUT") return new NetworkError("the server is no longer reachable", { cause });
  // With TLS 1.3 a server looks at our certificate when the handshake is over for us.
  const words = refusal(message) ?? message;
  return new NetworkError(words, { cause });
}

/** The server's certificate is of nobody but itself; only its fingerprint could make it right. */
export class SelfSignedError extends NetworkError {
  /** `fingerprint` is the certificate's, if it is known. */
  constructor(hostname: string, fingerprint: string | undefined, cause: unknown) {
    super(
      `the certificate of ${hostname} is self-signed, or an authority's own; if that is the right ` +
        `server, write fingerprints = ["${fingerprint ?? "…"}"] for its domain` +
        (fingerprint === undefined ? " with the certificate's SHA-256" : "") +
        `, otherwise have one issued (CA:FALSE) by an authority that you name in "ca"`,
      { cause },
    );
  }
}

/** A name that is neither a host name nor an IP address. */
export function unnameable(hostname: string): NetworkError {
  return new NetworkError(`no certificate can be for ${hostname}`);
}

/** There is no TLS. */
export function tlsFailure(cause: unknown, options: TlsOptions): NetworkError {
  const { hostname } = options;
  const { code, message } = described(cause);
  const certificate = `the certificate of ${hostname}`;
  const names = namesIn(cause, message);
  const words = (): string | undefined => {
    switch (wrong(code, message)) {
      case "name":
        return `${certificate} is not valid for that name` +
          (names.length > 0 ? `, only for ${names.join(", ")}` : "");
      case "issuer":
        return `${certificate} is signed by nobody we trust; if its authority is your own, name that in "ca"`;
      case "early":
        return `${certificate} is not valid yet`;
      case "expired":
        return `${certificate} has expired`;
    }
    const refused = REFUSED.exec(message);
    return refused === null ? undefined : `${certificate} was refused (${refused[1]})`;
  };
  if (wrong(code, message) !== undefined && (!options.verify || options.fingerprints.length > 0)) {
    // Nothing else of it would have been looked at.
    return new NetworkError(`the server has not got the key of ${certificate}`, { cause });
  }
  if (wrong(code, message) === "self-signed") {
    return new SelfSignedError(hostname, undefined, cause);
  }
  if (message.startsWith("Invalid hostname")) return unnameable(hostname);
  return new NetworkError(
    words() ?? refusal(message, options) ?? handshake(cause, code) ?? message,
    { cause },
  );
}

/** What is wrong with a certificate. */
function wrong(
  code: string | undefined,
  message: string,
): "name" | "issuer" | "self-signed" | "early" | "expired" | undefined {
  switch (code) {
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "name";
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "SELF_SIGNED_CERT_IN_CHAIN":
      return "issuer";
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return "self-signed";
    case "CERT_NOT_YET_VALID":
      return "early";
    case "CERT_HAS_EXPIRED":
      return "expired";
  }
  const reason = REFUSED.exec(message)?.[1] ?? "";
  if (reason.includes("certificate not valid for name")) return "name";
  if (reason.includes("UnknownIssuer")) return "issuer";
  if (reason.includes("CaUsedAsEndEntity")) return "self-signed";
  if (reason.includes("NotValidYet")) return "early";
  return reason.includes("Expired") ? "expired" : undefined;
}

const REFUSED = /invalid peer certificate: (.*)/;

/** Some of the names that a certificate is for. */
function namesIn(cause: unknown, message: string): string[] {
  const { cert } = cause as { cert?: { subjectaltname?: string } };
  return [...`${cert?.subjectaltname} ${message}`.matchAll(/DNS:([^\s,]+)|DnsName\("([^"]+)"\)/g)]
    .map(([, fromNode, fromDeno]) => fromNode ?? fromDeno ?? "")
    .filter((name, index, all) => all.indexOf(name) === index)
    .slice(0, 5);
}

/** What the server's alert (RFC 8446 §6.2) says of us. */
function refusal(
  message: string,
  options?: TlsOptions,
): string | undefined {
  const alert = /received fatal alert: (\w+)/.exec(message)?.[1];
  switch (alert) {
    case undefined:
      return undefined;
    case "ProtocolVersion":
      return "the server has neither TLS 1.2 nor TLS 1.3, and older versions are not safe";
    case "CertificateRequired":
      return 'the server demands a certificate of ours; write "client_cert" and "client_key"';
    case "HandshakeFailure":
      return options?.identity === undefined
        ? `the server refused the TLS handshake; if it demands a certificate of ours, write ` +
          `"client_cert" and "client_key"`
        : "the server refused the TLS handshake";
    case "BadCertificate":
    case "CertificateExpired":
    case "CertificateRevoked":
    case "CertificateUnknown":
    case "UnknownCA":
    case "UnsupportedCertificate":
      return `the server refused our certificate (${alert}); see "client_cert"`;
    case "NoApplicationProtocol":
      return "what listens there speaks TLS, but not for XMPP clients (ALPN xmpp-client)";
  }
  return `the server ended TLS (${alert})`;
}

function handshake(cause: unknown, code: string | undefined): string | undefined {
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || String(cause).includes("corrupt message")) {
    return "the server does not speak TLS there";
  }
  if (
    code === "ECONNRESET" || code === "EPIPE" || cause instanceof Deno.errors.UnexpectedEof ||
    cause instanceof Deno.errors.ConnectionReset
  ) {
    return "the server dropped the connection during the TLS handshake";
  }
  return undefined;
}

function described(error: unknown): { code: string | undefined; message: string } {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return { code: typeof code === "string" ? code : undefined, message: String(message ?? error) };
}
