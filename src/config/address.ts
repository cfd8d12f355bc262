import { addressBytes } from "./address_bytes.ts";

/**
 * Takes `host`, `host:port`, `[v6]`, `[v6]:port` and bare IPv6 apart; the host
 * comes without brackets. `undefined` when the text has none of these shapes.
 */
export function splitHostPort(
  text: string,
): { readonly host: string; readonly port: number | undefined } | undefined {
  if (isIPv6(text)) return { host: text, port: undefined };
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain, port] = match;
  if (bracketed !== undefined && !isIPv6(bracketed)) return undefined;
  return {
    host: (bracketed ?? plain)!,
    port: port === undefined ? undefined : Number(port),
  };
}

/** `host:port`, with the brackets that IPv6 needs. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An IP address in its one canonical spelling; `undefined` when the text is none. Zones are not accepted. */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes("%")) return undefined;
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/**
 * An address as text without its IPv6 clothes, when it is an IPv4 address that wears them
 * (RFC 4291 §2.5.5.2); any other as it is.
 */
export function withoutMapping(address: string): string {
  if (!address.startsWith("::ffff:")) return address;
  const inner = address.slice(7);
  if (isIPv4(inner)) return inner;
  const match = /^([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(inner);
  if (match === null) return address;
  const [high, low] = [parseInt(match[1]!, 16), parseInt(match[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** Whether this is an IPv4 address in its usual spelling: four numbers. */
export function isIPv4(text: string): boolean {
  return !text.includes(":") && addressBytes(text) !== undefined;
}

/** Whether this is an IPv6 address, without brackets; it may have a zone. */
export function isIPv6(text: string): boolean {
  return text.includes(":") && addressBytes(text) !== undefined;
}

/** Whether only this machine can reach a listener there; takes a {@link canonicalAddress} or `localhost`. */
export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" ||
    (isIPv4(address) && address.startsWith("127."));
}
