import type { Config } from "../config/config.ts";
import { nodeCrypto } from "../config/node_crypto.ts";
import { namesOf } from "../config/tls_kind.ts";

/** What is to be said of listeners' certificates that no client accepts at `now` (milliseconds since 1970). */
export function untimelyCertificates({ listen }: Pick<Config, "listen">, now: number): string[] {
  const certificates = listen.flatMap(({ tls }) => tls?.certificates ?? []);
  return [...new Set(certificates.map(({ cert }) => cert))].flatMap((cert) => {
    const { validFromDate, validToDate } = new (nodeCrypto().X509Certificate)(cert);
    const names = describeNames(cert);
    if (validToDate.getTime() <= now) {
      return [`the certificate of ${names} has expired on ${day(validToDate)}; get a new one`];
    }
    return validFromDate.getTime() > now
      ? [
        `the certificate of ${names} is not valid before ${
          day(validFromDate)
        }; is the clock right?`,
      ]
      : [];
  });
}

/** The names of a certificate, for people. */
export function describeNames(cert: string): string {
  return namesOf(cert).join(", ") || "no DNS name";
}

/** The day of a date, as ISO 8601 writes it. */
export function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
