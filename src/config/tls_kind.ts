import type { KeyObject } from "node:crypto";
import type { CertificateConfig } from "./config.ts";
import { certificateFile, isTable, show, textFile } from "./kinds.ts";
import type { Kind, Site } from "./kinds.ts";
import { nodeCrypto } from "./node_crypto.ts";
import { nearest } from "./suggest.ts";
import { isVersion3 } from "./x509.ts";

/** How a certificate is written. */
const TABLE = '{ cert = "fullchain.pem", key = "privkey.pem" }';

/**
 * `{ cert = "…", key = "…", key_password_file = "…" }`, or a list of such tables; read to the
 * certificates and the keys themselves.
 */
export const serverCertificates: Kind<readonly CertificateConfig[]> = {
  read(value, site) {
    const tables = Array.isArray(value) ? value : [value];
    if (tables.length === 0) return site.report(`an empty list is no certificate; ${RIGHT}`);
    const certificates: CertificateConfig[] = [];
    for (const [index, table] of tables.entries()) {
      const inside = Array.isArray(value) ? within(site, index) : site;
      const certificate = readCertificate(table, inside);
      if (certificate === undefined) continue;
      // Clients are served by name: a certificate without one would never be shown.
      if (index > 0 && namesOf(certificate.cert).length === 0) {
        inside.report("no client can ask for this certificate: it has no DNS name; leave it out");
      }
      certificates.push(certificate);
    }
    return certificates.length === tables.length ? certificates : undefined;
  },
  expects: `${TABLE}, with key_password_file if the key is locked; or a list of such tables`,
  fromText: (text) => text,
};

/** Path of a file with the PEM certificates of authorities; read to the certificates themselves. */
export const authorityFile: Kind<string> = {
  expects: certificateFile.expects,
  read(value, site) {
    const certificates = certificateFile.read(value, site);
    const blocks = certificates?.split(/(?<=-----END CERTIFICATE-----\n)/) ?? [];
    // Whoever shows one of these to the platform need not have its key.
    const old = blocks.findIndex((pem) => !isVersion3(new (nodeCrypto().X509Certificate)(pem).raw));
    return old < 0 ? certificates : site.report(
      `certificate ${old + 1} in ${show(value)} is not of X.509 version 3, and anybody could ` +
        "show it as his own; leave it out, or get one of version 3",
    );
  },
  fromText: (text) => text,
};

/**
 * The DNS names in the subjectAltName of the first certificate of a PEM file, in lower case and as
 * they are written there (`*.example.org`). The common name counts for nothing (RFC 9525 §2).
 */
export function namesOf(cert: string): string[] {
  const names = new (nodeCrypto().X509Certificate)(cert).subjectAltName ?? "";
  return [...names.matchAll(/(?:^|, )DNS:([^,"]+)/g)].map(([, name]) => name!.toLowerCase());
}

const KEYS = ["cert", "key", "key_password_file"];
const RIGHT = `write ${TABLE}`;

function readCertificate(table: unknown, site: Site): CertificateConfig | undefined {
  if (!isTable(table)) return site.report(`${show(table)} is not a table; ${RIGHT}`);
  for (const name of Object.keys(table).filter((name) => !KEYS.includes(name))) {
    const near = nearest(name, KEYS);
    const meant = near === undefined ? `known here: ${KEYS.join(", ")}` : `did you mean ${near}?`;
    within(site, name).report(`no such key; ${meant}`);
  }
  for (const name of ["cert", "key"].filter((name) => !Object.hasOwn(table, name))) {
    site.report(`a certificate is of no use without its key, nor the key without it; add ${name}`);
  }
  const has = (name: string) => Object.hasOwn(table, name);
  const cert = has("cert") ? certificateFile.read(table.cert, within(site, "cert")) : undefined;
  const locked = has("key_password_file");
  const password = locked
    ? textFile.read(table.key_password_file, passwordSite(within(site, "key_password_file")))
    : undefined;
  if (!has("key") || (locked && password === undefined)) return undefined;
  const key = readKey(table.key, password, within(site, "key"));
  if (cert === undefined || key === undefined) return undefined;
  if (!new (nodeCrypto().X509Certificate)(cert).checkPrivateKey(key)) {
    return within(site, "key").report(
      "this is not the key of the first certificate in cert; write the two that were made " +
        "together, and let the server's own certificate come first in its file, then its chain",
    );
  }
  return { cert, key: key.export({ type: "pkcs8", format: "pem" }) as string };
}

function readKey(path: unknown, password: string | undefined, site: Site): KeyObject | undefined {
  const content = textFile.read(path, site);
  if (content === undefined) return undefined;
  let key: KeyObject;
  try {
    // Editors end a file with a line end, which is no part of the password.
    const passphrase = password?.replace(/\r?\n$/, "");
    key = nodeCrypto().createPrivateKey({
      key: content,
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  } catch {
    if (!/ENCRYPTED/.test(content)) {
      return site.report(
        `${show(path)} holds no private key; write the path of a PEM file with the certificate's`,
      );
    }
    return site.report(
      password === undefined
        ? `${
          show(path)
        } is locked with a password; write key_password_file, the path of a file that holds it`
        : `the password in key_password_file does not unlock ${
          show(path)
        }; write the right one there`,
    );
  }
  const weakness = unusable(key);
  return weakness === undefined ? key : site.report(
    `${
      show(path)
    } holds ${weakness}; use RSA of 2048 to 8192 bits, EC P-256, P-384 or P-521, or Ed25519`,
  );
}

/** What is wrong with a key that the platform's TLS does not sign with; `undefined`: nothing. */
function unusable({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject) {
  switch (type) {
    case "rsa": {
      const bits = details?.modulusLength ?? 0;
      return bits >= 2048 && bits <= 8192 ? undefined : `an RSA key of ${bits} bits`;
    }
    case "ec": {
      const curve = details?.namedCurve ?? "an unknown curve";
      return ["prime256v1", "secp384r1", "secp521r1"].includes(curve)
        ? undefined
        : `an EC key of ${curve}`;
    }
    case "ed25519":
      return undefined;
    default:
      return `a key of type ${type}`;
  }
}

/** Whoever mistakes the key for the password's own does not find that in the log. */
function passwordSite(site: Site): Site {
  return {
    ...site,
    report: () =>
      site.report(
        "there is no such file, or it cannot be read; write the path of one that holds the password",
      ),
  };
}

/** The site of an element or a key. */
function within(site: Site, step: number | string): Site {
  return { ...site, report: (message, ...path) => site.report(message, step, ...path) };
}
