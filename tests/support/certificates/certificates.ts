/** The certificates of this directory; `make.sh` says what each of them is. */
export type CertificateName = "example.test" | "wildcard" | "other.test" | "expired" | "unknown";

/** What a server shows, as PEM. */
export function certificate(
  name: CertificateName,
): { readonly cert: string; readonly key: string } {
  return { cert: read(`${name}.pem`), key: read(`${name}.key`) };
}

/** The authority that signed all of them but `unknown`, as PEM. */
export function authority(): string {
  return read("authority.pem");
}

function read(file: string): string {
  return Deno.readTextFileSync(new URL(file, import.meta.url));
}

/** The authority's certificate as a file, for configurations. */
export const authorityFile = new URL("authority.pem", import.meta.url).pathname;
