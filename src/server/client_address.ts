/**
 * Who is at the far end of a chain of reverse proxies, and how the request was sent to the first
 * of them. Anybody can write `X-Forwarded-For` and `Forwarded` (RFC 7239), so they are read from
 * the right: each entry was added by the peer that the entry behind it names, and counts while
 * that peer is one of `http.trusted_proxies`. What stands further left is a stranger's word.
 */
import { canonicalAddress, splitHostPort, withoutMapping } from "../config/address.ts";
import type { HttpConfig } from "../config/config.ts";
import { AddressRanges } from "./address_ranges.ts";
import type { Exchange, Peer } from "./exchange.ts";

/** How the client sent its request, as far as we saw it or a trusted proxy vouches for it. */
export interface Target {
  /** `undefined`: it did not come by TLS that ends here, and no trusted proxy says. */
  readonly scheme: "http" | "https" | undefined;
  /** As in a `Host` header: `name` or `name:port`, in the client's spelling, and not checked. */
  readonly host: string | undefined;
  /** Whether the peer is a trusted proxy, even if it says nothing. */
  readonly isProxied: boolean;
}

/** The headers that a {@link Target} depends on, for `Vary`. */
export const TARGET_HEADERS = "Forwarded, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto";

/**
 * The end of a list that is looked at. It has room for more proxies than anybody chains, and what
 * a client has written stands before it.
 */
const LONGEST_LIST = 2_048;

/** The proxies that are believed. Looking headers up costs time: ask once a session. */
export class TrustedProxies {
  readonly #ranges: AddressRanges;

  constructor({ trustedProxies }: Pick<HttpConfig, "trustedProxies">) {
    this.#ranges = new AddressRanges(trustedProxies);
  }

  /** Whether what this peer says of others counts. Only this machine reaches a unix socket. */
  trusts({ address }: Peer): boolean {
    return address === "" || this.#ranges.has(address);
  }

  /** The client; its port is 0 where no proxy tells it. */
  client(exchange: Exchange): Peer {
    const { peer } = exchange;
    if (!this.trusts(peer)) return peer;
    const list = exchange.header("x-forwarded-for");
    const forwarded = forwardedHeader(exchange, list);
    if (forwarded !== undefined) return this.#trace(peer, forwarded).client;
    let client = peer;
    for (const entry of fromRight(list ?? "")) {
      const node = readNode(unquoted(entry));
      if (node === undefined) break;
      client = node;
      if (!this.trusts(client)) break;
    }
    return client;
  }

  /** How the client sent this request. */
  target(exchange: Exchange): Target {
    const { peer } = exchange;
    const host = exchange.header("host");
    // What ends here is the client's own TLS, unless a proxy is in between.
    const own = exchange.secure ? "https" : undefined;
    if (!this.trusts(peer)) return { scheme: own, host, isProxied: false };
    const list = exchange.header("x-forwarded-for");
    const forwarded = forwardedHeader(exchange, list);
    // X-Forwarded-Proto and -Host are set rather than added to; the last is the nearest proxy's.
    const said: Said = forwarded === undefined
      ? {
        proto: last(exchange.header("x-forwarded-proto")),
        host: last(exchange.header("x-forwarded-host")),
      }
      : this.#trace(peer, forwarded).said;
    const isDirect = said.proto === undefined && list === undefined && forwarded === undefined;
    const scheme = isDirect ? own : readScheme(said.proto);
    return { scheme, host: said.host || host, isProxied: true };
  }

  /** The client by `Forwarded`, and what the proxy that it spoke to says of its request. */
  #trace(peer: Peer, forwarded: string): { readonly client: Peer; readonly said: Said } {
    let client = peer;
    let said: Said = {};
    for (const text of fromRight(forwarded)) {
      const element = readElement(text);
      if (element === undefined) break;
      said = { proto: element.get("proto"), host: element.get("host") };
      const node = readNode(element.get("for") ?? "");
      if (node === undefined) break;
      client = node;
      if (!this.trusts(client)) break;
    }
    return { client, said };
  }
}

interface Said {
  readonly proto?: string | undefined;
  readonly host?: string | undefined;
}

/**
 * `Forwarded`, where it is what the proxy speaks. Nearly every proxy writes X-Forwarded-For and
 * passes on a `Forwarded` that it knows nothing of, which is then the client's own invention. So
 * where there are both it counts for nothing. To take the address of the proxy instead would be no
 * safer: that is often one that XMPP servers let do more than others.
 */
function forwardedHeader(exchange: Exchange, list: string | undefined): string | undefined {
  return list === undefined && exchange.header("x-forwarded-proto") === undefined
    ? exchange.header("forwarded")
    : undefined;
}

/**
 * The entries of a list, last first. Commas in quoted strings divide nothing; quotes are paired
 * from the right too, so that one which a client left open swallows nothing of what proxies added.
 */
function* fromRight(list: string): Generator<string, undefined> {
  const text = list.slice(-LONGEST_LIST);
  let end = text.length;
  let isQuoted = false;
  for (let at = end - 1; at >= 0; at--) {
    if (text[at] === '"' && !(isQuoted && isEscaped(text, at))) isQuoted = !isQuoted;
    else if (text[at] === "," && !isQuoted) {
      yield text.slice(at + 1, end).trim();
      end = at;
    }
  }
  // The first one may have been cut off.
  if (text.length === list.length) yield text.slice(0, end).trim();
  return undefined;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === "\\") backslashes++;
  return backslashes % 2 === 1;
}

function last(list: string | undefined): string | undefined {
  return list === undefined ? undefined : fromRight(list).next().value;
}

/** RFC 7239 §4, but that values with colons pass without their quotes, as many proxies write them. */
const PAIR =
  /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))[ \t]*(?:;|$)/y;

/** The parameters of one element of `Forwarded`; `undefined` when it is malformed. */
function readElement(text: string): ReadonlyMap<string, string> | undefined {
  const parameters = new Map<string, string>();
  for (PAIR.lastIndex = 0; PAIR.lastIndex < text.length;) {
    const match = PAIR.exec(text);
    if (match === null) return undefined;
    const [, name = "", quoted, plain = ""] = match;
    // "Each parameter MUST NOT occur more than once per field-value."
    if (parameters.has(name.toLowerCase())) return undefined;
    parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain);
  }
  return parameters;
}

/** An address, with or without a port; `undefined` for `unknown`, `_hidden` and everything else. */
function readNode(text: string): Peer | undefined {
  // A port can be made unrecognizable too (RFC 7239 §6).
  const { host, port = 0 } = splitHostPort(text.replace(/:_[A-Za-z0-9._-]+$/, "")) ?? {};
  const address = host === undefined ? undefined : canonicalAddress(host);
  if (address === undefined || port > 65_535) return undefined;
  return { address: withoutMapping(address), port };
}

function readScheme(proto: string | undefined): "http" | "https" | undefined {
  switch (proto?.toLowerCase()) {
    case "https":
    case "wss":
      return "https";
    case "http":
    case "ws":
      return "http";
    default:
      return undefined;
  }
}

function unquoted(entry: string): string {
  return /^"([^"\\]*)"$/.exec(entry)?.[1] ?? entry;
}
