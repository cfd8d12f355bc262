import { isIP, isIPv4 } from "node:net";

/**
 * Takes `host`, `host:port`, `[v6]`, `[v6]:port` and bare IPv6 apart; the host
 * comes without brackets. `undefined` when the text has none of these shapes.
 */
export function splitHostPort(
  text: string,
): { readonly host: string; readonly port: number | undefined } | undefined {
  if (isIP(text) === 6) return { host: text, port: undefined };
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain, port] = match;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
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
  if (isIP(text) === 0 || text.includes("%")) return undefined;
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/** Whether only this machine can reach a listener there; takes a {@link canonicalAddress} or `localhost`. */
export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" ||
    (isIPv4(address) && address.startsWith("127."));
}
