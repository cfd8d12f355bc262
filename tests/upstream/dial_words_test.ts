import assert from "node:assert/strict";
import {
  connectFailure,
  loss,
  SelfSignedError,
  tlsFailure,
} from "../../src/upstream/dial_words.ts";
import { NetworkError } from "../../src/upstream/failure.ts";

const PLACE = { hostname: "2001:db8::1", port: 5222 };
const TLS = {
  hostname: "example.test",
  verify: true,
  fingerprints: [],
  ca: undefined,
  identity: undefined,
};

/** An error of `node:`. */
function coded(code: string, more: object = {}): Error {
  return Object.assign(new Error(`as ${code} says`), { code, ...more });
}

function alert(name: string): Error {
  return new Error(`received fatal alert: ${name}`);
}

function fromDeno(text: string): Error {
  return new Deno.errors.InvalidData(text);
}

Deno.test("why there is no connection is said with the place", () => {
  const words = (error: Error) => connectFailure(error, PLACE).message;
  const target = "[2001:db8::1]:5222";
  assert.equal(words(coded("ECONNREFUSED")), `connection refused by ${target}`);
  assert.equal(words(new Deno.errors.ConnectionRefused("x")), `connection refused by ${target}`);
  assert.equal(words(coded("EHOSTUNREACH")), `there is no route to ${target}`);
  assert.equal(words(coded("ECONNRESET")), `${target} dropped the connection`);
  assert.equal(words(coded("ENETUNREACH")), `there is no route to ${target}`);
  assert.equal(words(coded("ETIMEDOUT")), `no answer from ${target}`);
  assert.equal(words(coded("ENOTFOUND")), "the name 2001:db8::1 does not resolve");
  assert.equal(
    words(new Error("failed to lookup address information")),
    "the name 2001:db8::1 does not resolve",
  );
  assert.equal(words(coded("ENEW")), "as ENEW says");
});

Deno.test("how a connection was lost is said in words", () => {
  const cause = coded("ECONNRESET");
  const error = loss(cause);
  assert.ok(error instanceof NetworkError);
  assert.equal(error.cause, cause);
  for (const error of [cause, coded("EPIPE"), new Deno.errors.UnexpectedEof("x")]) {
    assert.equal(loss(error).message, "the server dropped the connection");
  }
  assert.equal(loss(coded("ETIMEDOUT")).message, "the server is no longer reachable");
  assert.match(loss(alert("CertificateRequired")).message, /demands .* "client_cert"/);
});

Deno.test("U-009 what is wrong with a certificate is said with its cure, whoever found it", () => {
  const words = (error: Error) => tlsFailure(error, TLS).message;
  const certificate = "the certificate of example.test";
  const names = "DNS:other.test, DNS:*.other.test, IP Address:192.0.2.1";
  for (
    const error of [
      coded("ERR_TLS_CERT_ALTNAME_INVALID", { cert: { subjectaltname: names } }),
      fromDeno(
        'invalid peer certificate: certificate not valid for name "example.test"; certificate is ' +
          'only valid for DnsName("other.test") or DnsName("*.other.test")',
      ),
    ]
  ) {
    assert.equal(
      words(error),
      `${certificate} is not valid for that name, only for other.test, *.other.test`,
    );
  }
  assert.equal(
    words(coded("ERR_TLS_CERT_ALTNAME_INVALID")),
    `${certificate} is not valid for that name`,
  );
  for (
    const error of [
      coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
      coded("UNABLE_TO_GET_ISSUER_CERT"),
      coded("UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
      coded("SELF_SIGNED_CERT_IN_CHAIN"),
      fromDeno("invalid peer certificate: UnknownIssuer"),
    ]
  ) {
    assert.match(words(error), /is signed by nobody we trust; .* "ca"$/);
  }
  for (
    const error of [
      coded("DEPTH_ZERO_SELF_SIGNED_CERT"),
      fromDeno("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))"),
    ]
  ) {
    assert.ok(tlsFailure(error, TLS) instanceof SelfSignedError);
  }
  for (const error of [coded("CERT_HAS_EXPIRED"), fromDeno("invalid peer certificate: Expired")]) {
    assert.equal(words(error), `${certificate} has expired`);
  }
  for (
    const error of [coded("CERT_NOT_YET_VALID"), fromDeno("invalid peer certificate: NotValidYet")]
  ) {
    assert.equal(words(error), `${certificate} is not valid yet`);
  }
  assert.equal(
    words(fromDeno("invalid peer certificate: BadEncoding")),
    `${certificate} was refused (BadEncoding)`,
  );
});

Deno.test("U-010 whoever shows a certificate without having its key is told from who shows a wrong one", () => {
  // That it is self-signed is known by then, and does not matter: what failed is the signature.
  for (const options of [{ verify: false }, { fingerprints: ["00".repeat(32)] }]) {
    assert.equal(
      tlsFailure(coded("DEPTH_ZERO_SELF_SIGNED_CERT"), { ...TLS, ...options }).message,
      "the server has not got the key of the certificate of example.test",
    );
  }
});

Deno.test("what else ends a handshake is said in words", () => {
  const identity = { cert: "", key: "" };
  const words = (error: Error, more = {}) => tlsFailure(error, { ...TLS, ...more }).message;
  assert.match(words(alert("ProtocolVersion")), /neither TLS 1\.2 nor TLS 1\.3/);
  assert.match(
    words(alert("HandshakeFailure")),
    /if it demands .* "client_cert" and "client_key"$/,
  );
  assert.equal(
    words(alert("HandshakeFailure"), { identity }),
    "the server refused the TLS handshake",
  );
  assert.match(
    words(alert("CertificateExpired")),
    /refused our certificate \(CertificateExpired\)/,
  );
  assert.match(words(alert("UnknownCA")), /refused our certificate \(UnknownCA\)/);
  assert.match(words(alert("NoApplicationProtocol")), /not for XMPP clients/);
  assert.equal(words(alert("InternalError")), "the server ended TLS (InternalError)");
  for (
    const error of [coded("ERR_SSL_WRONG_VERSION_NUMBER"), fromDeno("received corrupt message")]
  ) {
    assert.equal(words(error), "the server does not speak TLS there");
  }
  for (const error of [coded("ECONNRESET"), new Deno.errors.UnexpectedEof("tls handshake eof")]) {
    assert.equal(words(error), "the server dropped the connection during the TLS handshake");
  }
  assert.equal(words(new Error("something new")), "something new");
});
