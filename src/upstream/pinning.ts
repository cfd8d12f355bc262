import { createHash } from "node:crypto";
import { isVersion3 } from "../config/x509.ts";
import type { TlsOptions } from "./dial.ts";

/** SHA-256 of a certificate (DER), lower-case hexadecimal. */
export function fingerprintOf(certificate: Uint8Array): string {
  return createHash("sha256").update(certificate).digest("hex");
}

/** Why a certificate (DER) is not one of the fingerprints; `undefined` when it is. */
export function unpinned(
  certificate: Uint8Array,
  { hostname, fingerprints }: TlsOptions,
): string | undefined {
  const fingerprint = fingerprintOf(certificate);
  if (!fingerprints.includes(fingerprint)) {
    return `the certificate of ${hostname} has none of the "fingerprints" but ${fingerprint}; ` +
      "if that is the right server's new one, write that";
  }
  // Deno checks no signature of such a one in the handshake, so whoever has seen it could show it.
  return isVersion3(certificate) ? undefined : `the certificate of ${hostname} is not of X.509 ` +
    "version 3, and of others nobody can be sure that the server has the key; make a new one";
}
