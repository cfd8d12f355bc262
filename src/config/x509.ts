/**
 * Whether a certificate (DER) is of X.509 version 3, and so one that the platform's TLS can read. Of
 * others it takes the word of whoever shows them.
 */
export function isVersion3(der: Uint8Array): boolean {
  // Certificate, TBSCertificate, and in it `[0] INTEGER 2` (RFC 5280 §4.1).
  const content = (at: number) => at + 2 + ((der[at + 1]! & 0x80) === 0 ? 0 : der[at + 1]! & 0x7f);
  const at = content(content(0));
  return [0xa0, 3, 2, 1, 2].every((byte, index) => der[at + index] === byte);
}
