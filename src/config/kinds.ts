import { parse } from "smol-toml";
import { canonicalAddress, splitHostPort } from "./address.ts";
import type { ConnectTarget } from "./config.ts";
import { domainKey, domainPattern } from "./domains.ts";
import { nodeCrypto } from "./node_crypto.ts";

/** How the values of a key are read. What comes out is legal; what is not is reported. */
export interface Kind<T> {
  /** Reads a value as the TOML parser hands it out; `undefined` after it has been reported. */
  read(value: unknown, site: Site): T | undefined;
  /** What is right, in words that fit behind "write"; the page of the configuration has them too. */
  readonly expects: string;
  /** What the file would hold for the text of an environment variable. */
  fromText(text: string): unknown;
}

/** The place that a value is read from. */
export interface Site {
  /** Reports a mistake in the value, or in the element or key of it that `within` leads to. */
  report(message: string, ...within: readonly (number | string)[]): undefined;
  /** Reads a file that the value names, relative to where the value stands. */
  readFile(path: string): string;
}

/** A whole number. */
export function integer(min: number, max: number): Kind<number> {
  const expects = `a whole number from ${min} to ${max}`;
  return {
    read(value, site) {
      if (typeof value !== "bigint") {
        return site.report(`${show(value)} is not a whole number; write ${expects}`);
      }
      if (value < min || value > max) {
        return site.report(`${value} is out of range; write ${expects}`);
      }
      return Number(value);
    },
    expects,
    fromText: (text) =>
      /^[+-]?[0-9][0-9_]{0,30}$/.test(text) ? BigInt(text.replaceAll("_", "")) : text,
  };
}

export const boolean: Kind<boolean> = {
  read: (value, site) =>
    typeof value === "boolean"
      ? value
      : site.report(`${show(value)} is neither true nor false; write one of them, without quotes`),
  expects: "true or false",
  fromText: (text) => text === "true" ? true : text === "false" ? false : text,
};

/** One of some words. */
export function choice<const T extends string>(words: readonly T[]): Kind<T> {
  const quoted = words.map((word) => `"${word}"`);
  const expects = [quoted.slice(0, -1).join(", "), quoted.at(-1)].filter(Boolean).join(" or ");
  return {
    read: (value, site) =>
      words.find((word) => word === value) ??
        site.report(`${show(value)} is not known here; write ${expects}`),
    expects,
    fromText: (text) => text,
  };
}

/** Text that `parse` makes something of; it returns `undefined` after it has reported. `right`: what is expected. */
function text<T>(
  expects: string,
  parse: (text: string, site: Site, right: string) => T | undefined,
): Kind<T> {
  return {
    read: (value, site) =>
      typeof value === "string"
        ? parse(value, site, expects)
        : site.report(`${show(value)} is not text; write it in quotes`),
    expects,
    fromText: (text) => text,
  };
}

/** An array without repetitions; `check` sees it whole. */
export function list<T>(
  element: Kind<T>,
  check: (elements: readonly T[], site: Site) => readonly T[] | undefined = (elements) => elements,
): Kind<readonly T[]> {
  return {
    read(value, site) {
      if (!Array.isArray(value)) {
        return site.report(`${show(value)} is not a list; write it in brackets: ["…", "…"]`);
      }
      const elements: T[] = [];
      for (const [index, item] of value.entries()) {
        const report = (message: string) => site.report(message, index);
        const read = element.read(item, { ...site, report });
        if (read === undefined) continue;
        if (elements.includes(read)) report(`${show(item)} is there twice; leave one of them out`);
        elements.push(read);
      }
      return elements.length === value.length ? check(elements, site) : undefined;
    },
    expects: `a list; in it: ${element.expects}`,
    fromText: (text) => text.split(",").map((item) => element.fromText(item.trim())),
  };
}

/** One value, or an array of them without repetitions. */
export function oneOrList<T>(element: Kind<T>): Kind<readonly T[]> {
  const several = list(element);
  return {
    read(value, site) {
      if (Array.isArray(value)) return several.read(value, site);
      const one = element.read(value, site);
      return one === undefined ? undefined : [one];
    },
    expects: `${element.expects}; or a list of them`,
    fromText: (text) => several.fromText(text),
  };
}

/** An IP address to listen on. */
export const listenAddress: Kind<string> = text(
  'one of this machine, such as "127.0.0.1", "0.0.0.0" or "::" (without brackets)',
  (address, site, right) => {
    if (address === "localhost") return address;
    return canonicalAddress(address) ??
      site.report(`${show(address)} is not an IP address; write ${right}`);
  },
);

/** An IP address, or a range of them as `address/length` (CIDR). */
export const addressRange: Kind<string> = text(
  '"192.0.2.1", "10.0.0.0/8" or "fd00::/8"',
  (written, site, right) => {
    const match = /^([^/]+)(?:\/([0-9]{1,3}))?$/.exec(written);
    const address = canonicalAddress(match?.[1] ?? "");
    const bits = address?.includes(":") ? 128 : 32;
    const length = match?.[2] === undefined ? bits : Number(match[2]);
    if (address !== undefined && length <= bits) return `${address}/${length}`;
    return site.report(`${show(written)} is not a range of IP addresses; write ${right}`);
  },
);

/** Path of a unix socket. */
export const socketPath: Kind<string> = text("a path of 1 to 107 bytes", (path, site, right) => {
  // The address of a unix socket is a field of 108 bytes that ends with a NUL.
  const length = new TextEncoder().encode(path).length;
  if (length >= 1 && length <= 107 && !path.includes("\0")) return path;
  return site.report(`${show(path)} cannot name a unix socket; write ${right}`);
});

/** An absolute URL path, without the trailing slash (it is served with and without). */
export const urlPath: Kind<string> = text(
  'a path without query and blanks, such as "/http-bind"',
  (path, site, right) => {
    if (!path.startsWith("/")) {
      return site.report(`${show(path)} does not begin with a slash; write ${show(`/${path}`)}`);
    }
    if (!/^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$/.test(path)) {
      return site.report(`${show(path)} is not a URL path; write ${right}`);
    }
    return path.replace(/\/+$/, "") || "/";
  },
);

/** `*`, or an origin in the spelling in which browsers send it. */
export const origin: Kind<string> = text(
  '"*" or scheme://host[:port] and nothing behind it, such as "https://chat.example.org"',
  (written, site, right) => {
    if (written === "*") return written;
    const match = /^([a-z][a-z0-9+.-]*):\/\/(?:\[[0-9a-f:.]+\]|[^/?#@:*\s[\]\\]+)(:[0-9]{1,5})?$/i
      .exec(written);
    const parsed = match === null ? null : URL.parse(written);
    if (parsed === null) return site.report(`${show(written)} is not an origin; write ${right}`);
    return parsed.origin === "null" ? written.toLowerCase() : parsed.origin;
  },
);

export const origins: Kind<readonly string[]> = list(
  origin,
  (elements, site) =>
    elements.length > 1 && elements.includes("*")
      ? site.report(`"*" allows every origin already; write it alone, or leave it out`)
      : elements,
);

/** Header fields to add to answers. */
export const headers: Kind<Readonly<Record<string, string>>> = {
  read(value, site) {
    if (!isTable(value)) {
      return site.report(`${show(value)} is not a table; write ${headers.expects}`);
    }
    const seen = new Set<string>();
    let legal = true;
    for (const [name, content] of Object.entries(value)) {
      const wrong = wrongWithHeader(name, content, seen);
      seen.add(name.toLowerCase());
      if (wrong === undefined) continue;
      legal = false;
      site.report(wrong, name);
    }
    return legal ? Object.fromEntries(Object.entries(value)) as Record<string, string> : undefined;
  },
  expects: '{ X-Name = "value" }',
  fromText(text) {
    try {
      const document = parse(`headers = ${text}`);
      return Object.keys(document).length === 1 ? document.headers : text;
    } catch {
      return text;
    }
  },
};

function wrongWithHeader(
  name: string,
  content: unknown,
  seen: ReadonlySet<string>,
): string | undefined {
  const lower = name.toLowerCase();
  // RFC 9110 §5.6.2: field-name = token
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
    return `${show(name)} is not a header name; write letters, digits and hyphens`;
  }
  if (OWN_HEADERS.has(lower) || /^(?:access-control-|sec-websocket-)/.test(lower)) {
    return "this header is set by Causeway itself; leave it out";
  }
  if (seen.has(lower)) return "this header is there twice; write its values in one, with commas";
  if (typeof content !== "string") return `${show(content)} is not text; write it in quotes`;
  // RFC 9110 §5.5, without obs-text
  if (!/^(?:[!-~](?:[\t -~]*[!-~])?)?$/.test(content)) {
    return `${
      show(content)
    } cannot be sent; write ASCII without control characters and outer blanks`;
  }
  return undefined;
}

const OWN_HEADERS = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "date",
  "transfer-encoding",
  "upgrade",
]);

/** A domain name in its {@link domainKey} form, or `""`. */
export const domainName: Kind<string> = text(
  'a domain, such as "example.org"',
  (name, site, right) =>
    name === "" ? name : domainKey(name) ??
      site.report(`${show(name)} is not a domain name; write ${right}`),
);

/** `ip`, `ip:port` or `[v6]:port` of a DNS server. */
export const nameserver: Kind<{ readonly address: string; readonly port: number }> = text(
  'an IP address and a port, such as "127.0.0.1:53" or "[::1]:53"',
  (written, site, right) => {
    const { host, port = 53 } = splitHostPort(written) ?? { host: "" };
    const address = canonicalAddress(host);
    if (address !== undefined && isPort(port)) return { address, port };
    return site.report(`${show(written)} is not the address of a name server; write ${right}`);
  },
);

/** `host:port` with a name, `*.name` or an address as its host, and a number or `*` as its port. */
export const routePattern: Kind<string> = text(
  'host:port, such as "xmpp.example.org:5222"',
  (written, site, right) => {
    const match = /^(.+):([0-9]{1,5}|\*)$/.exec(written);
    const [, host = "", port = ""] = match ?? [];
    const name = host.startsWith("[")
      ? canonicalAddress(host.slice(1, -1))
      : domainPattern(host) ?? canonicalAddress(host);
    if (name !== undefined && name !== "*" && (port === "*" || isPort(Number(port)))) {
      return `${name}:${port}`;
    }
    return site.report(`${show(written)} is not a route; write ${right}`);
  },
);

/** `xmpp://host[:port]` or `xmpps://host[:port]`. */
export const connectUrl: Kind<ConnectTarget> = text(
  '"xmpp://host:port", or "xmpps://host:port" for TLS from the first byte',
  (written, site, right) => {
    const wrong = (what: string) => site.report(`${show(written)} ${what}; write ${right}`);
    const match = /^(xmpps?):\/\/(.*)$/is.exec(written);
    if (match === null) return wrong("does not begin with xmpp:// or xmpps://");
    const [, scheme = "", authority = ""] = match;
    if (authority.includes("/")) return wrong("has a path");
    if (authority.includes("@")) return wrong("has a user name");
    const direct = scheme.toLowerCase() === "xmpps";
    const { host, port = direct ? 5223 : 5222 } = splitHostPort(authority) ?? { host: "" };
    const hostname = authority.startsWith("[") ? canonicalAddress(host) : domainKey(host);
    if (hostname === undefined) return wrong("names no host (an IPv6 address stands in brackets)");
    if (!isPort(port)) return wrong("has a port that is not between 1 and 65535");
    return { direct, hostname, port };
  },
);

/** An address on the web of this scheme, one that is encrypted. */
export function secureUrl(scheme: "https:" | "wss:"): Kind<string> {
  return text(`${scheme}//host[:port]/path`, (written, site, right) => {
    const url = URL.parse(written);
    if (
      url?.protocol === scheme && url.hash === "" && url.username === "" && url.password === "" &&
      !/[\s\\]/.test(written)
    ) return url.href;
    return site.report(`${show(written)} is not what clients can be sent to; write ${right}`);
  });
}

/** The SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` writes it, or without colons. */
export const fingerprint: Kind<string> = text(
  "the 64 hexadecimal digits that " +
    `"openssl x509 -in certificate.pem -noout -fingerprint -sha256" tells`,
  (written, site, right) => {
    const digits = written.replace(/^sha-?256[:=]/i, "").replaceAll(":", "").toLowerCase();
    return /^[0-9a-f]{64}$/.test(digits)
      ? digits
      : site.report(`${show(written)} is not a SHA-256 fingerprint; write ${right}`);
  },
);

/** Path of a file; read to its text. */
export const textFile: Kind<string> = text("the path of a file", (path, site) => {
  try {
    return site.readFile(path);
  } catch (error) {
    return site.report(`cannot read ${show(path)}: ${whyUnreadable(error)}`);
  }
});

/** The least characters that a secret has. */
const SHORTEST_SECRET = 8;
const SECRET_LINE = `one line of at least ${SHORTEST_SECRET} characters`;

/** Path of a file with a password or a token in its one line; read to the secret itself. */
export const secretFile: Kind<string> = text(
  `the path of a file with ${SECRET_LINE}`,
  (path, site) => {
    let content: string;
    try {
      content = site.readFile(path);
    } catch {
      // Whoever mistakes the secret for its path does not find it in the log.
      return site.report(
        "there is no such file, or it cannot be read; write the path of one that holds the secret",
      );
    }
    // Editors end a file with a line end, which is no part of the secret.
    const secret = content.replace(/\r?\n$/, "");
    // What HTTP carries in its header, whole: RFC 7617 §2 and RFC 6750 §2.1 have no control characters.
    if (/^[^\p{Cc}]+$/u.test(secret) && secret.length >= SHORTEST_SECRET) return secret;
    return site.report(`${show(path)} holds no secret; write ${SECRET_LINE} into it`);
  },
);

/** A name for basic authentication (RFC 7617 §2: without a colon). */
export const userName: Kind<string> = text(
  "1 to 100 characters without a colon",
  (name, site, right) =>
    /^[^\p{Cc}:]{1,100}$/u.test(name)
      ? name
      : site.report(`${show(name)} cannot be a name; write ${right}`),
);

/** Path of a file with PEM certificates; read to the certificates themselves. */
export const certificateFile: Kind<string> = text(
  'the path of a file with "-----BEGIN CERTIFICATE-----" blocks',
  (path, site, right) => {
    const content = textFile.read(path, site);
    if (content === undefined) return undefined;
    const certificates = content.match(
      /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g,
    );
    if (certificates === null) {
      return site.report(`${show(path)} holds no certificate; write ${right}`);
    }
    for (const [index, certificate] of certificates.entries()) {
      try {
        new (nodeCrypto().X509Certificate)(certificate);
      } catch {
        return site.report(
          `certificate ${index + 1} in ${show(path)} is damaged; write ${right}`,
        );
      }
    }
    return `${certificates.join("\n")}\n`;
  },
);

/** Path of a file with a PEM private key that needs no password; read to the key itself. */
export const privateKeyFile: Kind<string> = text(
  "the path of a PEM file with an unlocked private key",
  (path, site, right) => {
    const content = textFile.read(path, site);
    if (content === undefined) return undefined;
    try {
      const { asymmetricKeyType: type = "" } = nodeCrypto().createPrivateKey(content);
      // The platform's TLS signs with no other.
      if (["rsa", "ec", "ed25519"].includes(type)) return content;
      return site.report(
        `${show(path)} holds a key of type ${type}; use one of RSA, EC or Ed25519`,
      );
    } catch {
      const why = /ENCRYPTED/.test(content) ? "is locked with a password" : "holds no private key";
      return site.report(`${show(path)} ${why}; write ${right}`);
    }
  },
);

/** The reason and the cure for a file that could not be read. */
export function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file; correct the path";
  if (error instanceof Deno.errors.PermissionDenied) {
    return "this user may not read it; change its owner or mode";
  }
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno has no permission to; run it with --allow-read";
  }
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory; name a file in it";
  return `${error instanceof Error ? error.message : error}; correct the path`;
}

/** A value for a message: as the file would write it, and never long. */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  }
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  if (typeof value === "object") return "a table";
  return String(value);
}

/** A TOML table, as the parser hands it out. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}
