import { X509Certificate } from "node:crypto";

/** The certificates of this directory; `make.sh` says what each of them is. */
export type CertificateName =
  | "example.test"
  | "wildcard"
  | "other.test"
  | "expired"
  | "unknown"
  | "self-signed"
  | "version1"
  | "forged"
  | "client"
  | "rsa.test"
  | "nameless"
  | "friend"
  | "friend-expired"
  | "friend-server"
  | "friend-version1"
  | "friend-namesake"
  | "friend-forged";

/** What a server shows, as PEM. */
export function certificate(
  name: CertificateName,
): { readonly cert: string; readonly key: string } {
  return { cert: read(`${name}.pem`), key: read(`${name}.key`) };
}

/** Its SHA-256, lower-case hexadecimal. */
export function fingerprint(name: CertificateName): string {
  return new X509Certificate(certificate(name).cert).fingerprint256.replaceAll(":", "")
    .toLowerCase();
}

/** The authority that signed the first four of them, as PEM. */
export function authority(): string {
  return read("authority.pem");
}

/** The authority that signed the first four of the friends, as PEM. */
export function clientAuthority(): string {
  return read("client-authority.pem");
}

function read(file: string): string {
  return Deno.readTextFileSync(new URL(file, import.meta.url));
}

/** The path of a file of this directory, for configurations. */
export function fileOf(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

/** The authority's certificate as a file. */
export const authorityFile = fileOf("authority.pem");
